"""Who takes which message, in what order, and what happens when a worker is gone."""

import datetime as dt
import threading
import uuid

import pytest
from django.db import IntegrityError, close_old_connections, connection, transaction

from conversations.channels.base import Text
from conversations.messaging import errors, outbound, outbox, settling
from conversations.messaging.models import Attachment, Conversation, Message
from crm.foundation import clock
from tests.conversations.outbound.sending import again, begun, let_lease_expire, make_due, say, send
from tests.factories import ConversationFactory, MessageFactory
from tests.graph_side import drops, refuses

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def in_threads(work, count):
    """Run `work` in threads that begin together; what each returned, or its exception."""
    results, gate = [None] * count, threading.Barrier(count)

    def run(index):
        gate.wait(10)
        try:
            results[index] = work()
        except Exception as error:  # noqa: BLE001 (whatever it is, the test must see it)
            results[index] = error
        finally:
            close_old_connections()
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.mark.django_db(transaction=True)
def test_two_claimers_at_once_never_take_the_same_message(inbox):
    conversations = [ConversationFactory(inbox=inbox) for _ in range(12)]
    wanted = {say(conversation).pk for conversation in conversations}
    taken = in_threads(lambda: [message.pk for message in outbox.claim(5)], 4)
    together = [pk for pks in taken for pk in pks]
    assert len(together) == len(set(together))
    assert set(together) == wanted, [len(pks) for pks in taken]


@pytest.mark.django_db(transaction=True)
def test_eight_workers_send_each_message_once_and_each_conversation_in_order(graph, inbox):
    conversations = [ConversationFactory(inbox=inbox) for _ in range(3)]
    for number in range(4):
        for conversation in conversations:
            say(conversation, f"{conversation.pk}/{number}")

    def work():
        for _ in range(12):
            outbox.drain()

    assert in_threads(work, 8) == [None] * 8
    bodies = [body["text"]["body"] for body in graph.sent]
    assert len(bodies) == 12 == len(set(bodies))
    for conversation in conversations:
        mine = [body for body in bodies if body.startswith(f"{conversation.pk}/")]
        assert mine == sorted(mine)


@pytest.mark.django_db(transaction=True)
def test_a_double_click_in_eight_threads_is_one_message(graph, conversation, agent):
    client_id = uuid.uuid4()

    def click():
        return outbound.compose(conversation, by=agent, content=Text("Hi"), origin="agent", client_id=client_id)

    results = in_threads(click, 8)
    assert sorted(made for _message, made in results) == [False] * 7 + [True]
    assert len({message.pk for message, _made in results}) == 1
    outbox.drain()
    assert len(graph.sent) == 1


def test_a_claim_whose_worker_is_gone_goes_back_and_is_sent_once(graph, conversation):
    message = say(conversation)
    [claimed] = outbox.claim(10)
    assert again(message).status == "claimed"
    assert outbox.claim(10) == [], "nobody else gets it while the lease lives"
    let_lease_expire(message)
    outbox.recover()
    assert (again(message).status, again(message).lease) == ("queued", None)
    assert send(message).status == "accepted"
    outbox.deliver([claimed])  # the first worker wakes up
    assert len(graph.sent) == 1
    assert again(message).attempts.count() == 1


def test_a_thawed_worker_whose_claim_another_one_holds_does_nothing(graph, conversation):
    message = say(conversation)
    [thawed] = outbox.claim(10)
    let_lease_expire(message)
    outbox.recover()
    [current] = outbox.claim(10)
    outbox.deliver([thawed])
    assert graph.sent == []
    assert again(message).lease == current.lease
    outbox.deliver([current])
    assert len(graph.sent) == 1


def test_a_thawed_worker_does_not_fail_what_another_one_sends(graph, conversation):
    message = say(conversation)
    [thawed] = outbox.claim(10)
    let_lease_expire(message)
    outbox.recover()
    assert send(message).status == "accepted"
    thawed.conversation.window_expires_at = clock.now() - dt.timedelta(hours=1)
    outbox.deliver([thawed])
    assert again(message).status == "accepted"


def test_a_send_whose_worker_is_gone_becomes_unconfirmed_never_queued(graph, conversation):
    message = say(conversation)
    [claimed] = outbox.claim(10)
    assert begun(claimed)
    outbox.recover()
    assert again(message).status == "sending", "its lease still lives"
    let_lease_expire(message)
    assert outbox.recover() == 1
    message = again(message)
    assert (message.status, message.error_code) == ("unknown", "unanswered")
    assert message.attempts.get().outcome == "unknown"
    send(message)
    assert graph.sent == []


def test_an_answer_that_comes_after_the_lease_ran_out_still_confirms_the_send(graph, conversation):
    message = say(conversation)
    [claimed] = outbox.claim(10)
    [departure] = begun(claimed)
    let_lease_expire(message)
    outbox.recover()
    departure.external_id = "wamid.late"
    assert settling.settle([departure]) == []
    message = again(message)
    assert (message.status, message.external_id, message.error_code) == ("accepted", "wamid.late", "")


def test_the_first_unsent_message_of_a_conversation_goes_first_and_the_others_wait(graph, conversation):
    first, second, third = say(conversation, "1"), say(conversation, "2"), say(conversation, "3")
    graph.answers(refuses(131000, 500))
    assert [message.status for message in send(first, second, third)] == ["queued"] * 3
    send(first)
    assert [body["text"]["body"] for body in graph.sent] == ["1"], "a retrying message holds those behind it"
    make_due(first)
    for _ in range(3):
        outbox.drain()
    assert [body["text"]["body"] for body in graph.sent] == ["1", "1", "2", "3"]


def test_an_unconfirmed_message_does_not_hold_those_behind_it(graph, conversation):
    first, second = say(conversation, "1"), say(conversation, "2")
    graph.answers(drops)
    send(first)
    assert send(second).status == "accepted"
    assert again(first).status == "unknown"


def test_a_failed_message_does_not_hold_those_behind_it(graph, conversation):
    first, second = say(conversation, "1"), say(conversation, "2")
    graph.answers(refuses(131026))
    send(first)
    assert send(second).status == "accepted"


def test_one_persons_retry_does_not_hold_another_person(graph, conversation, inbox):
    first, other = say(conversation), say(ConversationFactory(inbox=inbox))
    graph.answers(refuses(131056))
    statuses = {message.pk: message.status for message in send(first, other)}
    assert sorted(statuses.values()) == ["accepted", "queued"]


def test_people_go_before_rules_before_integrations(inbox):
    for origin in ("campaign", "api", "bot", "agent"):
        say(ConversationFactory(inbox=inbox), origin, origin=origin)
    assert [message.text for message in outbox.claim(10)] == ["agent", "bot", "api", "campaign"]


def test_a_claim_takes_no_more_than_asked(inbox):
    for _ in range(3):
        say(ConversationFactory(inbox=inbox))
    assert [len(outbox.claim(2)), len(outbox.claim(2)), len(outbox.claim(2))] == [2, 1, 0]


def test_a_window_that_closed_before_the_send_fails_the_message_without_a_request(graph, conversation):
    message = say(conversation)
    Conversation.objects.update(window_expires_at=clock.now() - dt.timedelta(seconds=1))
    message = send(message)
    assert (message.status, message.error_code) == ("failed", "window_closed")
    assert graph.asked == []
    assert message.attempts.count() == 0


def test_a_retry_by_an_agent_is_a_new_attempt_and_the_old_one_is_kept(graph, conversation):
    graph.answers(refuses(131026))
    message = send(say(conversation))
    client_id = message.client_id
    assert outbound.retry(message).status == "queued"
    message = send(message)
    assert (message.status, message.client_id, message.error_code) == ("accepted", client_id, "")
    assert message.failed_at is None
    first, second = message.attempts.order_by("pk")
    assert (first.outcome, first.error_code) == ("refused", "131026")
    assert second.outcome == "accepted"
    assert first.reference != second.reference
    references = [body["biz_opaque_callback_data"] for body in graph.sent]
    assert references == [str(first.reference), str(second.reference)]


def test_only_what_failed_or_is_unconfirmed_can_be_sent_again(graph, conversation):
    message = say(conversation)
    for status in ("queued", "claimed", "sending", "accepted", "sent", "delivered", "read", "played", "cancelled"):
        Message.objects.filter(pk=message.pk).update(status=status)
        with pytest.raises(errors.NotRetryable):
            outbound.retry(message)
    Message.objects.filter(pk=message.pk).update(status="failed")
    Conversation.objects.update(window_expires_at=clock.now())
    with pytest.raises(errors.ServiceWindowClosed):
        outbound.retry(message)
    assert again(message).status == "failed"


def test_what_the_business_wrote_on_its_own_phone_is_not_ours_to_repeat(conversation):
    message = MessageFactory(conversation=conversation, outbound=True, author_kind="phone", status="failed")
    with pytest.raises(errors.NotRetryable):
        outbound.retry(message)


def test_only_a_queued_message_can_be_taken_back(graph, conversation):
    message = say(conversation)
    outbound.cancel(message)
    assert again(message).status == "cancelled"
    send(message)
    assert graph.sent == []
    for status in ("claimed", "sending", "unknown", "accepted", "delivered", "failed", "cancelled"):
        Message.objects.filter(pk=message.pk).update(status=status)
        with pytest.raises(errors.NotRetryable):
            outbound.cancel(message)


def test_a_cancelled_message_frees_those_behind_it(graph, conversation):
    first, second = say(conversation, "1"), say(conversation, "2")
    outbound.cancel(first)
    assert send(second).status == "accepted"


@pytest.mark.covers("I12")
def test_a_note_never_leaves_the_house(graph, conversation, agent):
    note, _made = outbound.note(conversation, by=agent, text="The customer is angry")
    send(note)
    assert graph.asked == []
    for status in ("queued", "claimed", "sending", "accepted"):
        with pytest.raises(IntegrityError), transaction.atomic():
            Message.objects.filter(pk=note.pk).update(status=status)
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.filter(pk=note.pk).update(external_id="wamid.note")
    for act in (outbound.retry, outbound.cancel):
        with pytest.raises(errors.NotRetryable):
            act(note)
    with pytest.raises(errors.NotQuotable):
        say(conversation, reply_to=note)
    assert Conversation.objects.get(pk=conversation.pk).last_preview == ""


def test_a_round_of_the_outbox_says_whether_there_was_work(graph, conversation):
    say(conversation)
    assert outbox.drain() is True
    assert outbox.drain() is False


def test_files_have_a_drain_of_their_own(inbox):
    text, photo = (say(ConversationFactory(inbox=inbox)) for _ in range(2))
    Attachment.objects.create(message=photo, conversation=photo.conversation, kind="image", state="stored")
    assert outbox.claim(10, with_files=False) == [text]
    assert outbox.claim(10, with_files=True) == [photo]
