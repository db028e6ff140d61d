"""The access log: which of the staff looked at whom, took a copy or listed many (GDPR article 32)."""

import datetime as dt
from collections.abc import Iterator

from django.db.models import F, QuerySet

from crm.contacts.models import Contact
from crm.exchange.cells import safe
from crm.foundation import clock
from crm.privacy.models import AccessLogEntry
from crm.staff.models import User

What = AccessLogEntry.What
TOGETHER = dt.timedelta(hours=1)
COUNTED_EACH = dt.timedelta(minutes=1)
MOST_REMEMBERED = 10_000

_noted: dict[tuple[int, int, str], dt.datetime] = {}


def note(user: User, contact: Contact | int | None, what: str, *, detail: str = "", count: int = 1) -> None:
    """Somebody looked. Looks of one at another within the hour are one row, in which each minute counts once; each
    copy and each export has its own.
    """
    pk = contact.pk if isinstance(contact, Contact) else contact
    now = clock.now()
    if pk is not None and what not in (What.COPY, What.EXPORT):
        if _is_noted((user.pk, pk, what), now):
            return
        same = AccessLogEntry.objects.filter(contact=pk, user=user, what=what, at__gt=now - TOGETHER, at__lte=now)
        if same.update(count=F("count") + count):
            return
    AccessLogEntry.objects.create(user=user, contact_id=pk, what=What(what), detail=detail[:200], count=count, at=now)


def _is_noted(look: tuple[int, int, str], now: dt.datetime) -> bool:
    """Whether this process has written it within the minute: a page that is fetched again costs no query."""
    known = _noted.get(look)
    if known is not None and dt.timedelta() <= now - known < COUNTED_EACH:
        return True
    if len(_noted) >= MOST_REMEMBERED:
        _noted.clear()
    _noted[look] = now
    return False


def period(first: str, last: str) -> tuple[dt.datetime, dt.datetime]:
    """Two days as texts (YYYY-MM-DD), both included; without them, or where they are none, the last thirty days."""
    today = clock.now().date()
    since = _day(first) or today - dt.timedelta(days=29)
    until = max(_day(last) or today, since)
    midnight = dt.time(tzinfo=dt.UTC)
    return dt.datetime.combine(since, midnight), dt.datetime.combine(until + dt.timedelta(days=1), midnight)


def _day(text: str) -> dt.date | None:
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year < 9999 else None


def of_period(since: dt.datetime, until: dt.datetime) -> QuerySet[AccessLogEntry]:
    """Who saw what between two moments, oldest first: what a breach report needs (GDPR article 33)."""
    rows = AccessLogEntry.objects.filter(at__gte=since, at__lt=until).select_related("user", "contact")
    return rows.order_by("at", "pk")


def lines(rows: QuerySet[AccessLogEntry]) -> Iterator[list[str]]:
    """As a table, its head first."""
    yield ["when", "user", "what", "contact", "times", "detail"]
    for row in rows.iterator(chunk_size=500):
        user = row.user.email if row.user else ""
        cells = [row.at.isoformat(), user, row.what, str(row.contact_id or ""), str(row.count), row.detail]
        yield [safe(cell) for cell in cells]
