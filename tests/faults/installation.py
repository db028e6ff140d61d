"""A cluster that can be hurt, with a service manager that starts again what has ended, and Meta's side beside it."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

import aiohttp
import psycopg

from scripts.cluster import MANAGER, ROOT, Cluster, Part
from scripts.servers import ServerFailed
from tests.faults import disk
from tests.faults.patience import until
from tests.faults.upstreams import KEEP_SECONDS, Upstreams
from tests.product import free_port

# systemd's RestartSec.
RESTART_SECONDS = 0.1


class Installation:
    """Use as `async with`. `workers=0`: the web processes do the background work in threads. `volume`: MB of a
    file system of their own for database and media.
    """

    def __init__(self, *, encryption_key: str, webs: int = 2, workers: int = 2, volume: int = 0) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="ventanilla-faults-")
        self.path = Path(self.folder.name)
        port = free_port()
        self.meta_url = f"http://127.0.0.1:{port}"
        self.cluster = Cluster(
            webs, workers, graph_url=f"{self.meta_url}/graph",
            env={"ENCRYPTION_KEYS": encryption_key, "UNDO_SEND_SECONDS": "0"},
            max_connections=250, with_static=False,
        )  # fmt: skip
        self.volume = volume
        if volume:
            disk.mount(self.cluster.postgres.folder, volume)
        with (self.path / "meta.log").open("ab") as log:
            self.meta = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.meta", self.folder.name, str(port), self.cluster.app_secret],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log,
            )  # fmt: skip
        self.held: set[Part] = set()
        self.restarting: dict[Part, asyncio.Task[None]] = {}
        self.restarts = 0
        self.supervisor: asyncio.Task[None] | None = None
        self.session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self.cluster.start)
            command = ("create_token", "--user", MANAGER, "--scope", "read", "write")
            self.token = (await asyncio.to_thread(self.cluster.manage, *command)).strip()
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_SECONDS)
            )
            self.proxy = Upstreams(self.session)
            await self.announce_webs()
            self.supervisor = asyncio.create_task(self._supervise())
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        if self.supervisor is not None:
            self.supervisor.cancel()
        for task in self.restarting.values():
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await task
        for part in self.members:
            part.send(signal.SIGCONT)
        await asyncio.to_thread(self.cluster.close)
        if self.volume:
            disk.unmount(self.cluster.postgres.folder)
            self.cluster.postgres.folder.rmdir()
        if self.session is not None:
            await self.session.close()
        self.meta.kill()
        self.meta.wait()
        self.folder.cleanup()

    @property
    def members(self) -> list[Part]:
        """Web processes and workers."""
        return [*self.cluster.webs, *self.cluster.workers]

    @property
    def workhorses(self) -> list[Part]:
        """Those that process and send."""
        return self.cluster.workers or self.cluster.webs

    def targets(self, *kinds: str) -> list[Part]:
        """The members of these kinds ("web", "worker") that are up and at work."""
        chosen = [*(self.cluster.webs if "web" in kinds else ()), *(self.workhorses if "worker" in kinds else ())]
        return [part for part in dict.fromkeys(chosen) if not self.is_down(part)]

    def is_down(self, part: Part) -> bool:
        """Whether it has ended and is not up again."""
        return part.has_died or part in self.restarting

    def kill(self, part: Part) -> None:
        """kill -9; the service manager starts it again."""
        part.send(signal.SIGKILL)

    async def restart(self, part: Part) -> None:
        """An orderly restart: SIGTERM, wait, start, wait until it is ready."""
        self.held.add(part)
        try:
            await asyncio.to_thread(part.stop)
            await asyncio.to_thread(part.start)
        finally:
            self.held.discard(part)

    async def announce_webs(self) -> None:
        """Tell the proxies which web processes there are."""
        self.proxy.urls = [web.url for web in self.cluster.webs]
        await self.tell("upstreams", urls=self.proxy.urls)

    async def all_up(self, seconds: float = 60) -> None:
        """Wait until every member runs; raises ServerFailed with the log of one that does not."""
        if not await until(lambda: not any(self.is_down(part) for part in self.members), within=seconds):
            down = next(part for part in self.members if self.is_down(part))
            raise ServerFailed(f"{down.name} does not come up: {down.log[-3000:]}")

    async def _supervise(self) -> None:
        while True:
            for part in self.members:
                if part.has_died and part not in self.held and part not in self.restarting:
                    self.restarts += 1
                    self.restarting[part] = asyncio.create_task(self._start_again(part))
            await asyncio.sleep(RESTART_SECONDS)

    async def _start_again(self, part: Part) -> None:
        try:
            await asyncio.to_thread(part.stop)
            with contextlib.suppress(ServerFailed):  # it will be seen dead again
                await asyncio.to_thread(part.start)
        finally:
            del self.restarting[part]

    async def tell(self, what: str, **told: Any) -> dict[str, Any]:
        """Tell Meta's side something; answers its state."""
        assert self.session is not None
        for left in range(100, -1, -1):
            try:
                async with self.session.post(f"{self.meta_url}/control/{what}", json=told) as answer:
                    answer.raise_for_status()
                    state: dict[str, Any] = await answer.json()
                    return state
            except aiohttp.ClientConnectorError:
                if not left:
                    raise
                await asyncio.sleep(0.1)
        raise AssertionError("unreachable")

    async def say(self, conversation: int, text: str, client_id: str) -> None:
        """An integrator sends a message, and repeats the request until it is answered."""
        path = f"/api/v1/conversations/{conversation}/messages/"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        content = json.dumps({"text": text, "client_id": client_id}).encode()
        while True:
            status, answer = await self.proxy.request("POST", path, data=content, headers=headers)
            if status in (200, 201):
                return
            if 400 <= status < 500 and status not in (408, 429):
                raise RuntimeError(f"the API refused a message: {status} {answer[:500]!r}")
            await asyncio.sleep(0.3)

    def connect(self) -> psycopg.Connection[Any]:
        """A connection of our own to the database."""
        return psycopg.connect(self.cluster.postgres.url, autocommit=True, connect_timeout=5)
