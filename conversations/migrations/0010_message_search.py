"""Search in messages, and the indexes of big tables, built while others write.

On PostgreSQL the search has a function that folds a text (on SQLite the connection brings its own) and a trigram index of
what it makes; without the right to create the extension it still works, slower.
"""

import warnings

from django.db import DatabaseError, migrations, models

from crm.foundation.migrating import AddIndexBeside, is_missing, unhurried

INDEX = "message_text_trgm"
BUILD = f"CREATE INDEX CONCURRENTLY {INDEX} ON conversations_message USING gin (fold_text(text) gin_trgm_ops)"
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
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except DatabaseError:
            warnings.warn(
                "No right to create the extension pg_trgm: search in messages will scan. Ask the database's owner for "
                f"CREATE EXTENSION pg_trgm, then run: SET statement_timeout = 0; {BUILD};",
                stacklevel=1,
            )
            return
        with unhurried(schema_editor):
            if is_missing(schema_editor, INDEX):
                cursor.execute(BUILD)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        with unhurried(schema_editor):
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
            schema_editor.execute("DROP FUNCTION IF EXISTS fold_text(text)")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("conversations", "0009_sound")]

    operations = [
        migrations.RunPython(create, drop),
        AddIndexBeside(
            "conversation",
            models.Index(
                condition=models.Q(("status", "open"), ("waiting_since__isnull", False)),
                fields=["waiting_since", "id"],
                name="conversation_waiting",
            ),
        ),
        AddIndexBeside(
            "conversation",
            models.Index(
                condition=models.Q(("status", "open")), fields=["window_expires_at", "id"], name="conversation_closing"
            ),
        ),
        AddIndexBeside(
            "conversation",
            models.Index(
                condition=models.Q(("status", "snoozed")), fields=["snoozed_until", "id"], name="conversation_snoozed"
            ),
        ),
        AddIndexBeside(
            "message",
            models.Index(
                condition=models.Q(("direction", "note")), fields=["conversation", "sort_at"], name="message_notes"
            ),
        ),
        AddIndexBeside(
            "attachment",
            models.Index(
                condition=models.Q(("scheduled__isnull", False)), fields=["scheduled"], name="attachment_scheduled"
            ),
        ),
        AddIndexBeside(
            "attachment",
            models.Index(
                condition=models.Q(("kind__in", ["voice", "audio"]), ("sound_read_at", None), ("state", "stored")),
                fields=["created_at"],
                name="attachment_unheard",
            ),
        ),
        AddIndexBeside(
            "attachment",
            models.Index(
                condition=models.Q(("kind__in", ["image", "video"]), ("state", "stored")),
                fields=["conversation", "message"],
                name="attachment_pictures",
            ),
        ),
    ]
