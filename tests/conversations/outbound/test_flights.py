"""Many sends at once: what stalls holds nobody, what was lost is not repeated, a number that is tried is tried once."""

import asyncio
import datetime as dt
import threading
import uuid

import pytest
from django.core.files.base import ContentFile
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from conversations.inboxes.models import Inbox
from conversations.messaging import claiming, departures, fence, outbound, outbox, receipts, settling
from conversations.messaging.models import Attachment, Conversation, Message, SendFence
from crm.foundation import clock
from tests.conversations.outbound.sending import again, begun, let_lease_expire, say, seconds_until, send
from tests.conversations.outbound.test_outbox_claims import in_threads
from tests.factories import ConversationFactory
from tests.graph_side import accepts, drops, raw, refuses, says, stalls

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


@pytest.fixture
def impatient(monkeypatch):
    """Rounds that do not wait long for what is still out."""
    monkeypatch.setattr(outbox, "QUIET_SECONDS", 0.2)


def people(inbox, count):
    return [say(ConversationFactory(inbox=inbox), str(number)) for number in range(count)]


def statuses(messages):
    return [again(message).status for message in messages]


def fly(departure):
    """Send one off and settle it."""
    flight = departures.Flight()
    outbox._depart(flight, [departure])
    while flight.out:
        outbox._land(flight, 1)


def release(graph):
    """Let those that wait have their empty answer."""
    graph.loop.call_soon_threadsafe(graph.released.set)


def test_a_stalled_post_holds_neither_the_outcomes_nor_the_sends_of_others(graph, inbox, impatient):
    graph.answers(stalls)
    stalled = say(ConversationFactory(inbox=inbox), "slow")
    others = people(inbox, 60)
    outbox.drain()
    assert again(stalled).status == "sending"
    assert statuses(others) == ["accepted"] * 60
    later = send(say(ConversationFactory(inbox=inbox), "later"))
    assert later.status == "accepted", "what is out does not hold the next round"
    release(graph)
    while outbox.drain():
        pass
    assert again(stalled).status == "unknown"
    assert len(graph.sent) == 62


def test_the_next_round_stores_what_came_back_between_two_rounds(graph, inbox, impatient):
    graph.answers(stalls)
    message = say(ConversationFactory(inbox=inbox))
    assert outbox.drain() is True
    release(graph)
    outbox.drain()
    assert again(message).status == "unknown"
    assert outbox.drain() is False


def test_twelve_messages_cost_no_more_statements_than_two(inbox):
    costs = []
    for count in (2, 12):
        messages = people(inbox, count)
        with CaptureQueriesContext(connection) as asked:
            leaving = begun(*outbox.claim(20))
            for departure in leaving:
                departure.external_id = f"wamid.{departure.message.pk}"
            assert settling.settle(leaving) == []
        costs.append(len([query for query in asked if "SAVEPOINT" not in query["sql"]]))
        assert statuses(messages) == ["accepted"] * count
        assert {message.attempts.get().outcome for message in messages} == {"accepted"}
    assert costs[0] == costs[1] < 24
    assert set(Conversation.objects.values_list("last_status", flat=True)) == {"accepted"}


def test_begin_takes_only_what_is_still_ours(graph, inbox):
    people(inbox, 3)
    claimed = outbox.claim(10)
    taken = claimed[1]
    Message.objects.filter(pk=taken.pk).update(lease=uuid.uuid4())
    leaving = begun(*claimed)
    assert [departure.message for departure in leaving] == [claimed[0], claimed[2]]
    assert again(taken).attempts.count() == 0
    assert begun(*claimed) == [], "not twice either"


def test_a_thawed_workers_outcomes_change_nothing_another_worker_holds(graph, inbox):
    people(inbox, 2)
    thawed = outbox.claim(10)
    for message in thawed:
        let_lease_expire(message)
    outbox.recover()
    current = outbox.claim(10)
    assert begun(*thawed) == []
    late = [departures.Departure(message, message.lease) for message in thawed]
    for departure in late:
        departure.error = departures.ChannelError("permanent", "131026")
    assert settling.settle(late) == []
    assert [(again(one).status, again(one).lease) for one in thawed] == [("claimed", one.lease) for one in current]


def test_one_bad_outcome_among_many_costs_only_itself(graph, inbox):
    people(inbox, 4)
    leaving = begun(*outbox.claim(10))
    for number, departure in enumerate(leaving):
        departure.external_id = "wamid.same" if number in (1, 2) else f"wamid.{number}"
    assert settling.settle(leaving) == []
    assert statuses([departure.message for departure in leaving]) == ["accepted", "accepted", "unknown", "accepted"]


def test_outcomes_the_database_could_not_take_are_stored_when_it_is_back(graph, inbox, monkeypatch):
    messages = people(inbox, 3)

    def away(*_):
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(settling, "_accept_together", away)
        patch.setattr(settling, "_settle_one", away)
        assert outbox.drain() is False
    assert statuses(messages) == ["sending"] * 3
    outbox.drain()
    assert statuses(messages) == ["accepted"] * 3
    assert len(graph.sent) == 3


@pytest.mark.parametrize(
    ("answer", "works"),
    [(accepts("wamid.works"), True), (refuses(131026), True), (refuses(190, 401), False), (raw(b"", 502), False)],
)
def test_a_number_that_could_not_send_is_tried_with_one_message(graph, inbox, answer, works):
    messages = people(inbox, 5)
    Inbox.objects.update(circuit_code="190", circuit_until=clock.real() - dt.timedelta(seconds=1))
    [probe] = claiming.take(50)
    assert probe.message == messages[0], "in order"
    assert claiming.take(50) == [], "the others wait for what becomes of it"
    graph.answers(answer)
    fly(probe)
    assert len(graph.sent) == 1
    outbox.drain()
    assert statuses(messages[1:]) == ["accepted" if works else "queued"] * 4
    assert Inbox.objects.get().circuit_code == ("" if works else "190")


def test_a_probe_that_never_left_lets_the_next_one_try_at_once(graph, inbox):
    first, second = people(inbox, 2)
    Inbox.objects.update(circuit_code="190", circuit_until=clock.real() - dt.timedelta(seconds=1))
    Conversation.objects.filter(pk=first.conversation_id).update(window_expires_at=clock.now())
    first, second = send(first, second)
    assert (first.status, second.status) == ("failed", "accepted")


def test_a_short_pause_does_not_shorten_a_long_one(inbox):
    inbox.open_circuit("190")
    inbox.open_circuit("130429", seconds=2)
    inbox.refresh_from_db()
    assert inbox.circuit_code == "190"
    assert seconds_until(inbox.circuit_until) > 50


def test_a_number_limit_with_retry_after_pauses_exactly_so_long(graph, conversation, inbox):
    graph.answers(refuses(130429, 429, Retry_After="90"))
    message = send(say(conversation))
    inbox.refresh_from_db()
    assert 85 < seconds_until(inbox.circuit_until) <= 90
    assert 85 < seconds_until(message.next_attempt_at) <= 90
    assert message.attempts.get().outcome == "retry"


def test_files_are_handed_over_a_few_at_once(graph, inbox, agent):
    both = threading.Barrier(2)

    async def waits_for_another(request):
        await asyncio.to_thread(both.wait, 10)
        return await says({"id": "media-1"})(request)

    graph.answers_at("/v24.0/555/media", waits_for_another)
    messages = []
    for _ in range(2):
        conversation = ConversationFactory(inbox=inbox)
        file = Attachment(conversation=conversation, kind="document", state="stored", filename="a.pdf")
        file.mime_type = "application/pdf"
        file.file.save("", ContentFile(b"%PDF-1.4"), save=False)
        file.save()
        messages.append(say(conversation, content=outbound.Upload(file)))
    while outbox.drain(with_files=True):
        pass
    assert statuses(messages) == ["accepted"] * 2
    assert len(graph.uploads) == 2


def test_nothing_leaves_while_the_fence_is_up(graph, conversation, inbox):
    fence.raise_(SendFence.Reason.MANUAL)
    message = send(say(conversation))
    Conversation.objects.update(receipt_external_id="wamid.theirs")
    assert receipts.drain() is False
    assert (message.status, graph.asked) == ("queued", [])
    fence.lift(None)
    assert send(message).status == "accepted"
    assert receipts.drain() is True


def test_read_marks_wait_while_the_number_cannot_send(graph, conversation, inbox):
    Conversation.objects.update(receipt_external_id="wamid.theirs")
    inbox.open_circuit("190")
    assert receipts.drain() is False
    Inbox.objects.update(circuit_until=None, circuit_code="")
    assert receipts.drain() is True
    assert graph.sent[0]["message_id"] == "wamid.theirs"


@pytest.mark.django_db(transaction=True)
def test_several_workers_send_each_read_mark_once(graph, inbox):
    for number in range(20):
        ConversationFactory(inbox=inbox, receipt_external_id=f"wamid.{number}")
    in_threads(receipts.drain, 4)
    while receipts.drain():
        pass
    marked = [body["message_id"] for body in graph.sent]
    assert len(marked) == len(set(marked)) == 20


def test_a_dropped_connection_among_many_is_unconfirmed_and_the_others_are_not(graph, inbox):
    graph.answers(drops)
    messages = people(inbox, 6)
    outbox.drain()
    assert sorted(statuses(messages)) == ["accepted"] * 5 + ["unknown"]
    outbox.drain()
    assert len(graph.sent) == 6


def test_a_longer_stop_that_came_while_the_probe_was_out_stays(graph, inbox):
    people(inbox, 2)
    Inbox.objects.update(circuit_code="130429", circuit_until=clock.real() - dt.timedelta(seconds=1))
    [probe] = claiming.take(50)
    Inbox.objects.get().open_circuit("190", seconds=3600)
    fly(probe)
    assert again(probe.message).status == "accepted"
    assert Inbox.objects.get().circuit_code == "190"
    assert claiming.take(50) == []


@pytest.mark.parametrize(("code", "paused"), [(613, True), (131056, False)])
def test_too_many_requests_pauses_the_number_whatever_the_code(graph, conversation, inbox, code, paused):
    graph.answers(refuses(code, 429))
    assert send(say(conversation)).status == "queued"
    inbox.refresh_from_db()
    assert bool(inbox.circuit_code) is paused
