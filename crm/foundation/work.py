"""Background work: a drain per kind of row that waits in its own table, woken by bells and by a tick each second.

Rows are the truth; a bell only wakes. A lost bell costs a second.
"""

import threading
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import close_old_connections, connection, transaction

log = structlog.get_logger(__name__)

TICK_SECONDS = 1.0
Drain = Callable[[], bool]
"""Does one round of work; True if there may be more right away."""

_drains: dict[str, Drain] = {}
_bells: dict[str, threading.Event] = {}
_threads: list[threading.Thread] = []
_stop = threading.Event()


def register(kind: str, drain: Drain) -> None:
    """Announce a drain; called once per kind from an app's `ready`."""
    _drains[kind] = drain
    _bells.setdefault(kind, threading.Event())


def ring(kind: str) -> None:
    """Wake the drain of `kind` after this transaction commits; many rings in one transaction wake it once."""
    bell = _bells.setdefault(kind, threading.Event())
    if connection.in_atomic_block:
        transaction.on_commit(bell.set)
    else:
        bell.set()


def run_until_idle(*kinds: str, rounds: int = 1000) -> None:
    """Run drains in this thread until none has work left (tests and commands)."""
    for _ in range(rounds):
        worked = [_drains[kind]() for kind in kinds or tuple(_drains)]
        if not any(worked):
            return


def start() -> None:
    """Start one thread per drain if WORK=threads; called by the server's lifespan, never at import."""
    if settings.WORK != "threads" or _threads:
        return
    _stop.clear()
    for kind, drain in _drains.items():
        thread = threading.Thread(target=_loop, args=(kind, drain), name=f"drain-{kind}", daemon=True)
        _threads.append(thread)
        thread.start()


def stop(timeout: float = 3.0) -> None:
    """Ask every drain to end after its round and wait at most `timeout` seconds for all of them."""
    _stop.set()
    for bell in _bells.values():
        bell.set()
    deadline = time.monotonic() + timeout
    for thread in _threads:
        thread.join(max(deadline - time.monotonic(), 0))
    _threads.clear()


def _loop(kind: str, drain: Drain) -> None:
    bell = _bells[kind]
    while not _stop.is_set():
        bell.clear()
        close_old_connections()
        try:
            more = drain()
        except Exception:
            log.exception("drain failed", kind=kind)
            more = False
            _stop.wait(TICK_SECONDS)
        finally:
            close_old_connections()
        if not more and not _stop.is_set():
            bell.wait(TICK_SECONDS)
    connection.close()
