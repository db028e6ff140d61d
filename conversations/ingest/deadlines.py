"""Time limits of many short waits, looked through together ten times a second: a timer for each would cost more than
most of the waits.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any

SWEEP_SECONDS = 0.1


class Deadlines:
    """What is waited for and until when; belongs to one event loop at a time."""

    def __init__(self) -> None:
        self._waits: dict[Hashable, tuple[float, Callable[[Any], None]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, wait: Hashable, seconds: float, give_up: Callable[[Any], None]) -> None:
        """Call `give_up(wait)` after `seconds`, at most a tenth of a second late, unless it is dropped before."""
        loop = asyncio.get_running_loop()
        self._waits[wait] = (loop.time() + seconds, give_up)
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(SWEEP_SECONDS, self._sweep, loop)

    def drop(self, wait: Hashable) -> None:
        """It is over."""
        self._waits.pop(wait, None)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not loop:
            return
        now = loop.time()
        over = [(wait, give_up) for wait, (until, give_up) in self._waits.items() if until <= now]
        for wait, give_up in over:
            self.drop(wait)
            give_up(wait)
        if self._waits:
            loop.call_later(SWEEP_SECONDS, self._sweep, loop)
        else:
            self._loop = None


deadlines = Deadlines()
