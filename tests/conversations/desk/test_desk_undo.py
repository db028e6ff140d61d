"""What has been sent and not left: held for some seconds, undone, cancelled; files beyond the limit."""

import datetime as dt

import pytest
from django.urls import reverse

from conversations.live.models import LiveHint
from conversations.messaging.models import Attachment, Conversation, Message
from crm.foundation import clock, work
from tests.conversations.desk.test_desk_writing import note, send
from tests.factories import MessageFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def test_what_is_held_back_does_not_leave_and_can_be_undone(desk, conversation, settings):
    settings.UNDO_SEND_SECONDS = 5
    question = MessageFactory(conversation=conversation, sort_at=clock.now() - dt.timedelta(minutes=3), text="Hm?")
    Conversation.objects.filter(pk=conversation.pk).update(
        waiting_since=question.sort_at, last_message_id=question.pk, last_preview="Hm?", last_sort_at=question.sort_at
    )
    response = send(desk, conversation, "Oops")
    assert (response.status_code, response["X-Hold"]) == (201, "5")
    message = Message.objects.get(text="Oops")
    assert message.next_attempt_at > clock.real() + dt.timedelta(seconds=4)
    work.run_until_idle("outbox")
    message.refresh_from_db()
    assert message.status == "queued"
    assert desk.post(reverse("desk:undo", args=[message.client_id])).status_code == 204
    conversation.refresh_from_db()
    assert not Message.objects.filter(text="Oops").exists()
    assert (conversation.last_preview, conversation.waiting_since) == ("Hm?", question.sort_at)
    assert "message.removed" in {hint.payload["t"] for hint in LiveHint.objects.all()}


def test_an_undone_file_can_be_sent_again(desk, agent, conversation, settings):
    settings.UNDO_SEND_SECONDS = 5
    file = Attachment.objects.create(conversation=conversation, kind="image", state="stored", uploaded_by=agent)
    send(desk, conversation, "look", attachment=str(file.pk))
    desk.post(reverse("desk:undo", args=[Message.objects.get().client_id]))
    assert send(desk, conversation, "look again", attachment=str(file.pk)).status_code == 201
    assert Attachment.objects.get().message.text == "look again"


def test_a_cancelled_file_can_be_sent_again(desk, agent, conversation):
    file = Attachment.objects.create(conversation=conversation, kind="image", state="stored", uploaded_by=agent)
    send(desk, conversation, "one", attachment=str(file.pk))
    assert desk.post(reverse("desk:cancel", args=[Message.objects.get().client_id])).status_code == 200
    assert send(desk, conversation, "two", attachment=str(file.pk)).status_code == 201
    assert send(desk, conversation, "three", attachment=str(file.pk)).status_code == 422


@pytest.mark.parametrize("status", ["claimed", "sending", "sent", "failed", "cancelled", "unknown"])
def test_what_may_have_left_is_not_undone(desk, agent, conversation, status):
    message = MessageFactory(conversation=conversation, outbound=True, author=agent, status=status)
    assert desk.post(reverse("desk:undo", args=[message.client_id])).status_code == 422
    assert Message.objects.filter(pk=message.pk).exists()


def test_what_was_tried_is_not_undone(desk, agent, conversation):
    message = MessageFactory(conversation=conversation, outbound=True, author=agent, status="queued")
    message.attempts.create(outcome="retry")
    assert desk.post(reverse("desk:undo", args=[message.client_id])).status_code == 422


def test_a_colleagues_message_is_not_undone(desk, conversation, team):
    message = MessageFactory(
        conversation=conversation, outbound=True, author=UserFactory(teams=[team]), status="queued"
    )
    assert desk.post(reverse("desk:undo", args=[message.client_id])).status_code == 422


@pytest.mark.parametrize("action", ["undo", "cancel", "retry"])
def test_what_is_undone_while_one_waits_for_it_is_refused_with_a_sentence(
    desk, agent, conversation, monkeypatch, action
):
    message = MessageFactory(conversation=conversation, outbound=True, author=agent, status="queued")
    wait = Conversation.objects.select_for_update

    def gone(*args, **kwargs):
        Message.objects.filter(pk=message.pk).delete()
        return wait(*args, **kwargs)

    monkeypatch.setattr(Conversation.objects, "select_for_update", gone)
    response = desk.post(reverse(f"desk:{action}", args=[message.client_id]))
    assert (response.status_code, response["X-Error"]) == (422, "not_retryable")
    assert "data-error" in response.content.decode()


def test_more_files_than_fit_are_refused_and_not_dropped(desk, agent, conversation):
    files = [
        Attachment.objects.create(conversation=conversation, kind="image", state="stored", uploaded_by=agent)
        for _ in range(11)
    ]
    response = send(desk, conversation, "look", attachment=[str(file.pk) for file in files])
    assert (response.status_code, response["X-Error"]) == (422, "too_many_files")
    assert not Message.objects.exists()
    assert send(desk, conversation, "look", attachment=[str(file.pk) for file in files[:10]]).status_code == 201
    assert Message.objects.count() == 10


def test_notes_are_not_held(desk, conversation, settings):
    settings.UNDO_SEND_SECONDS = 5
    assert not note(desk, conversation, "x").headers.get("X-Hold")
