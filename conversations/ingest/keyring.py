"""The active app secrets and verify tokens, read from the database at most every five seconds."""

import hmac
import threading
import time
from collections import defaultdict

from django.db import close_old_connections

from conversations.graphapi import signature
from conversations.inboxes.models import AppSecret, WhatsAppAccount

FRESH_SECONDS = 5.0


class KeyRing:
    """Secrets to the accounts they sign for; without any secret nothing is ever valid."""

    def __init__(self) -> None:
        self._accounts: dict[str, list[int]] = {}
        self._verify_tokens: list[str] = []
        self._read_at = float("-inf")
        self._lock = threading.Lock()

    @property
    def is_fresh(self) -> bool:
        """Whether the last reading is young enough to use without asking the database."""
        return time.monotonic() - self._read_at < FRESH_SECONDS

    def refresh(self) -> None:
        """Read secrets and tokens, if they are not fresh; blocking, call in a thread. Raises the database's errors."""
        with self._lock:
            if self.is_fresh:
                return
            close_old_connections()
            accounts: dict[str, list[int]] = defaultdict(list)
            for row in AppSecret.objects.filter(is_active=True).order_by("pk"):
                if row.secret.strip():
                    accounts[row.secret].append(row.account_id)
            self._verify_tokens = [account.verify_token for account in WhatsAppAccount.objects.all()]
            self._accounts = dict(accounts)
            self._read_at = time.monotonic()
            close_old_connections()

    def forget(self) -> None:
        """Read again at the next chance (tests, commands)."""
        self._read_at = float("-inf")

    def signers(self, header: bytes, body: bytes) -> list[int]:
        """The accounts whose secret signed the body; [] means refuse."""
        found: set[int] = set()
        for secret in signature.matching(header, body, self._accounts):
            found.update(self._accounts[secret])
        return sorted(found)

    def knows_verify_token(self, token: str) -> bool:
        """Whether an account's verify token is this one, compared in constant time."""
        given = token.encode("utf-8", "replace")
        matches = [hmac.compare_digest(given, known.encode()) for known in self._verify_tokens if known]
        return any(matches)


key_ring = KeyRing()
