"""Live push: one hub and a registry (the product) beside a bare registry and the two channels-redis layers."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks import load
from benchmarks.load import connect, request
from benchmarks.processes import Failed, Server, Side
from benchmarks.rows import Row, milliseconds, rate
from benchmarks.sockets import Socket, open_sockets, settle
from benchmarks.stage import Stage

BURST = 200  # messages sent in a row, as fast as the sender can
CROWD, FEW, PER_SECOND = 500, 50, 50
TABS = 20
REGISTRY, HUB, CORE, PUBSUB = "registry", "hub", "core", "pubsub"
NAMES = {
    REGISTRY: "raw registry on bare ASGI",
    CORE: "channels-redis core layer",
    PUBSUB: "channels-redis PubSub layer",
}


@dataclass
class Way:
    """A server, how to publish to its sockets, and what was measured."""

    server: Server
    publish: Callable[[int, float], Any]
    sessions: list[str] = field(default_factory=lambda: ["none"])
    sockets: list[Socket] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    lost: int = 0
    resyncs: int = 0
    sent: int = 0
    p99: list[float] = field(default_factory=list)


def run(stage: Stage) -> Iterator[Row]:
    """Bursts to many and to few sockets, then a steady pace to few; every way in turn."""
    with contextlib.ExitStack() as stack:
        ways = _ways(stage, stack)
        for crowd in (CROWD, FEW):
            load.run(_bursts(stage, ways, stage.profile.many(crowd, 4)))
            yield from _rows(stage, ways, crowd)
        load.run(_pace(stage, ways))
        yield _latency(stage, ways)


def _ways(stage: Stage, stack: contextlib.ExitStack) -> dict[str, Way]:
    bare = stack.enter_context(stage.asgi("benchmarks.apps.bare:application", "registry"))
    installation = stage.installation(REDIS_URL=stage.redis.url)
    office = stage.office(installation)
    (inbox,) = office.ask("add_number")
    sessions = office.ask("add_agents", count=-(-stage.profile.many(CROWD, 4) // TABS))
    web = stack.enter_context(stage.web(installation))
    publisher = stack.enter_context(
        stage.side("benchmarks.sides.publisher", installation, where=stage.clients_core)
    )  # fmt: skip
    ways = {
        REGISTRY: Way(bare, lambda count, wait: _ask(bare.port, count, wait)),
        HUB: Way(web, _by_side(publisher, group=f"inbox.{inbox}"), sessions),
    }
    for name in (CORE, PUBSUB):
        more = {"LAYER": name, "REDIS_URL": stage.redis.url}
        server = stack.enter_context(stage.asgi("benchmarks.apps.layers:application", name, **more))
        sender = stack.enter_context(stage.side("benchmarks.sides.layer_sender", where=stage.clients_core, more=more))
        ways[name] = Way(server, _by_side(sender))
    return ways


def _by_side(side: Side, **values: Any) -> Callable[[int, float], Any]:
    return lambda count, wait: asyncio.to_thread(side.ask, "publish", count=count, wait=wait, **values)


async def _ask(port: int, count: int, wait: float) -> None:
    connection = await connect(port)
    await connection.ask(request("GET", f"/publish/?count={count}&wait={wait}"))
    connection.transport.close()


async def _open(way: Way, crowd: int, *, is_reading: bool = False) -> None:
    keys = [way.sessions[number % len(way.sessions)] for number in range(crowd)]
    way.sockets = await open_sockets(way.server.port, keys, is_reading=is_reading, word=b'"bench"')


def _close(way: Way) -> None:
    for socket in way.sockets:
        socket.transport.close()


async def _bursts(stage: Stage, ways: dict[str, Way], crowd: int) -> None:
    burst = stage.profile.many(BURST, 5)
    for way in ways.values():
        way.rates, way.lost, way.resyncs, way.sent = [], 0, 0, 0
        await _open(way, crowd)
    await asyncio.sleep(0.2 if stage.is_smoke else 1)
    for way in ways.values():  # connections are made at the first message
        await asyncio.gather(way.publish(2, 0), settle(way.sockets, 2))
    for _ in range(stage.profile.rounds):
        for way in ways.values():
            for socket in way.sockets:
                socket.forget()
            begun = time.monotonic()
            _answer, ended = await asyncio.gather(way.publish(burst, 0), settle(way.sockets, burst))
            arrived = sum(socket.count for socket in way.sockets)
            way.rates.append(arrived / max(ended - begun, 1e-6))
            way.sent += burst * crowd
            way.lost += burst * crowd - arrived
            way.resyncs += sum(socket.resyncs for socket in way.sockets)
    for way in ways.values():
        if way is ways[HUB] and not any(way.rates):
            raise Failed("the product delivered nothing")
        _close(way)


def _rows(stage: Stage, ways: dict[str, Way], crowd: int) -> Iterator[Row]:
    hub = ways[HUB]
    product = f"{rate(statistics.median(hub.rates), 'deliveries/s')}, lost {hub.lost} of {hub.sent}"
    remarks = f"{hub.resyncs} resyncs" if hub.resyncs else ""
    goals = {REGISTRY: 0.6, CORE: 5.0, PUBSUB: 2.5} if crowd == CROWD else {}
    for name, title in NAMES.items():
        way, goal = ways[name], goals.get(name)
        value = statistics.median(way.rates)
        ratio = statistics.median(hub.rates) / value if value else float("inf")
        lost = f", lost {way.lost / way.sent:.0%}" if way.lost else ", lost 0"
        met = None if goal is None else ratio >= goal and hub.lost == 0
        words = "none set" if goal is None else f"≥ {goal:g} ×, 0 lost"
        area = f"push to {stage.profile.many(crowd, 4)} sockets, bursts of {stage.profile.many(BURST, 5)}"
        yield Row(area, product, f"{title}: {rate(value, 'deliveries/s')}{lost}", ratio, words, met, remarks)


async def _pace(stage: Stage, ways: dict[str, Way]) -> None:
    chosen = [ways[name] for name in (REGISTRY, HUB)]
    for way in chosen:
        await _open(way, stage.profile.many(FEW, 3), is_reading=True)
    await asyncio.sleep(0.2)
    count = max(int(stage.profile.seconds * PER_SECOND), 5)
    for _ in range(stage.profile.rounds):
        for way in chosen:
            for socket in way.sockets:
                socket.forget()
            await asyncio.gather(way.publish(count, 1 / PER_SECOND), settle(way.sockets, count, 3.0))
            stamps = sorted(stamp for socket in way.sockets for stamp in socket.stamps())
            way.p99.append(stamps[int(len(stamps) * 0.99)])
    for way in chosen:
        _close(way)


def _latency(stage: Stage, ways: dict[str, Way]) -> Row:
    product, limit = (statistics.median(ways[name].p99) for name in (HUB, REGISTRY))
    area = f"push latency p99, {stage.profile.many(FEW, 3)} sockets, {PER_SECOND} sends/s"
    against = f"{NAMES[REGISTRY]}: {milliseconds(limit)}"
    return Row(area, milliseconds(product), against, product / limit, "≤ 2 ×", product <= 2 * limit)
