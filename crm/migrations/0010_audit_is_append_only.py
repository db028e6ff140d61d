"""The audit log can be searched by words, and the database itself refuses to change or delete what is in it.

Open to retention and erasure only (`crm.audit.keeping.opened`), and to a user who is deleted: their name stays. Whoever
rebuilds the table on SQLite must put the triggers in again; a test says so.
"""

import warnings

from django.db import DatabaseError, migrations, models, transaction

TABLE = "crm_auditentry"
INDEX = "auditentry_search_trgm"
NO_EXTENSION = ("42501", "0A000", "58P01")  # no right to create it; this server does not have it
COLUMNS = (
    "id", "at", "user_name", "token_prefix", "source", "ip", "action", "model", "object_id", "object_name", "changes",
    "search_text",
)  # fmt: skip

POSTGRESQL = f"""
CREATE FUNCTION {TABLE}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('ventanilla.audit_log_is_open', true) = 'yes' THEN
        IF TG_OP = 'UPDATE' THEN
            RETURN NEW;
        END IF;
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.user_id IS NULL AND to_jsonb(NEW) - 'user_id' = to_jsonb(OLD) - 'user_id' THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'The audit log is append-only.' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE OR DELETE ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION {TABLE}_refuse();
CREATE TRIGGER {TABLE}_not_emptied BEFORE TRUNCATE ON {TABLE}
    FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}_refuse();
"""
POSTGRESQL_BACK = f"""
DROP TRIGGER IF EXISTS {TABLE}_append_only ON {TABLE};
DROP TRIGGER IF EXISTS {TABLE}_not_emptied ON {TABLE};
DROP FUNCTION IF EXISTS {TABLE}_refuse();
"""

_same = " AND ".join(f'NEW."{name}" IS OLD."{name}"' for name in COLUMNS)
SQLITE = (
    f"""CREATE TRIGGER {TABLE}_not_changed BEFORE UPDATE ON {TABLE}
    WHEN NOT (NEW.user_id IS NULL AND {_same}) AND NOT is_door_open('audit log')
    BEGIN SELECT RAISE(ABORT, 'The audit log is append-only.'); END""",
    f"""CREATE TRIGGER {TABLE}_not_deleted BEFORE DELETE ON {TABLE} WHEN NOT is_door_open('audit log')
    BEGIN SELECT RAISE(ABORT, 'The audit log is append-only.'); END""",
)
SQLITE_BACK = (f"DROP TRIGGER IF EXISTS {TABLE}_not_changed", f"DROP TRIGGER IF EXISTS {TABLE}_not_deleted")


def index(apps, schema_editor):
    """Trigrams on PostgreSQL; without the right to create the extension the search still works, slower."""
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            cursor.execute(f"CREATE INDEX {INDEX} ON {TABLE} USING gin (search_text gin_trgm_ops)")
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") not in NO_EXTENSION:
            raise
        warnings.warn("No right to create the extension pg_trgm: the search in the audit log will scan.", stacklevel=1)


def drop_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX IF EXISTS {INDEX}")


def lock(apps, schema_editor):
    for statement in (POSTGRESQL,) if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement)


def unlock(apps, schema_editor):
    for statement in (POSTGRESQL_BACK,) if schema_editor.connection.vendor == "postgresql" else SQLITE_BACK:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("crm", "0009_moderate")]

    operations = [
        migrations.AddField(
            "auditentry", "search_text", models.TextField(blank=True, db_default="", default="", editable=False)
        ),
        migrations.RunPython(index, drop_index),
        migrations.RunPython(lock, unlock),
    ]
