"""While the fence is up nothing leaves; a manager decides what becomes of what waits."""

import datetime as dt
import io
import time

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from conversations.live.models import LiveHint
from conversations.messaging import fence, outbox
from conversations.messaging.models import Conversation, Message, SendFence
from crm.foundation import clock, work
from tests.conversations.outbound.sending import again, say
from tests.factories import ConversationFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
HOURS = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _checked():
    """What a process knows of its start ends with the test."""
    yield
    fence._unchecked = False


def waited(message, hours, **more):
    """Let the message be that old."""
    Message.objects.filter(pk=message.pk).update(created_at=clock.now() - hours * HOURS, **more)


def command(*arguments):
    out = io.StringIO()
    call_command("fence", *arguments, stdout=out)
    return out.getvalue()


def test_raised_once_and_lifted_for_good(inbox):
    manager = UserFactory(manager=True)
    assert not fence.is_up()
    first = fence.raise_("manual")
    assert fence.raise_("stale") == first
    assert fence.is_up()
    fence.lift(manager)
    assert not fence.is_up()
    row = SendFence.objects.get()
    assert (row.reason, row.lifted_by) == ("manual", manager)


def test_every_browser_of_the_desk_hears_of_it(agent):
    restricted, integrator = UserFactory(restricted=True), UserFactory(integrator=True)
    fence.raise_("manual")
    fence.lift(None)
    hints = [row.groups for row in LiveHint.objects.filter(payload__t="fence")]
    assert hints == [sorted([f"u.{agent.pk}", f"u.{restricted.pk}"])] * 2
    assert f"u.{integrator.pk}" not in hints[0]


def test_what_is_written_meanwhile_waits(graph, conversation):
    fence.raise_("manual")
    message = say(conversation)
    assert message.status == "queued"
    outbox.drain()
    assert graph.sent == []
    assert fence.waiting().count == 1
    fence.lift(None)
    outbox.drain()
    outbox.drain()
    assert len(graph.sent) == 1
    assert again(message).status == "accepted"


def test_nothing_waits_in_an_empty_queue(conversation):
    assert fence.waiting() == fence.Waiting(0, None)
    since = say(conversation).created_at
    say(conversation)
    assert fence.waiting() == fence.Waiting(2, since)


def test_cancelled_ones_stay_at_home_and_show_it(graph, inbox, monkeypatch):
    monkeypatch.setattr(fence, "BATCH", 3)
    conversations = [ConversationFactory(inbox=inbox) for _ in range(4)]
    messages = [say(conversation) for conversation in conversations for _ in range(2)]
    fence.raise_("restored")
    LiveHint.objects.all().delete()
    assert fence.lift(None, cancel_waiting=True) == 8
    outbox.drain()
    assert graph.sent == []
    assert {again(message).status for message in messages} == {"cancelled"}
    assert all(again(message).version == 2 and again(message).cancelled_at for message in messages)
    assert set(Conversation.objects.values_list("last_status", flat=True)) == {"cancelled"}
    assert LiveHint.objects.filter(payload__t="message.status", payload__s="cancelled").count() == 8


def test_who_is_interrupted_while_cancelling_has_let_nothing_out(inbox, monkeypatch):
    monkeypatch.setattr(fence, "BATCH", 1)
    for _ in range(3):
        say(ConversationFactory(inbox=inbox))
    fence.raise_("restored")
    real, calls = fence._cancel, []

    def breaks(chosen):
        calls.append(chosen)
        if len(calls) == 2:
            raise DatabaseError("gone")
        return real(chosen)

    monkeypatch.setattr(fence, "_cancel", breaks)
    with pytest.raises(DatabaseError):
        fence.lift(None, cancel_waiting=True)
    assert fence.is_up()
    assert fence.lift(None, cancel_waiting=True) == 2


@pytest.mark.parametrize(("hours", "up"), [(5, False), (7, True)])
def test_old_messages_at_the_start_stop_sending(conversation, hours, up):
    waited(say(conversation), hours)
    fence.check_at_start()
    assert fence.is_up() is up
    if up:
        assert SendFence.objects.get().reason == "stale"


@pytest.mark.parametrize(("setting", "up"), [(0, False), (48, False), (0.5, True)])
def test_the_age_is_a_setting(conversation, settings, setting, up):
    settings.OUTBOX_STALE_HOURS = setting
    waited(say(conversation), 7)
    fence.check_at_start()
    assert fence.is_up() is up


def test_what_a_running_system_holds_back_stops_nothing(inbox, conversation):
    later = say(conversation)
    waited(later, 7, next_attempt_at=clock.real() + HOURS)
    waited(say(conversation), 7)  # comes after it
    inbox.open_circuit("190")
    waited(say(ConversationFactory(inbox=inbox)), 9)
    fence.check_at_start()
    assert not fence.is_up()


def test_a_circuit_or_a_retry_of_last_week_excuses_nothing(inbox, conversation):
    inbox.open_circuit("190")
    type(inbox).objects.update(circuit_until=clock.real() - 20 * HOURS)
    waited(say(conversation), 30, next_attempt_at=clock.real() - 20 * HOURS)
    fence.check_at_start()
    assert fence.is_up()


def test_what_a_manager_has_let_go_on_is_not_stopped_again(conversation):
    waited(say(conversation), 7)
    fence.raise_("restored")
    fence.lift(None)
    fence.check_at_start()
    assert not fence.is_up()


def test_a_database_that_is_away_at_the_start_is_asked_later(conversation, monkeypatch):
    waited(say(conversation), 7)
    with monkeypatch.context() as patch:
        patch.setattr(fence, "current", lambda: (_ for _ in ()).throw(DatabaseError("away")))
        fence.check_at_start()
    assert not SendFence.objects.exists()
    assert fence.is_up()


def test_the_command_stops_says_and_goes_on(conversation):
    say(conversation)
    assert command().startswith("Messages are sent.")
    assert "Sending is stopped" in command("--raise")
    assert fence.is_up()
    assert "1 messages wait" in command("--status")
    assert "1 messages cancelled." in command("--lift", "--cancel-waiting")
    assert not fence.is_up()
    with pytest.raises(CommandError, match="goes with --lift"):
        command("--cancel-waiting")


@pytest.mark.django_db(transaction=True)
def test_a_process_that_begins_to_work_looks_at_the_age_of_the_queue_first(graph, conversation, monkeypatch):
    waited(say(conversation), 7)
    monkeypatch.setattr(work, "_threads", [])
    work.start_drains()
    try:
        deadline = time.monotonic() + 20
        while not SendFence.objects.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        work.stop(10)
    assert SendFence.objects.get().reason == "stale"
    assert graph.sent == []
