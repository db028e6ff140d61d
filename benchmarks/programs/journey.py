"""End to end on the production set-up (PostgreSQL, Redis, web, worker, no process tied to a core).

Webhook to an agent's socket; 500 sockets; an agent's reply while thousands wait; a second web and worker joining.
"""

import asyncio
import contextlib
import json
import statistics
import time
import uuid
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from benchmarks import load, webhooks
from benchmarks.load import Outcome, connect, paced, request
from benchmarks.processes import ALL_CORES, Server, on
from benchmarks.programs.outbound import graph_side
from benchmarks.rows import Figure, milliseconds
from benchmarks.sockets import Socket, open_sockets, settle
from benchmarks.stage import Installation, Stage

PER_SECOND, SECONDS = 50, 20
PEOPLE, WAITING, REPLIES, REPLIES_PER_SECOND = 1000, 5000, 100, 5
CROWD, TABS = 500, 20
JOINED_PER_SECOND, JOINED_SECONDS = 100, 6
CREATED = b'"message.created"'
CSRF = "0123456789abcdef0123456789abcdef"
HANDLED = """
CREATE TABLE bench_handled (event bigint, what text, who text);
CREATE FUNCTION bench_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO bench_handled VALUES (NEW.id, TG_ARGV[0], current_setting('application_name')); RETURN NULL; END $$;
CREATE TRIGGER bench_stored AFTER INSERT ON conversations_webhookevent
    FOR EACH ROW EXECUTE FUNCTION bench_note('stored');
CREATE TRIGGER bench_processed AFTER UPDATE OF state ON conversations_webhookevent
    FOR EACH ROW WHEN (NEW.state = 'processed' AND OLD.state <> 'processed') EXECUTE FUNCTION bench_note('processed');
"""


def run(stage: Stage) -> Iterator[Figure]:
    """The four parts on one installation."""
    with on(ALL_CORES), contextlib.ExitStack() as stack:
        graph = stack.enter_context(graph_side(stage))
        installation = stage.installation(REDIS_URL=stage.redis.url, WORK="procrastinate")
        office = stack.enter_context(stage.side("benchmarks.sides.sending", installation, where=ALL_CORES))
        office.ask("add_number", graph_base_url=graph.url)
        conversations = office.ask("add_people", count=stage.profile.many(WAITING, 30) + stage.profile.many(REPLIES, 3))
        sessions = office.ask("add_agents", count=-(-stage.profile.many(CROWD, 4) // TABS))
        web = stack.enter_context(stage.web(installation, where=ALL_CORES, PGAPPNAME="web 1"))
        stack.enter_context(stage.worker(installation, PGAPPNAME="worker 1"))
        yield from load.run(_to_the_socket(stage, web, sessions, conversations))
        yield load.run(_to_the_crowd(stage, web, sessions))
        office.ask("queue", count=stage.profile.many(WAITING, 30))
        yield load.run(_reply(stage, web, graph, sessions[0], conversations[-stage.profile.many(REPLIES, 3) :]))
        office.ask("execute", statement="DELETE FROM conversations_message WHERE status = 'queued'")
        office.ask("execute", statement=HANDLED)
        yield from load.run(_joined(stage, installation, web, stack))
        yield _handled(office.ask("execute", statement=COUNTS), office.ask("counts"))


async def _to_the_socket(
    stage: Stage, web: Server, sessions: Sequence[str], conversations: Sequence[int]
) -> list[Figure]:
    """Each webhook is by another person, so a hint's conversation says which webhook it is of."""
    sockets = await open_sockets(web.port, sessions[:4], is_reading=True, word=CREATED)
    count = min(stage.profile.many(PER_SECOND * SECONDS, 10), len(conversations))
    await paced(web.port, webhooks.requests(stage.profile.many(20, 2), count), PER_SECOND)  # connections and caches
    await asyncio.sleep(0.3 if stage.is_smoke else 1)
    found: list[list[float]] = []
    refused = missing = 0
    for _ in range(stage.profile.rounds):
        for socket in sockets:
            socket.forget()
        outcome = await paced(web.port, webhooks.requests(count, count), PER_SECOND)
        await settle(sockets, count, 5)
        refused += count - outcome.statuses[200]
        delays = _delays(sockets[0], conversations, outcome)
        missing += count - len(delays)
        found.append(sorted(delays))
    for socket in sockets:
        socket.transport.close()
    p50, p99 = (statistics.median(delays[int(len(delays) * share)] for delays in found) for share in (0.5, 0.99))
    note = f"{len(found)} × {count} webhooks, {refused} refused, {missing} hints missing"
    name = f"webhook to the agent's socket at {PER_SECOND}/s, "
    return [
        Figure(f"{name}p50", milliseconds(p50), "≤ 25 ms", p50 <= 0.025, note),
        Figure(f"{name}p99", milliseconds(p99), "≤ 100 ms", p99 <= 0.1),
    ]


def _delays(socket: Socket, conversations: Sequence[int], outcome: Outcome) -> list[float]:
    """Seconds from the planned moment of each webhook to its hint on a socket."""
    order = {pk: number for number, pk in enumerate(conversations)}
    came: dict[int, float] = {}
    for at, frame in socket.frames:
        came.setdefault(order[json.loads(frame)["c"]], at)
    return [at - outcome.begun - number / PER_SECOND for number, at in came.items()]


async def _to_the_crowd(stage: Stage, web: Server, sessions: Sequence[str]) -> Figure:
    crowd = stage.profile.many(CROWD, 4)
    keys = [sessions[number % len(sessions)] for number in range(crowd)]
    sockets = await open_sockets(web.port, keys, word=CREATED)
    await asyncio.sleep(0.3 if stage.is_smoke else 1)
    for socket in sockets:
        socket.forget()
    count = stage.profile.many(PER_SECOND * 5, 5)
    outcome = await paced(web.port, webhooks.requests(count, PEOPLE), PER_SECOND)
    await settle(sockets, count, 5)
    resynced = sum(1 for socket in sockets if socket.resyncs)
    lost = sum(count - socket.count for socket in sockets if not socket.resyncs)
    closed = sum(socket.transport.is_closing() for socket in sockets)
    for socket in sockets:
        socket.transport.close()
    return Figure(
        f"{crowd} open sockets, {PER_SECOND} webhooks/s: hints lost without a resync", str(lost), "0", lost == 0,
        f"{count * crowd} hints, {resynced} sockets resynced, {closed} closed; webhooks answered within "
        f"{milliseconds(outcome.quantile(0.99))} (p99)",
    )  # fmt: skip


async def _reply(stage: Stage, web: Server, graph: Server, session: str, conversations: Sequence[int]) -> Figure:
    """Agents' answers, from the click to Meta's side, while a campaign waits at 80 messages a second."""
    watch = await connect(graph.port)
    await watch.ask(request("GET", "/forget/"))
    texts = {pk: f"answer {uuid.uuid4()}" for pk in conversations}
    posts = [_post(f"/inbox/c/{pk}/messages/", session, text) for pk, text in texts.items()]
    outcome = await paced(web.port, posts, REPLIES_PER_SECOND, connections=8)
    sent: dict[str, float] = {}
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not set(texts.values()) <= sent.keys():
        await asyncio.sleep(0.2)
        await watch.ask(request("GET", "/sent/"))
        sent = {text: at for at, _to, text in reversed(json.loads(watch.body))}
    others = len(json.loads(watch.body)) - len(texts)
    watch.transport.close()
    delays = sorted(
        sent[text] - outcome.begun - number / REPLIES_PER_SECOND
        for number, text in enumerate(texts.values()) if text in sent
    )  # fmt: skip
    value = delays[int(len(delays) * 0.99)] if delays else float("inf")
    name = f"agent's reply at Meta's side while {stage.profile.many(WAITING, 30):,} low-priority messages wait, p99"
    note = f"{len(delays)} of {len(texts)} replies (answered {dict(outcome.statuses)}), p50 "
    note += f"{milliseconds(statistics.median(delays)) if delays else '–'}, {others} of the others sent meanwhile"
    return Figure(name, milliseconds(value), note=note)


def _post(path: str, session: str, text: str) -> bytes:
    body = f"text={quote(text)}&client_id={uuid.uuid4()}".encode()
    return request(
        "POST", path, body, Content_Type="application/x-www-form-urlencoded", X_CSRFToken=CSRF,
        Cookie=f"session={session}; csrftoken={CSRF}",
    )  # fmt: skip


async def _joined(stage: Stage, installation: Installation, web: Server, stack: contextlib.ExitStack) -> list[Figure]:
    """Load on one web and one worker; a second of each starts meanwhile and then gets half of the webhooks."""
    seconds = 0.2 if stage.is_smoke else JOINED_SECONDS
    count = int(JOINED_PER_SECOND * seconds)
    first = asyncio.create_task(paced(web.port, webhooks.requests(count, PEOPLE), JOINED_PER_SECOND))
    second = await asyncio.to_thread(stage.web, installation, where=ALL_CORES, PGAPPNAME="web 2")
    stack.callback(second.end)
    worker = await asyncio.to_thread(stage.worker, installation, PGAPPNAME="worker 2")
    stack.callback(worker.end)
    outcomes = [await first]
    halves = [paced(port, webhooks.requests(count, PEOPLE), JOINED_PER_SECOND) for port in (web.port, second.port)]
    outcomes += await asyncio.gather(*halves)
    await asyncio.sleep(0.3 if stage.is_smoke else 2)
    refused = sum(sum(one.statuses.values()) - one.statuses[200] for one in outcomes)
    name = "second web and worker joined under load: webhooks refused"
    return [Figure(name, str(refused), "0", refused == 0, f"{3 * count} sent")]


COUNTS = "SELECT what, who, count(*), count(DISTINCT event) FROM bench_handled GROUP BY 1, 2 ORDER BY 1 DESC, 2"


def _handled(rows: list[list[object]], counts: dict[str, int]) -> Figure:
    shares = ", ".join(f"{who} {what} {count}" for what, who, count, _different in rows)
    left = counts["pending"] + counts["quarantined"]
    return Figure("what each handled", shares, note=f"{left} webhooks left pending or quarantined")
