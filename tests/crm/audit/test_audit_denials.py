"""Attempts that were refused are recorded, not more than a log can bear, and the answer tells nothing."""

import datetime as dt
import re

import pytest
from django.core.cache import caches
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.messaging.models import Attachment, ScheduledMessage
from crm.audit import denials, log
from crm.audit.models import AuditEntry
from crm.foundation import clock
from tests.api import Integrator
from tests.factories import ConversationFactory, InboxFactory, MessageFactory, TeamFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.covers("I04")]
NOTHING = 4_000_000_000


@pytest.fixture(autouse=True)
def _nobody_was_counted_before():
    for name in ("counters", "own_counters"):
        caches[name].clear()


@pytest.fixture
def theirs(db):
    """A conversation of a team that the agent is not in."""
    return ConversationFactory(inbox=InboxFactory(teams=[TeamFactory()]))


@pytest.fixture
def agent(db):
    return UserFactory(teams=[TeamFactory()], name="Ana")


@pytest.fixture
def browser(agent):
    client = Client()
    client.force_login(agent)
    return client


def denied():
    return AuditEntry.objects.filter(action="denied")


def row_of(kind, conversation):
    message = MessageFactory(conversation=conversation, outbound=True, status="failed")
    match kind:
        case "message":
            return message
        case "file":
            return Attachment.objects.create(message=message, conversation=conversation, kind="image", state="stored")
        case "planned":
            return ScheduledMessage.objects.create(
                conversation=conversation, text="Later", send_at=clock.now() + dt.timedelta(hours=1)
            )
    return conversation


@pytest.mark.parametrize(
    ("kind", "method", "name", "data"),
    [
        ("conversation", "get", "conversation", {}),
        ("conversation", "post", "messages", {"text": "Hello"}),
        ("conversation", "post", "note", {"text": "A note"}),
        ("conversation", "post", "assign", {"assignee": "me"}),
        ("conversation", "post", "status", {"status": "resolved"}),
        ("conversation", "get", "panel", {}),
        ("message", "get", "info", {}),
        ("message", "post", "retry", {}),
        ("file", "get", "media", {}),
        ("planned", "post", "scheduled-change", {"action": "cancel"}),
    ],
)
def test_i04_what_one_may_not_see_is_not_there_and_asking_is_recorded(browser, agent, theirs, kind, method, name, data):
    row = row_of(kind, theirs)
    key = row.client_id if kind == "message" else row.pk
    address = reverse(f"desk:{name}", args=[key])
    assert getattr(browser, method)(address, data).status_code == 404
    entry = denied().get()
    assert (entry.user, entry.source, entry.ip) == (agent, "desk", "127.0.0.1")
    assert (entry.model, entry.object_id) == (row._meta.label_lower, str(row.pk))
    assert entry.changes == {"asked_for": [None, f"{method.upper()} {address}"]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "conversations/{c}/"),
        ("post", "conversations/{c}/resolve/"),
        ("get", "conversations/{c}/messages/"),
        ("post", "conversations/{c}/messages/"),
        ("get", "contacts/{p}/"),
        ("get", "contacts/{p}/notes/"),
        ("get", "messages/{m}/"),
    ],
)
def test_i04_also_by_a_token(agent, theirs, method, path):
    message = MessageFactory(conversation=theirs)
    caller = Integrator(agent)
    keys = {"c": theirs.pk, "p": theirs.contact_id, "m": message.pk}
    assert getattr(caller, method)(path.format(**keys)).status_code == 404
    entry = denied().get()
    assert (entry.user, entry.source) == (agent, "api")
    assert entry.token_prefix
    nothing = dict.fromkeys(keys, NOTHING)
    assert getattr(caller, method)(path.format(**nothing)).status_code == 404
    assert denied().count() == 1


def test_i04_a_restricted_agent_is_denied_what_is_a_colleagues(theirs):
    team = theirs.inbox.teams.get()
    theirs.assignee, theirs.team = UserFactory(teams=[team]), team
    theirs.save()
    client = Client()
    client.force_login(UserFactory(restricted=True, teams=[team]))
    assert client.get(reverse("desk:conversation", args=[theirs.pk])).status_code == 404
    assert denied().get().object_id == str(theirs.pk)


def test_i04_the_hidden_and_the_missing_get_the_same_answer_by_the_same_statements(browser, theirs, monkeypatch):
    monkeypatch.setattr(denials, "_note", lambda *args, **more: None)  # what comes after the answer
    browser.get(reverse("desk:panel", args=[NOTHING]))  # what is read once in a process
    asked = []
    for pk in (theirs.pk, NOTHING):
        with CaptureQueriesContext(connection) as captured:
            answer = browser.get(reverse("desk:panel", args=[pk]))
        statements = [re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in captured.captured_queries]
        asked.append((answer.status_code, answer.content, sorted(answer.headers), statements))
    assert asked[0] == asked[1]
    assert "conversations_conversation" in str(asked[0][3])


def test_i04_nothing_is_recorded_before_the_answer_has_left(rf, agent, theirs):
    request = rf.get("/x/")
    request.user = agent

    def view(request):
        denials.missed(request, type(theirs), pk=theirs.pk)
        return denials.HttpResponse(status=404)

    with log.acting(log.Origin("desk", agent.pk, agent.name)):
        response = denials.DenialMiddleware(view)(request)
    assert not denied().exists()
    for closer in response._resource_closers:
        closer()
    assert denied().get().user == agent


def test_i04_conversations_that_one_does_not_see_are_denied_in_bulk(browser, theirs):
    data = {"action": "status", "value": "resolved", "ids": f"{theirs.pk},{NOTHING}"}
    assert browser.post(reverse("desk:bulk"), data).status_code == 200
    theirs.refresh_from_db()
    assert theirs.status == "open"
    assert denied().get().object_id == str(theirs.pk)


def test_a_missing_permission_is_recorded_with_what_was_asked_for(browser, agent):
    assert browser.get("/admin/").status_code == 403
    assert browser.post(reverse("desk:fence"), {"waiting": "send"}).status_code == 403
    assert Integrator(agent, "read").post("tags/", {"name": "x"}).status_code == 403
    found = [(entry.source, entry.changes["asked_for"][1]) for entry in denied().order_by("pk")]
    assert found == [
        ("admin", "GET /admin/"),
        ("desk", "POST /inbox/fence/"),
        ("api", "POST /api/v1/tags/"),
    ]


@pytest.fixture
def deny(rf, agent, monkeypatch):
    """Have the agent be refused a path at a time of this day, in minutes."""
    midnight = clock.real().replace(hour=0, minute=0, second=0, microsecond=0)

    def deny(path, minute=0):
        monkeypatch.setattr(clock, "real", lambda: midnight + dt.timedelta(minutes=minute))
        request = rf.get(path)
        request.user = agent
        with log.acting(log.Origin("desk", agent.pk, agent.name)):
            response = denials.DenialMiddleware(lambda request: denials.HttpResponse(status=403))(request)
        for closer in response._resource_closers:
            closer()

    return deny


def test_the_same_thing_is_recorded_once_an_hour(deny, browser, agent, theirs):
    for minute in (0, 1, 59, 60, 119):
        deny("/admin/", minute)
    assert denied().count() == 2
    for _ in range(3):
        browser.get(reverse("desk:panel", args=[theirs.pk]))
    assert denied().count() == 3
    other = Client()
    other.force_login(UserFactory(teams=[TeamFactory()]))
    other.get(reverse("desk:panel", args=[theirs.pk]))
    assert denied().count() == 4


def test_nobody_floods_the_log(deny):
    for number in range(denials.MOST + 5):
        deny(f"/admin/{number}/")
    assert denied().count() == denials.MOST + 1
    assert denied().order_by("-pk")[0].changes == {"more": [None, True]}


def test_nor_slowly_all_day(deny, monkeypatch):
    monkeypatch.setattr(denials, "MOST_A_DAY", 10)
    for minute in range(0, 24 * 60, 20):
        deny(f"/admin/{minute}/", minute)
    more = denied().filter(changes__has_key="more")
    assert denied().count() - more.count() == 10
    assert 20 <= more.count() <= 24  # one in each hour that had more


def test_giving_a_conversation_away_is_no_attempt_that_was_denied(browser, agent):
    ours = ConversationFactory(inbox=InboxFactory(teams=[agent.teams.get()]))
    restricted = Client()
    restricted.force_login(UserFactory(restricted=True, teams=[agent.teams.get()]))
    ours.team = agent.teams.get()
    ours.save()
    data = {"assignee": agent.pk, "version": ours.version}
    assert restricted.post(reverse("desk:assign", args=[ours.pk]), data).status_code == 204
    assert not denied().exists()


def test_strangers_and_what_is_not_there_leave_no_trace(browser, theirs):
    Client().get(reverse("desk:conversation", args=[theirs.pk]))
    Client().get(f"/api/v1/conversations/{theirs.pk}/")
    browser.get(reverse("desk:conversation", args=[NOTHING]))
    browser.get("/nowhere/")
    assert not denied().exists()


def test_a_manager_who_looks_as_somebody_else_is_not_denied(agent, theirs):
    client = Client()
    client.force_login(UserFactory(manager=True))
    client.post(reverse("desk:view-as"), {"user": agent.pk})
    assert client.get(reverse("desk:panel", args=[theirs.pk])).status_code == 404
    assert not denied().exists()
