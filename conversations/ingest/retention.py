"""How long what is not business data is kept, and how it goes: in small batches with a transaction each, by one worker
at a time. What is interrupted goes on the next time.
"""

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import Min, QuerySet

from conversations.ingest.models import RefusedWebhooks, WebhookEvent
from conversations.live import replay
from conversations.live.models import LiveHint
from conversations.messaging import media, media_budget
from conversations.messaging.models import Attachment, MediaAttempt, ParkedUpdate, PortfolioUse
from crm.audit import keeping
from crm.foundation import clock
from crm.staff import idempotency, sessions
from crm.staff.models import StoredAnswer
from crm.staff.signin_models import StaffSession, Tries

EVENTS_KEPT = dt.timedelta(days=7)
QUARANTINE_KEPT = dt.timedelta(days=90)
PARKED_KEPT = dt.timedelta(days=30)
PORTFOLIO_KEPT = dt.timedelta(days=2)
REFUSED_KEPT = dt.timedelta(days=90)
FIRST_BATCH, LEAST, MOST = 50, 10, 500
BATCH_SECONDS = 0.02
LOCK = 0x76656E74  # an advisory lock of PostgreSQL that only this module takes


@dataclass(frozen=True)
class Rule:
    """Rows of one kind that are older than their limit. `in_order`: their ids are as old as they are."""

    name: str
    rows: Callable[[], QuerySet[Any]]
    time: str
    kept: dt.timedelta
    clock: Callable[[], dt.datetime] = clock.real
    in_order: bool = False

    def old(self) -> QuerySet[Any]:
        """Those past the limit."""
        return self.rows().filter(**{f"{self.time}__lt": self.clock() - self.kept})

    def overdue(self) -> tuple[int, dt.datetime | None]:
        """How many there are, and the time of the oldest."""
        return self.old().count(), self.old().aggregate(oldest=Min(self.time))["oldest"]

    def delete(self, limit: int) -> int:
        """Delete at most `limit` of them; returns how many went."""
        if self.in_order:
            head = self.rows().order_by("pk").values_list("pk", self.time)[:limit]
            since = self.clock() - self.kept
            chosen = [pk for pk, at in head if at < since]
        else:
            chosen = list(self.old().order_by(self.time).values_list("pk", flat=True)[:limit])
        if chosen:
            with transaction.atomic():
                self.rows().filter(pk__in=chosen).delete()
        return len(chosen)


class Uploads(Rule):
    """Uploads nobody sent go with their files."""

    def delete(self, limit: int) -> int:
        """Delete at most `limit` of them; returns how many went."""
        return media.delete_unsent(limit)


class Recorded(Rule):
    """The audit log opens to nobody else but erasure."""

    def delete(self, limit: int) -> int:
        """Delete at most `limit` of them; returns how many went."""
        with keeping.opened():
            return super().delete(limit)


RULES = (
    Rule(
        "raw webhooks",
        lambda: WebhookEvent.objects.filter(state=WebhookEvent.State.PROCESSED).only("pk"),
        "processed_at",
        EVENTS_KEPT,
    ),
    Rule(
        "quarantined webhooks",
        lambda: WebhookEvent.objects.filter(state=WebhookEvent.State.QUARANTINED).only("pk"),
        "processed_at",
        QUARANTINE_KEPT,
    ),
    Rule("parked updates", ParkedUpdate.objects.all, "created_at", PARKED_KEPT, clock.now, in_order=True),
    Rule("live hints", LiveHint.objects.all, "created_at", replay.RETENTION, in_order=True),
    Uploads(
        "uploads not sent",
        lambda: Attachment.objects.filter(message=None),
        "created_at",
        media.UNSENT_UPLOADS,
        clock.now,
    ),
    Rule("failed calls for files", MediaAttempt.objects.all, "started_at", media_budget.KEPT),
    Rule("people written to", PortfolioUse.objects.all, "used_at", PORTFOLIO_KEPT),
    Rule("counts of refused webhooks", RefusedWebhooks.objects.all, "last_at", REFUSED_KEPT),
    Rule("answers kept for repeated requests", StoredAnswer.objects.all, "created_at", idempotency.KEPT, in_order=True),
    Recorded("audit log", keeping.entries, "at", keeping.KEPT, in_order=True),
    Rule("ended sessions", Session.objects.all, "expire_date", dt.timedelta()),
    Rule("notes of ended sessions", StaffSession.objects.all, "last_seen_at", sessions.kept()),
    Rule("tries to sign in", Tries.objects.all, "ends_at", dt.timedelta()),
)


def clean(seconds: float | None = None, tell: Callable[[Rule, int], None] | None = None) -> bool | None:
    """Delete what is past its limit, for at most about `seconds` (None: all of it); `tell` hears of each batch.

    True if there may be more, None if another process is at it.
    """
    until = time.monotonic() + seconds if seconds is not None else float("inf")
    with _alone() as alone:
        if not alone:
            return None
        for rule in RULES:
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
