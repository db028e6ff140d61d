"""Counting how often somebody comes: per minute or longer, for all processes together where they share a Redis."""

import time

import structlog
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache

from crm.foundation import clock

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60
_ALONE_SECONDS = 5.0
_shared_again_at = 0.0


def wait_for(key: str, limit: int, seconds: int = WINDOW_SECONDS) -> int:
    """Count one more of `key`; the seconds to wait if these were more than `limit` in a window of so many seconds, else
    0 (limit 0: none).
    """
    if limit <= 0:
        return 0
    now = int(clock.real().timestamp())
    return seconds - now % seconds if _count(f"{key}:{now // seconds}", seconds) > limit else 0


def _count(key: str, seconds: int) -> int:
    """In the shared counters; without them, for a few seconds, in this process's own: limits grow, nobody waits."""
    global _shared_again_at
    if time.monotonic() >= _shared_again_at:
        try:
            return _add(caches["counters"], key, seconds)
        except Exception as error:  # noqa: BLE001 (Redis, its sockets, its protocol: whatever it is, go on without)
            log.warning("counting alone", error=type(error).__name__)
            _shared_again_at = time.monotonic() + _ALONE_SECONDS
    return _add(caches["own_counters"], key, seconds)


def _add(cache: BaseCache, key: str, seconds: int) -> int:
    cache.add(key, 0, timeout=2 * seconds)
    try:
        return cache.incr(key)
    except ValueError:  # gone between the two
        return 1
