"""The 24-hour customer service window, and the 72 hours after a click on an ad.

Source: Meta, "Customer service windows": opened by what the person does (messages, calls), 24 hours from then.
"""

import datetime as dt

from django.db.models import Q

from conversations.messaging.models import Conversation

WINDOW = dt.timedelta(hours=24)
FREE_ENTRY = dt.timedelta(hours=72)


def open_window(
    conversation: Conversation, provider_time: dt.datetime | None, received_at: dt.datetime, *, is_ad: bool = False
) -> bool:
    """Move the window's end to 24 h after the earlier of both times, never back; True if it moved. Saves nothing."""
    since = min(provider_time or received_at, received_at)
    end = since + WINDOW
    moved = conversation.window_expires_at is None or end > conversation.window_expires_at
    if moved:
        conversation.window_expires_at = end
    if is_ad:
        free = since + FREE_ENTRY
        if conversation.free_entry_expires_at is None or free > conversation.free_entry_expires_at:
            conversation.free_entry_expires_at = free
    return moved


def store(conversation: Conversation) -> None:
    """Save the window's end of a conversation that is not locked: what others have stored meanwhile only grows."""
    end = conversation.window_expires_at
    Conversation.objects.filter(Q(window_expires_at=None) | Q(window_expires_at__lt=end), pk=conversation.pk).update(
        window_expires_at=end
    )
