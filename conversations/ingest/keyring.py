"""What the door knows by heart, read every few seconds: app secrets, verify tokens, ids of accounts and numbers."""

import asyncio
import hmac
import re
import time
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor

from django.db import connection

from conversations.graphapi import signature
from conversations.inboxes.models import AppSecret, Inbox, WhatsAppAccount
from conversations.ingest.connections import leave_pool

# Read anew in the background when half as old as it may become; older than that it is not used: a secret taken away
# stops working, whatever the database does.
DUE_SECONDS, FRESH_SECONDS = 2.5, 5.0
# After a reading that failed nobody waits for another one.
PAUSE_SECONDS = 1.0
# Meta names account and number in a body's first few hundred bytes.
_HEAD = 2048
_ID = re.compile(rb'"(?:id|phone_number_id)"\s*:\s*"([0-9A-Za-z_-]{1,64})"')


class KeyRingUnavailable(Exception):
    """The secrets are too old and could not be read in time."""


class KeyRing:
    """Secrets to the accounts they sign for; without any secret nothing is ever valid."""

    def __init__(self) -> None:
        self._accounts: dict[str, list[int]] = {}
        self._verify_tokens: dict[int, str] = {}
        self._ids: dict[bytes, int] = {}
        self._read_at = self._failed_at = float("-inf")
        # One thread, one reading at a time: requests that need it share it, and none piles up behind it.
        self._reader = ThreadPoolExecutor(1, "webhook-keys", initializer=leave_pool)
        self._reading: Future[None] | None = None

    @property
    def is_due(self) -> bool:
        """Whether `ensure_fresh` has something to do."""
        return time.monotonic() - self._read_at >= DUE_SECONDS

    async def ensure_fresh(self, seconds: float) -> None:
        """Start a reading where one is due. Return at once while the ring is young enough to use; else
        when it has been read, or raise KeyRingUnavailable after at most `seconds`.
        """
        is_usable = time.monotonic() - self._read_at < FRESH_SECONDS
        is_reading = self._reading is not None and not self._reading.done()
        if self.is_due and not is_reading and time.monotonic() - self._failed_at >= PAUSE_SECONDS:
            self._reading = self._reader.submit(self._read)
        if is_usable:
            return
        if self._reading is not None and not self._reading.done():
            await asyncio.wait({asyncio.wrap_future(self._reading)}, timeout=seconds)
        if time.monotonic() - self._read_at >= FRESH_SECONDS:
            raise KeyRingUnavailable

    def refresh(self) -> None:
        """Read secrets and tokens; blocking. Raises the database's errors."""
        accounts: dict[str, list[int]] = defaultdict(list)
        started = time.monotonic()
        for row in AppSecret.objects.filter(is_active=True).order_by("pk"):
            if row.secret.strip():
                accounts[row.secret].append(row.account_id)
        rows = list(WhatsAppAccount.objects.all())
        self._verify_tokens = {account.pk: account.verify_token for account in rows}
        numbers = Inbox.objects.values_list("phone_number_id", "account_id")
        self._ids = {phone.encode(): pk for phone, pk in numbers} | {row.waba_id.encode(): row.pk for row in rows}
        self._accounts = dict(accounts)
        self._read_at = started

    def forget(self) -> None:
        """Read again at the next chance (tests, commands)."""
        self._read_at = self._failed_at = float("-inf")

    def signers(self, header: bytes, body: bytes) -> list[int]:
        """The accounts whose secret signed the body; [] means refuse."""
        matching = signature.matching(header, body, self._accounts)
        if len(matching) == 1:
            return self._accounts[matching[0]]
        return sorted({pk for secret in matching for pk in self._accounts[secret]})

    def named_in(self, body: bytes) -> set[int]:
        """The accounts that the head of a body nobody vouches for names, unparsed, by their ids or their numbers'."""
        return {self._ids[name] for name in _ID.findall(body, 0, _HEAD) if name in self._ids}

    def verified_by(self, token: str) -> list[int]:
        """The accounts whose verify token is this one, compared in constant time; [] means refuse."""
        given = token.encode("utf-8", "replace")
        known = [(pk, hmac.compare_digest(given, own.encode())) for pk, own in self._verify_tokens.items() if own]
        return [pk for pk, is_same in known if is_same]

    def _read(self) -> None:
        try:
            self.refresh()
        except Exception:
            self._failed_at = time.monotonic()
            raise
        finally:
            connection.close()


key_ring = KeyRing()
