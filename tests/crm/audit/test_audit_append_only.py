"""The database itself keeps the audit log: nothing changes or deletes it but retention and erasure, by one door."""

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction

from crm.audit import keeping, log
from crm.audit.models import AuditEntry
from crm.foundation import clock
from crm.privacy import retention
from tests.factories import TagFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too, pytest.mark.covers("A09", "A12")]
DAY = dt.timedelta(days=1)
SQLITE_ONLY = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has no such statement")
COLUMNS = ", ".join(field.column for field in AuditEntry._meta.concrete_fields)
OVER = f"INTO crm_auditentry ({COLUMNS}) SELECT {COLUMNS.replace('action', "'created'")} FROM crm_auditentry WHERE true"


@pytest.fixture
def entry(db):
    return log.record("changed", TagFactory(), by=UserFactory(name="Ana"), changes={"name": ["a", "b"]})


def sql(statement):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def stands(entry):
    return AuditEntry.objects.filter(pk=entry.pk, action="changed", user_name="Ana").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE crm_auditentry SET action = 'created'",
        "UPDATE crm_auditentry SET user_id = NULL, user_name = ''",
        "UPDATE crm_auditentry SET changes = '{}'",
        "UPDATE crm_auditentry SET user_name = 'Luis' WHERE id > 0",
        "DELETE FROM crm_auditentry",
        pytest.param(f"INSERT OR REPLACE {OVER}", marks=SQLITE_ONLY),
        pytest.param(f"REPLACE {OVER}", marks=SQLITE_ONLY),
        pytest.param("UPDATE OR REPLACE crm_auditentry SET action = 'created'", marks=SQLITE_ONLY),
        pytest.param(f"INSERT {OVER} ON CONFLICT (id) DO UPDATE SET action = 'created'"),
    ],
)
def test_a09_no_statement_changes_or_deletes_an_entry(entry, statement):
    with pytest.raises(DatabaseError, match="append-only"):
        sql(statement)
    assert stands(entry)


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no such statement")
def test_a09_the_table_is_not_emptied(entry):
    sql("SET CONSTRAINTS ALL IMMEDIATE")  # what the fixtures have left to check
    with pytest.raises(DatabaseError, match="append-only"):
        sql("TRUNCATE crm_auditentry")
    assert stands(entry)


def test_a09_neither_querysets_nor_instances_do(entry):
    with pytest.raises(TypeError):
        AuditEntry.objects.all().delete()
    with pytest.raises(TypeError):
        AuditEntry.objects.update(action="x")
    for write in (entry.delete, lambda: AuditEntry(pk=entry.pk, source="api", action="x").save()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            write()
    assert AuditEntry.objects.count() == 1


def test_a_deleted_user_leaves_their_name(entry):
    entry.user.delete()
    entry.refresh_from_db()
    assert (entry.user, entry.user_name) == (None, "Ana")


def test_the_door_opens_for_its_transaction_only(entry):
    with keeping.opened():
        sql("UPDATE crm_auditentry SET object_name = 'erased'")
    with pytest.raises(DatabaseError, match="append-only"):
        sql("DELETE FROM crm_auditentry")
    with pytest.raises(ZeroDivisionError), keeping.opened():
        raise ZeroDivisionError
    with pytest.raises(DatabaseError, match="append-only"):
        sql("DELETE FROM crm_auditentry")
    entry.refresh_from_db()
    assert entry.object_name == "erased"


def test_a_door_inside_another_leaves_it_open(entry):
    with keeping.opened():
        with keeping.opened():
            sql("UPDATE crm_auditentry SET object_name = 'once'")
        sql("UPDATE crm_auditentry SET object_name = 'twice'")
    with pytest.raises(DatabaseError, match="append-only"):
        sql("DELETE FROM crm_auditentry")
    entry.refresh_from_db()
    assert entry.object_name == "twice"


def aged(days):
    return AuditEntry(at=clock.real() - days * DAY, source="system", action="created")


def test_what_is_past_its_time_goes_in_batches_and_the_rest_stays(entry):
    kept = keeping.KEPT.days
    AuditEntry.objects.bulk_create([aged(kept + 1) for _ in range(60)] + [aged(kept - 1)])
    with keeping.opened():
        keeping.entries().filter(pk=entry.pk).delete()  # the newest has the lowest key: time goes with keys
    rule = next(rule for rule in retention.schedule() if rule.name == "audit log")
    assert rule.overdue()[0] == 60
    gone = []
    retention.clean(tell=lambda rule, count: gone.append((rule.name, count)))
    assert gone == [("audit log", 50), ("audit log", 10)]
    assert AuditEntry.objects.count() == 1


def test_the_default_is_two_years():
    assert dt.timedelta(days=730) == keeping.KEPT
