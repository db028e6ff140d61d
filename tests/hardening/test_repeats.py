"""Webhooks ten times at once, shuffled by hundreds, again after a week: what is left behind is the same."""

import asyncio
import datetime as dt
import json
import random
import threading

import pytest
from django.db import connection, transaction

from conversations.ingest import pipeline
from conversations.ingest.models import WebhookEvent
from conversations.messaging import inbound
from conversations.messaging.models import Conversation, Message
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock
from crm.privacy import retention
from tests.webhooks import (
    ANA,
    T0,
    arrive,
    call,
    item_of,
    messages,
    names,
    person,
    recorded,
    snapshot,
    status,
    statuses,
    store,
    text,
)

WORKERS = 4


def somebody(number):
    return f"346{number:08d}"


def work():
    """A worker, until nothing waits."""
    try:
        while WebhookEvent.objects.filter(state="pending").exists():
            pipeline.process(pipeline.claim(20))
    finally:
        connection.close()


def workers():
    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)


async def post(bodies):
    return {status for status, *_ in await asyncio.gather(*(call(raw) for raw in bodies))}


def encoded(*bodies):
    return [json.dumps(one).encode() for one in bodies]


@pytest.fixture
def heard():
    """The messages that whoever answers by itself was told of."""
    found = []

    def hear(message, **_):
        found.append(message.external_id)

    inbound.message_arrived.connect(hear)
    yield found
    inbound.message_arrived.disconnect(hear)


@pytest.mark.covers("F14")
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("writer", "fresh_keys")
def test_everything_ten_times_in_the_same_moment_leaves_what_once_leaves_and_is_answered_once(inbox, heard):
    now = int(clock.now().timestamp())
    new = [messages(text(f"w.{n}", at=now, sender=somebody(n)), contacts=[person(somebody(n))]) for n in range(3)]
    bodies = [*map(recorded, names()), *new]
    with transaction.atomic():
        arrive(inbox, *bodies)
        expected = without_moments(snapshot())
        transaction.set_rollback(True)
    heard.clear()
    assert asyncio.run(post(encoded(*bodies) * 10)) == {200}
    assert WebhookEvent.objects.count() == 10 * len(bodies)
    workers()
    assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}
    assert without_moments(snapshot()) == expected
    assert sorted(heard) == ["w.0", "w.1", "w.2"]
    for number in range(3):
        assert Contact.objects.filter(identities__wa_id=somebody(number)).count() == 1
        assert Conversation.objects.filter(identity__wa_id=somebody(number)).count() == 1


def without_moments(found):
    """A snapshot without what depends on when things came: our new people, the activity of conversations without a
    message, how often one change of an id was told.
    """
    kept = [one for one in found if not (isinstance(one, dict) and (one["contact"][2] or "").startswith("+3460000000"))]
    for one in kept:
        if isinstance(one, dict):
            for conversation in one["conversations"]:
                if conversation["facts"]["last_sort_at"] is None:
                    conversation["facts"]["last_activity_at"] = None
            one["identities"] = [(*rest, {former[:2] for former in values}) for *rest, values in one["identities"]]
    return kept


@pytest.mark.covers("F15")
@pytest.mark.django_db
def test_hundreds_of_messages_and_albums_of_new_people_shuffled_end_alike_and_in_whatsapps_order(inbox):
    def album(person_number, second):
        part = {"type": "image", "image": {"id": "7", "mime_type": "image/jpeg"}}
        ids = [f"w.{person_number:02}.{second:02}.{letter}" for letter in "abc"]
        return [text(one, at=T0 + second, sender=somebody(person_number)) | part for one in ids]

    def single(person_number, second):
        return [text(f"w.{person_number:02}.{second:02}", at=T0 + second, sender=somebody(person_number))]

    items = [
        item
        for number in range(20)
        for second in range(15)
        for item in (album if second % 3 == 1 else single)(number, second)
    ]
    bodies = [messages(item, contacts=[person(item["from"])]) for item in items]
    assert len(bodies) == 500

    arrive(inbox, *random.Random(15).sample(bodies, len(bodies)))
    assert Contact.objects.count() == ChannelIdentity.objects.count() == Conversation.objects.count() == 20
    for conversation in Conversation.objects.all():
        thread = list(conversation.messages.in_thread_order().values_list("external_id", flat=True))
        assert len(thread) == conversation.inbound_count == 25
        assert [one[:7] for one in thread] == sorted(one[:7] for one in thread), "by WhatsApp's second"
        assert thread == list(conversation.messages.in_thread_order().values_list("external_id", flat=True))
        assert conversation.messages.get(pk=conversation.last_message_id).external_id == thread[-1]
        assert conversation.waiting_since.timestamp() == T0


@pytest.mark.covers("F15")
@pytest.mark.django_db(transaction=True)
def test_two_first_messages_of_a_new_person_in_two_workers_make_one_contact_and_conversation(inbox):
    for number in range(5):
        people = [person(somebody(number))]
        pair = [
            store(inbox, messages(text(f"w.{number}.{n}", at=T0 + n, sender=somebody(number)), contacts=people))
            for n in range(2)
        ]
        together = threading.Barrier(2)

        def run(event, together=together):
            together.wait(60)
            pipeline.process([event])
            connection.close()

        threads = [threading.Thread(target=run, args=(event,)) for event in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        conversation = Conversation.objects.get(identity__wa_id=somebody(number))
        assert conversation.inbound_count == 2
        thread = list(conversation.messages.in_thread_order().values_list("external_id", flat=True))
        assert thread == [f"w.{number}.0", f"w.{number}.1"]
    assert Contact.objects.count() == ChannelIdentity.objects.count() == Conversation.objects.count() == 5


@pytest.mark.covers("F25")
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("writer", "fresh_keys")
def test_a_burst_with_three_statuses_to_a_message_is_all_taken_and_drains_in_each_persons_order(inbox):
    count, people = 100, 10
    for name in range(people):
        arrive(inbox, messages(text(f"first.{name}", at=T0, sender=somebody(name)), contacts=[person(somebody(name))]))
    for number in range(count):
        conversation = Conversation.objects.get(identity__wa_id=somebody(number % people))
        Message.objects.create(
            conversation=conversation, inbox=inbox, direction="out", status="accepted", author_kind="agent",
            external_id=f"ours.{number}",
        )  # fmt: skip
    burst = [
        messages(text(f"w.{number:03}", at=T0 + 1 + number, sender=somebody(number % people)), contacts=[])
        for number in range(count)
    ]
    burst += [
        statuses(status(f"ours.{number}", state, T0 + number + step))
        for number in range(count)
        for step, state in enumerate(("sent", "delivered", "read"))
    ]
    assert asyncio.run(post(encoded(*random.Random(25).sample(burst, len(burst))))) == {200}
    workers()
    assert set(Message.objects.filter(direction="out").values_list("status", flat=True)) == {"read"}
    for conversation in Conversation.objects.all():
        thread = conversation.messages.in_thread_order().filter(external_id__startswith="w.")
        ids = list(thread.values_list("external_id", flat=True))
        assert ids == sorted(ids)
        assert len(ids) == count / people
        assert conversation.inbound_count == len(ids) + 1


@pytest.mark.covers("W13")
@pytest.mark.django_db
def test_a_valid_webhook_again_an_hour_six_or_eight_days_later_changes_nothing(inbox, heard, monkeypatch):
    now = clock.real()
    bodies = [*map(recorded, names()), messages(text("w.now", at=int(now.timestamp()))), status_of_nobody()]
    arrive(inbox, *bodies)
    expected = snapshot()
    assert heard == ["w.now"]
    for later in (dt.timedelta(hours=1), dt.timedelta(days=6), dt.timedelta(days=8)):
        monkeypatch.setattr(clock, "real", lambda later=later: now + later)
        retention.clean()
        assert {event.state for event in arrive(inbox, *bodies)} == {"processed"}
        assert snapshot() == expected
    assert heard == ["w.now"]
    known = Message.objects.get(external_id=item_of(recorded("text"))["id"])
    assert set(known.event_items.values_list("outcome", flat=True)) <= {"recorded", "known", "applied"}
    assert ChannelIdentity.objects.filter(wa_id=ANA).count() <= 1


def status_of_nobody():
    return statuses(status("w.nobody", "delivered", T0))
