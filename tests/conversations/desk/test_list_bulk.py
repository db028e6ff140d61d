"""Many conversations at once: what changes, what is left and why, and taking it back."""

import contextlib
import datetime as dt

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.desk import bulk, head
from conversations.live import publish
from conversations.live.models import LiveHint
from conversations.messaging import threads
from conversations.messaging.models import Conversation, ConversationEvent, ConversationTag
from conversations.notices.models import Notice
from crm.foundation import clock
from tests.factories import ConversationFactory, MessageFactory, TagFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


@pytest.fixture
def rows(inbox):
    return ConversationFactory.create_batch(3, inbox=inbox, inbound_count=2)


def post(client, rows, action, value="", **more):
    ids = ",".join(str(row.pk) for row in rows)
    return client.post(reverse("desk:bulk"), {"ids": ids, "action": action, "value": str(value), **more})


def undo(client, response):
    return client.post(reverse("desk:bulk-undo"), {"undo": response.json()["undo"]})


def values(*fields):
    return list(Conversation.objects.order_by("pk").values_list(*fields))


CHANGES = [
    ("assign", "me"), ("status", "resolved"), ("snooze", "reply"), ("snooze", "tomorrow"), ("snooze", "monday"),
    ("snooze", "later"), ("priority", "4"), ("tag", "TAG"), ("team", "TEAM"), ("read", ""),
]  # fmt: skip


@pytest.mark.parametrize(("action", "value"), CHANGES)
def test_a_change_and_its_undo(desk, agent, rows, team, action, value):
    value = {"TAG": TagFactory().pk, "TEAM": team.pk}.get(value, value)
    facts = ("status", "snoozed_until", "assignee", "team", "priority", "tags")

    def unread():
        return list(Conversation.objects.with_unread(agent).order_by("pk").values_list("unread", flat=True))

    before = values(*facts), unread()
    response = post(desk, rows, action, value)
    assert response.status_code == 200
    told = response.json()
    assert (told["changed"], told["unchanged"], told["skipped"]) == (3, 0, [])
    assert (values(*facts), unread()) != before
    again = post(desk, rows, action, value).json()
    if action != "snooze" or value == "reply":
        assert (again["changed"], again["unchanged"], again["undo"]) == (0, 3, "")
        assert undo(desk, response).json()["changed"] == 3
        assert (values(*facts), unread()) == before


def test_untag_unread_and_reopen(desk, agent, rows):
    tag = TagFactory()
    for row in rows[:2]:
        ConversationTag.objects.create(conversation=row, tag=tag)
    response = post(desk, rows, "untag", tag.pk)
    assert response.json()["changed"] == 2
    undo(desk, response)
    assert ConversationTag.objects.filter(tag=tag).count() == 2
    for row in rows:
        threads.mark_read(row, agent)
    assert post(desk, rows, "unread").json()["changed"] == 3
    assert {row.unread for row in Conversation.objects.with_unread(agent)} == {1}
    Conversation.objects.update(status="resolved")
    assert post(desk, rows, "status", "open").json()["changed"] == 3


def test_each_row_keeps_its_own_rules(desk, conversation, theirs, team):
    outsider = UserFactory()
    told = post(desk, [conversation, theirs], "status", "resolved").json()
    assert told["changed"] == 1
    assert told["skipped"] == [["You no longer see this conversation.", 1]]
    assert Conversation.objects.get(pk=theirs.pk).status == "open"
    told = post(desk, [conversation], "assign", outsider.pk).json()
    assert (told["changed"], told["undo"]) == (0, "")
    assert "cannot see" in told["skipped"][0][0]


def test_a_restricted_agent_changes_only_theirs_and_may_take_back_what_they_gave_away(sign_in, rows, team):
    user, other = UserFactory(restricted=True, teams=[team]), UserFactory(manager=True)
    Conversation.objects.filter(pk=rows[0].pk).update(assignee=user)
    client = sign_in(user)
    response = post(client, rows, "assign", other.pk)
    assert response.json()["changed"] == 1
    assert post(client, rows, "status", "resolved").json()["changed"] == 0
    assert undo(client, response).json()["changed"] == 1
    assert Conversation.objects.get(pk=rows[0].pk).assignee == user


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_is_tried_again_changes_every_row(desk, rows, monkeypatch):
    announce, failing = publish.together, [True]

    @contextlib.contextmanager
    def deadlock_once():
        with announce():
            yield
        if failing and failing.pop():
            raise OperationalError("deadlock detected")

    monkeypatch.setattr(publish, "together", deadlock_once)
    told = post(desk, rows, "priority", "4").json()
    assert (told["changed"], told["skipped"]) == (3, [])
    assert values("priority") == [(4,)] * 3


def test_who_has_lost_the_inbox_meanwhile_takes_no_assignment_back(sign_in, agent, rows, team):
    client = sign_in(agent)
    response = post(client, rows, "assign", "me")
    agent.memberships.all().delete()
    told = undo(client, response).json()
    assert (told["changed"], told["skipped"]) == (0, [["You no longer see this conversation.", 3]])
    assert values("assignee") == [(agent.pk,)] * 3


@pytest.mark.parametrize("value", ["later", "tomorrow", "monday"])
def test_a_moment_is_the_same_for_many_as_for_one(value, monkeypatch):
    at = dt.datetime(2026, 11, 18, 10, 7, 30, tzinfo=dt.UTC)
    monkeypatch.setattr(clock, "now", lambda: at)
    choice = next(choice for choice in head.snooze_choices() if choice.key == value)
    assert bulk.moment(value).isoformat() == choice.value


@pytest.mark.parametrize("status", ["pending", "dormant"])
@pytest.mark.parametrize(("action", "value"), [("snooze", "tomorrow"), ("status", "resolved")])
def test_undo_gives_back_the_status_that_was(desk, rows, status, action, value):
    Conversation.objects.update(status=status)
    response = post(desk, rows, action, value)
    assert undo(desk, response).json()["changed"] == 3
    assert values("status") == [(status,)] * 3


def test_what_is_read_has_no_unread_mentions(desk, agent, rows):
    for row in rows:
        note = MessageFactory(conversation=row, note=True)
        Notice.objects.create(user=agent, conversation=row, message=note)
    threads.mark_read(rows[0], agent)
    assert post(desk, rows, "read").json()["changed"] == 3
    assert not Notice.objects.filter(read_at=None).exists()


def test_undo_leaves_what_somebody_changed_since(desk, rows):
    response = post(desk, rows, "priority", "4")
    threads.set_priority(rows[0], Conversation.Priority.LOW, by=UserFactory(manager=True))
    told = undo(desk, response).json()
    assert told["changed"] == 2
    assert told["skipped"] == [["Somebody has changed it since.", 1]]
    assert values("priority") == [(1,), (0,), (0,)]


def test_a_token_is_for_one_person_and_a_minute(sign_in, agent, rows, monkeypatch):
    client = sign_in(agent)
    response = post(client, rows, "priority", "4")
    colleague = UserFactory(manager=True)
    assert undo(sign_in(colleague), response).status_code == 400
    assert client.post(reverse("desk:bulk-undo"), {"undo": "nonsense"}).status_code == 400
    assert client.post(reverse("desk:bulk-undo")).status_code == 400
    monkeypatch.setattr(bulk, "UNDO_SECONDS", -1)
    assert undo(sign_in(agent), response).status_code == 409
    assert values("priority") == [(4,)] * 3


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 400), ({"ids": ""}, 400), ({"ids": "x"}, 400), ({"ids": "1,-2"}, 400), ({"ids": "9" * 30}, 400),
        ({"ids": ",".join(map(str, range(1, 202)))}, 400), ({"ids": "1", "action": "explode"}, 400),
        ({"ids": "1", "action": "assign", "value": "x"}, 400),
        ({"ids": "1", "action": "assign", "value": "999999"}, 400),
        ({"ids": "1", "action": "tag", "value": "none"}, 400), ({"ids": "1", "action": "tag", "value": ""}, 400),
        ({"ids": "1", "action": "priority", "value": "5"}, 400),
        ({"ids": "1", "action": "status", "value": "dormant"}, 400),
        ({"ids": "1", "action": "snooze", "value": "yesterday"}, 400),
        ({"ids": "1", "action": "snooze", "value": "2001-01-01T10:00"}, 400),
        ({"ids": "1", "action": "snooze", "value": "9999-12-31T23:59"}, 400),
        ({"ids": "1", "action": "snooze", "value": "0001-01-01T00:00"}, 400),
        ({"query": "view=all", "as_of": "x", "action": "read"}, 400),
        ({"query": "view=all", "as_of": "9999-12-31T23:59:59-23:59", "action": "read"}, 400),
        ({"query": "view=all", "as_of": "2026-11-22", "after": "x", "action": "read"}, 400),
    ],
)  # fmt: skip
def test_bad_input_is_told_and_changes_nothing(desk, conversation, form, status):
    before = values("status", "version", "priority")
    response = desk.post(reverse("desk:bulk"), form)
    assert response.status_code == status
    assert "data-error" in response.content.decode()
    assert values("status", "version", "priority") == before


def test_a_whole_view_in_steps_without_what_came_meanwhile(desk, inbox, monkeypatch):
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    rows = ConversationFactory.create_batch(5, inbox=inbox)
    seen = clock.now()
    later = ConversationFactory(inbox=inbox, last_activity_at=seen + dt.timedelta(seconds=1))
    bar = desk.get(reverse("desk:bulk"), {"view": "all"}).content.decode()
    assert 'data-total="6"' in bar
    after, steps = 0, []
    while True:
        told = desk.post(
            reverse("desk:bulk"),
            {"query": "view=all", "as_of": seen.isoformat(), "after": after, "action": "status", "value": "resolved"},
        ).json()
        steps.append(told["changed"])
        after = told["next"]
        if not after:
            break
    assert steps == [2, 2, 1]
    assert set(Conversation.objects.filter(status="resolved")) == set(rows)
    assert Conversation.objects.get(pk=later.pk).status == "open"


def test_it_is_told_in_the_timeline_and_to_the_browsers(desk, rows):
    post(desk, rows, "status", "resolved")
    assert ConversationEvent.objects.filter(kind="resolved").count() == 3
    assert {hint.payload["c"] for hint in LiveHint.objects.all()} >= {row.pk for row in rows}


def test_the_queries_grow_with_the_rows_by_a_few_each(desk, inbox):
    seen = {}
    for count in (10, 60):
        rows = ConversationFactory.create_batch(count, inbox=inbox)
        with CaptureQueriesContext(connection) as queries:
            post(desk, rows, "priority", "3")
        seen[count] = len(queries)
    assert (seen[60] - seen[10]) / 50 <= 5
