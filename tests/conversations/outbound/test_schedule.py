"""Sending later: looked at again when the time has come; refused with a reason, never lost, never sent twice."""

import datetime as dt
import uuid

import pytest
from django.db import DataError, OperationalError
from django.urls import reverse
from django.utils import timezone, translation

from conversations.desk.happenings import happening
from conversations.messaging import media, outbound, schedule, threads
from conversations.messaging.models import Attachment, Conversation, ConversationEvent, Message, ScheduledMessage
from crm.foundation import clock, work
from tests.factories import ConversationFactory, InboxFactory, MessageFactory, TeamFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


@pytest.fixture
def team():
    return TeamFactory()


@pytest.fixture
def agent(team):
    return UserFactory(teams=[team])


@pytest.fixture
def conversation(team):
    return ConversationFactory(inbox=InboxFactory(teams=[team]))


def plan(conversation, by, minutes=30, text="Good morning", **more):
    at = clock.now() + dt.timedelta(minutes=minutes)
    return schedule.plan(conversation, by=by, text=text, send_at=at, **more)[0]


def due(planned, minutes=1):
    """Make its time have come `minutes` ago."""
    ScheduledMessage.objects.filter(pk=planned.pk).update(send_at=clock.now() - dt.timedelta(minutes=minutes))
    work.run_until_idle("schedule")
    planned.refresh_from_db()
    return planned


def test_it_leaves_when_its_time_has_come_and_not_before(conversation, agent):
    planned = plan(conversation, agent)
    work.run_until_idle("schedule")
    assert not Message.objects.exists()
    assert due(planned).state == "sent"
    message = Message.objects.get()
    assert (message.text, message.author, message.client_id, message.status) == (
        "Good morning", agent, planned.client_id, "queued",
    )  # fmt: skip


def test_it_is_sent_once_whoever_tries(conversation, agent):
    planned = due(plan(conversation, agent))
    ScheduledMessage.objects.filter(pk=planned.pk).update(state="waiting")
    work.run_until_idle("schedule")
    assert Message.objects.count() == 1


def test_files_go_with_it_and_are_not_swept_away_meanwhile(conversation, agent):
    file = Attachment.objects.create(conversation=conversation, kind="image", state="stored", uploaded_by=agent)
    planned = plan(conversation, agent, files=[file])
    Attachment.objects.update(created_at=clock.now() - dt.timedelta(days=3))
    assert media.delete_unsent() == 0
    with pytest.raises(outbound.errors.MediaRefused):
        outbound.compose(conversation, by=agent, content=outbound.Upload(file), origin="agent")
    due(planned)
    assert Attachment.objects.get().message.text == "Good morning"


def test_a_cancelled_plan_gives_its_files_back(conversation, agent):
    file = Attachment.objects.create(conversation=conversation, kind="image", state="stored", uploaded_by=agent)
    schedule.cancel(plan(conversation, agent, files=[file]))
    assert outbound.compose(conversation, by=agent, content=outbound.Upload(file), origin="agent")[1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"window_expires_at": None}, "window_closed"),
        ({"window_expires_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}, "window_closed"),
    ],
)
def test_a_window_that_closed_meanwhile_refuses_it_with_the_reason(conversation, agent, change, reason):
    planned = plan(conversation, agent)
    Conversation.objects.filter(pk=conversation.pk).update(**change)
    assert (due(planned).state, planned.reason) == ("refused", reason)
    event = ConversationEvent.objects.get(kind="scheduled_refused")
    assert (event.user, event.data["reason"]) == (agent, reason)
    assert not Message.objects.exists()


def test_an_author_who_lost_the_conversation_does_not_write_in_it(conversation, agent):
    planned = plan(conversation, agent)
    agent.memberships.all().delete()
    assert (due(planned).state, planned.reason) == ("refused", "author_gone")


def test_what_should_have_left_long_ago_does_not_leave_now(conversation, agent):
    assert due(plan(conversation, agent), minutes=7 * 60).reason == "too_late"


@pytest.mark.parametrize("unless", [True, False])
def test_unless_they_answer_first(conversation, agent, unless):
    planned = plan(conversation, agent, unless_answered=unless)
    MessageFactory(conversation=conversation, sort_at=clock.now() + dt.timedelta(seconds=1))
    assert due(planned).state == ("cancelled" if unless else "sent")
    assert Message.objects.filter(direction="out").exists() is not unless


def test_one_that_breaks_holds_up_no_other(conversation, agent, monkeypatch):
    broken, fine = plan(conversation, agent, minutes=5), plan(conversation, agent, minutes=6, text="fine")
    compose = outbound.compose

    def sometimes(*args, content, **more):
        if content.body != "fine":
            raise RuntimeError("boom")
        return compose(*args, content=content, **more)

    monkeypatch.setattr(outbound, "compose", sometimes)
    ScheduledMessage.objects.update(send_at=clock.now() - dt.timedelta(minutes=1))
    work.run_until_idle("schedule")
    broken.refresh_from_db()
    fine.refresh_from_db()
    assert (broken.state, broken.reason, fine.state) == ("refused", "broken", "sent")


def test_a_row_the_database_refuses_holds_up_no_other(conversation, agent, monkeypatch):
    bad, fine = plan(conversation, agent, minutes=5), plan(conversation, agent, minutes=6, text="fine")
    compose = outbound.compose

    def sometimes(*args, content, **more):
        if content.body != "fine":
            raise DataError("value out of range")
        return compose(*args, content=content, **more)

    monkeypatch.setattr(outbound, "compose", sometimes)
    ScheduledMessage.objects.update(send_at=clock.now() - dt.timedelta(minutes=1))
    schedule.drain()
    bad.refresh_from_db()
    fine.refresh_from_db()
    assert (bad.state, bad.reason, fine.state) == ("refused", "broken", "sent")


def test_a_database_that_is_away_gives_up_nothing(conversation, agent, monkeypatch):
    planned = plan(conversation, agent)
    ScheduledMessage.objects.update(send_at=clock.now() - dt.timedelta(minutes=1))
    monkeypatch.setattr(outbound, "compose", lambda *args, **more: (_ for _ in ()).throw(OperationalError("away")))
    with pytest.raises(OperationalError):
        schedule.drain()
    planned.refresh_from_db()
    assert planned.state == "waiting"


@pytest.fixture
def joined(conversation, monkeypatch):
    """The conversation is joined to another one at the moment when somebody wants to lock it."""
    other = ConversationFactory(inbox=conversation.inbox)
    locked = threads.locked

    def late():
        ScheduledMessage.objects.filter(conversation=conversation).update(conversation=other)
        Conversation.objects.filter(pk=conversation.pk).delete()
        return locked()

    def join():
        monkeypatch.setattr(threads, "locked", late)
        return other

    return join


def test_it_is_sent_though_its_conversation_is_joined_to_another_meanwhile(conversation, agent, joined):
    planned = plan(conversation, agent)
    other = joined()
    assert due(planned).state == "sent"
    assert Message.objects.get().conversation == other


@pytest.mark.parametrize("action", ["", "cancel"])
def test_it_is_changed_though_its_conversation_is_joined_to_another_meanwhile(
    client, conversation, agent, joined, action
):
    planned = plan(conversation, agent)
    client.force_login(agent)
    joined()
    form = {"action": action, "text": "Good evening", "send_at": local(90)}
    response = client.post(reverse("desk:scheduled-change", args=[planned.pk]), form)
    assert response.status_code == 200
    assert ("Good evening" in response.content.decode()) is not bool(action)


def test_while_conversations_are_being_joined_it_waits_for_the_next_round(conversation, agent, monkeypatch):
    planned = plan(conversation, agent)
    ScheduledMessage.objects.update(send_at=clock.now() - dt.timedelta(minutes=1))
    with monkeypatch.context() as patched:
        patched.setattr(threads, "locked", Conversation.objects.none)
        schedule.drain()
    planned.refresh_from_db()
    assert planned.state == "waiting"
    schedule.drain()
    planned.refresh_from_db()
    assert planned.state == "sent"


def test_what_they_wrote_before_the_last_change_is_known_to_who_changed_it(conversation, agent):
    planned = plan(conversation, agent, unless_answered=True)
    ScheduledMessage.objects.update(created_at=clock.now() - dt.timedelta(minutes=10))
    MessageFactory(conversation=conversation, sort_at=clock.now() - dt.timedelta(minutes=5))
    at = clock.now() + dt.timedelta(minutes=30)
    schedule.change(planned, by=agent, text="As you say", send_at=at, unless_answered=True)
    assert due(planned).state == "sent"


@pytest.mark.parametrize(
    ("text", "refused", "author"), [("Other words", False, "new"), ("Good morning", False, "old"), ("", True, "new")]
)
def test_who_gives_it_other_words_or_sends_it_after_all_is_its_author(conversation, agent, team, text, refused, author):
    planned, colleague = plan(conversation, agent), UserFactory(teams=[team], name="Luis")
    if refused:
        ScheduledMessage.objects.update(state="refused", reason="author_gone")
    at = clock.now() + dt.timedelta(minutes=30)
    schedule.change(planned, by=colleague, text=text or planned.text, send_at=at, unless_answered=False)
    due(planned)
    assert Message.objects.get().author == {"new": colleague, "old": agent}[author]
    event = ConversationEvent.objects.get(kind="scheduled_changed")
    assert (event.user, event.data) == (colleague, {"author": agent.name})
    with translation.override("en"):
        assert happening(event) == f"Luis changed the message of {agent.name} to be sent later"


def test_who_changes_their_own_leaves_no_line(conversation, agent):
    at = clock.now() + dt.timedelta(minutes=30)
    schedule.change(plan(conversation, agent), by=agent, text="New", send_at=at, unless_answered=False)
    assert not ConversationEvent.objects.exists()


@pytest.mark.parametrize("elsewhere", [True, False])
def test_an_id_that_was_used_is_refused_with_a_sentence(desk, conversation, agent, elsewhere):
    key = uuid.uuid4()
    there = ConversationFactory(inbox=conversation.inbox) if elsewhere else conversation
    planned = plan(there, agent, client_id=key)
    if not elsewhere:
        schedule.cancel(planned)
    response = ask(desk, conversation, client_id=str(key))
    assert (response.status_code, response["X-Error"]) == (422, "not_retryable")
    assert ScheduledMessage.objects.count() == 1


def test_an_id_used_elsewhere_at_the_same_moment_is_refused_too(conversation, agent, monkeypatch):
    key = uuid.uuid4()
    plan(ConversationFactory(inbox=conversation.inbox), agent, client_id=key)
    monkeypatch.setattr(ScheduledMessage.objects, "filter", lambda **which: ScheduledMessage.objects.none())
    with pytest.raises(outbound.errors.NotRetryable):
        plan(conversation, agent, client_id=key)


def test_the_same_plan_twice_is_one(conversation, agent):
    key = uuid.uuid4()
    first, again = (plan(conversation, agent, client_id=key) for _ in range(2))
    assert first == again
    assert ScheduledMessage.objects.count() == 1


# At the desk


def local(minutes):
    return timezone.localtime(clock.now() + dt.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M")


def ask(client, conversation, **more):
    form = {"client_id": str(uuid.uuid4()), "text": "Later", "send_at": local(60)} | more
    return client.post(reverse("desk:scheduled", args=[conversation.pk]), form)


@pytest.fixture
def desk(client, agent):
    client.force_login(agent)
    return client


def test_the_time_is_of_the_agents_zone(desk, agent, conversation):
    agent.time_zone = "America/Bogota"
    agent.save()
    wanted = clock.now().replace(second=0, microsecond=0) + dt.timedelta(hours=2)
    at_home = wanted.astimezone(timezone.zoneinfo.ZoneInfo("America/Bogota")).strftime("%Y-%m-%dT%H:%M")
    response = ask(desk, conversation, send_at=at_home)
    assert response.status_code == 201
    assert ScheduledMessage.objects.get().send_at == wanted
    assert f'data-at="{at_home}"' in response.content.decode()


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"send_at": ""}, "send_at"),
        ({"send_at": "tomorrow"}, "send_at"),
        ({"send_at": "9999-12-31T23:59"}, "send_at"),
        ({"send_at": "0001-01-01T00:00"}, "send_at"),
        ({"send_at": "2020-01-01T10:00"}, "send_at"),
        ({"send_at": local(24 * 60)}, "window_closed"),
        ({"text": " "}, "empty"),
        ({"text": "x" * 4097}, "too_long"),
        ({"attachment": str(uuid.uuid4())}, "attachment"),
    ],
)
def test_what_cannot_be_planned_says_why(desk, conversation, form, code):
    response = ask(desk, conversation, **form)
    assert (response.status_code, response["X-Error"]) == (422, code)
    assert not ScheduledMessage.objects.exists()


def test_a_plan_is_changed_and_cancelled_by_whoever_sees_it(client, desk, agent, conversation, team):
    planned = plan(conversation, agent)
    client.force_login(UserFactory(teams=[team]))
    url = reverse("desk:scheduled-change", args=[planned.pk])
    form = {"text": "Good evening", "send_at": local(90), "unless_answered": "1"}
    assert client.post(url, form).status_code == 200
    planned.refresh_from_db()
    assert (planned.text, planned.unless_answered) == ("Good evening", True)
    assert "Good evening" not in client.post(url, {"action": "cancel"}).content.decode()
    planned.refresh_from_db()
    assert planned.state == "cancelled"
    assert client.post(url, {"action": "cancel"}).status_code == 422
    assert client.post(url, form).status_code == 422


def test_a_refused_plan_is_shown_until_put_away_and_can_be_tried_again(desk, agent, conversation):
    planned = plan(conversation, agent)
    expires = conversation.window_expires_at
    Conversation.objects.filter(pk=conversation.pk).update(window_expires_at=None)
    due(planned)
    url = reverse("desk:scheduled", args=[conversation.pk])
    assert "24-hour window had closed" in desk.get(url).content.decode()
    Conversation.objects.filter(pk=conversation.pk).update(window_expires_at=expires)
    again = reverse("desk:scheduled-change", args=[planned.pk])
    assert desk.post(again, {"text": "Now", "send_at": local(5)}).status_code == 200
    planned.refresh_from_db()
    assert (planned.state, planned.reason) == ("waiting", "")


def test_plans_of_another_team_do_not_exist(desk, agent):
    theirs = ConversationFactory(inbox=InboxFactory(teams=[TeamFactory()]))
    planned = plan(theirs, UserFactory(manager=True))
    assert ask(desk, theirs).status_code == 404
    assert desk.get(reverse("desk:scheduled", args=[theirs.pk])).status_code == 404
    assert desk.post(reverse("desk:scheduled-change", args=[planned.pk]), {"action": "cancel"}).status_code == 404


def test_a_list_of_plans_costs_the_same_for_one_and_many(desk, agent, conversation, django_assert_max_num_queries):
    for number in range(12):
        plan(conversation, agent, minutes=5 + number)
    url = reverse("desk:scheduled", args=[conversation.pk])
    desk.get(url)
    with django_assert_max_num_queries(5):
        assert desk.get(url).content.decode().count("planned-item") >= 12
