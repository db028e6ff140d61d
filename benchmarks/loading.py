"""Fills a migrated PostgreSQL database with contacts, conversations and messages, by statements that run in it.

The same numbers give the same rows. Person n has contact, account and (up to `conversations`) conversation n, with the
number that `webhooks.wa_id` makes. Messages lie in the table in the order of their time, as they would have come.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

BASE = "timestamptz '2026-11-20 12:00:00+00'"
LONG = 5000
FIRST = "maria jose ana luis carmen juan laura pedro marta pablo lucia jorge elena diego sara raul nuria ivan rosa hugo"
LAST = """garcia lopez perez sanchez romero torres navarro ruiz serrano molina ortega delgado castro ortiz rubio marin
sanz nunez iglesias medina garrido cortes castillo santos lozano guerrero cano prieto mendez cruz calvo gallego vidal
leon herrera marquez pena flores cabrera campos vega fuentes carrasco diez reyes caballero nieto aguilar pascual"""
TEXTS = (
    "Hola, buenos días", "¿Me pueden decir si el pedido sale hoy?", "Gracias, muy amable", "Le mando la foto ahora",
    "¿Cuánto cuesta el envío a Sevilla?", "Ya lo he pagado con tarjeta", "No me ha llegado el código todavía",
    "Perfecto, entonces el viernes por la mañana", "¿Tienen en talla 42?", "Vale", "Sí", "Un momento, por favor",
    "Se lo confirmo en cuanto lo sepa el taller, seguramente esta tarde antes de las seis",
)  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """How much there is; conversations have 16.5 messages on average, `long` of them 5,000."""

    contacts: int
    conversations: int
    open: int
    long: int


def _words(text: str) -> str:
    return "ARRAY[" + ",".join(f"'{word}'" for word in text.split()) + "]"


def _texts() -> str:
    return "ARRAY[" + ",".join(f"'{text}'" for text in TEXTS) + "]"


# How many messages conversation v has, and when its last one came: open ones in the last 40 hours, others before.
COUNT = f"CASE WHEN v <= %(long)s THEN {LONG} ELSE 1 + (v % 1000) * 7919 % 32 END"
LAST_AT = f"{BASE} - CASE WHEN v <= %(open)s THEN v * interval '90 seconds' ELSE v * interval '100 seconds' END"

# Each: a name, the table, its columns with their values, and where the rows come from.
STEPS: tuple[tuple[str, str, dict[str, str], str], ...] = (
    (
        "contacts",
        "crm_contact",
        {
            "id": "n",
            "kind": "'person'",
            "name": "initcap(who)",
            "is_name_confirmed": "n % 2 = 0",
            "phone": "'+346' || lpad(n::text, 8, '0')",
            "search_text": "who || ' +346' || lpad(n::text, 8, '0') || ' 346' || lpad(n::text, 8, '0')",
            "created_at": f"{BASE} - n * interval '90 seconds'",
            "last_inbound_at": f"{BASE} - n * interval '90 seconds'",
        },
        f"""generate_series(1, %(contacts)s) n, LATERAL (SELECT
            ({_words(FIRST)})[1 + (n * 31) % 20] || ' ' || ({_words(LAST)})[1 + (n * 17 + n / 49) % 49] || ' ' ||
            ({_words(LAST)})[1 + (n / 7) % 49] AS who) names""",
    ),
    (
        "identities",
        "crm_channelidentity",
        {
            "id": "contact.id",
            "contact_id": "contact.id",
            "channel": "'whatsapp'",
            "scope": "'100'",
            "wa_id": "substr(contact.phone, 2)",
            "match_key": "substr(contact.phone, 2)",
            "profile_name": "contact.name",
            "profile_at": "contact.created_at",
            "first_seen_at": "contact.created_at",
            "last_seen_at": "contact.created_at",
        },
        "crm_contact contact",
    ),
    (
        "conversations",
        "conversations_conversation",
        {
            "id": "v",
            "inbox_id": "((SELECT ids FROM inboxes))[1 + v % 4]",
            "identity_id": "v",
            "contact_id": "v",
            "status": "CASE WHEN v <= %(open)s THEN 'open' ELSE 'resolved' END",
            "assignee_id": """CASE WHEN v % 3 > 0 THEN
                (CASE WHEN v % 4 < 2 THEN (SELECT sales FROM agents) ELSE (SELECT support FROM agents) END)
                [1 + (v / 4) % 10] END""",
            "version": "1",
            "window_expires_at": "at + interval '24 hours'",
            "inbound_count": "count - count / 3",
            "waiting_since": "CASE WHEN v <= %(open)s THEN at END",
            "last_activity_at": "at",
            "last_sort_at": "at",
            "last_preview": f"({_texts()})[1 + (v * 7) % 13]",
            "last_kind": "'text'",
            "last_direction": "'in'",
            "last_status": "'received'",
            "created_at": "at - count * interval '20 minutes'",
        },
        f"generate_series(1, %(conversations)s) v, LATERAL (SELECT {COUNT} AS count, {LAST_AT} AS at) facts",
    ),
    (
        "messages",
        "conversations_message",
        {
            "conversation_id": "v",
            "inbox_id": "inbox_id",
            "client_id": "md5(v || '.' || back)::uuid",
            "external_id": "'wamid.HBgLMzQ2MDAxMTEyMjIVAgASGBQ' || upper(md5(back || '.' || v))",
            "direction": "CASE WHEN back % 3 = 2 THEN 'out' ELSE 'in' END",
            "kind": "'text'",
            "status": "CASE WHEN back % 3 = 2 THEN 'read' ELSE 'received' END",
            "author_kind": "CASE WHEN back % 3 = 2 THEN 'agent' ELSE 'contact' END",
            "author_id": "CASE WHEN back % 3 = 2 THEN assignee_id END",
            "text": f"({_texts()})[1 + (v * 7 + back) % 13]",
            "provider_time": "at",
            "sort_at": "at",
            "created_at": "at",
            "sent_at": "CASE WHEN back % 3 = 2 THEN at END",
            "delivered_at": "CASE WHEN back % 3 = 2 THEN at + interval '1 second' END",
            "read_at": "CASE WHEN back % 3 = 2 THEN at + interval '1 minute' END",
            "version": "1",
        },
        f"""(SELECT c.id AS v, c.inbox_id, c.assignee_id, back, c.last_sort_at - back * interval '20 minutes' AS at
            FROM (SELECT *, id AS v FROM conversations_conversation) c,
            LATERAL generate_series(0, {COUNT} - 1) back ORDER BY at, v) given""",
    ),
    (
        "reads",
        "conversations_conversationread",
        {"conversation_id": "id", "user_id": "assignee_id", "inbound_upto": "greatest(inbound_count - id % 3, 0)"},
        "conversations_conversation WHERE assignee_id IS NOT NULL",
    ),
    (
        "events",
        "conversations_conversationevent",
        {
            "conversation_id": "conversation.id",
            "kind": "kind",
            "user_id": "assignee_id",
            "data": "'{}'",
            "created_at": "last_activity_at - interval '5 minutes'",
        },
        """conversations_conversation conversation, (VALUES ('assigned'), ('resolved')) kinds (kind)
        WHERE assignee_id IS NOT NULL""",
    ),
)
LOADED = [table for _name, table, _columns, _source in STEPS]
NEWEST = """
UPDATE conversations_conversation SET last_message_id = newest.id
FROM (SELECT conversation_id, max(id) AS id FROM conversations_message GROUP BY conversation_id) newest
WHERE newest.conversation_id = conversations_conversation.id
"""
HELPERS = """
CREATE TEMPORARY TABLE inboxes AS SELECT array_agg(id ORDER BY id) AS ids FROM conversations_inbox;
CREATE TEMPORARY TABLE agents AS SELECT
    array_agg(u.id ORDER BY u.id) FILTER (WHERE t.name = 'Sales') AS sales,
    array_agg(u.id ORDER BY u.id) FILTER (WHERE t.name = 'Support') AS support
FROM crm_user u JOIN crm_membership m ON m.user_id = u.id JOIN crm_team t ON t.id = m.team_id WHERE u.role = 'agent'
"""
NEUTRAL = {
    "boolean": "false", "jsonb": "'{}'", "uuid": "gen_random_uuid()", "character varying": "''", "text": "''",
    "timestamp with time zone": BASE,
}  # fmt: skip


def fill(url: str, sizes: Sizes) -> None:
    """Load everything; a run that was cut short goes on where it was. The office (inboxes, agents) must be there."""
    values = vars(sizes)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bench_step (name text PRIMARY KEY)")
        connection.execute("CREATE TABLE IF NOT EXISTS bench_index (name text PRIMARY KEY, definition text NOT NULL)")
        connection.execute(
            "SET session_replication_role = replica; SET synchronous_commit = off; SET work_mem = '256MB'"
        )
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute(HELPERS)
        _drop_indexes(connection)
        for name, table, columns, source in STEPS:
            run_once(connection, name, insertion(connection, table, columns, source), values)
        run_once(connection, "newest", NEWEST, {})
        for name, definition in connection.execute("SELECT name, definition FROM bench_index ORDER BY name").fetchall():
            run_once(connection, f"index {name}", definition, {})
        for table in LOADED:
            connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
        connection.execute("VACUUM ANALYZE")


def run_once(connection: psycopg.Connection, name: str, statement: str, values: dict[str, int]) -> None:
    """Run a statement with its values, unless this database has seen the step of that name."""
    with connection.transaction():
        done = connection.execute("INSERT INTO bench_step VALUES (%s) ON CONFLICT DO NOTHING", [name])
        if done.rowcount:
            for key, value in values.items():
                statement = statement.replace(f"%({key})s", str(value))
            connection.execute(statement)  # type: ignore[call-overload]


def insertion(connection: psycopg.Connection, table: str, columns: dict[str, str], source: str) -> str:
    """The statement, with neutral values for columns that must have one and are not named (a later migration's)."""
    rest = connection.execute(
        """SELECT column_name, data_type FROM information_schema.columns
        WHERE table_name = %s AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'""",
        [table],
    ).fetchall()
    columns = {name: NEUTRAL.get(kind, "0") for name, kind in rest} | columns
    names = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO {table} ({names}) SELECT {', '.join(columns.values())} FROM {source}"


def _drop_indexes(connection: psycopg.Connection) -> None:
    """Indexes and unique constraints go before the load and come back after it; primary keys stay."""
    with connection.transaction():
        for name, table, definition, is_constraint in list(_indexes(connection)):
            connection.execute("INSERT INTO bench_index VALUES (%s, %s)", [name, definition])
            drop = "ALTER TABLE {table} DROP CONSTRAINT {name}" if is_constraint else "DROP INDEX {name}"
            connection.execute(sql.SQL(drop).format(table=sql.Identifier(table), name=sql.Identifier(name)))


def _indexes(connection: psycopg.Connection) -> Iterator[tuple[str, str, str, bool]]:
    begun = connection.execute("SELECT 1 FROM bench_index").fetchone()
    if begun:
        return
    rows = connection.execute(
        """SELECT i.relname, t.relname, pg_get_indexdef(i.oid), c.conname IS NOT NULL, pg_get_constraintdef(c.oid)
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
        LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.contype = 'u'
        WHERE t.relname = ANY(%s) AND NOT x.indisprimary""",
        [LOADED],
    ).fetchall()
    for name, table, definition, is_constraint, constraint in rows:
        yield (
            name,
            table,
            f"ALTER TABLE {table} ADD CONSTRAINT {name} {constraint}" if is_constraint else definition,
            (is_constraint),
        )
