"""Private PostgreSQL and Redis servers on free loopback ports, for tests, faults, the cluster and benchmarks."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

START_SECONDS = 30
STOP_SECONDS = 20

# Waits until its standard input closes, which also happens when the process that holds it is killed; then ends the
# server ($1 signal, $2 pid) and removes its folder ($3).
GUARD = """
cat >/dev/null
kill -s "$1" "$2" 2>/dev/null
rounds=0
while kill -0 "$2" 2>/dev/null && [ $rounds -lt 100 ]; do sleep 0.1; rounds=$((rounds + 1)); done
kill -s KILL "$2" 2>/dev/null
rm -rf -- "$3"
"""


class ServerFailed(RuntimeError):
    """A private server is missing on this machine or did not start; the text says why."""


class PrivateServer(ABC):
    """One server process with a folder of its own; it ends, and the folder goes, with the process that started it.

    Use as a context manager. `stop` and `start` keep the folder, the data in it and the port.
    """

    name: str
    stop_signal: signal.Signals

    def __init__(self, *, within: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"ventanilla-{self.name}-", dir=within))
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> Self:
        """Start the server and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), cwd=self._workplace, env=self._environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", self.stop_signal.name[3:], str(self._process.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} did not start: {self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        return self

    def stop(self, by: signal.Signals | None = None) -> None:
        """Stop the server and wait for its end, by its own polite signal or, for a crash, by SIGKILL."""
        if self._guard and self._guard.stdin:
            self._guard.kill()
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None
        if self._process:
            self._process.send_signal(by or self.stop_signal)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def send(self, what: signal.Signals) -> None:
        """Send the server a signal and wait for nothing: SIGSTOP freezes it, SIGCONT lets it go on."""
        if self._process:
            self._process.send_signal(what)

    @property
    def has_died(self) -> bool:
        """Whether the server was started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    @property
    def log(self) -> str:
        """What the server has written so far."""
        return self._log.read_text(errors="replace")

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    @property
    def _workplace(self) -> Path:
        return self.folder

    def _environment(self) -> dict[str, str]:
        return _environment()

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...


class PrivatePostgres(PrivateServer):
    """PostgreSQL of the newest installed version; as root it runs as the user postgres, or else nobody.

    With `durable=False` nothing is synced to disk: fast, for tests that do not cut the power.
    """

    name = "postgres"
    stop_signal = signal.SIGINT

    def __init__(self, *, durable: bool = True, max_connections: int = 100) -> None:
        self._binaries = _newest_postgres()
        super().__init__()
        self._durable = durable
        self._max_connections = max_connections
        self._user = _unprivileged_user() if os.geteuid() == 0 else None
        if self._user:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)

    def start(self) -> Self:
        """Make the data folder and the database `ventanilla` the first time; start the server and wait for it."""
        is_new = not (self.folder / "data").exists()
        if is_new:
            self._initialise()
        super().start()
        if is_new:
            self.create_database("ventanilla")
        return self

    @property
    def url(self) -> str:
        """The address of the database `ventanilla`."""
        return self.url_of("ventanilla")

    def url_of(self, database: str) -> str:
        """The address of a database of this server."""
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, database: str) -> str:
        """Make an empty database and return its address."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return self.url_of(database)

    def _initialise(self) -> None:
        options = ["-E", "UTF8", "--locale=C.UTF-8", "--auth=trust", "-U", "postgres"]
        if not self._durable:
            options.append("--no-sync")
        done = subprocess.run(
            self._as_user([str(self._binaries / "initdb"), "-D", str(self.folder / "data"), *options]),
            cwd=self.folder, env=_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ServerFailed(f"initdb failed: {done.stderr[-2000:]}")

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            "max_connections": self._max_connections,
            "timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self._as_user([str(self._binaries / "postgres"), "-D", str(self.folder / "data"), *options])

    def _as_user(self, command: list[str]) -> list[str]:
        if self._user is None:
            return command
        return ["setpriv", f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups", *command]

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url_of("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class PrivateRedis(PrivateServer):
    """Redis without persistence."""

    name = "redis"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        """The address of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        program = shutil.which("redis-server")
        if program is None:
            raise ServerFailed("redis-server is not installed: run scripts/machine.sh")
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": "", "appendonly": "no"}
        return [program, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}


def _newest_postgres() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda program: float(program.parts[-3]))
    if not found:
        raise ServerFailed("PostgreSQL is not installed: run scripts/machine.sh")
    return found[-1].parent


def _unprivileged_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerFailed("neither the user postgres nor nobody exists, and PostgreSQL refuses to run as root")
