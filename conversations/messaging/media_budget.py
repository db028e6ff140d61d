"""How many calls for files may fail: Meta blocks a number for half an hour after 20 failed ones within an hour.

A row stands for a call that is on its way or has failed; success deletes it. So whatever happens to the process that
makes it, a call counts until it is known to have gone well.
"""

import datetime as dt

from django.db.models import Count, QuerySet

from conversations.inboxes.models import Inbox
from conversations.messaging.models import MediaAttempt
from crm.foundation import clock

WINDOW = dt.timedelta(hours=1)
MOST_FAILING = 15
# Files that failed before leave the rest to new ones: those an agent is waiting for.
MOST_OF_RETRIES = 10
KEPT = dt.timedelta(days=1)


def used_up() -> tuple[list[int], list[int]]:
    """The inboxes (ids) that may fetch nothing now, and those that may fetch only what never failed."""
    counts = dict(_counting().values_list("inbox").annotate(calls=Count("pk")))
    wholly = [pk for pk, calls in counts.items() if calls >= MOST_FAILING]
    return wholly, [pk for pk, calls in counts.items() if calls >= MOST_OF_RETRIES]


def admit(inbox_id: int, *, is_retry: bool) -> int | None:
    """The id of a new call's row, or None if the budget does not allow it; call inside a transaction."""
    list(Inbox.objects.select_for_update(no_key=True).filter(pk=inbox_id).values_list("pk"))
    if _counting().filter(inbox=inbox_id).count() >= (MOST_OF_RETRIES if is_retry else MOST_FAILING):
        return None
    return MediaAttempt.objects.create(inbox_id=inbox_id).pk


def settle(pk: int, *, failed: bool) -> None:
    """How the call went; a failed one counts for an hour from now."""
    row = MediaAttempt.objects.filter(pk=pk)
    if failed:
        row.update(started_at=clock.real())
    else:
        row.delete()


def _counting() -> QuerySet[MediaAttempt]:
    return MediaAttempt.objects.filter(started_at__gt=clock.real() - WINDOW)
