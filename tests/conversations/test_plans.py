"""What pages, pulls and drains ask of PostgreSQL at size: no big table is read through, and little is read for what is
returned. PLANS_AT=1000000 for a million messages.
"""

import contextlib
import json
import os
from functools import partial

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from conversations.desk import finding, media_list, past
from conversations.ingest import pipeline
from conversations.live import replay
from conversations.messaging import claiming, deliveries, outbox, portfolio
from conversations.messaging.models import Attachment, Conversation, Message
from crm.contacts.models import Contact
from crm.privacy import retention, rules
from crm.privacy.person import Person
from tests.conftest import ON_SQLITE
from tests.conversations.archive import BIG, build
from tests.factories import ConversationFactory, MessageFactory, UserFactory

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ON_SQLITE, reason="plans are PostgreSQL's"),
]

MESSAGES = int(os.environ.get("PLANS_AT", "200000"))
TABLES = {model._meta.db_table for model in BIG}
# Rows of big tables that one statement may touch: a page of 41 with its contacts, read marks and last messages.
PAGE = 600
PAGE_OF_TEAM = 2000  # what a restricted agent may see is looked for among everybody's
COUNTS = 12_000  # seven counts that end at 999, of what an agent sees two thirds of
SEARCH = 20_000  # a frequent word: its matches among the newest, or all of a rare one
PEOPLE = ("agent", "manager", "restricted")


@contextlib.contextmanager
def heard():
    """The statements that are sent meanwhile."""
    statements = []

    def note(execute, sql, params, many, context):
        if not many and sql.lstrip("( ").startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield statements


def plan_of(sql, params):
    """The plan as run; what it changes is undone."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
        found = cursor.fetchone()[0]
        transaction.set_rollback(True)
    return (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]


def scans(plan):
    """The nodes that read a big table."""
    if plan.get("Relation Name") in TABLES and "Scan" in plan["Node Type"]:
        yield plan
    for child in plan.get("Plans", ()):
        yield from scans(child)


def touched(node) -> int:
    """Rows a node has read, kept or thrown away."""
    dropped = sum(value for key, value in node.items() if key.startswith("Rows Removed by"))
    return round((node["Actual Rows"] + dropped) * node["Actual Loops"])


def _outline(plan) -> str:
    """The plan in a line: nodes, what they read by, rows."""
    what = " ".join(str(plan[key]) for key in ("Relation Name", "Index Name", "Actual Rows") if key in plan)
    inner = ", ".join(_outline(child) for child in plan.get("Plans", ()))
    return f"{plan['Node Type']} {what}" + (f" ({inner})" if inner else "")


def complaints(statements, most):
    """What is wrong with the plans of these statements."""
    for sql, params in statements:
        plan = plan_of(sql, params)
        nodes = list(scans(plan))
        read = sum(map(touched, nodes))
        # A scan that ends at its limit has read little: the people or messages of a frequent word.
        ends = plan["Node Type"] == "Limit" and read <= finding.FEW + 1
        through = [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan" and not ends]
        if through or read > (max(most, COUNTS) if "AS counted" in sql else most):
            yield f"{read} rows read, through {through or 'indexes'}, {_outline(plan)}"


def pages(archive):
    """Name, who, address."""
    lists = [(view, status) for view in ("mine", "unassigned", "all") for status in ("open", "resolved", "all")]
    for who in PEOPLE:
        for view, status in lists:
            query = f"?view={view}&status={status}"
            yield f"{who}: {query}", who, reverse("desk:inbox") + query
            middle = Conversation.objects.order_by("-last_activity_at")[500]
            cursor = f"{middle.last_activity_at.isoformat()}~{middle.pk}".replace("+", "%2B")
            yield f"{who}: next page of {query}", who, f"{reverse('desk:list')}{query}&cursor={cursor}"
        for view in ("mentions", "waiting", "closing", "snoozed", "resolved"):
            yield f"{who}: view {view}", who, f"{reverse('desk:inbox')}?view={view}"
        yield f"{who}: counts", who, reverse("desk:counts")
        ids = ",".join(map(str, range(100, 140)))
        yield f"{who}: rows", who, f"{reverse('desk:rows')}?view=all&status=all&ids={ids}"


def threads(archive):
    conversation = Conversation.objects.get(pk=50 * 3 * 10)
    newest = conversation.messages.order_by("-sort_at")[5]
    base = reverse("desk:conversation", args=[conversation.pk])
    yield "thread", base
    yield "older messages", f"{reverse('desk:messages', args=[conversation.pk])}?before={newest.sort_key}"
    yield "newer messages", f"{reverse('desk:messages', args=[conversation.pk])}?after={newest.sort_key}"
    yield "timeline of the person", reverse("desk:panel-timeline", args=[conversation.pk])
    yield "files of the person", reverse("desk:panel-files", args=[conversation.pk])
    picture = Attachment.objects.filter(kind="image", state="stored").first()
    yield "pictures", f"{reverse('desk:media-list', args=[picture.conversation_id])}?around={picture.pk}"


def searches():
    for text in ("person", "person 1777", "34600177", "nobody at all", "+34600999"):
        for view, status in (("all", "all"), ("all", "open")):
            yield f"search {text!r} {view} {status}", f"{reverse('desk:inbox')}?view={view}&status={status}&q={text}"


def message_searches():
    """A word of every message, rare ones, none."""
    for text in ("message", "message 177", "message 99771", "nowhere to be found"):
        yield f"search in messages {text!r}", f"{reverse('desk:search')}?scope=messages&q={text}"


def drains():
    """Name, what it does in the database, rows it may touch for each statement."""
    yield "sync pull", lambda: replay.since(-MESSAGES + MESSAGES // 10 - 50, {"u.0"}), PAGE
    yield "head", replay.head, 1
    yield "pipeline.claim", lambda: pipeline.claim(100), 1500
    yield "outbox claim", lambda: claiming.take(50, bulk=40, with_files=False), 4000
    yield "outbox release", portfolio.release, 4000
    yield "outbox recover", outbox.recover, PAGE
    for rule in retention.schedule():
        yield f"retention of {rule.name}", partial(rule.delete, retention.MOST), 1000
    yield "parked updates", deliveries.sweep_parked, PAGE
    person = Person.of(Contact.objects.order_by("-pk").first())
    for rule in rules.all_rules():
        yield f"erasure of {rule.name}", partial(rule.some, person, 500), 2500


def check(subtests, name, statements, most):
    with subtests.test(name):
        found = list(complaints(statements, most))
        assert not found, "\n".join(found)


def test_nothing_reads_through_a_big_table(subtests):
    archive = build(MESSAGES)
    clients = {who: Client() for who in PEOPLE}
    for who, client in clients.items():
        client.force_login(getattr(archive, who))
    wanted = [(name, who, url, PAGE_OF_TEAM if who == "restricted" else PAGE) for name, who, url in pages(archive)]
    wanted += [(name, "manager", url, PAGE) for name, url in threads(archive)]
    wanted += [(f"{who}: {name}", who, url, SEARCH) for name, url in searches() for who in ("agent", "manager")]
    wanted += [(f"{who}: {name}", who, url, SEARCH) for name, url in message_searches() for who in PEOPLE]
    for name, who, url, most in wanted:
        with heard() as statements:
            assert clients[who].get(url, headers={"HX-Request": "true"}).status_code == 200, name
        check(subtests, name, statements, most)
    for name, work, most in drains():
        with heard() as statements:
            work()
        check(subtests, name, statements, most)


def test_statements_carry_their_values():
    """Of a search with parameters PostgreSQL would make a plan for any word, which reads everything."""
    assert not connection.settings_dict["OPTIONS"].get("server_side_binding")
    connection.ensure_connection()
    assert connection.connection.prepare_threshold is None


def test_notes_and_pictures_of_a_long_conversation_are_not_looked_for_among_everything():
    conversation, manager = ConversationFactory(), UserFactory(manager=True)
    rows = [MessageFactory.build(conversation=conversation, inbox=conversation.inbox) for _ in range(3000)]
    Message.objects.bulk_create(rows)
    MessageFactory(conversation=conversation, note=True)
    files = [Attachment(conversation=conversation, message=row, kind="voice", state="stored") for row in rows]
    files[7].kind = "image"
    Attachment.objects.bulk_create(files)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    notes = past.NOTES[0].rows(conversation.contact, manager).order_by("-sort_at")[:20]
    pictures = media_list._pictures(conversation).order_by("message__sort_at")
    for found in (notes, pictures):
        with heard() as statements:
            assert len(found) == 1
        ((sql, params),) = statements
        read = {node["Relation Name"]: touched(node) for node in scans(plan_of(sql, params))}
        assert max(read.values()) == 1, read
