"""The way out: the product's sender beside raw sockets and pywa; then the outbox with all it writes."""

import contextlib
import statistics
import sys
from collections.abc import Iterator

from benchmarks import environments
from benchmarks.processes import Server, Side, free_port
from benchmarks.rows import Figure, Row, rate
from benchmarks.stage import Stage

COUNTS = {"raw": 20_000, "product": 6000, "sync": 1000, "async": 400}
GOALS = {"raw": 0.3, "sync": 5.0, "async": 10.0}
NAMES = {"raw": "raw sockets, 50 in flight", "sync": "pywa, sequential", "async": "pywa async, 50 in flight"}
NUMBERS = 10
MOST_CPU = 0.05 / 80


def graph_side(stage: Stage) -> Server:
    """Meta's side, on the clients' core."""
    port = free_port()
    return Server(
        sys.executable, "-m", "benchmarks.apps.graph", str(port), port=port, path="/",
        env=stage.bare_env(), log=stage.folder / "graph.log", where=stage.clients_core,
    )  # fmt: skip


def run(stage: Stage) -> Iterator[Row | Figure]:
    """Senders without a database in turn, then the outbox alone."""
    missing = ""
    with contextlib.ExitStack() as stack:
        graph = stack.enter_context(graph_side(stage))
        installation = stage.installation()
        product = stack.enter_context(stage.side("benchmarks.sides.sending", installation))
        sides: dict[str, Side] = {"raw": product, "product": product}
        try:
            peer = stage.side("benchmarks.sides.pywa_sender", python=stage.peers())
            sides |= dict.fromkeys(("sync", "async"), stack.enter_context(peer))
        except environments.NotThere as reason:
            missing = str(reason)
        rates: dict[str, list[float]] = {way: [] for way in sides}
        for number in range(-1, stage.profile.rounds):
            for way, values in rates.items():
                count = stage.profile.many(COUNTS[way], 2) if number >= 0 else 2
                value = sides[way].ask(way, base_url=graph.url, count=count)
                if number >= 0:
                    values.append(value)
        yield from _rows(rates, missing)
        yield from _outbox(stage, product, graph)


def _rows(rates: dict[str, list[float]], missing: str) -> Iterator[Row]:
    product = statistics.median(rates["product"])
    for way, goal in GOALS.items():
        area, words = "outbound, sender without database", f"≥ {goal:g} ×"
        if way not in rates:
            yield Row(area, rate(product, "messages/s"), f"{NAMES[way]}: not run", None, words, None, missing)
            continue
        against = statistics.median(rates[way])
        ratio = product / against
        text = f"{NAMES[way]}: {rate(against, 'messages/s')}"
        remarks = "a bare protocol on uvloop at both ends" if way == "raw" else ""
        yield Row(area, rate(product, "messages/s"), text, ratio, words, ratio >= goal, remarks)


def _outbox(stage: Stage, side: Side, graph: Server) -> Iterator[Figure]:
    side.ask("add_number", graph_base_url=graph.url, numbers=NUMBERS)
    count = stage.profile.many(3000, 5)
    side.ask("add_people", count=count)
    side.ask("outbox", count=2, seconds=2)
    found = [
        side.ask("outbox", count=count, seconds=stage.profile.seconds * 4) for _ in range(stage.profile.rounds)
    ]  # fmt: skip
    speed, cpu = (statistics.median(values) for values in zip(*found, strict=True))
    yield Figure(
        "outbox with its database writes, one worker", rate(speed, "messages/s"), "≥ 80 messages/s", speed >= 80,
        f"PostgreSQL, {NUMBERS} numbers at their highest ceiling",
    )  # fmt: skip
    yield Figure(
        "outbox, share of a core at 80 messages/s", f"{cpu * 80:.1%}", "≤ 5 %", cpu <= MOST_CPU,
        f"{cpu * 1000:.2f} ms of processor time a message, the database's not counted",
    )  # fmt: skip
