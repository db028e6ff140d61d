"""Who has the inbox open, for reports: each process notes its own people every half minute."""

import datetime as dt
from collections.abc import Iterable

from conversations.live.models import Seat
from crm.foundation import clock

NOTE_EVERY = 30  # seconds
GONE_AFTER = dt.timedelta(seconds=75)


def note(user_ids: Iterable[int]) -> None:
    """These people are here now; one statement. Raises IntegrityError if one has just been deleted."""
    now = clock.real()
    rows = [Seat(user_id=pk, seen_at=now) for pk in sorted(set(user_ids))]
    Seat.objects.bulk_create(rows, update_conflicts=True, unique_fields=["user"], update_fields=["seen_at"])


def present() -> set[int]:
    """The keys of the users who are here."""
    return set(Seat.objects.filter(seen_at__gt=clock.real() - GONE_AFTER).values_list("user_id", flat=True))
