"""A scenario: load, fault, recovery, verdict. One row of the table."""

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from tests.faults import verdict
from tests.faults.harm import Harm, Size
from tests.faults.installation import Installation
from tests.faults.patience import until
from tests.faults.verdict import Verdict

# reliability.md: what is not in a final state 60 seconds after the last fault is stuck.
STUCK_SECONDS = 60.0
LOAD_SECONDS = 1500.0
FINE = {"ok": 1}


@dataclass(frozen=True)
class Scenario:
    """What is sent and what is done to whom; `ids` are those of the design's table of faults."""

    name: str
    title: str
    ids: str
    harm: Callable[[Harm], Awaitable[None]]
    sizes: dict[str, Size]
    people: int = 50
    per_body: int = 1
    window: int = 1
    connections: int = 16
    graph: dict[str, int] = field(default_factory=lambda: FINE)
    needs: Callable[[], str] | None = None  # why it cannot run here, or ""
    disk: int = 0  # MB of a volume of its own
    all_taken: bool = False  # a webhook that was not answered 200 at once is a failure


@dataclass
class Row:
    """One scenario with one seed."""

    scenario: Scenario
    seed: int
    not_run: str = ""
    posts: int = 0
    refused: int = 0
    kills: int = 0
    recovery: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Nothing lost, doubled or stuck, and nothing refused where that was forbidden."""
        return self.verdict.is_clean and not (self.scenario.all_taken and self.refused)


class Play:
    """One scenario on one installation."""

    def __init__(self, installation: Installation, scenario: Scenario, size: Size, *, number: int, seed: int) -> None:
        self.installation, self.scenario, self.size = installation, scenario, size
        self.number, self.seed = number, seed
        self.key = f"{scenario.name}-{seed}"
        self.people = f"346{number:02d}"
        self.rng = random.Random(f"{scenario.name} {seed}")
        self.said: dict[str, str] = {}
        self.state: dict[str, Any] = {}
        self.harm = Harm(installation, size, random.Random(self.rng.random()), self.progress)

    async def run(self) -> Row:
        """Load and fault together, then recovery, then the verdict."""
        before = await self.installation.tell("state")
        stored = await asyncio.to_thread(self._stored, before["answers"])
        await self.installation.tell("graph", weights=self.scenario.graph, seed=self.rng.randrange(2**32))
        await self._feed()
        speaking = asyncio.create_task(self._speak())
        await self.scenario.harm(self.harm)
        fault_ended, wall = time.monotonic(), time.time()
        recovering = asyncio.create_task(self._recovery(fault_ended, wall))
        async with asyncio.timeout(LOAD_SECONDS):
            await until(self._is_taken)
            await speaking
        if self.scenario.graph is not FINE:  # trouble at Graph lasts as long as there is something to send
            await self._until_posted()
            recovering.cancel()
            await self.installation.tell("graph", weights=FINE, seed=0)
            recovering = asyncio.create_task(self._recovery(time.monotonic(), time.time()))
        await self.installation.all_up()
        recovery = await recovering
        await self._settle()
        state = await self.installation.tell("state")
        answered = state["answers"] - before["answers"]
        row = Row(self.scenario, self.seed, posts=answered, recovery=recovery)
        feed = state["feeds"][self.key]
        row.refused = feed["refused"]
        row.kills = self.harm.kills + state["kills"] - before["kills"]
        row.verdict = await asyncio.to_thread(self._judge)
        row.notes = [
            *self.harm.notes,
            *self._notes(feed, await asyncio.to_thread(self._stored, state["answers"]) - stored),
        ]
        return row

    async def _is_taken(self) -> bool:
        return await self.progress() >= 1

    async def progress(self) -> float:
        """How much of the inbound load is done."""
        self.state = await self.installation.tell("state")
        feed = self.state["feeds"][self.key]
        return 1.0 if not feed["total"] else feed["answered"] / feed["total"]

    async def _feed(self) -> None:
        await self.installation.tell(
            "feed", key=self.key, scenario=self.number, count=self.size.messages, people=self.scenario.people,
            per_body=self.scenario.per_body, copies=self.size.copies, window=self.scenario.window,
            seed=self.rng.randrange(2**32), connections=self.scenario.connections, rate=self.size.rate,
        )  # fmt: skip

    async def _speak(self) -> None:
        """Answers to people who wrote, some at once."""
        gate = asyncio.Semaphore(8)

        async def say(number: int) -> None:
            async with gate:
                conversations = await self._conversations()
                text, client_id = f"{self.key}.{number}", str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
                await self.installation.say(self.rng.choice(conversations), text, client_id)
                self.said[text] = client_id

        await asyncio.gather(*(say(number) for number in range(self.size.sends)))

    async def _conversations(self) -> list[int]:
        while True:
            with contextlib.suppress(psycopg.Error):
                if found := await asyncio.to_thread(self._find_conversations):
                    return found
            await asyncio.sleep(0.3)

    def _find_conversations(self) -> list[int]:
        with self.installation.connect() as connection:
            rows = connection.execute(
                "SELECT c.id FROM conversations_conversation c JOIN crm_channelidentity i ON i.id = c.identity_id"
                " WHERE i.wa_id LIKE %s ORDER BY i.wa_id",
                [f"{self.people}%"],
            )
            return [row[0] for row in rows]

    async def _until_posted(self) -> None:
        """Until Graph has been asked for every message that was said, or for half a minute."""
        await until(lambda: asyncio.to_thread(self._all_posted), every=0.3, within=STUCK_SECONDS / 2)

    def _all_posted(self) -> bool:
        evidence = verdict.Evidence.of(self.installation.path, self.key, self.people, self.said)
        return self.said.keys() <= {post["text"] for post in evidence.posts}

    async def _recovery(self, ended: float, wall: float) -> float:
        """Seconds from the end of the fault until nothing waits that was there by then."""
        while time.monotonic() - ended < LOAD_SECONDS:
            with contextlib.suppress(psycopg.Error):
                waiting = await asyncio.to_thread(self._waiting, wall)
                if not waiting and not (await self.installation.tell("state"))["repeating"]:
                    return time.monotonic() - ended
            await asyncio.sleep(0.2)
            if time.monotonic() - ended > STUCK_SECONDS and await self.progress() >= 1:
                break
        return time.monotonic() - ended

    def _waiting(self, until: float) -> int:
        with self.installation.connect() as connection:
            return len(verdict.backlog(connection, until))

    async def _settle(self) -> None:
        """Until nothing waits, or what waits is stuck."""
        deadline = time.monotonic() + STUCK_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.Error):
                state = await self.installation.tell("state")
                if not state["reports"] and not await asyncio.to_thread(self._waiting, time.time()):
                    return
            await asyncio.sleep(0.2)

    def _judge(self) -> Verdict:
        evidence = verdict.Evidence.of(self.installation.path, self.key, self.people, self.said)
        with self.installation.connect() as connection:
            return verdict.judge(connection, evidence, self.installation.cluster.env["ENCRYPTION_KEYS"])

    def _stored(self, answers: int) -> int:
        with self.installation.connect() as connection:
            return verdict.stored_without_answer(connection, answers)

    def _notes(self, feed: dict[str, Any], unanswered: int) -> list[str]:
        notes = []
        if unanswered > 0:
            notes.append(f"{unanswered} stored, 200 never arrived")
        if feed["refused"]:
            notes.append(f"{feed['refused']} tries not answered 200")
        return notes


def sized(scenario: Scenario, profile: str, **changes: int) -> Size:
    """The size of a profile, with what the command line changes of it."""
    return replace(scenario.sizes[profile], **{name: value for name, value in changes.items() if value})
