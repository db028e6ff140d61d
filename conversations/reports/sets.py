"""Sets of conversations and messages that have a name: what a card counts, and the list it leads to filters by."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext_lazy

from conversations.messaging.conversation_models import CLOSING
from conversations.messaging.models import Conversation, Message
from crm.foundation import clock

PARAMETER = "set"


@dataclass(frozen=True)
class NamedSet:
    """Rows by a condition; `is_of_period`: those of the chosen days."""

    title: Any
    condition: Callable[[], Q]
    is_of_period: bool = False


OPEN = Q(status=Conversation.Status.OPEN)
CONVERSATIONS: dict[str, NamedSet] = {
    "open": NamedSet(gettext_lazy("Open conversations"), lambda: OPEN),
    "overdue": NamedSet(gettext_lazy("Waiting too long"), lambda: OPEN & Q(waiting_since__lt=clock.now() - goal())),
    "waiting": NamedSet(gettext_lazy("Waiting for an answer"), lambda: OPEN & Q(waiting_since__isnull=False)),
    "unassigned": NamedSet(gettext_lazy("Of nobody"), lambda: OPEN & Q(assignee=None)),
    "closing": NamedSet(gettext_lazy("Window closing in 2 h"), lambda: OPEN & _closing()),
}
MESSAGES: dict[str, NamedSet] = {
    "leaving": NamedSet(
        gettext_lazy("On their way out"),
        lambda: Q(status__in=[Message.Status.QUEUED, Message.Status.CLAIMED, Message.Status.SENDING]),
    ),
    "unknown": NamedSet(gettext_lazy("Not confirmed"), lambda: Q(status=Message.Status.UNKNOWN)),
    "failed": NamedSet(gettext_lazy("Failed messages"), lambda: Q(status=Message.Status.FAILED), is_of_period=True),
    "answers": NamedSet(
        gettext_lazy("Answers to who waited"), lambda: Q(answered_after__isnull=False), is_of_period=True
    ),
    "charged": NamedSet(
        gettext_lazy("Charged by Meta"), lambda: Q(direction="out", pricing__billable=True), is_of_period=True
    ),
    "in": NamedSet(gettext_lazy("From customers"), lambda: Q(direction=Message.Direction.INBOUND), is_of_period=True),
    "out": NamedSet(gettext_lazy("To customers"), lambda: Q(direction=Message.Direction.OUTBOUND), is_of_period=True),
    "notes": NamedSet(gettext_lazy("Private notes"), lambda: Q(direction=Message.Direction.NOTE), is_of_period=True),
}


def goal() -> dt.timedelta:
    """How long a customer may wait (ANSWER_WITHIN_MINUTES)."""
    return dt.timedelta(minutes=settings.ANSWER_WITHIN_MINUTES)


def _closing() -> Q:
    now = clock.now()
    return Q(window_expires_at__gt=now, window_expires_at__lte=now + CLOSING)
