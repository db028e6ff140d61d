"""Webhooks processed together: what shares a batch, what does not, and several workers at once."""

import datetime as dt
import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversations.ingest import pipeline, together
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.messaging import inbound
from conversations.messaging.models import Conversation, Message, ParkedUpdate
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock
from tests.webhooks import ANA, LUIS, T0, arrive, make_inbox, messages, person, reaction, status, statuses, store, text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_too]


@pytest.fixture
def inbox():
    return make_inbox()


def somebody(number: int) -> str:
    return f"346{number:08d}"


def from_somebody(number: int, external_id: str, **more) -> dict:
    return messages(text(external_id, sender=somebody(number), **more), contacts=[person(somebody(number), "P")])


def statements(inbox, count: int, *, of: int) -> int:
    """How many statements a batch of `count` messages of `of` people takes."""
    start = Message.objects.count()
    events = [store(inbox, from_somebody(n % of, f"w.{start + n}", at=T0 + start + n)) for n in range(count)]
    with CaptureQueriesContext(
        connection,
    ) as captured:
        pipeline.process(events)
    assert Message.objects.count() == start + count
    return len(captured)


def test_a_batch_costs_the_same_for_two_messages_and_for_forty(inbox):
    statements(inbox, 20, of=20)  # now they are known
    few, many = statements(inbox, 2, of=2), statements(inbox, 40, of=20)
    assert many <= few <= 26


def test_people_never_seen_are_made_together(inbox):
    assert statements(inbox, 30, of=30) <= 32
    assert Contact.objects.count() == ChannelIdentity.objects.count() == Conversation.objects.count() == 30
    contact = Contact.objects.get(phone=f"+{somebody(7)}")
    assert (contact.name, somebody(7) in contact.search_text) == ("P", True)


@pytest.mark.covers("F14")
def test_a_webhook_that_comes_ten_times_is_one_message_even_within_a_batch(inbox):
    events = arrive(inbox, *[from_somebody(1, "w.same")] * 10)
    assert Message.objects.get().conversation.inbound_count == 1
    outcomes = [event.items.get().outcome for event in events]
    assert sorted(outcomes) == ["known"] * 9 + ["recorded"]
    assert {event.state for event in events} == {"processed"}


def test_what_needs_a_closer_look_does_not_hold_up_the_others(inbox):
    first, last = from_somebody(1, "w.1"), from_somebody(2, "w.2")
    closer = messages(reaction("w.r", "w.1", sender=somebody(1)), contacts=[person(somebody(1), "P")])
    joined = messages(
        text("w.3", sender=somebody(1), from_user_id="ES.1"), contacts=[person(somebody(1), "P", user_id="ES.1")]
    )
    events = arrive(inbox, first, closer, joined, last)
    assert {event.state for event in events} == {"processed"}
    assert Message.objects.get(external_id="w.1").reactions.get().emoji == "👍"
    assert ChannelIdentity.objects.get(match_key=somebody(1)).user_id == "ES.1"
    assert Message.objects.count() == 3


@pytest.mark.covers("F20")
def test_one_webhook_that_breaks_the_batch_costs_only_itself(inbox, monkeypatch):
    land = inbound.record

    def fails(arrivals, known):
        if any(arrival.update.external_id == "w.3" for arrival in arrivals):
            raise ValueError("poison")
        return land(arrivals, known)

    monkeypatch.setattr(inbound, "record", fails)
    events = arrive(inbox, *[from_somebody(n, f"w.{n}") for n in range(6)])
    assert [event.state for event in events] == ["processed"] * 3 + ["quarantined"] + ["processed"] * 2
    assert Message.objects.count() == 5


def test_a_thousand_items_in_one_webhook_take_several_transactions_and_end_as_one(inbox, monkeypatch):
    sizes, land = [], together.land
    monkeypatch.setattr(together, "land", lambda work, inboxes: (sizes.append(len(work)), land(work, inboxes)))
    (event,) = arrive(inbox, messages(*[text(f"w.{n}", at=T0 + n) for n in range(450)]))
    assert (event.state, event.items.count(), Message.objects.count()) == ("processed", 450, 450)
    assert len(sizes) > 1
    assert max(sizes) <= pipeline.TOGETHER[connection.vendor]


@pytest.mark.covers("F16", "F17")
def test_statuses_of_a_batch_climb_and_those_too_early_are_parked(inbox):
    arrive(inbox, messages(text("w.q")))
    conversation = Conversation.objects.get()
    for name in ("w.out1", "w.out2"):
        Message.objects.create(
            conversation=conversation, inbox=inbox, direction="out", status="accepted", author_kind="agent",
            external_id=name,
        )  # fmt: skip
    order = [("w.out1", "read", 3), ("w.out2", "sent", 1), ("w.out1", "sent", 1), ("w.new", "sent", 1)]
    arrive(inbox, *[statuses(status(name, state, T0 + at)) for name, state, at in order])
    assert dict(Message.objects.filter(direction="out").values_list("external_id", "status")) == {
        "w.out1": "read", "w.out2": "sent",
    }  # fmt: skip
    first = Message.objects.get(external_id="w.out1")
    assert (first.sent_at, first.read_at) == (clock.from_timestamp(T0 + 1), clock.from_timestamp(T0 + 3))
    assert ParkedUpdate.objects.get().external_id == "w.new"


@pytest.mark.covers("F26")
def test_late_messages_are_stored_in_place_and_answered_by_nobody(inbox):
    heard = []

    def hear(message, **_):
        heard.append(message.external_id)

    inbound.message_arrived.connect(hear)
    try:
        now = int(clock.now().timestamp())
        arrive(
            inbox,
            messages(text("w.now", at=now)),
            messages(text("w.late", at=now - 3700)),
            messages(text("w.week", at=now - 7 * 86400)),
            messages(text("w.now", at=now)),
        )
    finally:
        inbound.message_arrived.disconnect(hear)
    assert heard == ["w.now"]
    in_order = Conversation.objects.get().messages.in_thread_order().values_list("external_id", flat=True)
    assert list(in_order) == ["w.week", "w.late", "w.now"]
    assert Conversation.objects.get().last_preview == Message.objects.get(external_id="w.now").text


# --- several workers ---


def laned(inbox, number: int, external_id: str) -> WebhookEvent:
    event = store(inbox, from_somebody(number, external_id))
    WebhookEvent.objects.filter(pk=event.pk).update(lane=number + 1)
    return event


def test_a_worker_leaves_people_whose_news_another_one_is_processing(inbox):
    first = laned(inbox, 1, "w.1")
    assert [event.pk for event in pipeline.claim(1)] == [first.pk]
    second, other, nobodys = laned(inbox, 1, "w.2"), laned(inbox, 2, "w.3"), store(inbox, from_somebody(3, "w.4"))
    assert [event.pk for event in pipeline.claim(10)] == [other.pk, nobodys.pk]
    WebhookEvent.objects.filter(pk=first.pk).update(lease_until=clock.real() - dt.timedelta(seconds=1))
    assert [event.pk for event in pipeline.claim(10)] == [first.pk, second.pk]


def test_a_worker_that_was_frozen_while_another_took_over_writes_nothing(inbox):
    laned(inbox, 1, "w.1")
    frozen = pipeline.claim(10)
    WebhookEvent.objects.update(lease_until=clock.real() - dt.timedelta(seconds=1))
    taken = pipeline.claim(10)
    pipeline.process(frozen)
    assert (Message.objects.count(), EventItem.objects.count()) == (0, 0)
    pipeline.process(taken)
    pipeline.process(frozen)
    assert (Message.objects.count(), WebhookEvent.objects.get().state) == (1, "processed")


@pytest.mark.covers("F25")
def test_four_workers_share_the_work_and_keep_the_order_of_each_person(inbox):
    """All within one of WhatsApp's seconds: only the order of processing can tell."""
    for round_ in range(12):
        for number in range(8):
            laned(inbox, number, f"w.{number}.{round_:02d}")

    def work():
        while WebhookEvent.objects.filter(state="pending").exists():
            pipeline.process(pipeline.claim(5))
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert Message.objects.count() == 96
    for conversation in Conversation.objects.all():
        ids = list(conversation.messages.in_thread_order().values_list("external_id", flat=True))
        assert ids == sorted(ids)
        assert conversation.inbound_count == 12


@pytest.mark.covers("F14")
def test_the_same_message_in_two_workers_at_the_same_moment_is_one(inbox, monkeypatch):
    if connection.vendor == "sqlite":
        pytest.skip("one writer at a time")
    arrive(inbox, from_somebody(1, "w.0"))
    ours, theirs = store(inbox, from_somebody(1, "w.same")), store(inbox, from_somebody(1, "w.same"))
    with_people = together._with_people

    def they_process_theirs():
        pipeline.process([theirs])
        connection.close()

    def meanwhile(*args, **kwargs):  # we have looked: the message is not there yet
        monkeypatch.setattr(together, "_with_people", with_people)
        they = threading.Thread(target=they_process_theirs)
        they.start()
        they.join(20)
        return with_people(*args, **kwargs)

    monkeypatch.setattr(together, "_with_people", meanwhile)
    pipeline.process([ours])
    assert Message.objects.filter(external_id="w.same").count() == 1
    assert [ours.items.get().outcome, theirs.items.get().outcome] == ["known", "recorded"]
    assert Conversation.objects.get().inbound_count == 2


def test_two_replays_at_once_process_each_webhook_once(inbox, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(inbound, "record", lambda *_args: 1 / 0)
        events = arrive(inbox, *[from_somebody(n, f"w.{n}") for n in range(20)])
    assert {event.state for event in events} == {"quarantined"}
    counts = []

    def replay():
        counts.append(pipeline.replay([event.pk for event in events]))
        connection.close()

    replays = [threading.Thread(target=replay) for _ in range(2)]
    for one in replays:
        one.start()
    for one in replays:
        one.join(60)
    assert sum(counts) == 20
    assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}
    assert Message.objects.count() == EventItem.objects.count() == 20
    assert {ANA, LUIS}.isdisjoint(ChannelIdentity.objects.values_list("wa_id", flat=True))
