"""Composing: check (window, limits, rights), then queue; and what an agent may do with a message later."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from conversations.channels.base import Buttons, Contacts, Location, Reaction, ReactionUpdate, Template, Text
from conversations.channels.base import Person as ChannelPerson
from conversations.channels.whatsapp import limits
from conversations.messaging import consenting, deliveries, errors, events, previews, reacting, summary, threads
from conversations.messaging.models import Attachment, Conversation, Message
from crm.foundation import clock, work
from crm.foundation.retrying import in_transaction
from crm.foundation.text import clean_json, clean_text
from crm.staff.models import User


@dataclass(frozen=True)
class Upload:
    """A file the sender has uploaded, with its caption."""

    attachment: Attachment
    caption: str = ""


Content = Text | Upload | Location | Contacts | Reaction | Template | Buttons
CAPTIONED = ("image", "video", "document")


def contents_of(text: str, files: Sequence[Attachment]) -> list[Content]:
    """Text alone, or each file with the text as the first one's caption; a text that file cannot carry goes last."""
    if not files:
        return [Text(text)]
    first, rest = files[0], [Upload(file) for file in files[1:]]
    if text.strip() and first.kind not in CAPTIONED:
        return [Upload(first), *rest, Text(text)]
    return [Upload(first, text), *rest]


@in_transaction
def compose(
    conversation: Conversation,
    *,
    by: User | None,
    content: Content,
    origin: str,
    reply_to: Message | None = None,
    client_id: uuid.UUID | None = None,
    hold: dt.timedelta = dt.timedelta(0),
) -> tuple[Message, bool]:
    """Check and queue, to leave after `hold` at the earliest: (message, True), or (the one with this client_id, False).
    Raises kinds of SendRefused.
    """
    row: Conversation = threads.locked().get(pk=conversation.pk)
    known = row.messages.filter(client_id=client_id).first() if client_id else None
    if known is not None:
        return known, False
    check_may_write(row, is_template=isinstance(content, Template))
    if isinstance(content, Template):
        consenting.check(row.contact, purpose=content.purpose, origin=origin)
    if reply_to is not None and (reply_to.conversation_id != row.pk or not reply_to.external_id):
        raise errors.NotQuotable(_("This message cannot be quoted. Send your answer without the quote."))
    message = Message(
        conversation=row,
        inbox=row.inbox,
        direction=Message.Direction.OUTBOUND,
        status=Message.Status.QUEUED,
        author_kind=origin,
        author=by,
        reply_to=reply_to,
        quoted_external_id=reply_to.external_id or "" if reply_to else "",
        priority=Message.PRIORITIES[origin],
        next_attempt_at=clock.real() + hold if hold else None,
        **({"client_id": client_id} if client_id else {}),
        **columns_of(content),
    )
    message.created_at = message.sort_at = clock.now()
    message.answered_after = _waited(row, message)
    message.save()
    if isinstance(content, Upload):
        _attach(content.attachment, message)
    if isinstance(content, Reaction):
        _show_reaction(row, content)
    else:
        _note_sent(row, message)
    work.ring("outbox_files" if isinstance(content, Upload) else "outbox")
    return message, True


@in_transaction
def note(
    conversation: Conversation,
    *,
    by: User,
    text: str,
    client_id: uuid.UUID | None = None,
    payload: dict[str, Any] | None = None,
    origin: str = Message.Author.AGENT,
) -> tuple[Message, bool]:
    """Add a private note; it never leaves the house. Raises EmptyMessage, TextTooLong."""
    row: Conversation = threads.locked().get(pk=conversation.pk)
    known = row.messages.filter(client_id=client_id).first() if client_id else None
    if known is not None:
        return known, False
    message = Message(
        conversation=row,
        inbox=row.inbox,
        direction=Message.Direction.NOTE,
        status=Message.Status.RECEIVED,
        kind="text",
        text=_checked_text(text, limits.NOTE_MAX),
        payload=payload or {},
        author_kind=origin,
        author=by,
        **({"client_id": client_id} if client_id else {}),
    )
    message.created_at = message.sort_at = clock.now()
    message.save()
    events.announce_message(message)
    return message, True


@in_transaction
def retry(message: Message) -> Message:
    """Send a failed (or unconfirmed) message again: a new attempt under the same bubble. Raises NotRetryable,
    ServiceWindowClosed.
    """
    row = _locked(message)
    if row.status not in (Message.Status.FAILED, Message.Status.UNKNOWN) or row.author_kind == Message.Author.PHONE:
        raise errors.NotRetryable(_("This message is not waiting to be sent again."))
    check_may_write(row.conversation, is_template=row.kind == "template")
    if row.kind == "template":
        consenting.check(row.conversation.contact, purpose=row.payload.get("purpose", ""), origin=row.author_kind)
    row.status, row.external_id = Message.Status.QUEUED, None
    row.error_code = row.error_details = ""
    row.failed_at = row.accepted_at = row.sent_at = None
    row.next_attempt_at = clock.real()  # from now on it waits: the fence looks at the age of what is queued
    row.version += 1
    row.save()
    previews.refresh(row)
    events.announce_status(row)
    work.ring("outbox")
    work.ring("outbox_files")
    return row


@in_transaction
def cancel(message: Message) -> Message:
    """Take back a message that has not left yet; raises NotRetryable if it has."""
    row = _locked(message)
    if row.status != Message.Status.QUEUED:
        raise errors.NotRetryable(_("This message has already been handed to WhatsApp."))
    row.status, row.cancelled_at = Message.Status.CANCELLED, clock.now()
    row.version += 1
    row.save()
    previews.refresh(row)
    events.announce_status(row)
    reacting.withdraw(row)
    return row


@in_transaction
def undo(message: Message) -> None:
    """Make a message that nothing was tried with yet unsaid, its files unsent uploads again; raises NotRetryable."""
    row = _locked(message)
    if row.status != Message.Status.QUEUED or row.attempts.exists():
        raise errors.NotRetryable(_("This message has already been handed to WhatsApp."))
    conversation = row.conversation
    Attachment.objects.filter(message=row).update(message=None, created_at=clock.now())
    events.announce_message(row, "message.removed")
    row.delete()
    summary.show_newest(conversation)
    if conversation.status != Conversation.Status.RESOLVED and not conversation.is_group:
        conversation.waiting_since = summary.asked_since(conversation)
    conversation.save(update_fields=[*previews.FIELDS, "last_activity_at", "waiting_since"])
    events.announce(conversation, "conversation.updated", what=["preview"])


def _locked(message: Message) -> Message:
    row = deliveries.locked_message(pk=message.pk)
    if row is None:
        raise errors.NotRetryable(_("This message is no longer there: somebody has taken it back."))
    return row


def check_upload(mime_type: str, size: int) -> str:
    """The kind of message a file can be sent as; raises MediaRefused, or MediaTooLarge with the limit."""
    if size == 0:
        raise errors.MediaRefused(_("This file is empty. Choose another one."))
    kind = limits.kind_of_mime(mime_type)
    if kind is None:
        raise errors.MediaRefused(
            _(
                "WhatsApp does not accept this type of file. "
                "Send a photo (JPEG, PNG), video (MP4), audio or document (PDF, Office)."
            )
        )
    largest, _mimes = limits.MEDIA[kind]
    if size > largest:
        raise errors.MediaTooLarge(
            _("This file is too big: WhatsApp takes at most %(limit)s MB of this type. Make it smaller or send a link.")
            % {"limit": f"{largest / limits.MB:g}"}
        )
    return kind


def check_may_write(conversation: Conversation, *, is_template: bool = False) -> None:
    """Whether something may be sent now; raises ReadOnlyConversation, ServiceWindowClosed."""
    if conversation.is_group:
        raise errors.ReadOnlyConversation(
            _("WhatsApp groups can be read here but not answered. Write to the person directly.")
        )
    if conversation.contact.restricted_at is not None:
        raise errors.ReadOnlyConversation(
            _("This person's data is restricted: it is kept but not used. Nothing is sent to them.")
        )
    if not is_template and not conversation.window_is_open(clock.now()):
        raise errors.ServiceWindowClosed(
            _("The 24-hour window is closed: the person must write first, or you send an approved template.")
        )


def columns_of(content: Content) -> dict[str, Any]:
    """What of a message its content fills; raises EmptyMessage, TextTooLong."""
    match content:
        case Text(body):
            return {"kind": "text", "text": _checked_text(body, limits.TEXT_MAX)}
        case Upload(attachment, caption):
            if len(caption) > limits.CAPTION_MAX:
                raise errors.TextTooLong(
                    _("The caption may have at most %(limit)s characters. Shorten it.") % {"limit": limits.CAPTION_MAX}
                )
            return {"kind": attachment.kind, "text": clean_text(caption).strip()}
        case Location(latitude, longitude, name, address):
            place = {"latitude": latitude, "longitude": longitude, "name": name, "address": address}
            payload = {key: clean_json(value) for key, value in place.items() if value != ""}
            return {"kind": "location", "payload": payload}
        case Contacts(cards):
            return {"kind": "contacts", "payload": {"contacts": clean_json(cards)}}
        case Reaction(target_id, emoji):
            return {"kind": "reaction", "payload": {"message_id": target_id, "emoji": clean_text(emoji)}}
        case Template(name, language, components, purpose):
            payload = {"name": name, "language": language, "components": clean_json(components)}
            payload |= {"purpose": purpose} if purpose else {}
            return {"kind": "template", "text": name, "payload": payload}
        case Buttons(body, buttons):
            shown = [{"id": key, "title": title} for key, title in buttons]
            return {"kind": "buttons", "text": _checked_text(body, limits.QUESTION_MAX), "payload": {"buttons": shown}}


def _checked_text(text: str, most: int) -> str:
    text = clean_text(text).replace("\r\n", "\n").strip()
    if not text:
        raise errors.EmptyMessage(_("The message is empty. Write something first."))
    if len(text) > most:
        raise errors.TextTooLong(
            _("The message is too long: %(length)s characters, at most %(limit)s. Shorten it or send it in parts.")
            % {"length": len(text), "limit": most}
        )
    return text


def _attach(attachment: Attachment, message: Message) -> None:
    free = Q(message=None) | Q(message__status=Message.Status.CANCELLED)
    taken = Attachment.objects.filter(free, pk=attachment.pk, conversation=message.conversation_id, scheduled=None)
    if not taken.update(message=message):
        raise errors.MediaRefused(_("This file was already sent or belongs to another conversation. Attach it again."))


def _waited(conversation: Conversation, message: Message) -> int | None:
    """For how many seconds the person has waited for this answer of an agent; None if it is none."""
    since = conversation.waiting_since
    if since is None or message.author_kind != Message.Author.AGENT or message.kind == "reaction":
        return None
    return max(int((message.created_at - since).total_seconds()), 0)


def _show_reaction(conversation: Conversation, content: Reaction) -> None:
    update = ReactionUpdate(
        external_id="",
        person=ChannelPerson(),
        target_id=content.target_id,
        emoji=clean_text(content.emoji),
        at=clock.now(),
    )
    if deliveries.apply(conversation.inbox, update) is None:
        raise errors.NotQuotable(_("This message no longer exists."))


def _note_sent(conversation: Conversation, message: Message) -> None:
    previews.show(conversation, message)
    conversation.last_activity_at = max(conversation.last_activity_at, message.sort_at)
    conversation.waiting_since = None
    conversation.save(update_fields=[*previews.FIELDS, "last_activity_at", "waiting_since"])
    events.announce_message(message)
