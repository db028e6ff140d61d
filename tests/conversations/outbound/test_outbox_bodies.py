"""Exactly what Graph is sent for each kind of message, and where."""

import datetime as dt
import io

import pytest
from django.db import transaction
from PIL import Image

from conversations.channels.base import Contacts, Location, Reaction
from conversations.messaging import errors, media, outbound, receipts, threads
from conversations.messaging.models import Attachment, Message
from conversations.messaging.models import Reaction as StoredReaction
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock
from tests.conversations.outbound.sending import again, make_due, say, send
from tests.factories import AccountFactory, ConversationFactory, InboxFactory, MessageFactory
from tests.graph_side import raw, refuses

pytestmark = pytest.mark.django_db


def png(size=(40, 30)):
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "PNG")
    return out.getvalue()


PDF = b"%PDF-1.4\n%more"


def uploaded(conversation, agent, data=None, name="photo.png", claimed="image/png"):
    data = png() if data is None else data
    return media.store_upload(conversation, io.BytesIO(data), name=name, size=len(data), claimed=claimed, by=agent)


def body_for(graph, message):
    """The body of the one message that was sent, without its reference."""
    assert send(message).status == "accepted"
    [body] = graph.sent
    assert body.pop("biz_opaque_callback_data") == str(message.attempts.get().reference)
    return body


def frame(conversation):
    return {"messaging_product": "whatsapp", "recipient_type": "individual", "to": conversation.identity.wa_id}


def test_a_text(graph, conversation):
    body = body_for(graph, say(conversation, "Hola *tú* 👋"))
    assert body == frame(conversation) | {"type": "text", "text": {"body": "Hola *tú* 👋", "preview_url": False}}
    [asked] = graph.asked
    assert asked.path == "/v24.0/555/messages"
    assert asked.headers["Authorization"] == "Bearer access-token"


def test_a_quoted_answer(graph, conversation):
    theirs = MessageFactory(conversation=conversation, external_id="wamid.theirs")
    body = body_for(graph, say(conversation, "Yes", reply_to=theirs))
    assert body["context"] == {"message_id": "wamid.theirs"}


def test_a_message_of_another_conversation_cannot_be_quoted(conversation):
    with pytest.raises(errors.NotQuotable):
        say(conversation, reply_to=MessageFactory())


def test_an_image_with_its_caption(graph, conversation, agent):
    message = say(conversation, content=outbound.Upload(uploaded(conversation, agent), "Your policy"))
    body = body_for(graph, message)
    [upload] = graph.uploads
    assert upload.path == "/v24.0/555/media"
    assert upload.fields["messaging_product"] == b"whatsapp"
    assert upload.fields["file"] == png()
    assert (upload.headers["file-name"], upload.headers["file-type"]) == ("photo.png", "image/png")
    assert body == frame(conversation) | {"type": "image", "image": {"id": "media-1", "caption": "Your policy"}}


def test_a_document_keeps_its_name(graph, conversation, agent):
    file = uploaded(conversation, agent, PDF, "Póliza 1.pdf", "application/pdf")
    body = body_for(graph, say(conversation, content=outbound.Upload(file)))
    assert body["type"] == "document"
    assert body["document"] == {"id": "media-1", "filename": "Póliza 1.pdf"}


def test_a_voice_note_goes_as_a_voice_note(graph, conversation, agent):
    file = uploaded(conversation, agent, b"OggS" + b"\x00" * 40, "note.ogg", "audio/ogg")
    Attachment.objects.filter(pk=file.pk).update(kind="voice")
    file.refresh_from_db()
    body = body_for(graph, say(conversation, content=outbound.Upload(file)))
    assert (body["type"], body["audio"]) == ("audio", {"id": "media-1", "voice": True})


def test_a_location(graph, conversation):
    place = Location(40.4168, -3.7038, "Puerta del Sol", "Madrid")
    body = body_for(graph, say(conversation, content=place))
    assert body["location"] == {
        "latitude": 40.4168, "longitude": -3.7038, "name": "Puerta del Sol", "address": "Madrid",
    }  # fmt: skip


def test_a_bare_location_on_the_equator(graph, conversation):
    body = body_for(graph, say(conversation, content=Location(0.0, 0.0)))
    assert body["location"] == {"latitude": 0.0, "longitude": 0.0}


def test_contact_cards(graph, conversation):
    cards = [{"name": {"formatted_name": "Taller Ruiz", "first_name": "Taller"}, "phones": [{"phone": "+34600000001"}]}]
    body = body_for(graph, say(conversation, content=Contacts(cards)))
    assert (body["type"], body["contacts"]) == ("contacts", cards)


def test_a_reaction_is_a_chip_here_and_a_reaction_there(graph, conversation):
    theirs = MessageFactory(conversation=conversation, external_id="wamid.theirs")
    message = say(conversation, content=Reaction("wamid.theirs", "👍"))
    body = body_for(graph, message)
    assert body["reaction"] == {"message_id": "wamid.theirs", "emoji": "👍"}
    assert "context" not in body
    assert StoredReaction.objects.get(message=theirs).emoji == "👍"
    assert list(Message.objects.filter(conversation=conversation).bubbles()) == [theirs]


def test_a_reaction_to_what_does_not_exist_is_refused(conversation):
    with pytest.raises(errors.NotQuotable), transaction.atomic():
        say(conversation, content=Reaction("wamid.never", "👍"))
    assert not Message.objects.exists()


def test_a_reaction_with_bytes_no_database_takes_is_cleaned(graph, conversation):
    MessageFactory(conversation=conversation, external_id="wamid.theirs")
    message = say(conversation, content=Reaction("wamid.theirs", "\x00\ud800"))
    assert body_for(graph, message)["reaction"]["emoji"] == "\ufffd\ufffd"


def test_somebody_without_a_number_is_addressed_by_their_business_scoped_id(graph, conversation):
    ChannelIdentity.objects.update(wa_id=None, match_key=None, user_id="ES.1234567890")
    body = body_for(graph, say(conversation))
    assert body["recipient"] == "ES.1234567890"
    assert "to" not in body


def test_a_provider_with_its_own_address_and_header(graph):
    account = AccountFactory(
        graph_base_url=f"{graph.url}/provider/", auth_header="D360-API-KEY", access_token="provider-key"
    )
    conversation = ConversationFactory(inbox=InboxFactory(account=account, phone_number_id="777"))
    body_for(graph, say(conversation))
    [asked] = graph.asked
    assert asked.path == "/provider/v24.0/777/messages"
    assert asked.headers["D360-API-KEY"] == "provider-key"
    assert "Authorization" not in asked.headers


def test_a_file_is_handed_over_once_and_again_after_a_month(graph, conversation, agent):
    file = uploaded(conversation, agent)
    message = say(conversation, content=outbound.Upload(file))
    graph.answers(refuses(131000, 500))
    send(message)
    make_due(message)
    assert send(message).status == "accepted"
    assert len(graph.uploads) == 1
    assert [body["image"]["id"] for body in graph.sent] == ["media-1", "media-1"]
    Attachment.objects.update(handed_over_at=clock.real() - dt.timedelta(days=30))
    Message.objects.filter(pk=message.pk).update(status="failed")
    outbound.retry(message)
    send(message)
    assert len(graph.uploads) == 2
    assert graph.sent[-1]["image"]["id"] != "media-1"


@pytest.mark.parametrize("answer", [raw(b"<html>", 502), refuses(131000, 500), raw(b"{}", 200, "application/json")])
def test_a_file_that_cannot_be_handed_over_now_is_tried_again_and_given_up_in_the_end(
    graph, conversation, agent, answer
):
    graph.answers_at("/v24.0/555/media", answer)
    message = say(conversation, content=outbound.Upload(uploaded(conversation, agent)))
    assert send(message).status == "queued"
    for _ in range(12):
        make_due(message)
        send(message)
    assert again(message).status == "failed"
    assert graph.sent == []


def test_a_file_graph_refuses_fails_the_message(graph, conversation, agent):
    graph.answers_at("/v24.0/555/media", refuses(131053))
    message = send(say(conversation, content=outbound.Upload(uploaded(conversation, agent))))
    assert (message.status, message.error_code) == ("failed", "131053")


def test_a_file_that_is_gone_from_our_disk_fails_its_message_alone(graph, conversation, inbox, agent):
    file = uploaded(conversation, agent)
    message = say(conversation, content=outbound.Upload(file))
    file.file.storage.delete(file.file.name)
    other = say(ConversationFactory(inbox=inbox))
    message, other = send(message, other)
    assert (message.status, message.error_code) == ("failed", "file_missing")
    assert other.status == "accepted"


def test_an_upload_is_sent_once_and_only_in_its_conversation(conversation, inbox, agent):
    file = uploaded(conversation, agent)
    with pytest.raises(errors.MediaRefused), transaction.atomic():
        say(ConversationFactory(inbox=inbox), content=outbound.Upload(file))
    say(conversation, content=outbound.Upload(file))
    with pytest.raises(errors.MediaRefused), transaction.atomic():
        say(conversation, content=outbound.Upload(file))
    assert Message.objects.count() == 1


@pytest.mark.parametrize(("length", "is_taken"), [(1, True), (4096, True), (4097, False)])
def test_a_text_has_its_limit(conversation, length, is_taken):
    if is_taken:
        assert len(say(conversation, "ñ" * length).text) == length
    else:
        with pytest.raises(errors.TextTooLong, match="4096|4,096|4.096"):
            say(conversation, "ñ" * length)


@pytest.mark.parametrize("text", ["", "   ", "\n\t \r\n"])
def test_an_empty_text_is_refused(conversation, text):
    with pytest.raises(errors.EmptyMessage):
        say(conversation, text)


def test_a_caption_has_its_limit(conversation, agent):
    file = uploaded(conversation, agent)
    with pytest.raises(errors.TextTooLong, match="1024|1,024"):
        say(conversation, content=outbound.Upload(file, "x" * 1025))
    assert say(conversation, content=outbound.Upload(file, "x" * 1024)).kind == "image"


def test_a_note_has_its_own_longer_limit(conversation, agent):
    assert outbound.note(conversation, by=agent, text="x" * 10_000)[1]
    with pytest.raises(errors.TextTooLong):
        outbound.note(conversation, by=agent, text="x" * 10_001)


def test_a_closed_window_and_a_window_never_opened_refuse_text_but_take_notes(inbox, agent):
    for conversation in (ConversationFactory(inbox=inbox, closed=True), ConversationFactory(window_expires_at=None)):
        with pytest.raises(errors.ServiceWindowClosed):
            say(conversation)
        assert outbound.note(conversation, by=agent, text="Call them")[1]


def test_a_group_can_be_read_but_not_answered(conversation):
    Contact.objects.update(kind="group")
    conversation.refresh_from_db()
    with pytest.raises(errors.ReadOnlyConversation):
        say(conversation)


def test_reading_sends_nothing_unless_the_inbox_sends_read_marks(graph, conversation, agent):
    threads_drain(graph, conversation, agent)
    assert graph.asked == []


def test_one_call_marks_read_and_one_shows_typing(graph, conversation, agent, inbox):
    inbox.read_receipts = True
    inbox.save()
    conversation.inbox.refresh_from_db()
    threads_drain(graph, conversation, agent)
    read = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.newest"}
    assert graph.sent == [read]
    threads.note_typing(conversation)
    run_receipts()
    assert graph.sent[1:] == [read | {"typing_indicator": {"type": "text"}}]
    run_receipts()
    assert len(graph.sent) == 2


def test_a_read_mark_graph_refuses_is_dropped_quietly(graph, conversation, agent, inbox):
    inbox.read_receipts = True
    inbox.save()
    conversation.inbox.refresh_from_db()
    graph.answers(raw(b"<html>", 502))
    threads_drain(graph, conversation, agent)
    run_receipts()
    assert len(graph.sent) == 1


def threads_drain(graph, conversation, agent):
    """The customer wrote twice, the agent reads."""
    at = clock.now()
    MessageFactory(conversation=conversation, external_id="wamid.newest", sort_at=at)
    MessageFactory(conversation=conversation, external_id="wamid.older", sort_at=at - dt.timedelta(minutes=1))
    conversation.inbound_count = 2
    conversation.save()
    threads.mark_read(conversation, agent)
    run_receipts()


def run_receipts():
    while receipts.drain():
        pass
