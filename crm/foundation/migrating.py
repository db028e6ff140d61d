"""Indexes and unique rules of big tables, built beside the work of others; their migration is `atomic = False`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import AddConstraint, AddIndex

_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"


@contextmanager
def unhurried(editor: BaseDatabaseSchemaEditor) -> Iterator[None]:
    """PostgreSQL ends no statement meanwhile for taking or waiting long."""
    with editor.connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET lock_timeout = 0")
        try:
            yield
        finally:
            cursor.execute("RESET statement_timeout")
            cursor.execute("RESET lock_timeout")


def is_missing(editor: BaseDatabaseSchemaEditor, name: str) -> bool:
    """Whether PostgreSQL has no such index; what a build that broke off left behind is dropped."""
    with editor.connection.cursor() as cursor:
        cursor.execute(_VALID, [editor.quote_name(name)])
        found = cursor.fetchone()
        if found and not found[0]:
            cursor.execute(f"DROP INDEX CONCURRENTLY {editor.quote_name(name)}")
    return not (found and found[0])


class AddIndexBeside(AddIndex):
    """AddIndex that on PostgreSQL stops no writer, takes its time, and may be run again after it broke off."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Build it, unless a try before has."""
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        with unhurried(schema_editor):
            if is_missing(schema_editor, self.index.name):
                schema_editor.add_index(model, self.index, concurrently=True)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Drop it."""
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
            return
        model = from_state.apps.get_model(app_label, self.model_name)
        with unhurried(schema_editor):
            schema_editor.remove_index(model, self.index, concurrently=True)


class AddUniqueBeside(AddConstraint):
    """AddConstraint for a unique rule with a condition, which is an index to PostgreSQL: likewise stops no writer."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Build it, unless a try before has."""
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        with unhurried(schema_editor):
            if is_missing(schema_editor, self.constraint.name):
                sql = str(self.constraint.create_sql(model, schema_editor))
                schema_editor.execute(sql.replace("CREATE UNIQUE INDEX", "CREATE UNIQUE INDEX CONCURRENTLY", 1))
