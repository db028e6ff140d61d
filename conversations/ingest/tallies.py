"""What the webhook address has seen lately, counted in memory and written every few seconds: refused signatures,
handshakes, the last webhook of each account. However many come, a process writes once in WRITE_SECONDS.
"""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import F

from conversations.inboxes.models import WhatsAppAccount
from conversations.ingest.connections import leave_pool
from conversations.ingest.models import RefusedWebhooks
from crm.foundation import clock

log = structlog.get_logger(__name__)

WRITE_SECONDS = 10.0
STOP_SECONDS = 3.0


@dataclass
class Counts:
    """What has been seen since the last writing; times by day (UTC) and by account."""

    refused: Counter[dt.date] = field(default_factory=Counter)
    refused_at: dict[dt.date, dt.datetime] = field(default_factory=dict)
    verified_at: dict[int, dt.datetime] = field(default_factory=dict)
    heard_at: dict[int, dt.datetime] = field(default_factory=dict)
    refused_of: dict[int, dt.datetime] = field(default_factory=dict)


class Tallies:
    """Lives on the server's event loop; its rows are written by a thread of its own."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer = ThreadPoolExecutor(1, "webhook-tallies", initializer=leave_pool)

    def note_refused(self, accounts: Iterable[int] = ()) -> None:
        """A webhook whose signature none of our secrets made; it names these accounts."""
        now = clock.real()
        self._counts.refused[now.date()] += 1
        self._counts.refused_at[now.date()] = now
        self._counts.refused_of |= dict.fromkeys(accounts, now)
        self._write_soon()

    def note_verified(self, accounts: Iterable[int]) -> None:
        """Meta's handshake with these accounts' verify token was answered."""
        self._counts.verified_at |= dict.fromkeys(accounts, clock.real())
        self._write_soon()

    def note_event(self, accounts: Iterable[int]) -> None:
        """A webhook signed for these accounts was stored."""
        self._counts.heard_at |= dict.fromkeys(accounts, clock.real())
        self._write_soon()

    def write(self) -> None:
        """Write what has been counted now; blocking. Raises the database's errors, and then it is counted on."""
        counts, self._counts = self._counts, Counts()
        try:
            _store(counts)
        except (DatabaseError, InterfaceError):
            self._take_back(counts)
            raise

    def stop(self) -> None:
        """The process ends: write what has been counted, for at most STOP_SECONDS; raises nothing of the database's."""
        if self._counts == Counts():
            return
        try:
            self._writer.submit(self._write_last).result(STOP_SECONDS)
        except (DatabaseError, InterfaceError, TimeoutError) as error:
            log.warning("tallies not written", error=type(error).__name__)

    def _write_last(self) -> None:
        try:
            self.write()
        finally:
            connection.close()

    def _write_soon(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is None or self._loop is not loop:
            self._loop, self._timer = loop, loop.call_later(WRITE_SECONDS, self._hand_over)

    def _hand_over(self) -> None:
        self._timer = None
        counts, self._counts = self._counts, Counts()
        self._writer.submit(self._write, counts, asyncio.get_running_loop())

    def _write(self, counts: Counts, loop: asyncio.AbstractEventLoop) -> None:
        try:
            _store(counts)
        except (DatabaseError, InterfaceError) as error:
            log.warning("tallies not written", error=type(error).__name__)
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._try_again, counts)
        finally:
            connection.close()

    def _try_again(self, counts: Counts) -> None:
        self._take_back(counts)
        self._write_soon()

    def _take_back(self, old: Counts) -> None:
        now = self._counts
        now.refused.update(old.refused)
        now.refused_at = old.refused_at | now.refused_at
        now.verified_at = old.verified_at | now.verified_at
        now.heard_at = old.heard_at | now.heard_at
        now.refused_of = old.refused_of | now.refused_of


@transaction.atomic
def _store(counts: Counts) -> None:
    for day, count in sorted(counts.refused.items()):
        found = RefusedWebhooks.objects.filter(day=day)
        values = {"count": F("count") + count, "last_at": counts.refused_at[day]}
        if not found.update(**values):
            _row, is_new = found.get_or_create(day=day, defaults=values | {"count": count})
            if not is_new:  # another process was first
                found.update(**values)
    of_accounts = {
        "webhook_verified_at": counts.verified_at, "last_event_at": counts.heard_at, "refused_at": counts.refused_of,
    }  # fmt: skip
    for name, times in of_accounts.items():
        for pk, at in sorted(times.items()):
            WhatsAppAccount.objects.filter(pk=pk).update(**{name: at})


tallies = Tallies()
