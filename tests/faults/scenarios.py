"""A scenario: load, fault, recovery, verdict. One row of the table."""

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from tests.faults import verdict
from tests.faults.harm import Harm, Size
from tests.faults.installation import Installation
from tests.faults.patience import until
from tests.faults.verdict import Evidence, Verdict

# reliability.md: what is not in a final state 60 seconds after the last fault is stuck.
STUCK_SECONDS = 60.0
# How long one waits for what is stuck, so that the next scenario starts clean.
LONGEST_WAIT = 180.0
FINE = {"ok": 1}


@dataclass(frozen=True)
class Scenario:
    """What is sent and what is done to whom; the title may name fields of the size, `ids` are the design's faults."""

    name: str
    title: str
    ids: str
    harm: Callable[[Harm], Coroutine[Any, Any, None]]
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
    size: Size
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
    """One scenario on one installation: `begin`, `hurt`, `finish`, in this order; or all of it with `run`."""

    def __init__(self, installation: Installation, scenario: Scenario, size: Size, *, number: int, seed: int) -> None:
        self.installation, self.scenario, self.size = installation, scenario, size
        self.number, self.seed = number, seed
        self.key = f"{scenario.name}-{seed}"
        self.people = f"346{number:02d}"
        self.rng = random.Random(f"{scenario.name} {seed}")
        self.said: dict[str, str] = {}
        self.harm = Harm(installation, size, random.Random(self.rng.random()), self.progress)
        self.ended = self.recovery = 0.0
        self.speaking: asyncio.Task[None] | None = None
        self.recovering: asyncio.Task[None] | None = None

    async def run(self) -> Row:
        """Alone on the installation."""
        before = await asyncio.to_thread(self._stored)
        await self.begin()
        await self.hurt()
        await self.finish()
        row = await self.judge()
        unanswered = await asyncio.to_thread(self._stored) - before
        if unanswered > 0:
            row.notes.append(f"{unanswered} stored whose 200 never arrived")
        if row.verdict.stuck:
            began = time.monotonic()
            cleared = await until(self.is_idle, within=LONGEST_WAIT)
            row.notes.append(f"stuck for {time.monotonic() - began:.0f} s more" + ("" if cleared else " at least"))
        return row

    async def begin(self) -> None:
        """Let the messages flow."""
        await self._plan_graph(self.scenario.graph)
        await self.installation.tell(
            "feed", key=self.key, scenario=self.number, count=self.size.messages, people=self.scenario.people,
            per_body=self.scenario.per_body, copies=self.size.copies, window=self.scenario.window,
            seed=self.rng.randrange(2**32), connections=self.scenario.connections, rate=self.size.rate,
        )  # fmt: skip
        self.speaking = asyncio.create_task(self._speak())

    async def hurt(self) -> None:
        """Do what the scenario is about; from its end on recovery is measured."""
        await self.scenario.harm(self.harm)
        self._ends_now()

    async def finish(self) -> None:
        """Until all is taken, Graph is well again and nothing waits; or until what waits is stuck."""
        assert self.speaking is not None
        await self.harm.reaches(1)
        await self.speaking
        if self.scenario.graph is not FINE:  # trouble at Graph lasts as long as there is something to send
            await until(lambda: asyncio.to_thread(self._all_posted), every=0.3, within=STUCK_SECONDS / 2)
            await self._plan_graph(FINE)
            self._ends_now()
        await self.installation.all_up()
        await until(self.is_idle, every=0.2, within=STUCK_SECONDS)
        assert self.recovering is not None
        self.recovering.cancel()

    async def judge(self) -> Row:
        """The row; nothing may be under way any more."""
        state = await self.installation.tell("state")
        feed = state["feeds"][self.key]
        row = Row(
            self.scenario, self.size, self.seed, posts=feed["answered"], refused=feed["refused"], recovery=self.recovery
        )
        row.kills = self.harm.kills + state["kills"].get(self.key, 0)
        row.verdict = await asyncio.to_thread(self._judge)
        if self.scenario.all_taken and row.refused:
            row.notes.append(f"upstreams: {state['errors']}")
        tries = ", ".join(f"{count:,} × {status}" for status, count in sorted(feed["statuses"].items()))
        row.notes += [*self.harm.notes, *([f"tries answered {tries}"] if tries else [])]
        return row

    async def progress(self) -> float:
        """How much of the inbound load is done."""
        feed = (await self.installation.tell("state"))["feeds"][self.key]
        return 1.0 if not feed["total"] else feed["answered"] / feed["total"]

    async def _plan_graph(self, weights: dict[str, int]) -> None:
        await self.installation.tell("graph", key=self.key, weights=weights, seed=self.rng.randrange(2**32))

    async def _speak(self) -> None:
        """Answers to people who wrote, some at once."""
        gate = asyncio.Semaphore(8)

        async def say(number: int) -> None:
            if self.size.pace:
                await asyncio.sleep(number / self.size.pace)
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

    def _all_posted(self) -> bool:
        """Whether Graph has been asked for every message that was said."""
        return self.said.keys() <= {post["text"] for post in self._evidence().posts}

    def _ends_now(self) -> None:
        if self.recovering is not None:
            self.recovering.cancel()
        self.ended = time.monotonic()
        self.recovering = asyncio.create_task(self._recover(time.time()))

    async def _recover(self, ended: float) -> None:
        """Measure how long what was there when the fault ended is still waiting."""

        async def is_over() -> bool:
            self.recovery = time.monotonic() - self.ended
            return await self.is_idle(ended)

        await until(is_over)

    async def is_idle(self, since: float = 0) -> bool:
        """Whether nothing waits, here or at Meta, or nothing that is older than `since` (seconds since 1970)."""
        state = await self.installation.tell("state")
        if state["repeating"] or (state["reports"] and not since):
            return False
        with contextlib.suppress(psycopg.Error):
            return not await asyncio.to_thread(self._waiting, since or time.time())
        return False

    def _waiting(self, since: float) -> int:
        with self.installation.connect() as connection:
            return len(verdict.backlog(connection, since))

    def _evidence(self) -> Evidence:
        return Evidence.of(self.installation.path, self.key, self.people, self.said)

    def _judge(self) -> Verdict:
        with self.installation.connect() as connection:
            return verdict.judge(connection, self._evidence())

    def _stored(self) -> int:
        with self.installation.connect() as connection:
            return verdict.stored_without_answer(connection, self.installation.path)


def sized(scenario: Scenario, profile: str, **changes: int) -> Size:
    """The size of a profile, with what the command line changes of it."""
    return replace(scenario.sizes[profile], **{name: value for name, value in changes.items() if value})
