"""The limit of processing: hand-written SQL for exactly these webhooks, which knows nothing of anything else."""

import datetime as dt
from typing import Any

import orjson
from django.db import connection, transaction

from crm.foundation import clock
from crm.foundation.secrets import unseal

CLAIM = """
SELECT id, sealed_body FROM conversations_webhookevent WHERE state = 'pending' ORDER BY id LIMIT %s
"""
# What the models' defaults would fill in.
MESSAGE_REST = """
    client_id, direction, kind, status, author_kind, payload, pricing, original_text, quoted_external_id, is_forwarded,
    error_code, error_details, priority, version
"""
POSTGRESQL = f"""
WITH given AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS one(phone_id, wa_id, wamid, at)
), texts AS (
    SELECT * FROM unnest(%s::text[], %s::text[]) AS one(wamid, body)
), known AS (
    SELECT given.*, texts.body, inbox.id AS inbox_id, conversation.id AS conversation_id
    FROM given
    JOIN texts USING (wamid)
    JOIN conversations_inbox inbox ON inbox.phone_number_id = given.phone_id
    JOIN crm_channelidentity identity ON identity.channel = 'whatsapp' AND identity.wa_id = given.wa_id
    JOIN conversations_conversation conversation
      ON conversation.inbox_id = inbox.id AND conversation.identity_id = identity.id
), made AS (
    INSERT INTO conversations_message (conversation_id, inbox_id, external_id, text, provider_time, sort_at, created_at,
        {MESSAGE_REST})
    SELECT conversation_id, inbox_id, wamid, body, at, at, %s::timestamptz, gen_random_uuid(), 'in', 'text', 'received',
        'contact', '{{}}', '{{}}', '', '', false, '', '', 0, 1
    FROM known
    ON CONFLICT (inbox_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
    RETURNING id, conversation_id, inbox_id, client_id, sort_at, text
), newest AS (
    SELECT DISTINCT ON (conversation_id) *, count(*) OVER (PARTITION BY conversation_id) AS fresh
    FROM made ORDER BY conversation_id, sort_at DESC, id DESC
), summary AS (
    UPDATE conversations_conversation conversation
    SET inbound_count = inbound_count + newest.fresh, last_activity_at = newest.sort_at,
        last_sort_at = newest.sort_at, last_message_id = newest.id, last_preview = left(newest.text, 200),
        window_expires_at = newest.sort_at + interval '24 hours'
    FROM newest WHERE conversation.id = newest.conversation_id
), hints AS (
    INSERT INTO conversations_livehint (groups, payload, transaction_id, created_at)
    SELECT jsonb_build_array('inbox.' || inbox_id),
        jsonb_build_object('t', 'message.created', 'c', conversation_id, 'm', client_id),
        pg_current_xact_id()::text::bigint, %s::timestamptz
    FROM made
)
UPDATE conversations_webhookevent SET state = 'processed', processed_at = %s::timestamptz WHERE id = ANY(%s)
"""


def _read(rows: list[tuple[int, Any]]) -> list[tuple[str, str, str, dt.datetime, str]]:
    items = []
    for _pk, sealed in rows:
        for entry in orjson.loads(unseal(bytes(sealed)))["entry"]:
            for change in entry["changes"]:
                phone = change["value"]["metadata"]["phone_number_id"]
                for item in change["value"]["messages"]:
                    at = dt.datetime.fromtimestamp(int(item["timestamp"]), dt.UTC)
                    items.append((phone, item["from"], item["id"], at, item["text"]["body"]))
    return items


@transaction.atomic
def postgresql(limit: int) -> int:
    """One batch, one statement; how many events it was."""
    now = clock.real()
    with connection.cursor() as cursor:
        cursor.execute(f"{CLAIM} FOR UPDATE SKIP LOCKED", [limit])
        rows = cursor.fetchall()
        if rows:
            phones, people, wamids, times, texts = (list(column) for column in zip(*_read(rows), strict=True))
            values = [phones, people, wamids, times, wamids, texts, now, now, now, [pk for pk, _sealed in rows]]
            cursor.execute(POSTGRESQL, values)
    return len(rows)


SQLITE_KNOWN = """
SELECT identity.wa_id, inbox.phone_number_id, conversation.id, inbox.id
FROM crm_channelidentity identity
JOIN conversations_conversation conversation ON conversation.identity_id = identity.id
JOIN conversations_inbox inbox ON inbox.id = conversation.inbox_id
WHERE identity.channel = 'whatsapp' AND identity.wa_id IN (SELECT value FROM json_each(%s))
"""
SQLITE_MESSAGE = f"""
INSERT OR IGNORE INTO conversations_message (conversation_id, inbox_id, external_id, text, provider_time, sort_at,
    created_at, {MESSAGE_REST})
VALUES (%s, %s, %s, %s, %s, %s, %s, lower(hex(randomblob(16))), 'in', 'text', 'received', 'contact', '{{}}', '{{}}', '',
    '', 0, '', '', 0, 1)
"""
SQLITE_SUMMARY = """
UPDATE conversations_conversation SET inbound_count = inbound_count + %s, last_activity_at = %s, last_sort_at = %s,
    last_message_id = (SELECT id FROM conversations_message WHERE inbox_id = %s AND external_id = %s),
    last_preview = %s, window_expires_at = %s WHERE id = %s
"""
SQLITE_HINT = """
INSERT INTO conversations_livehint (groups, payload, transaction_id, created_at) VALUES (%s, %s, 0, %s)
"""
SQLITE_DONE = """
UPDATE conversations_webhookevent SET state = 'processed', processed_at = %s
WHERE id IN (SELECT value FROM json_each(%s))
"""


@transaction.atomic
def sqlite(limit: int) -> int:
    """One batch, one `executemany` for each table; how many events it was."""
    now = clock.real()
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [limit])
        rows = cursor.fetchall()
        items = _read(rows)
        cursor.execute(SQLITE_KNOWN, [orjson.dumps([item[1] for item in items]).decode()])
        known = {(wa_id, phone): (conversation, inbox) for wa_id, phone, conversation, inbox in cursor.fetchall()}
        placed = [(*known[item[1], item[0]], *item[2:]) for item in items]
        cursor.executemany(
            SQLITE_MESSAGE, [(c, inbox, wamid, text, at, at, now) for c, inbox, wamid, at, text in placed]
        )
        counts: dict[int, int] = {}
        for place in placed:
            counts[place[0]] = counts.get(place[0], 0) + 1
        day = dt.timedelta(hours=24)
        newest = {c: (counts[c], at, at, inbox, wamid, text[:200], at + day, c) for c, inbox, wamid, at, text in placed}
        cursor.executemany(SQLITE_SUMMARY, list(newest.values()))
        hints = [(f'["inbox.{inbox}"]', f'{{"t": "message.created", "c": {c}}}', now) for c, inbox, *_rest in placed]
        cursor.executemany(SQLITE_HINT, hints)
        cursor.execute(SQLITE_DONE, [now, orjson.dumps([pk for pk, _sealed in rows]).decode()])
    return len(rows)
