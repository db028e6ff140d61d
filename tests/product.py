"""The product as its users have it: real processes on loopback ports, driven from outside only."""

import asyncio
import fcntl
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import aiohttp
import psycopg

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 40
PASSWORD = "correct-horse-battery"
TEMPLATE = "product_template"
ON_SQLITE = os.environ.get("TEST_DATABASE") == "sqlite"


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def once(name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first of the testing processes makes and the others find."""
    folder = Path(os.environ["TESTS_FOLDER"], name)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            partial = folder.with_suffix(".partial")
            partial.mkdir()
            make(partial)
            partial.rename(folder)
    return folder


def fresh_database_url(template: str = "template1", name: str = "") -> str:
    """A new database on the suite's PostgreSQL; "" on SQLite, where every product has a file of its own."""
    if ON_SQLITE:
        return ""
    name = name or f"product_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return re.sub(r"/[^/]*$", f"/{name}", os.environ["DATABASE_URL"])


def installed() -> Path:
    """What `migrate` and `collectstatic` make: the static files and, on PostgreSQL, the database TEMPLATE."""

    def make(folder: Path) -> None:
        with Product(database_url=fresh_database_url(name=TEMPLATE)) as first:
            first.manage("migrate", "--verbosity", "0")
            first.manage("collectstatic", "--noinput", "--verbosity", "0")
            shutil.copytree(first.data, folder, dirs_exist_ok=True)

    return once("installed", make)


class Process:
    """One of our processes, ended with the object."""

    def __init__(self, *arguments: str, env: dict[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.log = log

    def wait_until_up(self, url: str) -> None:
        """Return when `url` answers 200."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"ended at once:\n{self.log.read_text()}")
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"{url} never answered:\n{self.log.read_text()}")

    def wait_until_it_says(self, words: str) -> None:
        """Return when its log contains `words`."""
        deadline = time.monotonic() + START_SECONDS
        while words not in self.log.read_text():
            assert self.process.poll() is None, f"ended at once:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"never said {words!r}:\n{self.log.read_text()}"
            time.sleep(0.05)

    def end(self) -> int:
        """Ctrl-C, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Product:
    """An installation of its own: folder, database, server; `demo=True` as `make run` starts it, with the simulator.

    Without workers the server does the background work in threads.
    """

    def __init__(
        self,
        *,
        demo: bool = False,
        database_url: str = "",
        redis_url: str = "",
        workers: int = 0,
        undo_send_seconds: int = 0,
    ) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="ventanilla-product-")
        self.data = Path(self.folder.name)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": self.folder.name,
            "DATA_DIR": str(self.data),
            "PORT": str(self.port),
            "UNDO_SEND_SECONDS": str(undo_send_seconds),
        }
        if demo:
            self.env["DEMO"] = "1"
        else:
            self.env |= {
                "SECRET_KEY": uuid.uuid4().hex * 2,
                "ENCRYPTION_KEYS": "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",
                "ALLOWED_HOSTS": "127.0.0.1",
                "HTTPS": "0",
                "MANAGERS_NEED_SECOND_FACTOR": "0",
                "DATABASE_URL": database_url or f"sqlite:///{self.data}/db.sqlite3",
                "REDIS_URL": redis_url,
                "WORK": "procrastinate" if workers else "threads",
            }
        self.server: Process | None = None
        self.workers: list[Process] = []
        self._workers_count = workers
        self.graph = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for process in [*self.workers, self.server]:
            if process is not None:
                process.end()
        self.folder.cleanup()

    def manage(self, *arguments: str, lines: str = "") -> str:
        """Run a management command with `lines` on its standard input; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            input=lines,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def furnish(self) -> Self:
        """Put the demo data in."""

        def make(folder: Path) -> None:
            with Product(demo=True) as first:
                first.manage("setup")
                shutil.copytree(first.data, folder, dirs_exist_ok=True)

        shutil.copytree(once("demo", make), self.data, dirs_exist_ok=True)
        return self

    @classmethod
    def ready(cls, **options: Any) -> Self:
        """One whose database is migrated and whose static files are collected."""
        made = installed()
        product = cls(database_url=fresh_database_url(TEMPLATE), **options)
        shutil.copytree(made, product.data, dirs_exist_ok=True)
        return product

    def start(self) -> Self:
        """Serve, with workers if it has any, and wait until all are ready."""
        self.server = Process("-m", "config.serve", env=self.env, log=self.data / "server.log")
        self.workers = [
            Process("manage.py", "work", env=self.env, log=self.data / f"worker-{number}.log")
            for number in range(self._workers_count)
        ]
        self.server.wait_until_up(f"{self.url}/healthz/")
        for worker in self.workers:
            worker.wait_until_it_says("ready")
        return self

    @property
    def log(self) -> str:
        """What the server and the workers have written."""
        return "".join(file.read_text() for file in sorted(self.data.glob("*.log")))


class Simulator:
    """Meta and the customers' phones, as a process of its own."""

    def __init__(self, *, callback_url: str, secret: str, token: str) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="ventanilla-simulator-")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/simulator"
        number = f"waba_id=100,phone_number_id=200,display=34600000001,name=Acme,secret={secret},token={token}"
        arguments = (
            "--port",
            str(port),
            "--callback-url",
            callback_url,
            "--data-dir",
            self.folder.name,
            "--number",
            number,
        )
        env = {"PATH": os.environ["PATH"], "HOME": self.folder.name}
        self.process = Process("-m", "simulator", *arguments, env=env, log=Path(self.folder.name, "log"))
        self.process.wait_until_up(f"{self.url}/api/health")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.end()
        self.folder.cleanup()


def signed(body: bytes, secret: str) -> dict[str, str]:
    """The headers with which Meta would send this body."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}


class Desk:
    """An agent's browser without the browser: the same requests, the same socket."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url, self.session = url, session
        self.csrf = ""

    async def sign_in(self, email: str, password: str) -> None:
        """Through the sign-in page."""
        async with self.session.get(f"{self.url}/accounts/login/") as page:
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', await page.text())
        assert token
        form = {"username": email, "password": password, "csrfmiddlewaretoken": token[1]}
        async with self.session.post(f"{self.url}/accounts/login/", data=form) as page:
            assert "/inbox/" in str(page.url), await page.text()
            found = re.search(r'name="csrf-token" content="(\w+)"', await page.text())
        assert found
        self.csrf = found[1]

    async def get(self, path: str, **headers: str) -> str:
        """The HTML of a page or fragment."""
        async with self.session.get(self.url + path, headers=headers) as answer:
            assert answer.status == 200, (answer.status, await answer.text())
            return await answer.text()

    async def post(self, path: str, **form: str) -> tuple[int, str]:
        """Status and text of an action."""
        async with self.session.post(self.url + path, data=form, headers={"X-CSRFToken": self.csrf}) as answer:
            return answer.status, await answer.text()

    async def socket(self) -> "Socket":
        """The live socket, after its hello."""
        connection = await self.session.ws_connect(
            f"{self.url}/ws/inbox/", origin=self.url, protocols=["wcrm.v1"], heartbeat=None
        )
        await connection.send_json({"t": "hello", "since": 0})
        socket_ = Socket(connection)
        await socket_.hint("ready")
        return socket_


class Socket:
    """Hints as they come."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self.connection = connection
        self.seen: list[dict[str, Any]] = []

    async def hint(self, kind: str, **wanted: Any) -> dict[str, Any]:
        """The next hint of this kind with these values; fails after 10 s."""
        async with asyncio.timeout(10):
            while True:
                message = await self.connection.receive()
                assert message.type == aiohttp.WSMsgType.TEXT, message
                frame = json.loads(message.data)
                self.seen.append(frame)
                if frame["t"] == kind and all(frame.get(name) == value for name, value in wanted.items()):
                    return frame
