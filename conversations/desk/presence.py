"""Watching over this process's sockets: the head, hints that did not come, jumps of the demo clock, and who may no
longer listen.
"""

import asyncio
from typing import Any, cast

import orjson
import structlog
from django.contrib.sessions.models import Session
from django.db import Error as DatabaseAway
from django.db import close_old_connections

from conversations.desk.access import NOBODY, Access, access_of
from conversations.desk.consumers import NO_ACCESS, NOT_SIGNED_IN, DeskConsumer
from conversations.live import replay, seats
from conversations.live.models import LiveHint
from conversations.live.publish import frame_of
from conversations.live.registry import Socket, registry
from conversations.live.viewers import viewers
from conversations.messaging.models import Conversation
from crm.foundation import clock
from crm.staff.models import User

log = structlog.get_logger(__name__)

CHECK_ACCESS_EVERY = 5
Owner = tuple[int | None, int | None]
"""The assignee and the team of a conversation."""

COMPARED = 5000  # hints a second; of more nobody can say what was missed


async def watch_over_sockets() -> None:
    """For ever: once a second the head, hints that did not come and the clock, every five seconds everybody's
    access.
    """
    offset, seconds, watch = clock.offset(), 0, Watch()
    while True:
        try:
            await watch.look()
            viewers.look()
            if clock.offset() != offset:
                offset = clock.offset()
                registry.broadcast(_frame("resync"))
            if seconds % CHECK_ACCESS_EVERY == 0 and registry.sockets:
                await _check_access()
            if seconds % seats.NOTE_EVERY == 0 and registry.sockets:
                people = {cast("DeskConsumer", socket).user_id for socket in registry.sockets}
                await asyncio.to_thread(_note_seats, people)
        except DatabaseAway as error:
            log.warning("sockets not checked", error=type(error).__name__)
        except Exception:  # whatever it was, access is checked again
            log.exception("sockets not checked")
        seconds += 1
        await asyncio.sleep(1)


class Watch:
    """Hands out from the log what this process has not heard of a second after it could be read: Redis is away, or
    lost it, or there is none.
    """

    def __init__(self) -> None:
        self.checked: int | None = None  # up to this place of the log nothing is missing
        self.arriving: set[Socket] = set()

    async def look(self) -> None:
        """Read the head; look for hints up to the head of the look before, since these had time to come."""
        before = registry.settled
        registry.settled, known = await asyncio.to_thread(_read_log, self.checked, before)
        self._greet()
        self.checked = before if self.checked is not None else registry.settled
        missing = [pk for pk in known if not registry.has_heard(pk)]
        if len(known) == COMPARED or len(missing) > replay.MOST:
            registry.broadcast(_frame("resync"))
        elif missing and registry.sockets:
            for row in await asyncio.to_thread(_read_hints, missing):
                registry.deliver(row.groups, orjson.dumps(frame_of(row)).decode(), row.pk)

    def _greet(self) -> None:
        """Tell sockets the head again some moments after they came: what went by while they did is below it."""
        for socket in self.arriving & set(registry.sockets):
            socket.deliver(_frame("pong"))
        self.arriving, registry.newcomers = registry.newcomers, set()


def _frame(kind: str) -> str:
    return f'{{"v":1,"t":"{kind}","head":{registry.settled}}}'


async def _check_access() -> None:
    sockets = [cast("DeskConsumer", socket) for socket in registry.sockets]
    people = {s.user_id for s in sockets} | {s.seat_id for s in sockets}
    opened = {s.place.conversation for s in sockets if s.place is not None and s.access.is_restricted}
    known, sessions, owners = await asyncio.to_thread(_read, people, {s.session_key for s in sockets}, opened)
    for socket in sockets:
        access, seat = known.get(socket.user_id, NOBODY), known.get(socket.seat_id, NOBODY)
        if socket.session_key not in sessions or not access.fingerprint:
            socket.hang_up(NOT_SIGNED_IN)
        elif access != socket.access or seat != socket.seat:
            socket.hang_up(NOT_SIGNED_IN if access.is_allowed and seat.is_allowed else NO_ACCESS)
        elif socket.place is not None and not _still_sees(socket, owners.get(socket.place.conversation)):
            socket.close_conversation()


def _still_sees(socket: DeskConsumer, owner: Owner | None) -> bool:
    """Whether a restricted agent still sees the conversation they have open, as `Conversation.visible_to` has it;
    others see all of their numbers.
    """
    if not socket.access.is_restricted:
        return True
    assignee, team = owner or (None, None)
    return assignee == socket.user_id or (assignee is None and f"team.{team}" in socket.access.groups)


def _note_seats(people: set[int]) -> None:
    close_old_connections()
    try:
        seats.note(people)
    finally:
        close_old_connections()


def _read_log(last: int | None, top: int) -> tuple[int, list[int]]:
    """The head, and the ids of the hints above `last` up to `top`."""
    close_old_connections()
    try:
        return replay.head(), replay.ids_between(last, top, COMPARED) if last is not None and last < top else []
    finally:
        close_old_connections()


def _read_hints(pks: list[int]) -> list[LiveHint]:
    close_old_connections()
    try:
        return list(LiveHint.objects.filter(pk__in=pks).order_by("pk"))
    finally:
        close_old_connections()


def _read(
    user_ids: set[int], session_keys: set[str], opened: set[int]
) -> tuple[dict[int, Access], set[Any], dict[int, Owner]]:
    """Access by user, the sessions that still live, and whose the conversations are that restricted agents have open:
    five queries for all sockets of the process, six if there are such.
    """
    close_old_connections()
    try:
        access = access_of(User.objects.filter(pk__in=user_ids))
        live = Session.objects.filter(session_key__in=session_keys, expire_date__gt=clock.real())
        rows = Conversation.objects.filter(pk__in=opened).values_list("pk", "assignee_id", "team_id") if opened else ()
        owners: dict[int, Owner] = {pk: (assignee, team) for pk, assignee, team in rows}
        return access, set(live.values_list("session_key", flat=True)), owners
    finally:
        close_old_connections()
