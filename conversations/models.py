"""Index of the app's models."""

from conversations.answers.models import CannedAnswer
from conversations.desk.models import Draft, SavedView
from conversations.inboxes.models import AppSecret, Inbox, NumberCheck, WhatsAppAccount
from conversations.ingest.models import EventItem, RefusedWebhooks, WebhookEvent
from conversations.live.models import LiveHint, Seat
from conversations.messaging.models import (
    Attachment,
    Attempt,
    Conversation,
    ConversationEvent,
    ConversationPin,
    ConversationRead,
    ConversationTag,
    MediaAttempt,
    Message,
    ParkedUpdate,
    PortfolioUse,
    Reaction,
    ScheduledMessage,
    SendFence,
)
from conversations.notices.models import Notice

__all__ = [
    "AppSecret",
    "Attachment",
    "Attempt",
    "CannedAnswer",
    "Conversation",
    "ConversationEvent",
    "ConversationPin",
    "ConversationRead",
    "ConversationTag",
    "Draft",
    "EventItem",
    "Inbox",
    "LiveHint",
    "MediaAttempt",
    "Message",
    "Notice",
    "NumberCheck",
    "ParkedUpdate",
    "PortfolioUse",
    "Reaction",
    "RefusedWebhooks",
    "SavedView",
    "ScheduledMessage",
    "Seat",
    "SendFence",
    "WebhookEvent",
    "WhatsAppAccount",
]
