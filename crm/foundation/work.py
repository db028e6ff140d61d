"""Background work: a drain per kind of row that waits in its own table, woken by bells and by a tick each second.

Rows are the truth; a bell only wakes. A lost bell costs a second. With WORK=threads the drains are threads of the
server's process, with WORK=procrastinate those of worker processes (`manage.py work`), which hear the bells of the
others through the database (`bells.py`, `worker.py`).
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
_here = threading.local()
_ring_elsewhere: Callable[[str], None] | None = None
_checks: list[Callable[[], None]] = []
_unchecked: list[Callable[[], None]] = []
_checking = threading.Lock()


def register(kind: str, drain: Drain) -> None:
    """Announce a drain; called once per kind from an app's `ready`."""
    _drains[kind] = drain
    _bells.setdefault(kind, threading.Event())


def before_first_round(check: Callable[[], None]) -> None:
    """Have `check` called once in a process that does work, before any of its drains begins."""
    _checks.append(check)


def kinds() -> tuple[str, ...]:
    """The kinds that have a drain."""
    return tuple(_drains)


def ring(kind: str) -> None:
    """Wake the drain of `kind` after this transaction commits; many rings in one transaction wake it once. Costs
    nothing: no query, no waiting.
    """
    if connection.in_atomic_block:
        transaction.on_commit(lambda: wake(kind))
    else:
        wake(kind)


def wake(kind: str) -> None:
    """Wake the drain of `kind` now: here, or in the workers if this process passes its bells on."""
    if _ring_elsewhere is not None:
        _ring_elsewhere(kind)
    else:
        _bells.setdefault(kind, threading.Event()).set()


def pass_bells_to(ring_elsewhere: Callable[[str], None] | None) -> None:
    """From now on bells are handed to this function, which must be quick; None: they wake drains of this process."""
    global _ring_elsewhere
    _ring_elsewhere = ring_elsewhere


def run_until_idle(*kinds: str, rounds: int = 1000) -> None:
    """Run drains in this thread until none has work left (tests and commands)."""
    for _ in range(rounds):
        worked = [_drains[kind]() for kind in kinds or tuple(_drains)]
        if not any(worked):
            return


def start() -> None:
    """Start the drains if WORK=threads; called by the server's lifespan, never at import."""
    if settings.WORK == "threads":
        start_drains()


def start_drains() -> None:
    """Start one thread per drain, whatever WORK says: what a worker does."""
    if _threads:
        return
    _stop.clear()
    _unchecked[:] = _checks
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


def answer(kind: str) -> bool:
    """Whether the bell of `kind` has rung since it was last answered: a drain in the middle of a round looks again."""
    bell = _bells.setdefault(kind, threading.Event())
    has_rung = bell.is_set()
    bell.clear()
    return has_rung


def is_stopping() -> bool:
    """Whether the drain that asks shall come to an end: its process is going."""
    return _stop.is_set() and getattr(_here, "is_drain", False)


def _check() -> None:
    """What was asked for before the first round; a check that breaks is logged and holds up no drain for good."""
    with _checking:
        while _unchecked:
            try:
                _unchecked.pop()()
            except Exception:
                log.exception("check before the first round failed")


def _loop(kind: str, drain: Drain) -> None:
    bell = _bells[kind]
    _here.is_drain = True
    _check()
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
