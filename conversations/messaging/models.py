"""Index of the messaging feature's models."""

from conversations.messaging.attachment_models import Attachment
from conversations.messaging.conversation_models import (
    Conversation,
    ConversationEvent,
    ConversationPin,
    ConversationRead,
    ConversationTag,
)
from conversations.messaging.limit_models import MediaAttempt, PortfolioUse, SendFence
from conversations.messaging.message_models import Attempt, Message, MessageQuerySet, ParkedUpdate, Reaction
from conversations.messaging.schedule_models import ScheduledMessage

__all__ = [
    "Attachment",
    "Attempt",
    "Conversation",
    "ConversationEvent",
    "ConversationPin",
    "ConversationRead",
    "ConversationTag",
    "MediaAttempt",
    "Message",
    "MessageQuerySet",
    "ParkedUpdate",
    "PortfolioUse",
    "Reaction",
    "ScheduledMessage",
    "SendFence",
]
