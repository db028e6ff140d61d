"""Peer: pywa, sequential and asynchronous, against the same Graph side. Runs in the peers' environment."""

import asyncio
import time

import pywa
import pywa_async

from benchmarks.processes import obey

TEXT = "Buenos días, ¿me pueden decir si el pedido sale hoy? Lo necesito antes del viernes, gracias."
IN_FLIGHT = 50


def sync(base_url: str, count: int) -> float:
    """Messages per second, one after the other on one connection."""
    client = pywa.WhatsApp(phone_id="200", token="token")
    client.api._session.base_url = f"{base_url}/v26.0"
    client.send_message(to="34600000000", text=TEXT)
    begun = time.perf_counter()
    for number in range(count):
        client.send_message(to=f"346{number:08d}", text=TEXT)
    return count / (time.perf_counter() - begun)


def asynchronous(base_url: str, count: int) -> float:
    """Messages per second with 50 in flight."""
    return count / asyncio.run(_asynchronous(base_url, count))


async def _asynchronous(base_url: str, count: int) -> float:
    client = pywa_async.WhatsApp(phone_id="200", token="token")
    client.api._session.base_url = f"{base_url}/v26.0"
    numbers = iter(range(count))

    async def one() -> None:
        for number in numbers:
            await client.send_message(to=f"346{number:08d}", text=TEXT)

    await client.send_message(to="34600000000", text=TEXT)
    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))
    return time.perf_counter() - begun


if __name__ == "__main__":
    obey({"sync": sync, "async": asynchronous})
