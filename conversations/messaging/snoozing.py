"""Snoozing: put aside until a moment or until the person writes; the drain that brings back what is due."""

import datetime as dt

from django.utils.translation import gettext as _

from conversations.live import publish
from conversations.messaging import events, threads
from conversations.messaging.models import Conversation
from crm.foundation import clock
from crm.foundation.errors import Refusal
from crm.foundation.retrying import in_transaction
from crm.staff.models import User

LONGEST = dt.timedelta(days=366)
BATCH = 50


class NotSnoozable(Refusal):
    """The chosen moment is over, or too far away."""

    code = "not_snoozable"
    http_status = 400


@in_transaction
def snooze(
    conversation: Conversation, *, by: User, until: dt.datetime | None, version: int | None = None
) -> Conversation:
    """Put aside until `until`, or until the person writes (None; they end any snooze). Raises NotSnoozable, Conflict
    if `version` is stale.
    """
    check_moment(until)
    row = threads.current(conversation, version)
    if row.status == Conversation.Status.SNOOZED and row.snoozed_until == until:
        return row
    row.status, row.snoozed_until = Conversation.Status.SNOOZED, until
    row.version += 1
    row.save(update_fields=["status", "snoozed_until", "version"])
    events.record(row, "snoozed", by=by, what=["status", "snooze"], until=until.isoformat() if until else "")
    return row


def check_moment(until: dt.datetime | None) -> None:
    """Raises NotSnoozable for a moment that is over or more than a year away."""
    now = clock.now()
    if until is not None and until <= now:
        raise NotSnoozable(_("This moment is already over. Choose a later one."))
    if until is not None and until > now + LONGEST:
        raise NotSnoozable(_("You can snooze for a year at most. Choose an earlier moment."))


def drain() -> bool:
    """Bring back what is due, a batch at a time."""
    due = Conversation.objects.filter(status=Conversation.Status.SNOOZED, snoozed_until__lte=clock.now())
    keys = list(due.order_by("snoozed_until", "pk").values_list("pk", flat=True)[:BATCH])
    if keys:
        _wake(keys)
    return len(keys) == BATCH


@in_transaction
def _wake(keys: list[int]) -> None:
    """Those that are still due, each once, also with several workers."""
    due = threads.locked().select_for_update(of=("self",), no_key=True, skip_locked=True)
    due = due.filter(pk__in=keys, status=Conversation.Status.SNOOZED, snoozed_until__lte=clock.now())
    with publish.together():
        for row in due.order_by("pk"):
            row.status, row.snoozed_until = Conversation.Status.OPEN, None
            row.version += 1
            row.save(update_fields=["status", "snoozed_until", "version"])
            events.record(row, "woken", what=["status", "snooze", "woken"], why="time")
