"""Clocks that differ, clocks that change and a backlog of a week: shown where it belongs, answered by nobody."""

import datetime as dt

import pytest

from conversations.channels.base import Text
from conversations.ingest import pipeline
from conversations.messaging import errors, outbound, outbox, schedule
from conversations.messaging.models import Attempt, Conversation, Message, ParkedUpdate
from conversations.monitoring import figures
from crm.foundation import clock
from tests.factories import UserFactory
from tests.webhooks import ANA, T0, arrive, messages, person, status, statuses, store, text

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


def seconds(moment):
    return int(moment.timestamp())


@pytest.fixture
def now():
    return clock.real().replace(microsecond=0)


def set_clock(monkeypatch, moment):
    monkeypatch.setattr(clock, "real", lambda: moment)


@pytest.mark.covers("F19")
@pytest.mark.parametrize("wrong", [-15 * MINUTE, 15 * MINUTE, -90 * MINUTE], ids=str)
def test_with_a_clock_that_goes_wrong_the_window_ends_by_the_earlier_of_both(inbox, monkeypatch, now, wrong):
    """`wrong`: how far ours is from theirs, which is right."""
    set_clock(monkeypatch, now + wrong)
    arrive(inbox, messages(text("w.1", at=seconds(now))), messages(text("w.2", at=seconds(now + MINUTE))))
    conversation = Conversation.objects.get()
    assert conversation.window_expires_at <= now + MINUTE + DAY, "never later than Meta's"
    assert conversation.window_expires_at >= now + min(wrong, MINUTE * 0) + DAY
    first, second = conversation.messages.in_thread_order()
    assert (first.external_id, second.external_id) == ("w.1", "w.2")
    assert second.sort_at <= now + max(wrong, MINUTE), "nothing stands in our future"
    set_clock(monkeypatch, now + 2 * MINUTE)  # somebody puts it right
    arrive(inbox, messages(text("w.3", at=seconds(now + 2 * MINUTE))))
    conversation.refresh_from_db()
    assert conversation.last_message_id == Message.objects.get(external_id="w.3").pk
    assert conversation.window_expires_at == now + 2 * MINUTE + DAY


@pytest.mark.covers("F19")
@pytest.mark.parametrize(
    "change", [dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC), dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC)], ids=str
)
def test_a_night_with_23_or_25_hours_has_windows_of_24_and_keeps_the_order(inbox, monkeypatch, settings, change):
    settings.TIME_ZONE = "Europe/Madrid"
    moments = [change + minutes * MINUTE for minutes in (-60, -30, 0, 30, 60)]
    set_clock(monkeypatch, change + 2 * HOUR)
    bodies = [messages(text(f"w.{number}", at=seconds(at))) for number, at in enumerate(moments)]
    arrive(inbox, *reversed(bodies))
    conversation = Conversation.objects.get()
    assert list(conversation.messages.in_thread_order().values_list("sort_at", flat=True)) == moments
    assert conversation.window_expires_at == moments[-1] + DAY
    assert conversation.window_is_open(moments[-1] + DAY - MINUTE)
    assert not conversation.window_is_open(moments[-1] + DAY + MINUTE)


@pytest.mark.covers("F16")
def test_a_status_of_a_message_that_never_comes_stays_and_is_counted_for_managers(inbox):
    arrive(inbox, statuses(status("w.nowhere", "delivered", T0)))
    ParkedUpdate.objects.update(created_at=clock.real() - DAY)
    pipeline.drain()
    assert ParkedUpdate.objects.get().applied_at is None
    assert figures.read().parked == 1


@pytest.mark.covers("F26")
def test_a_backlog_of_a_week_takes_its_place_and_sets_nothing_off(inbox, now):
    heard = []

    def hear(message, **_):
        heard.append(message.external_id)

    receivers = pipeline.inbound.message_arrived
    receivers.connect(hear)
    hours = [7 * 24, 5 * 24, 30, 23, 2]
    try:
        arrive(inbox, messages(text("w.new", "hoy", at=seconds(now))))
        assert heard == ["w.new"]
        backlog = [messages(text(f"w.{age}", f"hace {age} h", at=seconds(now - age * HOUR))) for age in hours]
        for one in backlog:
            store(inbox, one)
        while pipeline.drain():
            pass
    finally:
        receivers.disconnect(hear)
    assert heard == ["w.new"], "whoever answers by itself hears of none of them"
    conversation = Conversation.objects.get()
    thread = list(conversation.messages.in_thread_order().values_list("external_id", flat=True))
    assert thread == [*(f"w.{age}" for age in hours), "w.new"]
    assert (conversation.last_preview, conversation.window_expires_at) == ("hoy", now + DAY)
    outbox.drain()
    schedule.drain()
    assert not Message.objects.exclude(direction="in").exists()
    assert not Attempt.objects.exists()


@pytest.mark.covers("F26")
def test_to_somebody_who_wrote_a_week_ago_no_free_text_leaves(inbox, now):
    arrive(inbox, messages(text("w", at=seconds(now - 7 * DAY)), contacts=[person()]))
    conversation = Conversation.objects.get()
    assert conversation.window_expires_at == now - 6 * DAY
    with pytest.raises(errors.ServiceWindowClosed):
        outbound.compose(conversation, content=Text("Hola"), by=UserFactory(manager=True), origin="agent")
    # What had been written before the outage is looked at again before it leaves.
    late = Message.objects.create(
        conversation=conversation, inbox=inbox, direction="out", status="queued", author_kind="agent", text="Voy"
    )
    outbox.drain()
    late.refresh_from_db()
    assert (late.status, late.error_code) == ("failed", "window_closed")
    assert not Attempt.objects.exists()
    assert conversation.identity.wa_id == ANA
