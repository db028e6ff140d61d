"""Index of the app's models."""

from conversations.inboxes.models import AppSecret, Inbox, WhatsAppAccount
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.live.models import LiveHint
from conversations.messaging.models import (
    Attachment,
    Attempt,
    Conversation,
    ConversationEvent,
    ConversationRead,
    MediaAttempt,
    Message,
    ParkedUpdate,
    PortfolioUse,
    Reaction,
    SendFence,
)

__all__ = [
    "AppSecret",
    "Attachment",
    "Attempt",
    "Conversation",
    "ConversationEvent",
    "ConversationRead",
    "EventItem",
    "Inbox",
    "LiveHint",
    "MediaAttempt",
    "Message",
    "ParkedUpdate",
    "PortfolioUse",
    "Reaction",
    "SendFence",
    "WebhookEvent",
    "WhatsAppAccount",
]
