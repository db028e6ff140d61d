"""Indexes of messages for the administration, built while others write: the failed ones, and on PostgreSQL the days.

The latter is a block range index: messages come in the order of their time, so that it costs next to nothing.
"""

from django.db import migrations, models

from crm.foundation.migrating import AddIndexBeside, is_missing, unhurried

INDEX = "message_created_brin"


def create(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with unhurried(schema_editor), schema_editor.connection.cursor() as cursor:
        if is_missing(schema_editor, INDEX):
            cursor.execute(
                f"CREATE INDEX CONCURRENTLY {INDEX} ON conversations_message USING brin (created_at)"
                " WITH (pages_per_range = 32, autosummarize = on)"
            )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        with unhurried(schema_editor):
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("conversations", "0012_administration")]

    operations = [
        AddIndexBeside(
            "message", models.Index(condition=models.Q(("status", "failed")), fields=["id"], name="message_failed")
        ),
        migrations.RunPython(create, drop),
    ]
