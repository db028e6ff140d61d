"""Sends to the group of `benchmarks.apps.layers`, from a process of its own."""

import asyncio
import time

import orjson
from channels.layers import get_channel_layer

from benchmarks.apps.layers import GROUP
from benchmarks.processes import obey


def publish(count: int, wait: float) -> None:
    """`count` messages to the group, `wait` seconds between two."""
    asyncio.run(_publish(count, wait))


async def _publish(count: int, wait: float) -> None:
    layer, begun = get_channel_layer(), time.monotonic()
    for number in range(count):
        if wait:
            await asyncio.sleep(max(begun + number * wait - time.monotonic(), 0))
        text = orjson.dumps({"v": 1, "t": "bench", "n": number, "at": time.monotonic()}).decode()
        await layer.group_send(GROUP, {"type": "bench.frame", "text": text})


if __name__ == "__main__":
    obey({"publish": publish})
