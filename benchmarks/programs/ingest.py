"""Durable webhook ingest: the product on both databases, a limit that stores nothing, two usual Django views."""

import asyncio
import contextlib
import itertools
import statistics
from collections.abc import Iterator

from benchmarks import environments, load, webhooks
from benchmarks.load import ClosedLoop, Outcome, connect, paced, request
from benchmarks.processes import Failed, Server, free_port
from benchmarks.rows import Figure, Row, milliseconds, rate
from benchmarks.stage import Stage

CONNECTIONS = 32
BUSY_PER_SECOND = 100
LIMIT, POSTGRES, SQLITE = "limit", "postgresql", "sqlite"
INSERT, ROWS = "insert", "rows"
PEERS = {INSERT: "Django sync view, one INSERT (gunicorn, 8 threads)", ROWS: "usual Django WhatsApp webhook view"}


def run(stage: Stage) -> Iterator[Row | Figure]:
    """Interleaved closed-loop rounds, then SQLite with drains and four agents at work."""
    with contextlib.ExitStack() as stack:
        servers = {LIMIT: (stack.enter_context(stage.asgi("benchmarks.apps.bare:application", "bare")), webhooks.PATH)}
        for vendor in (POSTGRES, SQLITE):
            installation = stage.installation(vendor)
            stage.office(installation).ask("add_number")
            servers[vendor] = (stack.enter_context(stage.web(installation)), webhooks.PATH)
        missing = ""
        try:
            peer = stack.enter_context(_peer(stage))
            servers |= {INSERT: (peer, "/insert/"), ROWS: (peer, "/rows/")}
        except environments.NotThere as reason:
            missing = str(reason)
        rates, latencies = load.run(_rounds(stage, servers))
    yield from _rows(rates, latencies, missing)
    yield from busy_sqlite(stage)


def _peer(stage: Stage) -> Server:
    python = stage.peers()
    port, env = free_port(), stage.bare_env(DATABASE_URL=stage.database(), APP_SECRET=webhooks.SECRET)
    make = "from benchmarks.apps import usual; usual.make_tables()"
    stage.run(python, "-c", make, env=env)
    return Server(
        python, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--workers", "1",
        "--threads", "8", "--keep-alive", "75", "benchmarks.apps.usual:application",
        port=port, env=env, log=stage.folder / "usual.log", where=stage.servers_core,
    )  # fmt: skip


async def _rounds(
    stage: Stage, servers: dict[str, tuple[Server, str]]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    profile = stage.profile
    clients = {name: ClosedLoop(server.port, _connections(name)) for name, (server, _path) in servers.items()}
    rates: dict[str, list[float]] = {name: [] for name in servers}
    latencies: dict[str, list[float]] = {name: [] for name in servers}
    pool = itertools.cycle(webhooks.requests(profile.many(5000, 50)))
    for number in range(-1, profile.rounds):
        for name, (_server, path) in servers.items():
            seconds = profile.seconds if number >= 0 else min(profile.seconds, 0.5)
            # The usual view knows a message again: for the peers every one is new.
            fresh = iter(webhooks.requests(int(4000 * seconds) + 50, path=path)) if name in PEERS else pool
            outcome = await clients[name].run(fresh, seconds)
            _check(name, outcome)
            if number >= 0:
                rates[name].append(outcome.rate)
                latencies[name].append(outcome.quantile(0.99))
    for client in clients.values():
        client.close()
    return rates, latencies


def _connections(name: str) -> int:
    return 8 if name in PEERS else CONNECTIONS  # as many as the peer has threads: more only wait in line


def _check(name: str, outcome: Outcome) -> None:
    if set(outcome.statuses) - {200, 503}:
        raise Failed(f"{name} answered {dict(outcome.statuses)}")


def _rows(rates: dict[str, list[float]], latencies: dict[str, list[float]], missing: str) -> Iterator[Row]:
    middle = {name: statistics.median(values) for name, values in rates.items()}
    p99 = {name: statistics.median(values) for name, values in latencies.items()}
    limit = f"ASGI + HMAC + orjson, nothing stored: {rate(middle[LIMIT], 'req/s')}"
    for vendor, title, goal in ((POSTGRES, "PostgreSQL", 0.65), (SQLITE, "SQLite FULL", 0.4)):
        ratio = middle[vendor] / middle[LIMIT]
        product = f"{rate(middle[vendor], 'req/s')}, p99 {milliseconds(p99[vendor])}"
        yield Row(f"ingest, {title}", product, limit, ratio, f"≥ {goal} ×", ratio >= goal)
    for name, goal in ((INSERT, 5), (ROWS, 6)):
        area = "ingest against " + PEERS[name]
        if name not in middle:
            yield Row(area, rate(middle[POSTGRES], "req/s"), "not run", None, f"≥ {goal} ×", None, missing)
            continue
        ratio = middle[POSTGRES] / middle[name]
        product, peer = rate(middle[POSTGRES], "req/s"), rate(middle[name], "req/s")
        yield Row(area, product, peer, ratio, f"≥ {goal} ×", ratio >= goal)


def busy_sqlite(stage: Stage) -> Iterator[Figure]:
    """Webhooks at a fixed pace while the process drains them and four agents page through the inbox."""
    installation = stage.installation(SQLITE, WORK="threads")
    office = stage.office(installation)
    office.ask("add_number")
    office.ask("add_people", count=stage.profile.many(1000, 20))
    sessions = office.ask("add_agents", count=4)
    with stage.web(installation) as server:
        outcome, pages = load.run(_busy(stage, server.port, sessions))
    value = outcome.quantile(0.99)
    yield Figure(
        f"ingest p99, SQLite, {BUSY_PER_SECOND}/s while drains and four agents work",
        milliseconds(value), "≤ 100 ms", value <= 0.1,
        f"{outcome.statuses[200]} stored, {sum(outcome.statuses.values()) - outcome.statuses[200]} refused; "
        f"p50 {milliseconds(outcome.quantile(0.5))}; agents' pages p99 {milliseconds(pages.quantile(0.99))}",
    )  # fmt: skip


async def _busy(stage: Stage, port: int, sessions: list[str]) -> tuple[Outcome, Outcome]:
    seconds = stage.profile.seconds * 4
    people = stage.profile.many(1000, 20)
    bodies = webhooks.requests(int(BUSY_PER_SECOND * seconds), people)
    pages, stop = Outcome(seconds), asyncio.Event()
    agents = [asyncio.create_task(agent(port, key, pages, stop)) for key in sessions]
    outcome = await paced(port, bodies, BUSY_PER_SECOND)
    stop.set()
    await asyncio.gather(*agents)
    return outcome, pages


async def agent(port: int, session: str, pages: Outcome, stop: asyncio.Event) -> None:
    """Open the inbox once a second, as somebody at work does, until told to stop."""
    loop, connection = asyncio.get_running_loop(), await connect(port)
    page = request("GET", "/inbox/?view=all", Cookie=f"session={session}")
    while not stop.is_set():
        begun = loop.time()
        status = await connection.ask(page)
        pages.latencies.append(loop.time() - begun)
        pages.statuses[status] += 1
        await asyncio.sleep(max(1 - (loop.time() - begun), 0))
    connection.transport.close()
