"""What becomes of our messages: a ladder that only climbs, in whatever order the news comes."""

import datetime as dt
import itertools
import random
import uuid

import pytest
from django.db import transaction

from conversations.ingest import housekeeping
from conversations.messaging import deliveries
from conversations.messaging.models import Attempt, Message, ParkedUpdate
from crm.foundation import clock
from tests.factories import MessageFactory
from tests.webhooks import (
    T0,
    arrive,
    body,
    change,
    landings,
    make_inbox,
    messages,
    recorded,
    snapshot,
    status,
    statuses,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]

STATES = ("sent", "delivered", "read", "played", "failed")
FAILURE = [{"code": 131049, "title": "Not delivered", "error_data": {"details": "Meta chose not to."}}]


def at(seconds):
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


@pytest.fixture
def inbox(db):
    return make_inbox()


def sent_message(inbox, external_id="ours", state="accepted", **more):
    fields = {"external_id": external_id, "status": state, "outbound": True}
    if "conversation" not in more:
        fields["conversation__inbox"] = inbox
    return MessageFactory(**fields | more)


def news(state, seconds=0):
    more = {"errors": FAILURE} if state == "failed" else {}
    return statuses(status("ours", state, T0 + seconds, **more))


def left_by(bodies, inbox):
    with transaction.atomic():
        arrive(inbox, *bodies)
        message = Message.objects.get(external_id="ours")
        times = [getattr(message, f"{state}_at") for state in STATES]
        found = (message.status, *times, message.error_code, message.error_details, message.pricing)
        transaction.set_rollback(True)
    return found


@pytest.mark.parametrize("highest", ["sent", "delivered", "read", "played"])
@pytest.mark.covers("F17")
def test_every_order_of_the_ladder_ends_at_its_top_with_all_times(inbox, highest):
    sent_message(inbox)
    steps = [news(state, index) for index, state in enumerate(STATES[: STATES.index(highest) + 1])]
    ends = {repr(left_by(order, inbox)) for order in itertools.permutations(steps)}
    assert len(ends) == 1
    assert left_by(steps, inbox)[0] == highest
    assert left_by(steps, inbox)[1 : len(steps) + 1] == tuple(at(T0 + index) for index in range(len(steps)))


@pytest.mark.covers("F17")
def test_a_failure_among_the_steps_ends_the_same_in_every_order(inbox):
    sent_message(inbox)
    steps = [news("sent"), news("failed", 2), news("delivered", 3), news("read", 4)]
    ends = {repr(left_by(order, inbox)) for order in itertools.permutations(steps)}
    assert len(ends) == 1


@pytest.mark.parametrize(
    ("first", "then", "ends"),
    [
        ("failed", "sent", "failed"),
        ("sent", "failed", "failed"),
        ("failed", "delivered", "delivered"),
        ("delivered", "failed", "delivered"),
        ("read", "delivered", "read"),
        ("played", "read", "played"),
        ("read", "sent", "read"),
    ],
)
@pytest.mark.covers("F17")
def test_a_later_word_never_lowers_the_status(inbox, first, then, ends):
    message = sent_message(inbox)
    arrive(inbox, news(first, 1), news(then, 2))
    message.refresh_from_db()
    assert message.status == ends


@pytest.mark.covers("F17")
def test_a_failure_keeps_its_reason_whatever_follows(inbox):
    message = sent_message(inbox)
    arrive(inbox, news("failed", 1), news("delivered", 2))
    message.refresh_from_db()
    assert (message.error_code, message.error_details) == ("131049", "Meta chose not to.")
    assert (message.failed_at, message.delivered_at) == (at(T0 + 1), at(T0 + 2))


def test_of_two_failures_the_first_names_the_cause_in_either_order(inbox):
    sent_message(inbox)
    late = statuses(status("ours", "failed", T0 + 9, errors=[{"code": 131026, "title": "late"}]))
    for order in ([news("failed", 1), late], [late, news("failed", 1)]):
        assert left_by(order, inbox)[-3] == "131049"


@pytest.mark.covers("F17")
def test_the_same_status_twice_keeps_the_earlier_time(inbox):
    message = sent_message(inbox)
    arrive(inbox, news("read", 9), news("read", 3), news("read", 6))
    message.refresh_from_db()
    assert message.read_at == at(T0 + 3)


@pytest.mark.parametrize("name", ["status_sent", "status_delivered"])
def test_the_price_is_kept(inbox, name):
    recorded_status = recorded(name)
    external_id = recorded_status["entry"][0]["changes"][0]["value"]["statuses"][0]["id"]
    message = sent_message(inbox, external_id)
    arrive(inbox, recorded_status)
    message.refresh_from_db()
    assert message.pricing["category"] == "service"


@pytest.mark.parametrize("state", ["cancelled", "received"])
def test_statuses_do_not_touch_what_was_never_sent(inbox, state):
    direction = {"direction": "in"} if state == "received" else {}
    message = sent_message(inbox, state=state, **direction)
    arrive(inbox, news("delivered"))
    message.refresh_from_db()
    assert message.status == state


def test_an_inbox_never_hears_of_another_ones_messages(inbox):
    message = sent_message(make_other_inbox(), "ours")
    arrive(inbox, news("read"))
    message.refresh_from_db()
    assert message.status == "accepted"
    assert ParkedUpdate.objects.get().inbox == inbox


def make_other_inbox():
    return MessageFactory().inbox


def echo():
    item = {"from": "34910000001", "to": "34600111222", "id": "ours", "timestamp": str(T0), "type": "text"}
    return body(change("smb_message_echoes", message_echoes=[item | {"text": {"body": "Nuestra"}}]))


@pytest.mark.covers("F16")
def test_updates_before_their_message_end_as_if_they_came_after(inbox):
    early = [
        news("read", 5),
        news("delivered", 3),
        messages({"from": "34600111222", "id": "r", "timestamp": str(T0 + 6), "type": "reaction"}
                 | {"reaction": {"message_id": "ours", "emoji": "👏"}}),
    ]  # fmt: skip
    with transaction.atomic():
        arrive(inbox, echo(), *early)
        expected = snapshot()
        transaction.set_rollback(True)
    events = arrive(inbox, *early)
    assert [landings(event)[0][1] for event in events] == ["parked"] * 3
    arrive(inbox, *early)
    assert ParkedUpdate.objects.count() == 3
    arrive(inbox, echo())
    assert snapshot() == expected
    assert not ParkedUpdate.objects.filter(applied_at=None).exists()


@pytest.mark.covers("F16")
def test_a_status_for_a_message_nobody_knows_waits_and_stays(inbox):
    (event,) = arrive(inbox, news("sent"))
    assert (event.state, landings(event)) == ("processed", [("status:sent", "parked")])
    assert deliveries.sweep_parked() == 0
    assert ParkedUpdate.objects.get().applied_at is None


@pytest.mark.covers("F16")
def test_a_parked_status_is_swept_up_when_its_message_is_there(inbox):
    arrive(inbox, news("delivered", 3))
    message = sent_message(inbox)  # committed at the same moment: neither saw the other
    assert housekeeping.drain() is True
    message.refresh_from_db()
    assert (message.status, message.delivered_at) == ("delivered", at(T0 + 3))
    assert deliveries.sweep_parked() == 0


def in_flight(inbox, state="sending"):
    message = sent_message(inbox, None, state)
    return message, Attempt.objects.create(message=message)


@pytest.mark.parametrize("state", ["sending", "unknown"])
@pytest.mark.covers("F16")
def test_a_status_with_our_reference_settles_what_has_no_wamid_yet(inbox, state):
    message, attempt = in_flight(inbox, state)
    arrive(inbox, statuses(status("ours", "sent", T0, biz_opaque_callback_data=str(attempt.reference))))
    message.refresh_from_db()
    attempt.refresh_from_db()
    assert (message.external_id, message.status, message.sent_at) == ("ours", "sent", at(T0))
    assert (attempt.outcome, attempt.external_id) == ("accepted", "ours")


def test_a_status_of_a_replaced_attempt_does_not_touch_the_new_one(inbox):
    message, first = in_flight(inbox)
    Attempt.objects.create(message=message)
    arrive(inbox, statuses(status("old", "failed", T0, biz_opaque_callback_data=str(first.reference), errors=FAILURE)))
    message.refresh_from_db()
    assert (message.status, message.external_id, message.error_code) == ("sending", None, "")


@pytest.mark.parametrize("reference", [str(uuid.UUID(int=7)), "-" * 36, "x" * 512, "campaign-7", ""])
def test_a_reference_of_another_system_is_just_parked(inbox, reference):
    message, _attempt = in_flight(inbox)
    (event,) = arrive(inbox, statuses(status("theirs", "sent", T0, biz_opaque_callback_data=reference)))
    assert landings(event) == [("status:sent", "parked")]
    message.refresh_from_db()
    assert message.external_id is None


@pytest.mark.covers("F17")
def test_hundreds_of_shuffled_statuses_of_many_messages_end_the_same(inbox):
    conversation = sent_message(inbox, "m0").conversation
    for index in range(1, 8):
        sent_message(inbox, f"m{index}", conversation=conversation)
    items = [
        status(f"m{index}", state, T0 + index * 10 + step, errors=FAILURE if state == "failed" else [])
        for index in range(8)
        for step, state in enumerate(STATES)
        if (index + step) % 3
    ]

    def end(order):
        with transaction.atomic():
            arrive(inbox, statuses(*order))
            found = list(
                Message.objects.order_by("external_id").values_list("status", "sent_at", "read_at", "failed_at")
            )
            transaction.set_rollback(True)
        return found

    expected = end(items)
    seeded = random.Random(5)
    assert all(end(seeded.sample(items * 2, len(items) * 2)) == expected for _ in range(10))


def test_a_failure_of_the_whole_number_stops_the_number_and_old_news_does_not(inbox):
    def payment_failed(external_id, when):
        failure = [{"code": 131042, "title": "Payment issue"}]
        return statuses(status(external_id, "failed", int(when.timestamp()), errors=failure))

    now = clock.now()
    for external_id in ("old", "new"):
        sent_message(inbox, external_id)
    arrive(inbox, payment_failed("old", now - dt.timedelta(hours=1)))
    inbox.refresh_from_db()
    assert inbox.circuit_code == ""
    arrive(inbox, payment_failed("new", now))
    inbox.refresh_from_db()
    assert inbox.circuit_code == "131042"
