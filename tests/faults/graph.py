"""Meta's Graph API for one number: answers as the scenario says and writes down what it was asked."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import web

from scripts.cluster import DISPLAY, PHONE_NUMBER_ID
from tests.faults import bodies
from tests.faults.journal import Journal

STALL_SECONDS = 120
MOST_REFUSALS = 2
# The last status of a message: most are read, some fail after they were sent.
ENDS = {"read": 60, "delivered": 20, "sent": 10, "failed": 10}
ROADS = {
    "sent": ["sent"],
    "failed": ["sent", "failed"],
    "delivered": ["sent", "delivered"],
    "read": ["sent", "delivered", "read"],
}
REFUSALS: dict[str, tuple[int, int, dict[str, str]]] = {
    "429": (429, 80007, {}),
    "429 later": (429, 80007, {"Retry-After": "2"}),
    "130429": (400, 130429, {}),
    "131056": (400, 131056, {}),
    "500": (500, 131000, {}),
}
ACCEPTED, REFUSED, UNANSWERED = "accepted", "refused", "unanswered"
# Accepted, and the answer never arrived: cut off, or the sender killed.
UNHEARD = ("drop", "kill after")


class Graph:
    """One outcome per POST of a message, drawn by seed from weights, and in the journal before it is told."""

    def __init__(self, journal: Journal, report: Callable[[bodies.Delivery, float], None]) -> None:
        self.journal, self.report = journal, report
        self.plans: dict[str, tuple[dict[str, int], random.Random]] = {}
        self.refusals: Counter[str] = Counter()
        self.count = 0
        self.kills: Counter[str] = Counter()
        self.senders: Counter[int] = Counter()  # POSTs by process id
        self._owners: WeakKeyDictionary[Any, int] = WeakKeyDictionary()

    def plan(self, key: str, weights: dict[str, int], seed: int) -> None:
        """How messages of a scenario are answered from now on."""
        self.plans[key] = weights, random.Random(seed)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Anything below /graph/."""
        if request.method == "GET":
            return web.json_response({"id": PHONE_NUMBER_ID, "display_phone_number": DISPLAY})
        asked = await request.json()
        if asked.get("type") != "text":
            return web.json_response({"success": True})  # a read mark
        return await self._answer(request, asked)

    async def _answer(self, request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        text = asked["text"]["body"]
        self.senders[await self._owner(request) or 0] += 1
        weights, rng = self.plans[text.rpartition(".")[0]]
        how = rng.choices(list(weights), list(weights.values()))[0]
        if how in REFUSALS and self.refusals[text] >= MOST_REFUSALS:
            how = "ok"
        if how in REFUSALS:
            self.refusals[text] += 1
            self._note(asked, REFUSED, how)
            status, code, headers = REFUSALS[how]
            error = {"message": f"(#{code})", "type": "OAuthException", "code": code}
            return web.json_response({"error": error}, status=status, headers=headers)
        if how in ("html", "stall", "kill before"):
            self._note(asked, UNANSWERED, how)
            if how == "html":
                return web.Response(text="<html>Bad Gateway</html>", status=502, content_type="text/html")
            await (asyncio.sleep(STALL_SECONDS) if how == "stall" else self._kill(request, text))
            return _cut(request)
        return await self._accept(request, asked, how, rng)

    async def _accept(
        self, request: web.Request, asked: dict[str, Any], how: str, rng: random.Random
    ) -> web.StreamResponse:
        self.count += 1
        wamid = f"wamid.out{os.getpid()}.{self.count}"
        end = rng.choices(list(ENDS), list(ENDS.values()))[0]
        road = ROADS[end] * 2  # Meta repeats itself
        self._note(asked, ACCEPTED, how, wamid, ROADS[end])
        rng.shuffle(road)
        at, to, reference = int(time.time()), asked["to"], asked["biz_opaque_callback_data"]
        early = how == "early"
        for state in road:
            delivery = bodies.status(wamid, state, at + bodies.LADDER.index(state), to=to, reference=reference)
            self.report(delivery, 0.0 if early else rng.uniform(0, 2))
        if how in UNHEARD:
            if how == "kill after":
                await self._kill(request, asked["text"]["body"])
            return _cut(request)
        if early or how == "slow":
            await asyncio.sleep(1)
        return web.json_response({"messaging_product": "whatsapp", "messages": [{"id": wamid}]})

    async def _kill(self, request: web.Request, text: str) -> None:
        """End the process that has just sent this request; with it everything it had in memory."""
        if pid := await self._owner(request):
            os.kill(pid, signal.SIGKILL)
            self.kills[text.rpartition(".")[0]] += 1

    async def _owner(self, request: web.Request) -> int | None:
        """Whose connection this is; looked up once for each."""
        connection = request.transport
        if connection is None:
            return None
        if connection not in self._owners:
            pid = await asyncio.to_thread(owner_of, connection.get_extra_info("peername")[1])
            if pid is None:
                return None
            self._owners[connection] = pid
        return self._owners[connection]

    def _note(self, asked: dict[str, Any], outcome: str, how: str, wamid: str = "", states: Sequence[str] = ()) -> None:
        entry = {"text": asked["text"]["body"], "to": asked["to"], "reference": asked["biz_opaque_callback_data"]}
        self.journal.write(entry | {"outcome": outcome, "how": how, "id": wamid, "states": states, "at": time.time()})


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def owner_of(port: int) -> int | None:
    """The process on this machine whose TCP connection has the local port; None if it has gone."""
    wanted = f":{port:04X}"
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        parts = line.split()
        if parts[1].endswith(wanted) and parts[9] != "0":
            inodes.add(f"socket:[{parts[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.name != str(os.getpid()) and any(os.readlink(fd) in inodes for fd in (process / "fd").iterdir()):
                return int(process.name)
        except OSError:
            continue
    return None
