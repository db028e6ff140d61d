"""Looking through a long audit log: few queries, and no entry read in vain. AUDIT_AT=1000000 for a million entries."""

import datetime as dt
import json
import os
import time

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from crm.audit.models import AuditEntry
from crm.foundation import clock
from tests.conftest import ON_SQLITE
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.skipif(ON_SQLITE, reason="plans are PostgreSQL's")]

ENTRIES = int(os.environ.get("AUDIT_AT", "30000"))
CEILING = 8
READ = 8000  # of two statements: the count, which ends at 1,001, and the page
FILL = """
INSERT INTO crm_auditentry
    (at, user_id, user_name, token_prefix, source, action, model, object_id, object_name, changes, search_text)
SELECT now() - interval '1 second' * ((%(most)s - n) * 63072000.0 / %(most)s),
    (ARRAY[%(often)s, %(rarely)s])[1 + (n %% 3000 = 0)::int], 'Ana', '',
    CASE WHEN n %% 1500 = 0 THEN 'command' WHEN n %% 10 = 0 THEN 'api' ELSE 'desk' END,
    CASE WHEN n %% 1000 = 0 THEN 'denied' WHEN n %% 20 = 0 THEN 'created' ELSE 'changed' END,
    CASE WHEN n %% 700 = 0 THEN 'crm.tag' ELSE 'crm.contact' END,
    n / 7, 'Person ' || n / 7, '{"company": ["a", "b"]}',
    CASE WHEN n %% (%(most)s / 3) = 7 THEN 'ana needle ' ELSE 'ana person ' END || n / 7
FROM generate_series(1, %(most)s) AS n
"""


@pytest.fixture
def people(db):
    return UserFactory(name="Ana"), UserFactory(name="Luis"), UserFactory(manager=True)


@pytest.fixture
def client(people):
    often, rarely, manager = people
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(FILL, {"most": ENTRIES, "often": often.pk, "rarely": rarely.pk})
        cursor.execute("ANALYZE crm_auditentry")
        cursor.execute("SELECT gin_clean_pending_list('auditentry_search_trgm')")
    client = Client()
    client.force_login(manager)
    return client


def questions(people):
    _often, rarely, _manager = people
    middle = AuditEntry.objects.order_by("pk")[ENTRIES // 2].pk
    day = (clock.real() - dt.timedelta(days=365)).date()
    year_ago = f"at_from={day}&at_to={day + dt.timedelta(days=1)}"
    return {
        "all": "",
        "deep": f"after={middle}",
        "a rare word": "q=needle",
        "a frequent word": "q=person",
        "a person and a number": f"q=ana+{ENTRIES // 20}",
        "no such word": "q=zebra",
        "act": "action=denied",
        "kind": "kind=crm.tag",
        "where from": "source__exact=command",
        "who": f"user__id__exact={rarely.pk}",
        "a day": year_ago,
        "a day and who": f"{year_ago}&user__id__exact={rarely.pk}",
        "kind and act": "kind=crm.tag&action=denied",
    }


def entries_read(sql):
    """How many entries a statement reads, kept or thrown away."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        found = cursor.fetchone()[0]
    return _read((json.loads(found) if isinstance(found, str) else found)[0]["Plan"])


def _read(plan):
    own = 0
    if plan.get("Relation Name") == "crm_auditentry":
        dropped = sum(value for key, value in plan.items() if key.startswith("Rows Removed by"))
        own = round((plan["Actual Rows"] + dropped) * plan["Actual Loops"])
    return own + sum(map(_read, plan.get("Plans", ())))


def test_every_way_of_looking_reads_little_of_a_long_log(client, people, record_property):
    address, wrong = reverse("admin:crm_auditentry_changelist"), []
    client.get(address)
    for name, query in questions(people).items():
        statements = []

        def note(execute, sql, params, many, context, statements=statements):
            result = execute(sql, params, many, context)
            statements.append(connection.ops.last_executed_query(context["cursor"], sql, params))
            return result

        start = time.perf_counter()
        with connection.execute_wrapper(note):
            page = client.get(f"{address}?{query}")
        took = (time.perf_counter() - start) * 1000
        assert page.status_code == 200
        read = sum(entries_read(sql) for sql in statements if sql.startswith("SELECT") and "crm_auditentry" in sql)
        record_property(name, f"{took:.0f} ms, {len(statements)} queries, {read} entries read")
        if os.environ.get("AUDIT_AT"):
            print(f"{name}: {took:.0f} ms, {len(statements)} queries, {read} entries read")  # noqa: T201
        if len(statements) > CEILING or read > READ:
            wrong.append((name, len(statements), read))
    assert not wrong
