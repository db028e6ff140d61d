"""An HTTP/1.1 client that costs little: raw sockets kept open, requests made ready before, one at a time on each."""

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop


def run[T](coroutine: Coroutine[Any, Any, T]) -> T:
    """Run on a fast event loop, the one the servers have."""
    return asyncio.run(coroutine, loop_factory=uvloop.new_event_loop)


@dataclass
class Outcome:
    """What a run of requests came to; times in seconds, `begun` by the monotonic clock."""

    seconds: float
    begun: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answers 200 per second."""
        return self.statuses[200] / self.seconds

    def quantile(self, share: float) -> float:
        """The latency that this share of requests did not exceed; 0 without any."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


class Connection(asyncio.Protocol):
    """One connection; `ask` sends a whole request and resolves to the status when the whole answer is there."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.waiting: asyncio.Future[int] | None = None
        self.body = b""
        self.headers = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Whoever waits is told."""
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(error or ConnectionResetError("closed by the server"))

    def data_received(self, data: bytes) -> None:
        """Resolve once the answer is complete."""
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.buffer[:end]).lower()
        at = head.find(b"content-length:")
        if at >= 0:
            length = int(head[at + 15 : (head.find(b"\r", at) + 1 or len(head) + 1) - 1])
            if len(self.buffer) < end + 4 + length:
                return
            self.body = bytes(self.buffer[end + 4 : end + 4 + length])
        elif b"chunked" in head:
            if not self.buffer.endswith(b"0\r\n\r\n"):
                return
            self.body = bytes(self.buffer[end + 4 :])
        self.headers = bytes(self.buffer[:end])
        status = int(head[9:12])
        self.buffer.clear()
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(status)

    async def ask(self, request: bytes) -> int:
        """Send a request and wait for its answer's status."""
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.waiting


async def connect(port: int) -> Connection:
    """A new connection to a loopback port."""
    _transport, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request; header names with underscores for hyphens."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class ClosedLoop:
    """`connections` clients, each asking again as soon as it is answered."""

    def __init__(self, port: int, connections: int) -> None:
        self.port, self.count = port, connections
        self.connections: list[Connection] = []

    async def run(self, requests: Iterator[bytes], seconds: float) -> Outcome:
        """Send requests until the time is over (or there is none left); connections stay open."""
        await asyncio.sleep(0.05)  # hear of connections that a server closed while others were measured
        self.connections = [one for one in self.connections if not one.transport.is_closing()]
        while len(self.connections) < self.count:
            self.connections.append(await connect(self.port))
        outcome = Outcome(seconds)
        started = time.perf_counter()
        until = started + seconds
        await asyncio.gather(*(self._client(at, requests, until, outcome) for at in range(self.count)))
        outcome.seconds = time.perf_counter() - started
        return outcome

    async def _client(self, at: int, requests: Iterator[bytes], until: float, outcome: Outcome) -> None:
        connection = self.connections[at]
        while (begun := time.perf_counter()) < until and (request := next(requests, b"")):
            try:
                status = await connection.ask(request)
            except OSError:
                outcome.statuses[0] += 1
                connection = self.connections[at] = await connect(self.port)
                continue
            outcome.latencies.append(time.perf_counter() - begun)
            outcome.statuses[status] += 1

    def close(self) -> None:
        """Close every connection."""
        for connection in self.connections:
            connection.transport.close()
        self.connections.clear()


async def paced(port: int, requests: Sequence[bytes], per_second: float, connections: int = 32) -> Outcome:
    """Send requests at fixed moments, whatever the answers do; latency counts from the planned moment."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    opened = [await connect(port) for _ in range(connections)]
    for connection in opened:
        free.put_nowait(connection)
    outcome = Outcome(len(requests) / per_second)
    begun = outcome.begun = time.monotonic()

    async def one(number: int) -> None:
        planned = begun + number / per_second
        await asyncio.sleep(planned - time.monotonic())
        connection = await free.get()
        try:
            status = await connection.ask(requests[number])
        except OSError:
            status, connection = 0, await connect(port)
            opened.append(connection)
        outcome.statuses[status] += 1
        outcome.latencies.append(time.monotonic() - planned)
        free.put_nowait(connection)

    await asyncio.gather(*(one(number) for number in range(len(requests))))
    outcome.seconds = time.monotonic() - begun
    for connection in opened:
        connection.transport.close()
    return outcome
