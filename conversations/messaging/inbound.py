"""Recording what came in: messages by the person, echoes of our own phone, history; each once, whatever the order."""

import datetime as dt
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Min

from conversations.channels.base import InboundAttachment, InboundMessage
from conversations.messaging import deliveries, events, previews, wamids, window
from conversations.messaging.models import Attachment, Conversation, Message
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock, work

QUOTE_SEARCH = 1000
# Kinds that say something but are no message of the person: they neither open the window nor wait for an answer.
SILENT_KINDS = ("system", "request_welcome")
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
    _link_quotes(message)
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
    return update.content


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
    """The rest of a message that comes in parts: the media of a history placeholder, the next event of a call."""
    if known.kind == PLACEHOLDER and update.kind != PLACEHOLDER:
        whole = _message(conversation, update, known.sender, known.created_at)
        for name in ("kind", "text", "payload", "direction", "author_kind", "status"):
            setattr(known, name, getattr(whole, name))
        known.version += 1
        known.save()
        if update.attachment is not None:
            _attach(known, update.attachment)
        events.announce_message(known, "message.updated")
    elif known.kind == "call" and update.kind == "call":
        merged = known.payload.get("events", {}) | _payload(update)["events"]
        if merged != known.payload.get("events"):
            known.payload = {"events": merged}
            if update.at and (known.provider_time is None or update.at < known.provider_time):
                known.provider_time = update.at
                known.sort_at = sort_time(update.at, known.created_at)
            known.version += 1
            known.save()
            events.announce_message(known, "message.updated")


def _link_quotes(message: Message) -> None:
    """Find what this message quotes, and let messages that quote it, and came first, find it."""
    siblings = Message.objects.filter(conversation=message.conversation)
    if message.quoted_external_id:
        message.reply_to = find_quoted(message.conversation, message.quoted_external_id)
        if message.reply_to is not None:
            message.save(update_fields=["reply_to"])
    siblings.filter(reply_to=None, quoted_external_id=message.external_id).exclude(quoted_external_id="").update(
        reply_to=message
    )


def find_quoted(conversation: Conversation, external_id: str) -> Message | None:
    """The message with this wamid in the conversation, or with the same core among its newest ones."""
    messages = Message.objects.filter(conversation=conversation)
    exact = messages.filter(external_id=external_id).first()
    core = wamids.core(external_id)
    if exact is not None or not core:
        return exact
    newest = messages.exclude(external_id=None).order_by("-pk").values_list("pk", "external_id")[:QUOTE_SEARCH]
    match = next((pk for pk, candidate in newest if wamids.core(candidate or "") == core), None)
    return messages.filter(pk=match).first() if match else None


def _note_history(conversation: Conversation, message: Message) -> None:
    if previews.show(conversation, message):
        conversation.last_activity_at = max(conversation.last_activity_at, message.sort_at)
        conversation.save(update_fields=[*previews.FIELDS, "last_activity_at"])
    events.announce_message(message)


def _note_live(conversation: Conversation, message: Message, update: InboundMessage, received_at: dt.datetime) -> None:
    what: list[str] = []
    is_late = conversation.last_sort_at is not None and message.sort_at < conversation.last_sort_at
    previews.show(conversation, message)
    conversation.last_activity_at = max(conversation.last_activity_at, message.sort_at)
    speaks = message.direction == Message.Direction.INBOUND and message.kind not in SILENT_KINDS
    if speaks:
        conversation.inbound_count += 1
        if not conversation.is_group:
            is_ad = "referral" in update.content
            if window.open_window(conversation, update.at, received_at, is_ad=is_ad):
                what.append("window")
    if not conversation.is_group:
        _note_waiting(conversation, message, speaks=speaks, is_late=is_late)
    if speaks and conversation.status in ("resolved", "snoozed", "dormant"):
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


def _note_waiting(conversation: Conversation, message: Message, *, speaks: bool, is_late: bool) -> None:
    """Keep `waiting_since`: the oldest message of the person after our last answer."""
    if is_late:
        conversation.waiting_since = _waiting_since(conversation)
    elif message.direction == Message.Direction.OUTBOUND:
        conversation.waiting_since = None
    elif speaks and conversation.waiting_since is None:
        conversation.waiting_since = message.sort_at


def _waiting_since(conversation: Conversation) -> dt.datetime | None:
    live = conversation.messages.bubbles().exclude(kind__in=SILENT_KINDS)
    answered = live.filter(direction="out").aggregate(at=Max("sort_at"))["at"]
    asked = live.filter(direction="in")
    if answered:
        asked = asked.filter(sort_at__gt=answered)
    return asked.aggregate(at=Min("sort_at"))["at"]


def _touch_contact(conversation: Conversation, message: Message) -> None:
    contact = conversation.contact
    if contact.last_inbound_at is None or message.sort_at > contact.last_inbound_at:
        Contact.objects.filter(pk=contact.pk).update(last_inbound_at=message.sort_at)
        contact.last_inbound_at = message.sort_at
