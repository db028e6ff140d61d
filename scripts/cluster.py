"""A production-shaped installation on loopback: PostgreSQL, Redis, web processes, workers, Meta's side.

`make cluster` runs one to try; fault programs and benchmarks use the class `Cluster`.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.fernet import Fernet

from scripts.servers import PrivatePostgres, PrivateRedis, PrivateServer, ServerFailed

ROOT = Path(__file__).resolve().parent.parent
WABA_ID, PHONE_NUMBER_ID, DISPLAY = "100", "200", "34600000001"
MANAGER, AGENT, PASSWORD = "manager@example.com", "ana@example.com", "correct-horse-battery"


class Part(PrivateServer):
    """One process of ours; `start` waits until it is ready, `stop(by=…)` until it has ended."""

    stop_signal = signal.SIGTERM

    def __init__(self, name: str, *arguments: str, env: dict[str, str], ready: str, within: Path) -> None:
        self.name = name
        super().__init__(within=within)
        self._arguments, self._env, self._ready = arguments, env, ready
        self._seen = 0

    @property
    def url(self) -> str:
        """Where it listens, if it is a server."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start it (again) and wait until it is ready."""
        self._seen = len(self.log) if self._log.exists() else 0
        return super().start()

    @property
    def _workplace(self) -> Path:
        return ROOT

    def _environment(self) -> dict[str, str]:
        return self._env | {"PORT": str(self.port)}

    def _command(self) -> list[str]:
        return [sys.executable, *(argument.replace("{port}", str(self.port)) for argument in self._arguments)]

    def _answers(self) -> bool:
        """`ready` is a path that answers 200, or else a word in the log."""
        if not self._ready.startswith("/"):
            return self._ready in self.log[self._seen :]
        try:
            with urllib.request.urlopen(self.url + self._ready, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Cluster:
    """Use as a context manager: it is migrated, has one number and two users, and serves.

    `webs` and `workers` are lists of `Part`: `cluster.webs[0].stop(by=signal.SIGKILL)`, `cluster.webs[0].start()`.
    With `workers=0` the web processes do the background work in threads. With `graph_url` the number sends there
    and no simulator is started. `env` changes the environment of every process of ours.
    """

    def __init__(
        self,
        webs: int = 2,
        workers: int = 2,
        *,
        graph_url: str = "",
        env: dict[str, str] | None = None,
        max_connections: int = 200,
        with_redis: bool = True,
        with_static: bool = True,
    ) -> None:
        self.postgres = PrivatePostgres(durable=True, max_connections=max_connections)
        self.redis = PrivateRedis() if with_redis else None
        self.app_secret, self.token = secrets.token_hex(16), secrets.token_hex(16)
        self._counts, self._given, self._with_static = (webs, workers), env or {}, with_static
        self._graph_url = graph_url
        self.webs: list[Part] = []
        self.workers: list[Part] = []
        self.simulator: Part | None = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self) -> Self:
        """Start everything; raises ServerFailed with the log of the part that did not start."""
        webs, workers = self._counts
        self.postgres.start()
        if self.redis:
            self.redis.start()
        data = self._folder / "product"
        data.mkdir()
        self.env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(data),
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "HTTPS": "0",
            "MANAGERS_NEED_SECOND_FACTOR": "0",
            "DATA_DIR": str(data),
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url if self.redis else "",
            "WORK": "procrastinate" if workers else "threads",
        } | self._given
        self.webs = [self._web(index) for index in range(webs)]
        self.manage("migrate", "--verbosity", "0")
        if self._with_static:
            self.manage("collectstatic", "--noinput", "--verbosity", "0")
        if not self._graph_url:
            self.simulator = self._simulated(data).start()
        self._furnish()
        self.workers = [self._worker(index) for index in range(workers)]
        _all_at_once([*self.webs, *self.workers])
        return self

    def close(self) -> None:
        """End every process, the servers last, and remove what they left."""
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(PrivateServer.close, [part for part in self.parts if part not in self._servers]))
        for server in self._servers:
            server.close()

    @property
    def parts(self) -> list[PrivateServer]:
        """All processes, those of ours first."""
        simulator = [self.simulator] if self.simulator else []
        return [*self.webs, *self.workers, *simulator, *self._servers]

    @property
    def graph_url(self) -> str:
        """The Graph API the number speaks to."""
        return self._graph_url or (f"{self.simulator.url}/simulator/graph" if self.simulator else "")

    def manage(self, *arguments: str, lines: str = "") -> str:
        """Run a management command with `lines` on its standard input; returns what it prints, raises ServerFailed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.env, input=lines, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ServerFailed(f"manage.py {arguments[0]} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def add_web(self) -> Part:
        """Start one more web process."""
        self.webs.append(self._web(len(self.webs)))
        return self.webs[-1].start()

    def add_worker(self) -> Part:
        """Start one more worker."""
        self.workers.append(self._worker(len(self.workers)))
        return self.workers[-1].start()

    @property
    def _folder(self) -> Path:
        """Everything lies in the database's folder: its guard removes it whatever happens to this process."""
        return self.postgres.folder

    @property
    def _servers(self) -> list[PrivateServer]:
        return [self.redis, self.postgres] if self.redis else [self.postgres]

    def _web(self, index: int) -> Part:
        return Part(f"web-{index + 1}", "-m", "config.serve", env=self.env, ready="/healthz/", within=self._folder)

    def _worker(self, index: int) -> Part:
        return Part(f"worker-{index + 1}", "manage.py", "work", env=self.env, ready="ready", within=self._folder)

    def _simulated(self, data: Path) -> Part:
        number = (
            f"waba_id={WABA_ID},phone_number_id={PHONE_NUMBER_ID},display={DISPLAY},name=Ventanilla,"
            f"secret={self.app_secret},token={self.token}"
        )
        return Part(
            "simulator", "-m", "simulator", "--port", "{port}", "--data-dir", str(data / "simulator"),
            "--callback-url", f"{self.webs[0].url}/webhooks/whatsapp/", "--number", number,
            env={"PATH": self.env["PATH"], "HOME": self.env["HOME"]}, ready="/simulator/api/health",
            within=self._folder,
        )  # fmt: skip

    def _furnish(self) -> None:
        """One number, a manager and an agent: what is needed to sign in and write."""
        check = ["--no-check"] if self._graph_url else []
        self.manage(
            "add_number", "--name", "Ventas", "--waba-id", WABA_ID, "--phone-number-id", PHONE_NUMBER_ID,
            "--team", "Ventas", "--graph-base-url", self.graph_url, *check, lines=f"{self.token}\n{self.app_secret}\n",
        )  # fmt: skip
        for email, name, role in ((MANAGER, "Marta Gil", "manager"), (AGENT, "Ana Torres", "agent")):
            self.manage("add_user", email, "--name", name, "--role", role, "--team", "Ventas", lines=f"{PASSWORD}\n")


def _all_at_once(parts: Iterable[Part]) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(Part.start, parts))


def main() -> int:
    """Run a cluster until Ctrl-C; exit code 1 if one of its parts ends by itself."""
    for name in (signal.SIGINT, signal.SIGTERM):  # a shell that starts it in the background has SIGINT ignored
        signal.signal(name, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        print("Starting PostgreSQL, Redis, two web processes and two workers …", flush=True)
        try:
            with Cluster() as cluster:
                _show(cluster)
                return _watch(cluster)
        except ServerFailed as error:
            print(error, file=sys.stderr)
            return 1
    print("\nStopped.", flush=True)
    return 0


def _show(cluster: Cluster) -> None:
    for web in cluster.webs:
        print(f"The inbox ({web.name}):  {web.url}/inbox/")
    if cluster.simulator:
        print(f"The customers' phones: {cluster.simulator.url}/simulator/")
    print(f"Sign in as {MANAGER} or {AGENT}, password {PASSWORD}. Ctrl-C stops everything.", flush=True)


def _watch(cluster: Cluster) -> int:
    """Until a part has died."""
    while True:
        time.sleep(0.5)
        for part in cluster.parts:
            if part.has_died:
                print(f"{part.name} has ended by itself:\n{part.log[-2000:]}", file=sys.stderr, flush=True)
                return 1


if __name__ == "__main__":
    sys.exit(main())
