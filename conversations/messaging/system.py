"""What WhatsApp itself tells: a person's number or id changed."""

import datetime as dt

from conversations.inboxes.models import Inbox
from conversations.messaging import events, threads
from conversations.messaging.models import ConversationEvent
from crm.contacts.models import ChannelIdentity


def note_change(inbox: Inbox, identity: ChannelIdentity, field: str, *, at: dt.datetime) -> None:
    """A line in the person's conversation with this inbox, once per change; one made for it is in no queue."""
    conversation = threads.find_or_open(inbox, identity, is_dormant=True)
    _event, made = ConversationEvent.objects.get_or_create(
        conversation=conversation,
        external_id=f"{field}:{at.timestamp():.0f}",
        defaults={"kind": f"{field}_changed", "created_at": at},
    )
    if made:
        events.announce(conversation, "conversation.updated", what=["contact", "events"])
