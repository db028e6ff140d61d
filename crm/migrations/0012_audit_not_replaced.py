"""On SQLite, an entry of the audit log is not written over by another with its number (REPLACE fires no DELETE)."""

from django.db import migrations

TABLE = "crm_auditentry"
SQLITE = f"""CREATE TRIGGER {TABLE}_not_replaced BEFORE INSERT ON {TABLE}
    WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'The audit log is append-only.'); END"""


def lock(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(SQLITE)


def unlock(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {TABLE}_not_replaced")


class Migration(migrations.Migration):
    dependencies = [("crm", "0011_audit_indexes")]

    operations = [migrations.RunPython(lock, unlock)]
