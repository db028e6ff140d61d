"""How long each class of data is kept, and how it goes: in small batches with a transaction each, by one worker at a
time. What is interrupted goes on the next time.

Features register the rules of their tables at start; RETENTION_DAYS says otherwise, by a rule's key. Who is under a
legal hold is left out where a rule knows whose the rows are.
"""

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min, QuerySet
from django.utils.text import capfirst, slugify
from django.utils.translation import gettext as _

from crm.foundation import clock
from crm.privacy import holds

FIRST_BATCH, LEAST, MOST = 50, 10, 500
BATCH_SECONDS = 0.02
LOCK = 0x76656E74  # an advisory lock of PostgreSQL that only this module takes


@dataclass(frozen=True)
class Rule:
    """Rows of one kind that are older than their limit. `in_order`: their ids are as old as they are. `contact`: the
    lookup of whose they are, for legal holds. `kept` None: for ever, unless RETENTION_DAYS names the rule.
    """

    name: str  # marked for translation
    rows: Callable[[], QuerySet[Any]]
    time: str
    kept: dt.timedelta | None
    clock: Callable[[], dt.datetime] = clock.real
    in_order: bool = False
    contact: str = ""

    @property
    def key(self) -> str:
        """What settings call it."""
        return slugify(self.name)

    @property
    def label(self) -> str:
        """What readers call it."""
        return str(capfirst(_(self.name)))

    @property
    def limit(self) -> dt.timedelta | None:
        """How long, as set; None for ever."""
        days = settings.RETENTION_DAYS.get(self.key)
        return self.kept if days is None else dt.timedelta(days=days) if days else None

    def old(self) -> QuerySet[Any]:
        """Those past the limit that nothing holds."""
        limit = self.limit
        if limit is None:
            return self.rows().none()
        return self._free().filter(**{f"{self.time}__lt": self.clock() - limit})

    def overdue(self) -> tuple[int, dt.datetime | None]:
        """How many there are, and the time of the oldest."""
        return self.old().count(), self.old().aggregate(oldest=Min(self.time))["oldest"]

    def delete(self, limit: int) -> int:
        """Delete at most `limit` of them; returns how many went."""
        if self.limit is None:
            return 0
        if self.in_order:
            head = self._free().order_by("pk").values_list("pk", self.time)[:limit]
            since = self.clock() - self.limit
            chosen = [pk for pk, at in head if at < since]
        else:
            chosen = list(self.old().order_by(self.time).values_list("pk", flat=True)[:limit])
        if chosen:
            with transaction.atomic():
                self.take(self.rows().filter(pk__in=chosen))
        return len(chosen)

    def _free(self) -> QuerySet[Any]:
        """Those that no legal hold keeps."""
        return self.rows().exclude(**{f"{self.contact}__in": holds.held()}) if self.contact else self.rows()

    def take(self, rows: QuerySet[Any]) -> None:
        """How they go."""
        rows.delete()


_rules: list[Rule] = []


def register(*rules: Rule) -> None:
    """Add rules; called once at start by the feature that knows the tables."""
    _rules.extend(rules)


def schedule() -> tuple[Rule, ...]:
    """All of them."""
    return tuple(_rules)


def clean(seconds: float | None = None, tell: Callable[[Rule, int], None] | None = None) -> bool | None:
    """Delete what is past its limit, for at most about `seconds` (None: all of it); `tell` hears of each batch.

    True if there may be more, None if another process is at it.
    """
    until = time.monotonic() + seconds if seconds is not None else float("inf")
    with _alone() as alone:
        if not alone:
            return None
        for rule in _rules:
            if _clean(rule, until, tell):
                return True
    return False


def _clean(rule: Rule, until: float, tell: Callable[[Rule, int], None] | None) -> bool:
    """One rule; the size of its batches follows the time they take."""
    size = FIRST_BATCH
    while time.monotonic() < until:
        start = time.monotonic()
        gone = rule.delete(size)
        if tell is not None and gone:
            tell(rule, gone)
        if gone < size:
            return False
        slow = time.monotonic() - start > BATCH_SECONDS
        size = max(size // 2, LEAST) if slow else min(size * 2, MOST)
    return True


@contextlib.contextmanager
def _alone() -> Iterator[bool]:
    """Whether no other process cleans just now; SQLite's writers queue anyway."""
    if connection.vendor != "postgresql":
        yield True
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
