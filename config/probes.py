"""What machines ask: /healthz/ (alive), /readyz/ (may take part), /metrics. Raw ASGI, past Django."""

import asyncio
import dataclasses
import hmac
import ipaddress
import time
from collections.abc import Callable
from typing import Any

import orjson
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections

from conversations.monitoring import figures, readiness
from conversations.monitoring.exposition import CONTENT_TYPE, exposition, webhook_answers

ANSWER_SECONDS = 1.5
KEPT_SECONDS = 1.0


class Latest[T]:
    """A blocking reading taken at most once a second and by one thread at a time, however many ask."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._running: asyncio.Future[T] | None = None
        self._value: T | None = None
        self._at = 0.0

    async def get(self) -> T | None:
        """The reading, a second old at most; None if it takes too long. Raises what the reading raises."""
        if self._value is not None and time.monotonic() - self._at < KEPT_SECONDS:
            return self._value
        if self._running is None or self._running.done():  # one that nobody waited for any more is old by now
            self._running = asyncio.ensure_future(asyncio.to_thread(self._read))
        running = self._running
        done, _ = await asyncio.wait([running], timeout=ANSWER_SECONDS)
        if not done:
            return None
        if self._running is running:
            self._running = None
        self._value, self._at = running.result(), time.monotonic()
        return self._value


def _read_figures() -> figures.Figures:
    close_old_connections()
    try:
        return figures.read()
    finally:
        close_old_connections()


latest_readiness = Latest(readiness.check)
latest_figures = Latest(_read_figures)


async def alive(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The process answers, whatever host name it was asked by; whether it is ready to work is another question."""
    await _answer(send, 200, b"ok")


async def ready(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """200 if this process may be sent requests, else 503; names and numbers only, for anybody may ask."""
    found = await latest_readiness.get() or readiness.Readiness()
    body = {"status": found.status, **dataclasses.asdict(found)}
    await _answer(send, 503 if found.status == "not ready" else 200, orjson.dumps(body), b"application/json")


async def metrics(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The figures for Prometheus, for who has the token or, without one, sits on this machine."""
    if not _may_read(scope):
        await _answer(send, 403, b"forbidden")
        return
    try:
        found = await latest_figures.get()
    except (DatabaseError, InterfaceError):
        found = None
    await _answer(send, 200, exposition(found), CONTENT_TYPE.encode())


def counted(send: Any) -> Any:
    """`send` of a webhook's answer, with its status counted."""

    async def counting(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            webhook_answers[message["status"]] += 1
        await send(message)

    return counting


def _may_read(scope: dict[str, Any]) -> bool:
    """By token; without one only from the loopback, and not behind a proxy, which makes everybody local."""
    if settings.METRICS_TOKEN:
        wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], wanted)
    peer = scope.get("client")
    return peer is not None and not settings.BEHIND_PROXY and ipaddress.ip_address(peer[0]).is_loopback


async def _answer(send: Any, status: int, body: bytes, content_type: bytes = b"text/plain") -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
