"""How long something takes, several times."""

import time
from collections.abc import Callable
from typing import Any


def timed(function: Callable[[], Any], rounds: int, *, is_warm: bool = False) -> list[float]:
    """Seconds of each of `rounds` calls, after one that warms up unless the caches are warm already."""
    if not is_warm:
        function()
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        function()
        found.append(time.perf_counter() - begun)
    return found
