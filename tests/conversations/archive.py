"""A business with a large archive, made inside PostgreSQL in seconds."""

from dataclasses import dataclass

from django.db import connection

from conversations.inboxes.models import Inbox
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.live.models import LiveHint
from conversations.messaging.models import (
    Attachment,
    Attempt,
    Conversation,
    ConversationEvent,
    ConversationRead,
    Message,
    ParkedUpdate,
    Reaction,
)
from crm.contacts.models import ChannelIdentity, Contact
from crm.staff.models import User
from tests.factories import InboxFactory, TeamFactory, UserFactory

BIG = (
    Attachment, Attempt, ChannelIdentity, Contact, Conversation, ConversationEvent, ConversationRead, EventItem,
    LiveHint, Message, ParkedUpdate, Reaction, WebhookEvent,
)  # fmt: skip


@dataclass
class Archive:
    """Who works there, and where."""

    agent: User
    manager: User
    restricted: User
    inboxes: list[Inbox]


def build(messages: int) -> Archive:
    """An archive of so many messages in a sixteenth as many conversations, one in fifty of them open, among four times
    as many people.
    """
    team, other = TeamFactory(), TeamFactory()
    archive = Archive(
        agent=UserFactory(teams=[team]),
        manager=UserFactory(manager=True),
        restricted=UserFactory(restricted=True, teams=[team]),
        inboxes=[InboxFactory(teams=[team]), InboxFactory(teams=[team]), InboxFactory(teams=[other])],
    )
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        _people(archive, messages // 16, team.pk)
        _messages(archive, messages)
        _webhooks(archive, messages)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
    return archive


def _people(archive: Archive, count: int, team: int) -> None:
    agents = f"{archive.agent.pk}, {archive.manager.pk}, {archive.restricted.pk}"
    everybody = count * 4
    _fill(
        Contact, everybody, name="'Person ' || n", search_text="'person ' || n || ' 34600' || n", phone="'+34600' || n"
    )
    _fill(
        ChannelIdentity, everybody, contact_id="n", channel="'whatsapp'", scope="'s'", wa_id="'34600' || n",
        match_key="'34600' || n", first_seen_at="now()", last_seen_at="now()",
    )  # fmt: skip
    _fill(
        Conversation, count, inbox_id=_inbox(archive, "n"), identity_id="n", contact_id="n", inbound_count="8",
        last_activity_at="now() - make_interval(secs => n * 20)",
        status="CASE mod(n, 50) WHEN 0 THEN 'open' WHEN 1 THEN 'dormant' ELSE 'resolved' END",
        assignee_id=f"(ARRAY[NULL, {agents}])[1 + mod(n / 50, 4)]",
        team_id=f"CASE WHEN mod(n, 7) = 0 THEN {team} END",
    )  # fmt: skip
    _fill(ConversationEvent, count, conversation_id="n", kind="'resolved'")
    _fill(ConversationRead, count, conversation_id="n", user_id=str(archive.agent.pk))


def _messages(archive: Archive, count: int) -> None:
    conversation = f"1 + mod(n * 7919, {count // 16})"
    _fill(
        Message, count, conversation_id=conversation, inbox_id=_inbox(archive, f"({conversation})"),
        client_id="gen_random_uuid()", external_id="'wamid.' || n", text="'message ' || n",
        direction="CASE mod(n, 2) WHEN 0 THEN 'in' ELSE 'out' END",
        author_kind="CASE mod(n, 2) WHEN 0 THEN 'contact' ELSE 'agent' END",
        status=f"CASE WHEN mod(n, 2) = 0 THEN 'received' WHEN n > {count - 1000} THEN 'queued' ELSE 'read' END",
        sort_at=f"now() - make_interval(secs => {count} - n)",
    )  # fmt: skip
    _fill(
        Attempt, count // 4, message_id="n", reference="gen_random_uuid()", external_id="'wamid.' || n",
        outcome="'accepted'",
    )  # fmt: skip
    _fill(
        Attachment, count // 50, id="gen_random_uuid()", message_id="n", conversation_id=conversation, kind="'image'",
        state="CASE WHEN n < 20 THEN 'pending' ELSE 'stored' END", next_attempt_at="now()",
        created_at="now() - make_interval(days => 9)",
    )  # fmt: skip
    _fill(Reaction, count // 50, message_id="n", actor="n", emoji="'x'", reacted_at="now()")


def _webhooks(archive: Archive, messages: int) -> None:
    count = messages // 4
    state = f"CASE WHEN n > {count - 500} THEN 'pending' WHEN mod(n, 1000) = 0 THEN 'quarantined' ELSE 'processed' END"
    _fill(
        WebhookEvent, count, sealed_body="'x'", lane="mod(n, 50000)", state=state, signer_ids="'[]'",
        processed_at="now() - make_interval(days => 6)",
    )  # fmt: skip
    _fill(EventItem, count, event_id="n", position="0", kind="'text'", outcome="'recorded'", message_id="n")
    _fill(
        LiveHint, messages // 10, groups="'[\"u.0\"]'", payload="'{}'", transaction_id=f"n - {messages}",
        created_at="now() - make_interval(secs => n)",
    )  # fmt: skip
    _fill(
        ParkedUpdate, messages // 50, inbox_id=str(archive.inboxes[0].pk), external_id="'parked.' || n",
        dedup_key="n", kind="'status'", payload="'{}'", applied_at="CASE WHEN n > 20 THEN now() END",
    )  # fmt: skip


def _inbox(archive: Archive, number: str) -> str:
    return f"(ARRAY{[inbox.pk for inbox in archive.inboxes]})[1 + mod({number}, 3)]"


def _fill(model, count: int, **columns: str) -> None:
    """Insert rows 1 … `count`, each column by an SQL expression of n, or else by its default; the key is n."""
    names, values, params = [], [], []
    for field in model._meta.concrete_fields:
        names.append(connection.ops.quote_name(field.column))
        if field.primary_key or field.attname in columns:
            values.append(columns.get(field.attname, "n"))
        else:
            values.append("%s")
            params.append(field.get_db_prep_save(field.get_default(), connection))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({', '.join(names)}) SELECT {', '.join(values)}"
            f" FROM generate_series(1::bigint, {count}) AS n",
            params,
        )
