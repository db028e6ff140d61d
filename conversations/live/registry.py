"""The sockets of this process and their groups; lives on the server's event loop and does no database work."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

REMEMBERED = 10_000

Hint = tuple[list[str], str, int]
"""Groups, the frame as sent, and its id."""


class Socket(Protocol):
    """What the registry needs of a consumer."""

    def deliver(self, frame: str) -> None:
        """Take a frame to send; never blocks."""


class Registry:
    """Groups to sockets. Only `deliver_threadsafe` may be called from other threads."""

    def __init__(self) -> None:
        self.settled = 0  # the head as read a second ago at most
        self.newcomers: set[Socket] = set()  # since the last look (`desk.presence`)
        self._heard: dict[int, None] = {}  # ids of the last hints that were handed out, oldest first
        self.loop: asyncio.AbstractEventLoop | None = None
        self._groups: dict[str, set[Socket]] = defaultdict(set)
        self._sockets: dict[Socket, set[str]] = {}

    @property
    def sockets(self) -> tuple[Socket, ...]:
        """All sockets of this process."""
        return tuple(self._sockets)

    def add(self, socket: Socket, groups: Iterable[str]) -> None:
        """Enter a socket into its groups."""
        self._sockets[socket] = set()
        self.newcomers.add(socket)
        for group in groups:
            self.join(socket, group)

    def join(self, socket: Socket, group: str) -> None:
        """Enter a socket that is here into one more group."""
        if socket in self._sockets:
            self._sockets[socket].add(group)
            self._groups[group].add(socket)

    def remove(self, socket: Socket) -> None:
        """Forget a socket."""
        self.newcomers.discard(socket)
        for group in tuple(self._sockets.get(socket, ())):
            self.part(socket, group)
        self._sockets.pop(socket, None)

    def part(self, socket: Socket, group: str) -> None:
        """Take a socket out of one group."""
        self._sockets.get(socket, set()).discard(group)
        self._groups[group].discard(socket)
        if not self._groups[group]:
            del self._groups[group]

    def members(self, group: str) -> set[Socket]:
        """The sockets of a group; not to be changed."""
        return self._groups.get(group, set())

    def has_heard(self, pk: int) -> bool:
        """Whether the hint with this id was handed out, as far back as is remembered."""
        return pk in self._heard

    def deliver(self, groups: Iterable[str], frame: str, pk: int = 0) -> None:
        """Hand a frame (of the hint with this id) once to every socket that is in any of the groups."""
        self._heard[pk] = None
        if len(self._heard) > REMEMBERED:
            del self._heard[next(iter(self._heard))]
        members: set[Socket] = set()
        for group in groups:
            members |= self._groups.get(group, set())
        for socket in members:
            socket.deliver(frame)

    def broadcast(self, frame: str) -> None:
        """Hand a frame to every socket."""
        for socket in self.sockets:
            socket.deliver(frame)

    def deliver_threadsafe(self, hints: list[Hint]) -> None:
        """The same from any thread, for several hints; nothing happens in a process without a server."""
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._deliver_all, hints)

    def _deliver_all(self, hints: list[Hint]) -> None:
        for groups, frame, pk in hints:
            self.deliver(groups, frame, pk)


registry = Registry()
