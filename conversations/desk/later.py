"""What the composer begins with: drafts, messages to be sent later with their reasons, and what this machine can do."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from conversations.desk import drafts, kinds
from conversations.messaging import schedule, sound
from conversations.messaging.models import Conversation, ScheduledMessage
from crm.staff.models import User

REASONS = {
    "window_closed": gettext_lazy("The 24-hour window had closed. Send an approved template, or wait for an answer."),
    "read_only": gettext_lazy("This conversation can only be read."),
    "reply_to": gettext_lazy("The quoted message is gone."),
    "media_type": gettext_lazy("The file is gone. Attach it again."),
    schedule.AUTHOR_GONE: gettext_lazy("Its author can no longer write in this conversation."),
    schedule.TOO_LATE: gettext_lazy("The installation was off at that time, and it is too late now."),
}


@dataclass(frozen=True)
class Planned:
    """A message to be sent later, for the page."""

    pk: int
    text: str
    preview: str
    send_at: dt.datetime
    local: str
    unless_answered: bool
    is_refused: bool
    reason: str
    author: str


def composing(user: User, conversation: Conversation) -> dict[str, Any]:
    """The context of `_composer.html` beside the strip: one query, two more where messages wait to be sent later."""
    begun = drafts.written(user, conversation)
    return {
        "drafts": begun.drafts,
        "planned": planned(conversation) if begun.has_scheduled else [],
        "can_record": sound.is_available(),
        "undo_seconds": settings.UNDO_SEND_SECONDS,
    }


def planned(conversation: Conversation) -> list[Planned]:
    """What waits to be sent, and what was refused and nobody has put away; soonest first."""
    rows = ScheduledMessage.objects.filter(conversation=conversation, state__in=schedule.OPEN)
    found = rows.select_related("author").prefetch_related("attachments").order_by("send_at", "pk")
    return [_planned(row) for row in found[: schedule.MOST]]


def sentence(reason: str) -> str:
    """Why a message was not sent when its time had come."""
    return str(REASONS.get(reason, _("It could not be sent.")))


def _planned(row: ScheduledMessage) -> Planned:
    files = [kinds.preview(file.kind, file.filename) for file in row.attachments.all()]
    return Planned(
        pk=row.pk,
        text=row.text,
        preview=" · ".join(filter(None, [*files, row.text[:200]])),
        send_at=row.send_at,
        local=timezone.localtime(row.send_at).strftime("%Y-%m-%dT%H:%M"),
        unless_answered=row.unless_answered,
        is_refused=row.state == ScheduledMessage.State.REFUSED,
        reason=sentence(row.reason) if row.reason else "",
        author=row.author.name if row.author else "",
    )
