"""What a conversation carries of its messages, kept right whatever the order they come in: waiting, preview, unread,
window.
"""

import datetime as dt

from django.db.models import Max, Min

from conversations.messaging import previews, window
from conversations.messaging.models import Conversation, Message, MessageQuerySet, Reaction

# Kinds that say something but are no message of the person: they neither open the window nor wait for an answer.
SILENT_KINDS = ("system", "request_welcome")
US = "us"


def spoken(messages: MessageQuerySet) -> MessageQuerySet:
    """Those the person wrote to us here; what is history was said elsewhere and waits for nothing."""
    inbound = messages.bubbles().filter(direction=Message.Direction.INBOUND).exclude(kind__in=SILENT_KINDS)
    return inbound.exclude(payload__has_key="history")


def answered_at(conversation: Conversation) -> dt.datetime | None:
    """When we last answered."""
    return conversation.messages.bubbles().filter(direction="out").aggregate(at=Max("sort_at"))["at"]


def note_question(conversation: Conversation, at: dt.datetime, *, is_newest: bool) -> None:
    """The person wrote at `at`: they wait, unless we answered later; saves nothing."""
    answered = None if is_newest else answered_at(conversation)
    if answered is None or answered <= at:
        conversation.waiting_since = min(conversation.waiting_since or at, at)


def note_answer(conversation: Conversation) -> None:
    """We wrote, perhaps earlier than what the person wrote last: since when do they still wait; saves nothing."""
    since = conversation.waiting_since
    answered = answered_at(conversation) if since else None
    if answered and since and since < answered:
        conversation.waiting_since = (
            spoken(conversation.messages.all()).filter(sort_at__gte=answered).aggregate(at=Min("sort_at"))["at"]
        )


def asked_since(conversation: Conversation) -> dt.datetime | None:
    """When the person wrote what nobody has answered yet; None if all is answered."""
    asked, answered = spoken(conversation.messages.all()), answered_at(conversation)
    if answered is not None:
        asked = asked.filter(sort_at__gte=answered)
    return asked.aggregate(at=Min("sort_at"))["at"]


def show_newest(conversation: Conversation) -> None:
    """Renew preview and place in the list from the newest message, if there is one; saves nothing."""
    newest = conversation.messages.bubbles().exclude(direction="note").order_by("-sort_at", "-pk").first()
    if newest is None:
        for field in previews.FIELDS:
            setattr(conversation, field, None if field in ("last_message_id", "last_sort_at") else "")
        return
    previews.show(conversation, newest, force=True)
    conversation.last_activity_at = newest.sort_at


def rebuild(conversation: Conversation, inbound_count: int) -> None:
    """Work out everything anew after messages left or came, `inbound_count` of them unread by nobody yet; saves
    nothing.
    """
    show_newest(conversation)
    conversation.inbound_count = inbound_count
    conversation.window_expires_at = conversation.free_entry_expires_at = conversation.waiting_since = None
    if not inbound_count or conversation.is_group:
        return
    asked = spoken(conversation.messages.all())
    for message in asked.filter(payload__has_key="referral").order_by("sort_at"):
        window.open_window(conversation, message.sort_at, message.sort_at, is_ad=True)
    theirs = Reaction.objects.filter(message__conversation=conversation).exclude(actor=US)
    for at in (asked.aggregate(at=Max("sort_at"))["at"], theirs.aggregate(at=Max("reacted_at"))["at"]):
        if at is not None:
            window.open_window(conversation, at, at)
    if conversation.status != Conversation.Status.RESOLVED:
        conversation.waiting_since = asked.aggregate(at=Min("sort_at"))["at"]
        note_answer(conversation)


def moved_count(messages: MessageQuerySet, conversation: Conversation) -> int:
    """How many of these messages count as unread ones of `conversation` (history never did)."""
    return min(spoken(messages).count(), conversation.inbound_count)
