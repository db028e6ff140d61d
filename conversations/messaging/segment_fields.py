"""The fields of segments' rules that conversations bring."""

from collections.abc import Callable
from typing import Any

from django.db.models import Exists, Q
from django.utils.translation import gettext_lazy

from conversations.inboxes.models import Inbox
from conversations.messaging.models import Conversation, ConversationTag
from crm.foundation import clock
from crm.segments.contact_fields import tags
from crm.segments.counting import register_split
from crm.segments.fields import CONTACT, Choices, Field, Type, register, related, there_is, yes_no
from crm.staff.models import User

GROUP = gettext_lazy("Conversations")


def _has(**conditions: Any) -> Callable[[], Q]:
    return there_is(Conversation, **conditions)


def _window_open() -> Q:
    return Q(Exists(Conversation.objects.filter(contact=CONTACT, window_expires_at__gt=clock.now())))


def _inboxes() -> Choices:
    return dict(Inbox.objects.order_by("name", "pk").values_list("pk", "name"))


def _staff() -> Choices:
    return dict(User.objects.order_by("name", "pk").values_list("pk", "name"))


def _statuses() -> Choices:
    return {value: str(label) for value, label in Conversation.Status.choices}


def _channels() -> Choices:
    return {"whatsapp": "WhatsApp"}


def add() -> None:
    """Register them; once, at start."""
    register(
        Field(
            "conversation.open", gettext_lazy("Has an open conversation"), GROUP, Type.YES_NO,
            yes_no(_has(status=Conversation.Status.OPEN)),
        ),
        Field(
            "conversation.waiting", gettext_lazy("Waits for an answer"), GROUP, Type.YES_NO,
            yes_no(_has(status=Conversation.Status.OPEN, waiting_since__isnull=False)),
        ),
        Field(
            "conversation.window", gettext_lazy("Reply window open"), GROUP, Type.YES_NO, yes_no(_window_open)
        ),
        Field(
            "conversation.status", gettext_lazy("Status of a conversation"), GROUP, Type.SET,
            related(Conversation, "status"), _has(), _statuses,
        ),
        Field(
            "conversation.inbox", gettext_lazy("Wrote to the number"), GROUP, Type.SET,
            related(Conversation, "inbox"), _has(), _inboxes,
        ),
        Field(
            "conversation.channel", gettext_lazy("Channel"), GROUP, Type.SET,
            related(Conversation, "identity__channel"), _has(), _channels,
        ),
        Field(
            "conversation.assignee", gettext_lazy("Conversation assigned to"), GROUP, Type.SET,
            related(Conversation, "assignee"), _has(assignee__isnull=False), _staff,
        ),
        Field(
            "conversation.tags", gettext_lazy("Tags of conversations"), GROUP, Type.SET,
            related(ConversationTag, "tag", "conversation__contact"),
            there_is(ConversationTag, "conversation__contact"), tags,
        ),
        Field(
            "conversation.activity", gettext_lazy("Last activity"), GROUP, Type.MOMENT,
            related(Conversation, "last_activity_at"), _has(),
        ),
    )  # fmt: skip
    register_split("window_open", gettext_lazy("Reply window open"), _window_open)
