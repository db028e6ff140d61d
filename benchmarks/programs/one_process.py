"""The default installation, one process on SQLite, after 100,000 messages and with four agents at work."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

from benchmarks import load, webhooks
from benchmarks.load import Outcome, paced
from benchmarks.processes import ALL_CORES, Server, on
from benchmarks.programs.ingest import agent
from benchmarks.rows import Figure, milliseconds
from benchmarks.stage import Stage

MESSAGES, THROUGH_THE_DOOR, PEOPLE, PER_SECOND = 100_000, 10_000, 2000, 150
PATIENCE = 60


def run(stage: Stage) -> Iterator[Figure]:
    """90,000 messages are there; 10,000 come in by webhook while agents open their inbox once a second."""
    count, people = stage.profile.many(THROUGH_THE_DOOR, 20), stage.profile.many(PEOPLE, 10)
    before = stage.profile.many(MESSAGES - THROUGH_THE_DOOR, 50)
    with on(ALL_CORES), contextlib.ExitStack() as stack:
        installation = stage.installation("sqlite", WORK="threads")
        office = stage.office(installation)
        office.ask("add_number")
        office.ask("add_people", count=people)
        office.ask("multiply_messages", count=before)
        sessions = office.ask("add_agents", count=4)
        server = stack.enter_context(stage.web(installation, where=ALL_CORES))
        at_start = server.memory_mb()
        outcome, pages = load.run(_work(server, sessions, count, people))
        begun, left = time.monotonic(), count
        while left and time.monotonic() - begun < PATIENCE:
            left = office.ask("counts")["pending"]
            time.sleep(0.2)
        memory, behind = server.memory_mb(), time.monotonic() - begun
        messages = office.ask("counts")["messages"]
        size = sum(path.stat().st_size for path in installation.data.glob("db.sqlite3*")) / 1e6
    yield Figure(
        f"one process on SQLite, memory after {count:,} more messages", f"{memory:.0f} MB", "≤ 200 MB", memory <= 200,
        f"{at_start:.0f} MB at its start, {messages:,} messages at the end",
    )  # fmt: skip
    yield Figure(
        "the same, database", f"{size:.0f} MB", note=f"{messages:,} messages, {count:,} raw webhooks kept 7 days"
    )
    value = outcome.quantile(0.99)
    yield Figure(
        f"the same, ingest p99 at {PER_SECOND}/s with four agents at work", milliseconds(value), "≤ 100 ms",
        value <= 0.1, f"{outcome.statuses[200]} stored, {count - outcome.statuses[200]} refused; all processed "
        f"{behind:.1f} s after the last came" if not left else f"{left} still waited after {PATIENCE} s",
    )  # fmt: skip
    yield Figure(
        "the same, inbox page p99", milliseconds(pages.quantile(0.99)),
        note=f"p50 {milliseconds(pages.quantile(0.5))}, {len(pages.latencies)} pages",
    )  # fmt: skip


async def _work(server: Server, sessions: list[str], count: int, people: int) -> tuple[Outcome, Outcome]:
    pages, stop = Outcome(0), asyncio.Event()
    agents = [asyncio.create_task(agent(server.port, key, pages, stop)) for key in sessions]
    outcome = await paced(server.port, webhooks.requests(count, people), PER_SECOND)
    stop.set()
    await asyncio.gather(*agents)
    return outcome, pages
