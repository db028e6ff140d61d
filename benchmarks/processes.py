"""The processes of a benchmark: servers on ports of their own and sides that obey, each on its core, all ended."""

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 10


# Waits until its standard input closes, which also happens when the program is killed; then ends process $1.
GUARD = 'cat >/dev/null; kill "$1" 2>/dev/null; sleep 3; kill -s KILL "$1" 2>/dev/null'


class Failed(RuntimeError):
    """A benchmark cannot measure what it wants to; the text says why."""


def allow_many_sockets() -> None:
    """Raise this process's limit of open files as far as it may."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cores() -> tuple[set[int], set[int]]:
    """The core of servers and the core of clients and databases; both all cores on a machine with one."""
    known = sorted(_affinity())
    return ({known[0]}, {known[1]}) if len(known) > 1 else (set(known), set(known))


def _affinity() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


ALL_CORES = frozenset(_affinity())


@contextlib.contextmanager
def on(wanted: set[int] | frozenset[int]) -> Iterator[None]:
    """Whatever this thread starts inside runs on these cores."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, wanted)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refuse_taken(port: int) -> None:
    """Raise Failed if somebody listens there: a server left over would be measured instead of ours."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise Failed(f"port {port} is taken: another server would be measured")


class Child:
    """A process of ours with a log; ends with the `with` block, with this process at the latest."""

    def __init__(
        self, *command: str, env: dict[str, str], log: Path, where: set[int] | frozenset[int] = ALL_CORES,
        pipes: bool = False,
    ) -> None:  # fmt: skip
        self.log = log
        with log.open("ab") as output, on(where):
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=env, stderr=output,
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL, stdout=subprocess.PIPE if pipes else output,
            )  # fmt: skip

        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", str(self.process.pid)], stdin=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self) -> None:
        """Ask politely, then not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._guard.kill()
        self._guard.wait()
        for pipe in (self.process.stdin, self.process.stdout, self._guard.stdin):
            if pipe is not None:
                pipe.close()

    def fail(self, what: str) -> Failed:
        """An error with the end of the log in it."""
        return Failed(f"{what}:\n{self.log.read_text(errors='replace')[-3000:]}")

    def cpu_seconds(self) -> float:
        """User and system time so far (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory (Linux)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0


class Server(Child):
    """A child that listens on `port`; ready when `path` answers 200."""

    def __init__(self, *command: str, port: int, path: str = "/healthz/", **more: Any) -> None:
        refuse_taken(port)
        super().__init__(*command, **more)
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        try:
            self._wait(f"{self.url}{path}")
        except BaseException:
            self.end()
            raise

    def _wait(self, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise self.fail("a server ended at once")
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
            time.sleep(0.02)
        raise self.fail(f"{url} never answered")


class Side(Child):
    """A child that obeys: `ask` sends one command and returns its result."""

    def __init__(self, module: str, **more: Any) -> None:
        python = more.pop("python", sys.executable)
        super().__init__(python, "-m", module, pipes=True, **more)

    def begin(self, command: str, **values: Any) -> None:
        """Send a command without waiting for its result."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps([command, values]).encode() + b"\n")
        self.process.stdin.flush()

    def result(self) -> Any:
        """The result of the command begun; raises Failed with what went wrong."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise self.fail("a side ended")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["result"]

    def ask(self, command: str, **values: Any) -> Any:
        """One command and its result."""
        self.begin(command, **values)
        return self.result()


def obey(commands: dict[str, Callable[..., Any]]) -> None:
    """Serve commands from standard input until it closes; what else is printed goes to the log."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        name, values = json.loads(line)
        try:
            answer = {"result": commands[name](**values)}
        except Exception as error:  # noqa: BLE001 (the program that asked reports it)
            answer = {"error": f"{name}: {type(error).__name__}: {error}"}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
