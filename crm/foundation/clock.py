"""The one place that reads the time; a demo or a test can move it by an offset kept in `DATA_DIR/clock`."""

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from django.conf import settings

_CHECK_SECONDS = 1.0
_offset = 0
_read_at = 0.0
_told: ContextVar[dt.datetime | None] = ContextVar("_told", default=None)


def clock_file() -> Path:
    """The file with the offset in whole seconds; the simulator writes it, everybody else only reads."""
    return settings.DATA_DIR / "clock"


def offset() -> int:
    """Seconds between business time and real time, looked up once a second; always 0 outside demo mode."""
    global _offset, _read_at
    if not settings.DEMO:
        return 0
    tick = time.monotonic()
    if tick - _read_at >= _CHECK_SECONDS:
        _read_at = tick
        try:
            _offset = int(clock_file().read_text())
        except (OSError, ValueError):
            _offset = 0
    return _offset


def now() -> dt.datetime:
    """Business time, aware UTC: what windows, waiting times and messages are measured by."""
    return _told.get() or real() + dt.timedelta(seconds=offset())


@contextlib.contextmanager
def stands_at(moment: dt.datetime) -> Iterator[None]:
    """Inside, business time is this moment: how the demo's past is told by the functions that make the present."""
    token = _told.set(moment)
    try:
        yield
    finally:
        _told.reset(token)


def real() -> dt.datetime:
    """The machine's time, aware UTC: sessions, tokens, leases, rate limits, retries and circuits use it."""
    return dt.datetime.now(dt.UTC)


def from_timestamp(seconds: object) -> dt.datetime | None:
    """A provider's Unix time (seconds or milliseconds, number or ASCII digits) as aware UTC, or None if it makes no
    sense.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | str):
        return None
    if isinstance(seconds, str):
        if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 16):
            return None
        seconds = int(seconds)
    if seconds > 10**11:
        seconds //= 1000
    if not 1_230_768_000 <= seconds <= 7_258_118_400:  # 2009, when WhatsApp began, to 2200
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
