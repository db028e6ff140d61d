"""Recording what came in: messages by the person, echoes of our own phone, history; each once, whatever the order."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.dispatch import Signal

from conversations.channels.base import InboundMessage
from conversations.messaging import deliveries, events, optouts, previews, quotes, summary, threads, window
from conversations.messaging.models import Attachment, Conversation, Message
from conversations.messaging.summary import SILENT_KINDS
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock, work
from crm.foundation.rows import update_rows

message_arrived = Signal()
"""Sent after the commit, with `message`: a person wrote just now, and may be answered automatically."""

PLACEHOLDER = "media_placeholder"
LATE = dt.timedelta(hours=1)


@dataclass
class Arrival:
    """An update and its locked conversation (one object for all of a batch); `sender`: who wrote, in a group."""

    conversation: Conversation
    update: InboundMessage
    sender: ChannelIdentity | None = None
    message: Message | None = None
    is_new: bool = False
    reopens: bool = False

    @property
    def key(self) -> tuple[int, str]:
        """What makes the message one."""
        return self.conversation.inbox_id, self.update.external_id

    @property
    def speaks(self) -> bool:
        """Whether the person says something to us, here and now."""
        update = self.update
        return not (update.is_echo or update.is_history or update.kind in SILENT_KINDS)


def record(arrivals: Sequence[Arrival], known: Mapping[tuple[int, str], Message]) -> None:
    """Store the messages of arrivals, each once, with all they change: sets `message` (their own, or the `known` one)
    and `is_new`. Raises IntegrityError if somebody else stores one of several at the same moment; one alone is then
    known.
    """
    received_at, known = clock.now(), dict(known)
    for arrival in arrivals:
        arrival.message = known.get(arrival.key)
        if arrival.message is None:
            arrival.message = known[arrival.key] = _message(
                arrival.conversation, arrival.update, arrival.sender, received_at
            )
            arrival.is_new = True
    fresh = [arrival for arrival in arrivals if arrival.is_new]
    if fresh and _store(fresh):
        for arrival in fresh:
            if arrival.update.is_history:
                _note_history(arrival)
            else:
                _note_live(arrival, received_at)
        threads.save_noted({arrival.conversation.pk: arrival.conversation for arrival in fresh}.values())
        _touch_contacts(fresh)
        _announce(fresh)
        deliveries.apply_parked(*(arrival.message for arrival in fresh if arrival.message))
        optouts.hear([arrival.message for arrival in fresh if arrival.message and arrival.speaks])
    for arrival in arrivals:
        if not arrival.is_new and arrival.message is not None:
            _complete(arrival.message, arrival.conversation, arrival.update)


def find_known(keys: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Message]:
    """The messages already stored under these (inbox, external id)."""
    by_inbox: dict[int, set[str]] = defaultdict(set)
    for inbox_id, external_id in keys:
        by_inbox[inbox_id].add(external_id)
    wanted = Q(pk__in=())
    for inbox_id, external_ids in by_inbox.items():
        wanted |= Q(inbox=inbox_id, external_id__in=external_ids)
    return {(message.inbox_id, message.external_id or ""): message for message in Message.objects.filter(wanted)}


def is_late(message: Message) -> bool:
    """Whether it comes so long after it was written that nothing may answer it by itself."""
    return clock.now() - message.sort_at > LATE


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


def _store(fresh: list[Arrival]) -> bool:
    """Insert messages with what hangs on them; False if the only one turned out to be known."""
    messages = [arrival.message for arrival in fresh if arrival.message]
    try:
        with transaction.atomic():
            Message.objects.bulk_create(messages)
    except IntegrityError:  # the same webhook, a moment earlier, elsewhere
        if len(fresh) > 1:
            raise
        [arrival] = fresh
        arrival.message, arrival.is_new = find_known([arrival.key]).get(arrival.key), False
        return False
    files = [arrival for arrival in fresh if arrival.update.attachment is not None]
    if files:
        Attachment.objects.bulk_create(_attachment(arrival) for arrival in files)
        work.ring("media")
    quotes.link(messages)
    return True


def _attachment(arrival: Arrival) -> Attachment:
    message, part = arrival.message, arrival.update.attachment
    assert message is not None
    assert part is not None
    return Attachment(
        message=message,
        conversation=message.conversation,
        kind=message.kind,
        filename=part.filename,
        mime_type=part.mime_type,
        sha256=part.sha256,
        external_id=part.media_id,
        next_attempt_at=clock.real(),
    )


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
            _attachment(Arrival(conversation, update, message=known)).save()
            work.ring("media")
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


def _note_history(arrival: Arrival) -> None:
    conversation, message = arrival.conversation, arrival.message
    assert message is not None
    is_first = conversation.last_sort_at is None
    if previews.show(conversation, message):
        conversation.last_activity_at = _activity(conversation, message, is_first=is_first)
    if message.direction == Message.Direction.OUTBOUND:
        summary.note_answer(conversation)


def _note_live(arrival: Arrival, received_at: dt.datetime) -> None:
    conversation, message, update = arrival.conversation, arrival.message, arrival.update
    assert message is not None
    is_first = conversation.last_sort_at is None
    is_newest = conversation.last_sort_at is None or message.sort_at >= conversation.last_sort_at
    previews.show(conversation, message)
    conversation.last_activity_at = _activity(conversation, message, is_first=is_first)
    if arrival.speaks:
        conversation.inbound_count += 1
        if not conversation.is_group:
            window.open_window(conversation, update.at, received_at, is_ad="referral" in update.content)
            summary.note_question(conversation, message.sort_at, is_newest=is_newest)
    elif message.direction == Message.Direction.OUTBOUND:
        summary.note_answer(conversation)
    reopens = ("resolved", "snoozed", "dormant") if arrival.speaks else ("dormant",) if update.is_echo else ()
    if conversation.status in reopens:
        was, conversation.status = conversation.status, Conversation.Status.OPEN
        conversation.snoozed_until = None
        conversation.version += 1
        arrival.reopens = True
        if was == Conversation.Status.SNOOZED:
            events.record(conversation, "woken", why="message")
        elif was != Conversation.Status.DORMANT:
            events.record(conversation, "reopened")


def _activity(conversation: Conversation, message: Message, *, is_first: bool) -> dt.datetime:
    return message.sort_at if is_first else max(conversation.last_activity_at, message.sort_at)


def _announce(fresh: Sequence[Arrival]) -> None:
    for arrival in fresh:
        assert arrival.message is not None
        events.announce_message(arrival.message)
        if arrival.reopens:
            events.announce(arrival.conversation, "conversation.updated", what=["status"])


def _touch_contacts(fresh: Sequence[Arrival]) -> None:
    touched: dict[int, Contact] = {}
    for arrival in fresh:
        contact, message = arrival.conversation.contact, arrival.message
        assert message is not None
        if arrival.conversation.is_group or not arrival.speaks:
            continue
        contact = touched.get(contact.pk, contact)
        if contact.last_inbound_at is None or message.sort_at > contact.last_inbound_at:
            contact.last_inbound_at = message.sort_at
            touched[contact.pk] = contact
    update_rows(list(touched.values()), ["last_inbound_at"])
