"""What becomes of a message, by how Graph answers."""

import asyncio
import datetime as dt
import socket

import aiohttp
import pytest
from django.db import connection
from django.utils import translation

from conversations.channels.base import StatusUpdate
from conversations.channels.whatsapp import codes
from conversations.graphapi import client
from conversations.inboxes.models import Inbox
from conversations.messaging import deliveries, outbound, settling
from conversations.messaging.models import Attempt, Conversation, Message
from crm.foundation import clock
from tests.conversations.outbound.sending import again, make_due, say, seconds_until, send
from tests.factories import AccountFactory, ConversationFactory, InboxFactory, MessageFactory
from tests.graph_side import accepts, drops, never_ends, promises_more, raw, refuses, says, stalls

pytestmark = pytest.mark.django_db


@pytest.mark.sqlite_too
def test_an_accepted_message_knows_its_wamid_and_its_attempt(graph, conversation):
    graph.answers(accepts("wamid.A"))
    message = send(say(conversation))
    assert (message.status, message.external_id, message.error_code) == ("accepted", "wamid.A", "")
    assert message.accepted_at is not None
    assert (message.lease, message.lease_until) == (None, None)
    [attempt] = message.attempts.all()
    assert (attempt.outcome, attempt.external_id) == ("accepted", "wamid.A")
    assert graph.sent[0]["biz_opaque_callback_data"] == str(attempt.reference)
    assert Conversation.objects.get(pk=conversation.pk).last_status == "accepted"


def test_a_permanent_refusal_fails_the_message_and_says_why_in_both_languages(graph, conversation):
    graph.answers(refuses(131026, details="Message undeliverable"))
    message = send(say(conversation))
    assert (message.status, message.error_code, message.error_details) == ("failed", "131026", "Message undeliverable")
    assert message.failed_at is not None
    send(message)
    assert len(graph.sent) == 1
    with translation.override("en"):
        english = codes.sentence(message.error_code)
    with translation.override("es"):
        spanish = codes.sentence(message.error_code)
    assert "could not be delivered" in english
    assert len(spanish) > 15
    assert "131026" not in spanish


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refuses(131000, 500), "131000"),
        (refuses(2, 503), "2"),
        (refuses(999999, 500), "999999"),
        (refuses(131056, 400), "131056"),
    ],
)
def test_what_graph_refused_for_now_is_tried_again_later(graph, conversation, answer, code):
    graph.answers(answer)
    message = send(say(conversation))
    assert (message.status, message.error_code) == ("queued", code)
    assert message.next_attempt_at > clock.real()
    send(message)
    assert len(graph.sent) == 1, "not before its time"
    make_due(message)
    assert send(message).status == "accepted"
    assert [attempt.outcome for attempt in message.attempts.order_by("pk")] == ["retry", "accepted"]


def test_retry_after_is_honoured(graph, conversation):
    graph.answers(refuses(131000, 429, Retry_After="120"))
    message = send(say(conversation))
    assert 110 < seconds_until(message.next_attempt_at) <= 120


@pytest.mark.parametrize("wait", ["9" * 400, "99999999", "-5", "soon", "²"])
def test_an_absurd_retry_after_neither_breaks_nor_buries_the_message(graph, conversation, wait):
    graph.answers(refuses(131000, 429, Retry_After=wait))
    message = send(say(conversation))
    assert message.status == "queued"
    assert 0 < seconds_until(message.next_attempt_at) <= 3600


def test_the_waits_between_tries_grow(graph, conversation):
    message, waits = say(conversation), []
    for _ in range(4):
        graph.answers(refuses(131000, 500))
        waits.append(seconds_until(send(message).next_attempt_at))
        make_due(message)
    assert waits == sorted(waits)
    assert waits[-1] > 3 * waits[0]


def test_after_many_tries_the_message_fails_and_does_not_promise_to_try_again(graph, conversation):
    message = say(conversation)
    for _ in range(settling.MOST_RETRIES + 1):
        assert again(message).status == "queued"
        graph.answers(refuses(131000, 500))
        make_due(message)
        send(message)
    message = again(message)
    assert message.status == "failed"
    assert len(graph.sent) == settling.MOST_RETRIES + 1
    with translation.override("en"):
        assert "by ourselves" not in codes.sentence(message.error_code, is_final=True)


def test_after_giving_up_an_agents_retry_gets_all_its_tries_again(graph, conversation):
    message = say(conversation)
    for _ in range(settling.MOST_RETRIES + 1):
        graph.answers(refuses(131000, 500))
        make_due(message)
        send(message)
    outbound.retry(again(message))
    graph.answers(refuses(131000, 500))
    assert send(message).status == "queued"


@pytest.mark.parametrize("code", [190, 131042, 368, 10])
def test_a_number_that_may_not_send_keeps_its_messages_and_burns_no_attempt(graph, conversation, inbox, code):
    first, second = say(conversation), say(ConversationFactory(inbox=inbox))
    graph.answers(refuses(code, 401), refuses(code, 401))
    for message in send(first, second):
        assert (message.status, message.error_code, message.next_attempt_at) == ("queued", str(code), None)
    inbox.refresh_from_db()
    assert inbox.circuit_code == str(code)
    posts = len(graph.sent)
    send(first)
    assert len(graph.sent) == posts, "nothing leaves while the circuit is open"
    Inbox.objects.update(circuit_until=clock.real() - dt.timedelta(seconds=1))
    assert [message.status for message in send(first, second)] == ["accepted", "accepted"]
    inbox.refresh_from_db()
    assert (inbox.circuit_code, inbox.circuit_until) == ("", None)


def test_a_closed_number_may_fail_a_hundred_times_without_giving_up(graph, conversation):
    message = say(conversation)
    for _ in range(settling.MOST_RETRIES + 3):
        graph.answers(refuses(190, 401))
        send(message)
        Inbox.objects.update(circuit_until=clock.real() - dt.timedelta(seconds=1))
    assert send(message).status == "accepted"


def test_the_circuit_of_one_number_does_not_touch_another(graph, conversation):
    other = ConversationFactory(inbox=InboxFactory(account=AccountFactory(graph_base_url=graph.url)))
    message = say(conversation)
    graph.answers(refuses(190, 401))
    send(message)
    assert send(say(other)).status == "accepted"
    assert again(message).status == "queued"


def test_an_opt_out_is_final(graph, conversation):
    graph.answers(refuses(131050))
    message = send(say(conversation))
    assert (message.status, message.error_code) == ("failed", "131050")
    assert codes.kind_of(131050) == codes.OPT_OUT


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"<html>Bad gateway</html>", 502),
        raw(b"", 502),
        says({}),
        says([]),
        says({"messages": []}),
        says({"messages": [{"id": ""}]}),
        says({"messages": ["x"]}),
        says({"messages": [{"id": 7}]}),
        raw(b"<html>hello</html>", 200),
        raw(b'{"messages": [{"id": "wam', 200, "application/json"),
        raw(b"\xff\xfe\x00", 200, "application/json"),
        raw(b"[" * 100_000, 200, "application/json"),
        raw(b" " * (client.ANSWER_LIMIT + 1), 200, "application/json"),
        raw(b"", 302, Location="http://127.0.0.1:9/elsewhere"),
        says({"error": "text"}, 500),
        drops,
        never_ends,
        promises_more,
    ],
    ids=lambda answer: getattr(answer, "__name__", "answer"),
)
def test_an_answer_that_proves_nothing_leaves_the_message_unconfirmed_and_it_is_never_sent_again(
    graph, conversation, answer
):
    graph.answers(answer)
    message = send(say(conversation))
    assert (message.status, message.error_code, message.external_id) == ("unknown", "unanswered", None)
    for _ in range(3):
        send(message)
    assert len(graph.sent) == 1
    [attempt] = message.attempts.all()
    assert attempt.outcome == "unknown"


def test_a_server_that_never_answers_is_given_up_after_the_total_timeout(graph, conversation, monkeypatch):
    monkeypatch.setattr(client, "TIMEOUT", aiohttp.ClientTimeout(total=0.3, connect=5))
    graph.answers(stalls)
    assert send(say(conversation)).status == "unknown"
    assert len(graph.sent) == 1


def test_a_redirect_is_not_followed(graph, conversation):
    graph.answers(raw(b"", 307, Location=f"{graph.url}/v24.0/elsewhere/messages"))
    send(say(conversation))
    assert [asked.path for asked in graph.asked] == ["/v24.0/555/messages"]


def test_a_refused_connection_is_safe_to_repeat(conversation, inbox):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inbox.account.graph_base_url = f"http://127.0.0.1:{port}"
    inbox.account.save()
    message = send(say(conversation))
    assert (message.status, message.error_code) == ("queued", "not_sent")


@pytest.mark.parametrize("address", ["http://no-such-host.invalid", "https://127.0.0.1:1", "http://[", "ftp://x", "x"])
def test_an_address_nobody_answers_at_is_not_a_doubtful_send(conversation, inbox, address):
    inbox.account.graph_base_url = address
    inbox.account.save()
    assert send(say(conversation)).status == "queued"


@pytest.mark.sqlite_too
def test_a_status_with_our_reference_settles_an_unconfirmed_send(graph, conversation, inbox):
    graph.answers(drops)
    message = send(say(conversation))
    assert message.status == "unknown"
    reference = graph.sent[0]["biz_opaque_callback_data"]
    deliveries.apply(
        inbox, StatusUpdate(external_id="wamid.later", status="delivered", reference=reference, at=clock.now())
    )
    message = again(message)
    assert (message.status, message.external_id, message.error_code) == ("delivered", "wamid.later", "")
    send(message)
    assert len(graph.sent) == 1


def test_a_wamid_that_graph_gave_before_does_not_lose_the_neighbours(graph, conversation, inbox):
    MessageFactory(conversation=conversation, outbound=True, external_id="wamid.twice")
    first, second = say(conversation), say(ConversationFactory(inbox=inbox))
    for _ in range(2):
        graph.answers(accepts("wamid.twice") if not graph.next else accepts("wamid.new"))
    send(first, second)
    assert {again(first).status, again(second).status} == {"unknown", "accepted"}


@pytest.mark.parametrize(
    "answer",
    [
        accepts("wamid." + "x" * 300),
        accepts("wamid.\x00"),
        refuses(10**30),
        refuses(131026, details="zero \x00 byte"),
        refuses(131026, details="y" * 5000),
        refuses(True),
        refuses("190"),
        refuses(None),
    ],
)
def test_an_answer_the_database_cannot_hold_breaks_neither_the_round_nor_its_neighbours(
    graph, conversation, inbox, answer
):
    message = say(conversation)
    graph.answers(answer)
    send(message)
    neighbour = say(ConversationFactory(inbox=inbox))
    assert send(neighbour).status == "accepted"
    assert again(message).status in ("unknown", "failed")


def test_a_message_that_cannot_be_put_together_fails_alone(graph, conversation, inbox):
    broken, fine = say(conversation), say(ConversationFactory(inbox=inbox))
    Message.objects.filter(pk=broken.pk).update(kind="location", payload={})
    broken, fine = send(broken, fine)
    assert fine.status == "accepted"
    assert broken.status == "failed"
    assert codes.sentence(broken.error_code)


@pytest.mark.parametrize("code", sorted(codes.TABLE))
def test_every_code_has_a_sentence_for_the_agent(code):
    assert codes.kind_of(code) in (codes.PERMANENT, codes.RETRY, codes.CIRCUIT, codes.OPT_OUT)
    for language in ("es", "en"):
        with translation.override(language):
            assert len(codes.sentence(str(code))) > 15


@pytest.mark.parametrize("code", ["unanswered", "0", "131999", "-1", "nonsense", "²", "9" * 30])
def test_a_code_nobody_listed_still_gets_a_sentence(code):
    assert len(codes.sentence(code)) > 15
    assert codes.kind_of_text(code) in ("", codes.PERMANENT, codes.CIRCUIT)


def test_a_pair_limit_waits_for_this_person_only(graph, conversation, inbox):
    graph.answers(refuses(131056))
    message = send(say(conversation))
    assert message.status == "queued"
    assert send(say(ConversationFactory(inbox=inbox))).status == "accepted"


def test_a_number_limit_pauses_the_whole_number(graph, conversation, inbox):
    graph.answers(refuses(130429, 429, Retry_After="60"))
    send(say(conversation))
    other = say(ConversationFactory(inbox=inbox))
    assert send(other).status == "queued"
    assert len(graph.sent) == 1


@pytest.mark.django_db(transaction=True)
def test_attempts_are_written_before_the_request_leaves(conversation, monkeypatch):
    written = []

    def committed(reference):
        try:
            return list(Attempt.objects.filter(reference=reference).values_list("outcome", "message__status"))
        finally:
            connection.close()

    async def look(self, body):
        written.extend(await asyncio.to_thread(committed, body["biz_opaque_callback_data"]))
        return "wamid.seen"

    monkeypatch.setattr(client.GraphClient, "send", look)
    assert send(say(conversation)).status == "accepted"
    assert written == [("sending", "sending")], "seen from another connection"
    assert Attempt.objects.get().outcome == "accepted"
