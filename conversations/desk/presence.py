"""Watching over this process's sockets: the head, jumps of the demo clock, and who may no longer listen."""

import asyncio
from typing import Any, cast

import structlog
from django.contrib.sessions.models import Session
from django.db import Error as DatabaseAway
from django.db import close_old_connections

from conversations.desk.access import NOBODY, Access, access_of
from conversations.desk.consumers import NO_ACCESS, NOT_SIGNED_IN, DeskConsumer
from conversations.live import replay
from conversations.live.registry import registry
from crm.foundation import clock
from crm.staff.models import User

log = structlog.get_logger(__name__)

CHECK_ACCESS_EVERY = 5


async def watch_over_sockets() -> None:
    """For ever: once a second the head and the clock, every five seconds everybody's access."""
    offset, seconds = clock.offset(), 0
    while True:
        try:
            registry.settled = await asyncio.to_thread(_read_head)
            registry.head = max(registry.head, registry.settled)
            if clock.offset() != offset:
                offset = clock.offset()
                registry.broadcast(f'{{"v":1,"t":"resync","head":{registry.head}}}')
            if seconds % CHECK_ACCESS_EVERY == 0 and registry.sockets:
                await _check_access()
        except DatabaseAway as error:
            log.warning("sockets not checked", error=type(error).__name__)
        seconds += 1
        await asyncio.sleep(1)


async def _check_access() -> None:
    sockets = [cast("DeskConsumer", socket) for socket in registry.sockets]
    known = await asyncio.to_thread(_read, {s.user_id for s in sockets}, {s.session_key for s in sockets})
    for socket in sockets:
        access = known[0].get(socket.user_id, NOBODY)
        if socket.session_key not in known[1] or not access.fingerprint:
            socket.hang_up(NOT_SIGNED_IN)
        elif access != socket.access:
            socket.hang_up(NOT_SIGNED_IN if access.is_allowed else NO_ACCESS)


def _read_head() -> int:
    close_old_connections()
    try:
        return replay.head()
    finally:
        close_old_connections()


def _read(user_ids: set[int], session_keys: set[str]) -> tuple[dict[int, Access], set[Any]]:
    """Access by user and the sessions that still live: five queries for all sockets of the process."""
    close_old_connections()
    try:
        access = access_of(User.objects.filter(pk__in=user_ids))
        live = Session.objects.filter(session_key__in=session_keys, expire_date__gt=clock.real())
        return access, set(live.values_list("session_key", flat=True))
    finally:
        close_old_connections()
