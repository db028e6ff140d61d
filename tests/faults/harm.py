"""What is done to an installation while messages flow: one coroutine per kind of fault."""

import asyncio
import functools
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis

from scripts.cluster import Part
from scripts.servers import PrivateServer
from tests.faults import disk, syscalls
from tests.faults.installation import Installation
from tests.faults.patience import until

TRAP_SECONDS = 3.0


@dataclass(frozen=True)
class Size:
    """How much of a fault: inbound messages and their copies, sends, faults of each kind, seconds."""

    messages: int
    copies: int = 1
    sends: int = 0
    kills: int = 0
    crashes: int = 0
    flushes: int = 0
    seconds: float = 0
    rate: float = 0  # webhooks a second; 0: as fast as they are taken
    pace: float = 0  # sends a second


@dataclass
class Harm:
    """One scenario's hands on the installation, and what they did."""

    installation: Installation
    size: Size
    rng: random.Random
    progress: Callable[[], Awaitable[float]]  # how much of the load is done, 0 to 1
    kills: int = 0
    notes: list[str] = field(default_factory=list)

    async def victim(self, *kinds: str) -> Part:
        """A random member that is at work; waits for one."""
        await until(lambda: bool(self.installation.targets(*kinds)), every=0.05)
        return self.rng.choice(self.installation.targets(*kinds))

    async def reaches(self, place: float) -> None:
        """Wait until so much of the load is done."""

        async def is_there() -> bool:
            return await self.progress() >= place

        await until(is_there, every=0.05)

    async def kill(self, *kinds: str) -> None:
        """kill -9 one of them."""
        self.installation.kill(await self.victim(*kinds))
        self.kills += 1


async def nothing(harm: Harm) -> None:
    """The load itself is the fault."""


async def kill_webs(harm: Harm) -> None:
    """kill -9 of web processes at random moments."""
    await _spread(harm, harm.size.kills, lambda: harm.kill("web"))


async def kill_workers(harm: Harm) -> None:
    """kill -9 of workers at random moments."""
    await _spread(harm, harm.size.kills, lambda: harm.kill("worker"))


async def kill_workers_until_processed(harm: Harm) -> None:
    """kill -9 of workers, one soon after the other, while a large webhook is being processed."""
    for _ in range(harm.size.kills):
        await asyncio.sleep(harm.rng.uniform(0.1, 0.6))
        await harm.kill("worker")


async def kill_at_syscalls(harm: Harm) -> None:
    """Kills at the entry of the n-th sendto, recvfrom, write … of a random process."""
    points: dict[str, int] = {}
    while harm.kills < harm.size.kills:
        part = await harm.victim("web", "worker")
        assert part.pid is not None
        call = harm.rng.choice(syscalls.POINTS)
        trap = syscalls.Trap(part.pid, call, harm.rng.randint(1, 12))
        if await until(functools.partial(harm.installation.is_down, part), every=0.02, within=TRAP_SECONDS):
            harm.kills += 1
            points[call] = points.get(call, 0) + 1
        await asyncio.to_thread(trap.disarm)
        if await harm.progress() >= 1:
            break
    harm.notes.append("at " + ", ".join(f"{call} {count}" for call, count in sorted(points.items())))


async def crash_database(harm: Harm) -> None:
    """PostgreSQL ends at once, without a checkpoint, and comes back."""
    await _spread(harm, harm.size.crashes, lambda: crash(harm))


async def crash(harm: Harm, away: float = 0.0) -> None:
    """One crash; the server is away for `away` seconds and the time of its recovery."""
    postgres = harm.installation.cluster.postgres
    await asyncio.to_thread(postgres.stop, signal.SIGQUIT)
    await asyncio.sleep(away)
    await asyncio.to_thread(postgres.start)
    harm.kills += 1


async def lose_database(harm: Harm) -> None:
    """The database refuses connections, later takes them and says nothing."""
    await asyncio.sleep(2)
    await crash(harm, harm.size.seconds)
    await asyncio.sleep(2)
    pids = _family(harm.installation.cluster.postgres)
    await _frozen(pids, harm.size.seconds / 2)
    harm.kills += 1


async def lose_redis(harm: Harm) -> None:
    """Redis forgets everything, again and again; then it is gone for a while."""
    server = harm.installation.cluster.redis
    assert server is not None
    for _ in range(harm.size.flushes):
        await asyncio.to_thread(_flush, server.url)
        await asyncio.sleep(harm.rng.uniform(0.05, 0.5))
    await asyncio.to_thread(server.stop, signal.SIGKILL)
    await asyncio.sleep(harm.size.seconds)
    await asyncio.to_thread(server.start)
    harm.kills += 1


async def freeze(harm: Harm) -> None:
    """SIGSTOP for longer than a lease lives, then SIGCONT: first a worker, then a web process."""
    for kind in ("worker", "web"):
        part = await harm.victim(kind)
        harm.installation.held.add(part)
        assert part.pid is not None
        await _frozen([part.pid], harm.size.seconds)
        harm.installation.held.discard(part)
        harm.kills += 1


async def roll(harm: Harm) -> None:
    """Every 20 seconds one web process and one worker are restarted in order."""
    every = min(20.0, harm.size.seconds / 3)
    turn = 0
    ends = time.monotonic() + harm.size.seconds
    while time.monotonic() < ends:
        began = time.monotonic()
        members = harm.installation.cluster.webs, harm.installation.cluster.workers
        for parts in members:
            if parts:
                await harm.installation.restart(parts[turn % len(parts)])
                harm.kills += 1
        turn += 1
        await asyncio.sleep(max(every - (time.monotonic() - began), 0))


async def join(harm: Harm) -> None:
    """One web process and one worker do everything; after a third of the load a second of each comes."""
    installation = harm.installation
    webs, workers = installation.cluster.webs, installation.cluster.workers
    late = [parts[1] for parts in (webs, workers) if len(parts) > 1]
    for part in late:
        installation.held.add(part)
        await asyncio.to_thread(part.stop)
    await harm.reaches(1 / 3)
    for part in late:
        await asyncio.to_thread(part.start)
        installation.held.discard(part)
    before = await installation.tell("state")
    spent = {part: _cpu_seconds(part) for part in workers}
    await harm.reaches(1)
    after = await installation.tell("state")
    for web in webs:
        taken = after["taken"].get(web.url, 0) - before["taken"].get(web.url, 0)
        harm.notes.append(f"{web.name} then took {taken}")
    for part in workers:
        sent = after["senders"].get(str(part.pid), 0) - before["senders"].get(str(part.pid), 0)
        harm.notes.append(f"{part.name} then worked {_cpu_seconds(part) - spent[part]:.1f} s and sent {sent}")


def _cpu_seconds(part: Part) -> float:
    fields = Path(f"/proc/{part.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def fill_disk(harm: Harm) -> None:
    """The volume of the database and the media is full for a while."""
    await asyncio.sleep(2)
    folder = harm.installation.cluster.postgres.folder
    ballast = folder / "ballast"
    await asyncio.to_thread(disk.fill, ballast)
    await asyncio.sleep(harm.size.seconds)
    ballast.unlink()
    harm.kills += 1
    postgres = harm.installation.cluster.postgres
    if postgres.has_died:
        harm.notes.append("PostgreSQL ended and was started again")
        await asyncio.to_thread(postgres.stop)
        await asyncio.to_thread(postgres.start)


async def everything(harm: Harm) -> None:
    """Kills of all processes, database crashes and FLUSHALLs, spread over the load in random order."""
    server = harm.installation.cluster.redis
    assert server is not None
    todo = ["kill"] * harm.size.kills + ["crash"] * harm.size.crashes + ["flush"] * harm.size.flushes
    harm.rng.shuffle(todo)
    crashes = 0
    for number, what in enumerate(todo):
        await harm.reaches(number / len(todo))
        if what == "kill":
            await harm.kill("web", "worker")
        elif what == "crash":
            await crash(harm)
            crashes += 1
        else:
            await asyncio.to_thread(_flush, server.url)
    harm.kills -= crashes  # named by themselves


async def _spread(harm: Harm, count: int, act: Callable[[], Awaitable[None]]) -> None:
    """`count` times, at random places of the load."""
    for place in sorted(harm.rng.uniform(0.02, 0.98) for _ in range(count)):
        await harm.reaches(place)
        await act()


def _flush(url: str) -> None:
    with redis.Redis.from_url(url) as connection:
        connection.flushall()


def _family(server: PrivateServer) -> list[int]:
    """A server process and its children."""
    pids = [server.pid] if server.pid else []
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            pids += [int(child) for child in task.read_text().split()]
    return pids


async def _frozen(pids: list[int], seconds: float) -> None:
    """Freeze processes for a while; a process of its own thaws them, whatever becomes of this one."""
    script = 'seconds=$1; shift; kill -s STOP "$@"; sleep "$seconds"; kill -s CONT "$@"'
    arguments = ["sh", "-c", script, "freezer", str(seconds), *map(str, pids)]
    freezer = await asyncio.create_subprocess_exec(
        *arguments, stderr=asyncio.subprocess.DEVNULL, start_new_session=True
    )
    await freezer.wait()
