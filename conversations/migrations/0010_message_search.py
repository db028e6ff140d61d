"""Search in messages: on PostgreSQL a function that folds a text (on SQLite the connection brings its own) and a trigram
index of what it makes; without the right to create the extension search still works, slower.
"""

import warnings

from django.db import DatabaseError, migrations, transaction

INDEX = "message_text_trgm"
FUNCTION = r"""
CREATE OR REPLACE FUNCTION fold_text(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT replace(lower(regexp_replace(normalize($1, NFKD), E'[\u0300-\u036f]', '', 'g')), 'ß', 'ss') $$
"""


def create(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(FUNCTION)
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            cursor.execute(f"CREATE INDEX {INDEX} ON conversations_message USING gin (fold_text(text) gin_trgm_ops)")
    except DatabaseError:
        warnings.warn(
            "No right to create the extension pg_trgm: search in messages will scan. Ask the database's owner for "
            f"CREATE EXTENSION pg_trgm, then run: CREATE INDEX CONCURRENTLY {INDEX} ON conversations_message "
            "USING gin (fold_text(text) gin_trgm_ops);",
            stacklevel=1,
        )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX IF EXISTS {INDEX}")
        schema_editor.execute("DROP FUNCTION IF EXISTS fold_text(text)")


class Migration(migrations.Migration):
    dependencies = [("conversations", "0009_sound")]

    operations = [migrations.RunPython(create, drop)]
