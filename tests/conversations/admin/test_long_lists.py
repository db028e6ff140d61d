"""Long lists of the administration: few queries at any depth, and few rows read for a day or a set."""

import datetime as dt
import json

import pytest
from django.db import connection
from django.urls import reverse

from conversations.ingest.models import WebhookEvent
from conversations.messaging.models import Message
from tests.product import ON_SQLITE

pytestmark = [pytest.mark.django_db, pytest.mark.skipif(ON_SQLITE, reason="plans are PostgreSQL's")]

CEILING = 8
ROWS = 20_000  # in 200 days
READ = 2_000  # of the list's table, by all statements of a page
WEBHOOKS = """
INSERT INTO conversations_webhookevent
    (sealed_body, signature, signer_ids, state, reason, attempts_count, lane, received_at, processed_at)
SELECT '\\x00', '', '[]', 'processed', '', 0, 0, at, at
FROM generate_series(1, %(rows)s) n, LATERAL (SELECT now() - (%(rows)s - n) * interval '864 seconds' AS at) times
"""
# One message in two hundred answers who waited, one is charged.
MESSAGES = """
INSERT INTO conversations_message
    (conversation_id, inbox_id, client_id, direction, kind, status, text, payload, author_kind, quoted_external_id,
    is_forwarded, original_text, sort_at, created_at, error_code, error_details, pricing, priority, version,
    answered_after)
SELECT %(talk)s, %(inbox)s, gen_random_uuid(), 'out', 'text', 'sent', 'x', '{}', 'agent', '', false, '', at, at, '', '',
    CASE WHEN n %% 200 = 1 THEN '{"billable": true}'::jsonb ELSE '{}' END, 0, 1, CASE WHEN n %% 200 = 0 THEN 60 END
FROM generate_series(1, %(rows)s) n, LATERAL (SELECT now() - (%(rows)s - n) * interval '864 seconds' AS at) times
"""


def fill(statement, model, **values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values | {"rows": ROWS})
        cursor.execute(f"ANALYZE {model._meta.db_table}")


def looked_at(admin, model, query):
    """The page, how many queries it took, and how many rows of the model they read, kept or thrown away."""
    statements = []

    def note(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        statements.append(connection.ops.last_executed_query(context["cursor"], sql, params))
        return result

    with connection.execute_wrapper(note):
        page = admin.get(f"{reverse(f'admin:conversations_{model._meta.model_name}_changelist')}?{query}")
    assert page.status_code == 200
    table = model._meta.db_table
    read = sum(rows_read(sql, table) for sql in statements if sql.startswith("SELECT") and table in sql)
    return page, len(statements), read


def rows_read(sql, table):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        found = cursor.fetchone()[0]
    nodes, read = [(json.loads(found) if isinstance(found, str) else found)[0]["Plan"]], 0
    for node in nodes:
        nodes += node.get("Plans", ())
        if node.get("Relation Name") == table:
            dropped = sum(value for key, value in node.items() if key.startswith("Rows Removed by"))
            read += (node["Actual Rows"] + dropped) * node["Actual Loops"]
    return read


def test_webhooks_of_a_day_far_back_and_a_deep_page_are_found_without_reading_the_others(admin):
    fill(WEBHOOKS, WebhookEvent)
    middle = WebhookEvent.objects.order_by("pk")[ROWS // 2]
    day = middle.received_at.date()
    of_a_day = f"received_at_from={day}&received_at_to={day + dt.timedelta(days=1)}"
    for query in ("", f"after={middle.pk}", of_a_day, "received_at_from=2020-01-01&received_at_to=2020-01-02"):
        page, queries, read = looked_at(admin, WebhookEvent, query)
        keys = [row.pk for row in page.context["cl"].result_list]
        assert keys == sorted(keys, reverse=True)
        assert len(keys) == 50 or "2020" in query
        assert queries <= CEILING, query
        assert read <= READ, (query, read)


@pytest.mark.parametrize("name", ["answers", "charged"])
@pytest.mark.parametrize("period", ["", "&period=7"])
def test_a_set_that_few_messages_are_in_is_found_without_reading_the_others(admin, house, name, period):
    fill(MESSAGES, Message, talk=house.talk.pk, inbox=house.inbox.pk)
    page, queries, read = looked_at(admin, Message, f"set={name}{period}")
    assert page.context["cl"].result_list
    assert queries <= CEILING
    assert read <= READ, read
