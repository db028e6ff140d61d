"""What only the administration shows, beside the contacts and messages of `loading`: tags, webhooks, the audit log."""

import psycopg

from benchmarks.loading import BASE, insertion, run_once

TAGS = 20
# The first few entries of the log are the only ones of their act, their kind and their source.
RARE = 10

STEPS: tuple[tuple[str, str, dict[str, str], str], ...] = (
    (
        "tags",
        "crm_tag",
        {"id": "n", "name": "'tag ' || n", "colour": "n % 16"},
        f"generate_series(1, {TAGS}) n",
    ),
    (
        "tags of contacts",
        "crm_contacttag",
        {"contact_id": "id", "tag_id": f"1 + (id + one) % {TAGS}", "added_at": "created_at"},
        "crm_contact, generate_series(0, 1) one WHERE id % 3 > one",
    ),
    (
        "webhooks",
        "conversations_webhookevent",
        {
            "id": "n",
            # as long as a sealed text message, and as hard to compress
            "sealed_body": "(SELECT string_agg(sha512((n || '.' || part)::bytea), ''::bytea) "
            "FROM generate_series(1, 8) part)",
            "signature": "'sha256=' || encode(sha256(n::text::bytea), 'hex')",
            "signer_ids": "jsonb_build_array((SELECT min(id) FROM conversations_whatsappaccount))",
            "state": "CASE WHEN n % 10000 = 0 THEN 'quarantined' ELSE 'processed' END",
            "reason": "CASE WHEN n % 10000 = 0 THEN 'change without value' ELSE '' END",
            "lane": "n % 100000",
            "received_at": f"{BASE} - (%(webhooks)s - n) * interval '6 seconds'",
            "processed_at": f"{BASE} - (%(webhooks)s - n) * interval '6 seconds'",
        },
        "generate_series(1, %(webhooks)s) n",
    ),
    (
        "items of webhooks",
        "conversations_eventitem",
        {
            "event_id": "event.id",
            "position": "0",
            "kind": "'text'",
            "outcome": "CASE WHEN state = 'quarantined' THEN 'quarantined' ELSE 'recorded' END",
            "message_id": "message.id",
        },
        "conversations_webhookevent event LEFT JOIN conversations_message message ON message.id = event.id",
    ),
    (
        "audit log",
        "crm_auditentry",
        {
            "id": "n",
            "at": f"{BASE} - (%(entries)s - n) * interval '30 seconds'",
            "user_id": "u.id",
            "user_name": "u.name",
            "source": f"CASE WHEN n <= {RARE} THEN 'command' WHEN n % 4 = 0 THEN 'api' ELSE 'desk' END",
            "action": f"""CASE WHEN n <= {RARE} THEN 'sending_stopped' WHEN n % 5 = 0 THEN 'signed_in'
                WHEN n % 1000 = 1 THEN 'deleted' ELSE 'changed' END""",
            "model": f"CASE WHEN n <= {RARE} THEN 'crm.team' WHEN n % 5 = 0 THEN 'crm.user' ELSE 'crm.contact' END",
            "object_id": "n::text",
            "object_name": "'~Person ' || n",
            "search_text": "lower(u.name) || ' ~person ' || n || ' ' || n",
            "changes": "CASE WHEN n % 5 = 0 THEN '{}' ELSE jsonb_build_object('name', jsonb_build_array('a', n)) END",
        },
        """generate_series(1, %(entries)s) n JOIN (SELECT id, name, row_number() OVER (ORDER BY id) - 1 AS place,
            count(*) OVER () AS people FROM crm_user) u ON u.place = n % u.people""",
    ),
)


def fill(url: str, webhooks: int, entries: int) -> None:
    """Load what is not there yet, indexes in place; contacts and messages must be there."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        done = connection.execute("SELECT count(*) FROM bench_step WHERE name = 'audit log'").fetchone()
        for name, table, columns, source in STEPS:
            statement = insertion(connection, table, columns, source)
            run_once(connection, name, statement, {"webhooks": webhooks, "entries": entries})
        if done and done[0]:
            return
        for table in {table for _name, table, _columns, _source in STEPS}:
            connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
            connection.execute(f"VACUUM ANALYZE {table}")
