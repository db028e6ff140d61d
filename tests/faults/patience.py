"""Waiting for other processes: there is nothing to be woken by, so one looks again and again."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool | Awaitable[bool]], *, every: float = 0.1, within: float = 3600) -> bool:
    """Look every `every` seconds; False if the condition does not hold after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        holds = condition()
        if inspect.isawaitable(holds):
            holds = await holds
        if holds or time.monotonic() > deadline:
            return bool(holds)
        await asyncio.sleep(every)
