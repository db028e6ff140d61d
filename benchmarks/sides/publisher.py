"""Publishes hints as a worker does: from another process, through the product's own publisher and Redis."""

import benchmarks.sides.django  # noqa: F401, I001 (first: the models need it)
import time

from benchmarks.processes import obey
from conversations.live import publish as live


def publish(count: int, wait: float, group: str) -> None:
    """`count` hints to a group, `wait` seconds between two."""
    begun = time.monotonic()
    for number in range(count):
        if wait:
            time.sleep(max(begun + number * wait - time.monotonic(), 0))
        live.publish([([group], {"v": 1, "t": "bench", "n": number, "at": time.monotonic()})])


if __name__ == "__main__":
    obey({"publish": publish})
