"""Sets an installation up and looks into it: numbers, agents with sessions, people with conversations, counts."""

import benchmarks.sides.django  # noqa: F401, I001 (first: the models need it)
import datetime as dt
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.db.models import OuterRef, Subquery

from benchmarks import webhooks
from benchmarks.processes import obey
from conversations.inboxes.models import AppSecret, Inbox, WhatsAppAccount
from conversations.ingest.models import WebhookEvent
from conversations.messaging.models import Conversation, Message
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock
from crm.staff.models import Membership, Team, User


def move(name: str) -> None:
    """Work in another database of the same server (or another file) from now on."""
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined]
    connection.settings_dict["NAME"] = name


def add_number(graph_base_url: str = "", numbers: int = 1) -> list[int]:
    """The number(s) the webhooks are addressed to, open to the team Sales; their ids."""
    account, _made = WhatsAppAccount.objects.get_or_create(
        waba_id=webhooks.WABA,
        defaults={"name": "Acme", "access_token": "token", "graph_base_url": graph_base_url},
    )
    AppSecret.objects.create(account=account, secret=webhooks.SECRET)
    team, _made = Team.objects.get_or_create(name="Sales")
    found = []
    for number in range(numbers):
        inbox = Inbox.objects.create(
            account=account, name=f"Number {number}", phone_number_id=str(int(webhooks.PHONE) + number)
        )
        inbox.teams.add(team)
        found.append(inbox.pk)
    return found


def add_agents(count: int) -> list[str]:
    """Agents of the team Sales; the keys of their sessions."""
    team, keys = Team.objects.get(name="Sales"), []
    for number in range(count):
        user = User(email=f"agent{number}@bench.test", name=f"Agent {number}", language="en")
        user.set_unusable_password()
        user.save()
        Membership.objects.create(user=user, team=team)
        keys.append(_session(user))
    return keys


def add_office() -> None:
    """Four numbers, two for each of two teams of ten agents, a manager and a restricted agent; once."""
    if Inbox.objects.exists():
        return
    add_number(numbers=4)
    support = Team.objects.create(name="Support")
    for inbox in Inbox.objects.order_by("pk")[2:]:
        inbox.teams.set([support])
    add_agents(20)
    Membership.objects.filter(user__in=User.objects.order_by("pk")[10:]).update(team=support)
    for role in ("manager", "restricted"):
        user = User(email=f"{role}@bench.test", name=role.title(), role=role, language="en")
        user.set_unusable_password()
        user.save()
        Membership.objects.create(user=user, team=support)


def _session(user: User) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


def add_people(count: int, start: int = 0) -> list[int]:
    """People who have written an hour ago, spread over the numbers; the ids of their conversations."""
    at = clock.now() - dt.timedelta(hours=1)
    inboxes = list(Inbox.objects.order_by("pk"))
    people = [
        Contact(name=f"Person {n}", phone=f"+{webhooks.wa_id(n)}", search_text=f"person {n} +{webhooks.wa_id(n)}")
        for n in range(start, start + count)
    ]
    Contact.objects.bulk_create(people, batch_size=1000)
    identities = [
        ChannelIdentity(
            contact=person, channel="whatsapp", scope=webhooks.WABA, wa_id=(person.phone or "")[1:],
            match_key=(person.phone or "")[1:], profile_name=person.name, profile_at=at, first_seen_at=at,
            last_seen_at=at,
        )
        for person in people
    ]  # fmt: skip
    ChannelIdentity.objects.bulk_create(identities, batch_size=1000)
    conversations = [
        Conversation(
            inbox=inboxes[number % len(inboxes)], identity=identity, contact=identity.contact, last_activity_at=at,
            window_expires_at=at + dt.timedelta(hours=24), inbound_count=1, waiting_since=at, last_sort_at=at,
            last_preview="Hola", last_kind="text", last_direction="in", last_status="received",
        )
        for number, identity in enumerate(identities)
    ]  # fmt: skip
    Conversation.objects.bulk_create(conversations, batch_size=1000)
    messages = [
        Message(
            conversation=conversation, inbox=conversation.inbox, external_id=f"wamid.first.{conversation.pk}",
            direction="in", status="received", author_kind="contact", text="Hola", sort_at=at, created_at=at,
        )
        for conversation in conversations
    ]  # fmt: skip
    Message.objects.bulk_create(messages, batch_size=1000)
    newest = Message.objects.filter(conversation=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    Conversation.objects.filter(last_message_id=None).update(last_message_id=Subquery(newest))
    return [conversation.pk for conversation in conversations]


def multiply_messages(count: int) -> None:
    """`count` older messages in all, copies of each conversation's first one, the oldest first (SQLite)."""
    names = [field.column for field in Message._meta.concrete_fields if field.column != "id"]
    made = {
        "client_id": "lower(hex(randomblob(16)))",
        "external_id": "'wamid.' || hex(randomblob(12))",
        "sort_at": "datetime(m.sort_at, '-' || (back * 20) || ' minutes')",
    }
    values = ", ".join(made.get(name, f'm."{name}"') for name in names)
    columns, each = ", ".join(f'"{name}"' for name in names), -(-count // max(Message.objects.count(), 1))
    execute(
        f"WITH RECURSIVE series (back) AS (SELECT {each} UNION ALL SELECT back - 1 FROM series WHERE back > 1) "
        f"INSERT INTO conversations_message ({columns}) SELECT {values} FROM series, conversations_message m"
    )
    Conversation.objects.update(inbound_count=each + 1)


def counts() -> dict[str, int]:
    """How many webhooks are in which state, and how many messages there are."""
    rows = WebhookEvent.objects.values_list("state", flat=True)
    found = {state: rows.filter(state=state).count() for state in WebhookEvent.State.values}
    return found | {"messages": Message.objects.count()}


def execute(statement: str) -> list[Any]:
    """Any SQL; its rows if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


COMMANDS = {
    "move": move,
    "add_number": add_number,
    "add_agents": add_agents,
    "add_office": add_office,
    "add_people": add_people,
    "multiply_messages": multiply_messages,
    "counts": counts,
    "execute": execute,
}

if __name__ == "__main__":
    obey(COMMANDS)
