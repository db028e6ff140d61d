"""Meta's side as a process of its own: `python -m tests.faults.meta FOLDER PORT SECRET`.

Ends, with its folder, when its standard input closes. It posts webhooks until each is answered 200 and keeps the ledger
of what was; it plays the Graph API; it is told what to do over HTTP (/control/…).
"""

import asyncio
import contextlib
import os
import shutil
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.faults import bodies
from tests.faults.graph import Graph
from tests.faults.journal import Journal
from tests.faults.upstreams import KEEP_SECONDS, Upstreams

WEBHOOK = "/webhooks/whatsapp/"
# Meta's back-off, shortened.
FIRST_WAIT, LONGEST_WAIT = 0.3, 3.0


class Feed:
    """A list of deliveries being posted by some connections at once, at most `rate` a second."""

    def __init__(self, meta: "Meta", deliveries: list[bodies.Delivery], *, connections: int, rate: float) -> None:
        self.meta, self.connections, self.rate = meta, connections, rate
        self.waiting = deque(deliveries)
        self.total, self.answered, self.refused = len(deliveries), 0, 0
        self.statuses: dict[int, int] = {}
        self.started = time.monotonic()
        self.sent = 0

    async def run(self) -> None:
        """Until every delivery is answered 200."""
        await asyncio.gather(*(self._connection() for _ in range(self.connections)))

    async def _connection(self) -> None:
        while self.answered < self.total:
            if not self.waiting:
                await asyncio.sleep(0.05)
                continue
            delivery = self.waiting.popleft()
            if self.rate and not delivery.tries:
                self.sent += 1
                await asyncio.sleep(max(self.started + self.sent / self.rate - time.monotonic(), 0))
            status = await self.meta.post(delivery)
            if status == 200:
                self.answered += 1
                continue
            self.refused += 1
            self.statuses[status] = self.statuses.get(status, 0) + 1
            asyncio.get_running_loop().call_later(wait_of(delivery), self.waiting.append, delivery)


def wait_of(delivery: bodies.Delivery) -> float:
    """Seconds until a delivery is repeated."""
    return min(FIRST_WAIT * 1.5**delivery.tries, LONGEST_WAIT)


class Meta:
    """The feeds, the Graph API and the ledger."""

    def __init__(self, folder: Path, app_secret: str, session: aiohttp.ClientSession) -> None:
        self.app_secret = app_secret
        self.ledger = Journal(folder / "ledger")
        self.upstreams = Upstreams(session)
        self.graph = Graph(Journal(folder / "graph"), self.report)
        self.feeds: dict[str, Feed] = {}
        self.reports = 0
        self.answers = 0
        self.repeating = 0  # refused at least once, and not taken yet
        self.tasks: set[asyncio.Task[None]] = set()

    async def post(self, delivery: bodies.Delivery) -> int:
        """One try; a 200 goes into the ledger."""
        delivery.tries += 1
        headers = delivery.headers(self.app_secret)
        status, _body = await self.upstreams.request("POST", WEBHOOK, data=delivery.content, headers=headers)
        if delivery.tries == 1 and status != 200:
            self.repeating += 1
        elif delivery.tries > 1 and status == 200:
            self.repeating -= 1
        if status == 200:
            self.answers += 1
            self.ledger.write(*(promise | {"post": self.answers} for promise in delivery.promises))
        return status

    def report(self, delivery: bodies.Delivery, seconds: float) -> None:
        """Post a status webhook in `seconds`, and again until it is answered 200."""
        self.reports += 1
        self._start(self._report(delivery, seconds))

    async def _report(self, delivery: bodies.Delivery, seconds: float) -> None:
        await asyncio.sleep(seconds)
        while await self.post(delivery) != 200:  # noqa: ASYNC110
            await asyncio.sleep(wait_of(delivery))
        self.reports -= 1

    def _start(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def control(self, request: web.Request) -> web.Response:
        """POST /control/{what} with JSON; answers the state of everything."""
        told = await request.json() if request.can_read_body else {}
        match request.match_info["what"]:
            case "upstreams":
                self.upstreams.urls = told["urls"]
            case "graph":
                self.graph.plan(**told)
            case "feed":
                self._feed(**told)
        feeds = {
            key: {"total": feed.total, "answered": feed.answered, "refused": feed.refused, "statuses": feed.statuses}
            for key, feed in self.feeds.items()
        }
        return web.json_response(
            {
                "feeds": feeds,
                "reports": self.reports,
                "answers": self.answers,
                "repeating": self.repeating,
                "kills": self.graph.kills,
                "errors": self.upstreams.errors,
                "taken": self.upstreams.taken,
                "senders": self.graph.senders,
            }
        )

    def _feed(
        self, *, key: str, scenario: int, count: int, people: int, per_body: int, copies: int, window: int, seed: int,
        connections: int, rate: float,
    ) -> None:  # fmt: skip
        messages = bodies.inbound(key, scenario, count, people=people, now=int(time.time()))
        posts = bodies.deliveries(messages, per_body=per_body, copies=copies, window=window, seed=seed)
        self.feeds[key] = Feed(self, posts, connections=connections, rate=rate)
        self._start(self.feeds[key].run())


async def serve(folder: Path, port: int, app_secret: str) -> None:
    """Until cancelled."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_SECONDS)
    async with aiohttp.ClientSession(connector=connector) as session:
        meta = Meta(folder, app_secret, session)
        app = web.Application()
        app.router.add_post("/control/{what}", meta.control)
        app.router.add_route("*", "/graph/{path:.*}", meta.graph.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


def _end_with_parent(folder: str) -> None:
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, args=(sys.argv[1],), daemon=True).start()
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
