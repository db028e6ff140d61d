"""Hints: written in the transaction of their cause, published after its commit, to this process and, with Redis, to
the others.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import orjson
import structlog
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

from conversations.live.models import LiveHint
from conversations.live.registry import registry
from crm.foundation import aio

log = structlog.get_logger(__name__)

PROTOCOL = 1
LAYER_GROUP = "live"
PROCESS = uuid.uuid4().hex
MAX_PENDING = 1000
AWAY = (RedisError, OSError, RuntimeError)
_pending = 0
_gathered: ContextVar[list[LiveHint] | None] = ContextVar("_gathered", default=None)


def hint(groups: Iterable[str], kind: str, **payload: Any) -> None:
    """Write a hint of `kind` for `groups` and publish it on commit; call inside the transaction of the change."""
    row = LiveHint(groups=sorted(set(groups)), payload={"t": kind, **payload})
    gathered = _gathered.get()
    if gathered is not None:
        gathered.append(row)
    else:
        _write([row])


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Hints made inside are written with one statement at the end, and travel as one message; nothing is written
    after an exception.
    """
    if _gathered.get() is not None:
        yield
        return
    rows: list[LiveHint] = []
    token = _gathered.set(rows)
    try:
        yield
    finally:
        _gathered.reset(token)
    if rows:
        _write(rows)


def _write(rows: list[LiveHint]) -> None:
    LiveHint.objects.bulk_create(rows)
    transaction.on_commit(lambda: publish([(row.groups, frame_of(row)) for row in rows]), robust=True)


def frame_of(row: LiveHint) -> dict[str, Any]:
    """What goes over the wire for a stored hint."""
    return {"v": PROTOCOL, "id": row.pk, **row.payload}


def publish(frames: Iterable[tuple[list[str], dict[str, Any]]]) -> None:
    """Hand frames, each with its groups, to the sockets of all processes; may be lost, browsers pull what they
    missed.
    """
    hints = [(groups, orjson.dumps(frame).decode(), frame.get("id", 0)) for groups, frame in frames]
    registry.deliver_threadsafe(hints)
    gossip({"hints": hints})


def gossip(said: dict[str, Any]) -> None:
    """Say something to the other processes, if there are any; may be lost."""
    if settings.REDIS_URL:
        asyncio.run_coroutine_threadsafe(_to_other_processes(said), aio.loop())


async def _to_other_processes(said: dict[str, Any]) -> None:
    global _pending
    if _pending >= MAX_PENDING:  # Redis is away or slow: a hint may be lost
        return
    _pending += 1
    try:
        layer = get_channel_layer()
        if layer is not None:
            await layer.group_send(LAYER_GROUP, {"type": "live.said", "from": PROCESS} | said)
    except AWAY as error:
        log.warning("hint not passed on", error=type(error).__name__)
    finally:
        _pending -= 1


async def subscribe(listen: Callable[[dict[str, Any]], None] = lambda said: None) -> None:
    """Pass hints of other processes to this one's sockets, and all they say to `listen`, for ever; reconnects by
    itself. One subscription per process.
    """
    while True:
        try:
            layer = get_channel_layer()
            if layer is None:
                return
            channel = await layer.new_channel()
            await layer.group_add(LAYER_GROUP, channel)
            while True:
                message = await layer.receive(channel)
                if message.get("from") != PROCESS:
                    for groups, frame, head in message.get("hints", ()):
                        registry.deliver(groups, frame, head)
                    listen(message)
        except asyncio.CancelledError:
            raise
        except AWAY as error:
            log.warning("live subscription lost", error=type(error).__name__)
            await asyncio.sleep(2)
