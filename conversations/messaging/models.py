"""Index of the messaging feature's models."""

from conversations.messaging.attachment_models import Attachment
from conversations.messaging.conversation_models import (
    Conversation,
    ConversationEvent,
    ConversationRead,
)
from conversations.messaging.limit_models import MediaAttempt, PortfolioUse, SendFence
from conversations.messaging.message_models import Attempt, Message, MessageQuerySet, ParkedUpdate, Reaction

__all__ = [
    "Attachment",
    "Attempt",
    "Conversation",
    "ConversationEvent",
    "ConversationRead",
    "MediaAttempt",
    "Message",
    "MessageQuerySet",
    "ParkedUpdate",
    "PortfolioUse",
    "Reaction",
    "SendFence",
]
