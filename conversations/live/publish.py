"""Hints: written in the transaction of their cause, published after its commit, to this process and, with Redis, to
the others.
"""

import asyncio
import uuid
from collections.abc import Iterable
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


def hint(groups: Iterable[str], kind: str, **payload: Any) -> None:
    """Write a hint of `kind` for `groups` and publish it on commit; call inside the transaction of the change."""
    names = sorted(set(groups))
    row = LiveHint.objects.create(groups=names, payload={"t": kind, **payload})
    transaction.on_commit(lambda: publish(names, frame_of(row)), robust=True)


def frame_of(row: LiveHint) -> dict[str, Any]:
    """What goes over the wire for a stored hint."""
    return {"v": PROTOCOL, "id": row.pk, **row.payload}


def publish(groups: Iterable[str], frame: dict[str, Any]) -> None:
    """Hand a frame to the sockets of all processes; may be lost, browsers pull what they missed."""
    names, text = list(groups), orjson.dumps(frame).decode()
    registry.deliver_threadsafe(names, text, frame.get("id", 0))
    if settings.REDIS_URL:
        asyncio.run_coroutine_threadsafe(_to_other_processes(names, text, frame.get("id", 0)), aio.loop())


async def _to_other_processes(groups: list[str], text: str, head: int) -> None:
    global _pending
    if _pending >= MAX_PENDING:  # Redis is away or slow: a hint may be lost
        return
    _pending += 1
    try:
        layer = get_channel_layer()
        if layer is not None:
            await layer.group_send(
                LAYER_GROUP, {"type": "live.hint", "from": PROCESS, "groups": groups, "frame": text, "head": head}
            )
    except AWAY as error:
        log.warning("hint not passed on", error=type(error).__name__)
    finally:
        _pending -= 1


async def subscribe() -> None:
    """Pass hints of other processes to this one's sockets, for ever; reconnects by itself. One subscription per
    process.
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
                if message.get("from") != PROCESS and not {"groups", "frame", "head"} - message.keys():
                    registry.deliver(message["groups"], message["frame"], message["head"])
        except asyncio.CancelledError:
            raise
        except AWAY as error:
            log.warning("live subscription lost", error=type(error).__name__)
            await asyncio.sleep(2)
