"""Trigram index for the contact search on PostgreSQL; without the right to create the extension search still works, slower."""

import warnings

from django.db import DatabaseError, migrations, transaction

INDEX = "contact_search_trgm"


def create_index(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            cursor.execute(f"CREATE INDEX {INDEX} ON crm_contact USING gin (search_text gin_trgm_ops)")
    except DatabaseError:
        warnings.warn(
            "No right to create the extension pg_trgm: contact search will scan. Ask the database's owner for "
            "CREATE EXTENSION pg_trgm, then run: CREATE INDEX CONCURRENTLY contact_search_trgm ON crm_contact "
            "USING gin (search_text gin_trgm_ops);",
            stacklevel=1,
        )


def drop_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX IF EXISTS {INDEX}")


class Migration(migrations.Migration):
    dependencies = [("crm", "0001_initial")]

    operations = [migrations.RunPython(create_index, drop_index)]
