"""Pages and searches on a data set: as the product makes them, by hand-written SQL, and with naive annotations."""

import benchmarks.sides.django  # noqa: F401, I001 (first: the models need it)
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, F, Max, OuterRef, Q, Subquery
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.processes import obey
from benchmarks.sides import processing
from benchmarks.sides.terms import SHORT, TERMS
from benchmarks.sides.timing import timed
from conversations.desk.queue import ViewQuery
from conversations.desk.views import pages
from conversations.messaging.models import Conversation, ConversationRead, Message
from crm.contacts.models import Contact
from crm.staff.models import User

ROW = """
SELECT c.*, contact.*, inbox.*, assignee.id, assignee.name, team.id, team.name,
    greatest(c.inbound_count - coalesce(r.inbound_upto, 0), 0) AS unread
FROM conversations_conversation c
JOIN crm_contact contact ON contact.id = c.contact_id
JOIN conversations_inbox inbox ON inbox.id = c.inbox_id
LEFT JOIN crm_user assignee ON assignee.id = c.assignee_id
LEFT JOIN crm_team team ON team.id = c.team_id
LEFT JOIN conversations_conversationread r ON r.conversation_id = c.id AND r.user_id = %(user)s
WHERE {which} ORDER BY c.last_activity_at DESC, c.id DESC LIMIT 41
"""
SEEN = """c.inbox_id IN (SELECT t.inbox_id FROM conversations_inbox_teams t
    JOIN crm_membership m ON m.team_id = t.team_id WHERE m.user_id = %(user)s)"""
WHICH = {"mine": "c.assignee_id = %(user)s AND " + SEEN, "unassigned": "c.assignee_id IS NULL AND " + SEEN, "all": SEEN}
COUNTS = f"""
SELECT count(*) FILTER (WHERE c.assignee_id = %(user)s), count(*) FILTER (WHERE c.assignee_id IS NULL), count(*)
FROM conversations_conversation c WHERE c.status = 'open' AND {SEEN}
"""
SEVERAL = """SELECT count(*) FROM (SELECT 1 FROM conversations_inbox_teams t
    JOIN crm_membership m ON m.team_id = t.team_id WHERE m.user_id = %(user)s LIMIT 2) few"""
THREAD = """
SELECT m.*, u.name FROM conversations_message m LEFT JOIN crm_user u ON u.id = m.author_id
WHERE m.conversation_id = %(conversation)s AND m.kind <> 'reaction' ORDER BY m.sort_at DESC, m.id DESC LIMIT 31
"""
EVENTS = """
SELECT e.*, u.name FROM conversations_conversationevent e LEFT JOIN crm_user u ON u.id = e.user_id
WHERE e.conversation_id = %(conversation)s ORDER BY e.created_at DESC, e.id DESC LIMIT 100
"""


def _user(email: str) -> User:
    return User.objects.get(email=email)


def _request(user: User, view: str, status: str = "open") -> Any:
    return SimpleNamespace(user=user, viewer=None, GET=QueryDict(f"view={view}&status={status}"), headers={})


def _sql(statement: str, **values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def inbox(way: str, view: str, status: str, email: str, rounds: int) -> list[float]:
    """Seconds of each round for all that the list side of the page shows; no HTML."""
    user = _user(email)
    which = WHICH[view] + (" AND c.status = 'open'" if status == "open" else " AND c.status <> 'dormant'")
    ways: dict[str, Callable[[], Any]] = {
        "product": lambda: pages.page_context(_request(user, view, status)),
        "sql": lambda: [
            _sql(ROW.format(which=which), user=user.pk), _sql(COUNTS, user=user.pk), _sql(SEVERAL, user=user.pk)
        ],
        "naive": lambda: _naive(user, view, status),
    }  # fmt: skip
    return timed(ways[way], rounds, is_warm=way == "naive")


def _naive(user: User, view: str, status: str) -> tuple[list[Conversation], list[int]]:
    """As a list is written at first: everything worked out from the messages, for every row, in one query; a query
    for each count.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # the product's own limit would cut it short
    newest = Message.objects.filter(conversation=OuterRef("pk")).order_by("-sort_at")
    read = ConversationRead.objects.filter(conversation=OuterRef("pk"), user=user).values("inbound_upto")[:1]
    mine = Conversation.objects.filter(inbox__teams__memberships__user=user)
    views = {"mine": Q(assignee=user), "unassigned": Q(assignee=None), "all": Q()}
    rows = mine.filter(views[view]).filter(Q(status="open") if status == "open" else ~Q(status="dormant"))
    found = list(
        rows.annotate(
            said=Count("messages", filter=Q(messages__direction="in")),
            newest_at=Max("messages__sort_at"),
            preview=Subquery(newest.values("text")[:1]),
            left=F("said") - Subquery(read),
        )
        .select_related("contact", "inbox", "assignee", "team")
        .order_by("-newest_at")[:41]
    )
    return found, [mine.filter(one, status="open").count() for one in views.values()]


def thread(way: str, pk: int, email: str, rounds: int) -> list[float]:
    """Seconds of each round for a thread's newest page; no HTML."""
    user = _user(email)
    row = Conversation.objects.for_rows(user).select_related("identity", "inbox__account")

    def by_product() -> Any:
        return pages.thread_context(_request(user, "all"), row.get(pk=pk))  # type: ignore[arg-type]

    def by_hand() -> Any:
        which = f"c.id = {pk} AND {SEEN}"
        one = _sql(ROW.format(which=which), user=user.pk)
        return one, _sql(THREAD, conversation=pk), _sql(EVENTS, conversation=pk)

    return timed({"product": by_product, "sql": by_hand}[way], rounds)


def queries(path: str, email: str) -> int:
    """How many queries a whole page takes, without those of session, user and savepoints."""
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(_user(email))
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code}")
    own = ("django_session", 'FROM "crm_user" WHERE "crm_user"."id"', "SAVEPOINT")
    return sum(not any(word in query["sql"] for word in own) for query in captured.captured_queries)


def page(path: str, email: str, rounds: int) -> list[float]:
    """Seconds of each round for a whole page through Django, HTML included."""
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(_user(email))
    return timed(lambda: client.get(path), rounds)


def search(rounds: int) -> dict[str, list[float]]:
    """Per term: seconds of the contact search (its first page), as anybody who sees all contacts gets it."""
    size = settings.REST_FRAMEWORK["PAGE_SIZE"]

    def one(term: str) -> list[Any]:
        return list(Contact.objects.search(term).order_by("-pk")[: size + 1])

    return {term: timed(lambda term=term: one(term), rounds) for term in (*TERMS, *SHORT)}


def search_desk(email: str, rounds: int) -> dict[str, list[float]]:
    """Per term: seconds of the inbox's search field."""
    user = _user(email)

    def one(term: str) -> Any:
        return ViewQuery("all", "all", term).page(user)

    return {term: timed(lambda term=term: one(term), rounds) for term in TERMS}


def message(count: int, people: int, seconds: float) -> float:
    """Seconds per message through the pipeline; what it wrote is taken away again."""
    marks = {table: _sql(f"SELECT coalesce(max(id), 0) FROM {table}")[0][0] for table in WRITTEN}
    try:
        return 1 / processing.measure("product", count, people, seconds)
    finally:
        for table, mark in marks.items():
            with connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {table} WHERE id > %s", [mark])


WRITTEN = (
    "conversations_eventitem", "conversations_webhookevent", "conversations_livehint", "conversations_message",
)  # fmt: skip


COMMANDS: dict[str, Callable[..., Any]] = {
    "inbox": inbox,
    "thread": thread,
    "queries": queries,
    "page": page,
    "search": search,
    "search_desk": search_desk,
    "message": message,
}

if __name__ == "__main__":
    obey(COMMANDS)
