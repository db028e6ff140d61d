"""Drafts: what an agent has begun to write, kept for their other devices. The newer one wins."""

import datetime as dt
from dataclasses import dataclass

from django.db.models import DateTimeField, F, Value

from conversations.desk.models import Draft
from conversations.messaging import schedule
from conversations.messaging.models import Conversation, ScheduledMessage
from crm.foundation import clock
from crm.foundation.retrying import in_transaction
from crm.foundation.text import clean_text
from crm.staff.models import User

LONGEST = 10_000


@dataclass(frozen=True)
class Written:
    """An agent's drafts in a conversation by mode, and whether messages are planned to be sent later there."""

    drafts: dict[str, tuple[str, int]]  # text and its time, in milliseconds; ("", 0) where nothing is begun
    has_scheduled: bool


def written(user: User, conversation: Conversation) -> Written:
    """What a composer begins with; one query."""
    drafts = Draft.objects.filter(user=user, conversation=conversation).annotate(kind=F("mode"))
    planned = ScheduledMessage.objects.filter(conversation=conversation, state__in=schedule.OPEN)
    alike = planned.annotate(kind=Value("later"), words=Value(""), at=Value(clock.now(), DateTimeField()))
    known = drafts.values_list("kind", "text", "updated_at").order_by()
    rows = list(known.union(alike.values_list("kind", "words", "at").order_by()))
    found = {kind: (text, int(at.timestamp() * 1000)) for kind, text, at in rows if kind != "later"}
    return Written({mode: found.get(mode, ("", 0)) for mode in Draft.Mode.values}, has_scheduled=len(found) < len(rows))


@in_transaction
def save(user: User, conversation: Conversation, mode: str, text: str, written_at: dt.datetime) -> bool:
    """Keep a draft unless a newer one is known; an emptied one stays as such, so that no device brings the old text
    back. Returns whether it was kept.
    """
    text = clean_text(text, LONGEST)
    at = min(written_at, clock.now())
    mine = Draft.objects.filter(user=user, conversation=conversation, mode=mode)
    if mine.filter(updated_at__lte=at).update(text=text, updated_at=at):
        return True
    if not text or mine.exists():
        return False
    _draft, made = Draft.objects.get_or_create(
        user=user, conversation=conversation, mode=mode, defaults={"text": text, "updated_at": at}
    )
    return made
