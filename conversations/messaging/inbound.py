"""Recording what came in: messages by the person, echoes of our own phone, history; each once, whatever the order."""

import datetime as dt
from typing import Any

from django.db import IntegrityError, transaction

from conversations.channels.base import InboundAttachment, InboundMessage
from conversations.messaging import deliveries, events, previews, quotes, summary, window
from conversations.messaging.models import Attachment, Conversation, Message
from conversations.messaging.summary import SILENT_KINDS
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock, work

PLACEHOLDER = "media_placeholder"


def record(conversation: Conversation, update: InboundMessage, sender: ChannelIdentity | None = None) -> Message | None:
    """Store a message in its (locked) conversation; None if it was known. `sender`: who wrote, in a group."""
    known = Message.objects.filter(inbox=conversation.inbox_id, external_id=update.external_id).first()
    if known is not None:
        _complete(known, conversation, update)
        return None
    received_at = clock.now()
    message = _message(conversation, update, sender, received_at)
    try:
        with transaction.atomic():
            message.save()
    except IntegrityError:  # the same webhook, a moment earlier, elsewhere
        return None
    if update.attachment is not None:
        _attach(message, update.attachment)
    quotes.link(message)
    if update.is_history:
        _note_history(conversation, message)
    else:
        _note_live(conversation, message, update, received_at)
    deliveries.apply_parked(message)
    return message


def sort_time(provider_time: dt.datetime | None, received_at: dt.datetime) -> dt.datetime:
    """Where a message stands: by the provider's time, but never in the future."""
    return min(provider_time, received_at) if provider_time else received_at


def _message(
    conversation: Conversation, update: InboundMessage, sender: ChannelIdentity | None, received_at: dt.datetime
) -> Message:
    direction, author, status = Message.Direction.INBOUND, Message.Author.CONTACT, Message.Status.RECEIVED
    if update.is_echo:
        direction, author = Message.Direction.OUTBOUND, Message.Author.PHONE
        status = Message.Status(update.status) if update.status else Message.Status.SENT
    elif update.kind == "system":
        author = Message.Author.SYSTEM
    message = Message(
        conversation=conversation,
        inbox=conversation.inbox,
        external_id=update.external_id,
        direction=direction,
        kind=update.kind,
        status=status,
        text=update.text,
        payload=_payload(update),
        author_kind=author,
        sender=sender,
        quoted_external_id=update.quoted_id,
        is_forwarded=update.is_forwarded,
        provider_time=update.at,
        sort_at=sort_time(update.at, received_at),
        created_at=received_at,
    )
    if update.is_echo and status != Message.Status.FAILED:
        message.sent_at = message.sort_at
    return message


def _payload(update: InboundMessage) -> dict[str, Any]:
    if update.kind == "call":
        return {"events": {str(update.content.get("event") or update.content.get("status") or "call"): update.content}}
    return update.content | {"history": True} if update.is_history else update.content


def _attach(message: Message, part: InboundAttachment) -> None:
    Attachment.objects.create(
        message=message,
        conversation=message.conversation,
        kind=message.kind,
        filename=part.filename,
        mime_type=part.mime_type,
        sha256=part.sha256,
        external_id=part.media_id,
        next_attempt_at=clock.real(),
    )
    work.ring("media")


def _complete(known: Message, conversation: Conversation, update: InboundMessage) -> None:
    """The rest of a message that comes in parts, in either order: a history placeholder and its media."""
    if not update.is_history or PLACEHOLDER not in (known.kind, update.kind):
        return
    before = (known.kind, known.status, known.sort_at)
    part = _message(conversation, update, known.sender, known.created_at)
    if update.kind != PLACEHOLDER and known.kind == PLACEHOLDER:
        if known.direction != part.direction:
            known.direction, known.author_kind = part.direction, part.author_kind
            known.status, known.sent_at = part.status, part.sent_at
        known.kind, known.payload = part.kind, part.payload
        if known.edited_at is None:
            known.text = part.text
        else:
            known.original_text = part.text
        if update.attachment is not None:
            _attach(known, update.attachment)
    if known.direction == part.direction and deliveries.is_higher(part.status, known.status):
        known.status = part.status
    if part.sort_at < known.sort_at:
        known.provider_time, known.sort_at = part.provider_time, part.sort_at
        known.sent_at = known.sent_at and known.sort_at
    if (known.kind, known.status, known.sort_at) == before:
        return
    known.version += 1
    known.save()
    if conversation.last_message_id == known.pk:
        summary.show_newest(conversation)
        conversation.save(update_fields=[*previews.FIELDS, "last_activity_at"])
    events.announce_message(known, "message.updated")


def _note_history(conversation: Conversation, message: Message) -> None:
    is_first = conversation.last_sort_at is None
    if previews.show(conversation, message):
        conversation.last_activity_at = _activity(conversation, message, is_first=is_first)
    if message.direction == Message.Direction.OUTBOUND:
        summary.note_answer(conversation)
    conversation.save(update_fields=[*previews.FIELDS, "last_activity_at", "waiting_since"])
    events.announce_message(message)


def _note_live(conversation: Conversation, message: Message, update: InboundMessage, received_at: dt.datetime) -> None:
    what: list[str] = []
    is_first = conversation.last_sort_at is None
    is_newest = conversation.last_sort_at is None or message.sort_at > conversation.last_sort_at
    previews.show(conversation, message)
    conversation.last_activity_at = _activity(conversation, message, is_first=is_first)
    speaks = message.direction == Message.Direction.INBOUND and message.kind not in SILENT_KINDS
    if speaks:
        conversation.inbound_count += 1
        if not conversation.is_group:
            is_ad = "referral" in update.content
            if window.open_window(conversation, update.at, received_at, is_ad=is_ad):
                what.append("window")
        if not conversation.is_group:
            summary.note_question(conversation, message.sort_at, is_newest=is_newest)
    elif message.direction == Message.Direction.OUTBOUND:
        summary.note_answer(conversation)
    reopens = ("resolved", "snoozed", "dormant") if speaks else ("dormant",) if update.is_echo else ()
    if conversation.status in reopens:
        was_dormant = conversation.status == Conversation.Status.DORMANT
        conversation.status = Conversation.Status.OPEN
        conversation.version += 1
        what.append("status")
        conversation.save()
        if not was_dormant:
            events.record(conversation, "reopened")
    else:
        conversation.save()
    if speaks and not conversation.is_group:
        _touch_contact(conversation, message)
    events.announce_message(message)
    if what:
        events.announce(conversation, "conversation.updated", what=what)


def _activity(conversation: Conversation, message: Message, *, is_first: bool) -> dt.datetime:
    return message.sort_at if is_first else max(conversation.last_activity_at, message.sort_at)


def _touch_contact(conversation: Conversation, message: Message) -> None:
    contact = conversation.contact
    if contact.last_inbound_at is None or message.sort_at > contact.last_inbound_at:
        Contact.objects.filter(pk=contact.pk).update(last_inbound_at=message.sort_at)
        contact.last_inbound_at = message.sort_at
