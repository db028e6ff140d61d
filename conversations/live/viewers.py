"""Who has a conversation open and who is typing in it: kept in memory, told to the other processes, never stored.

Everything here runs on the server's event loop. Each process tells the others who looks at what when that changes, and
all of it every 20 seconds, so that what was lost comes right and a process that died is forgotten.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import orjson
import structlog

from conversations.live import publish
from conversations.live.keys import Place
from conversations.live.registry import Registry, Socket, registry

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.3  # changes are told together
TELL_ALL_EVERY = 20.0
SILENT_AFTER = 50.0
SHOWN = 20  # people in one frame
TYPING_LASTS = 6.0  # who has not said it again by then has stopped
ROW_AUDIENCE = 60  # where more listen to a number, typing is told only to those who have the conversation open

Names = dict[int, str]


class Viewers:
    """People by conversation, of this process and of the others."""

    def __init__(self, sockets: Registry) -> None:
        self._registry = sockets
        self._here: dict[int, dict[Socket, tuple[int, str]]] = {}
        self._elsewhere: dict[str, dict[int, Names]] = {}
        self._heard_of: dict[str, float] = {}
        self._typing: dict[int, dict[int, tuple[float, str]]] = {}  # by conversation and user: until when, the frame
        self._changed: dict[int, bool] = {}  # conversation: whether the others must be told
        self._timer: asyncio.TimerHandle | None = None
        self._told_all = float("-inf")

    def enter(self, conversation: int, socket: Socket, user: int, name: str) -> None:
        """A socket has the conversation open; everybody in it, the newcomer too, is told who is there."""
        self._here.setdefault(conversation, {})[socket] = (user, name)
        self._note(conversation)
        self._tell_typing(conversation, socket)

    def leave(self, conversation: int, socket: Socket) -> None:
        """A socket closed the conversation, or is gone."""
        people = self._here.get(conversation, {})
        if people.pop(socket, None) is not None:
            self._note(conversation)
        if not people:
            self._here.pop(conversation, None)

    def greet(self, conversation: int, socket: Socket) -> None:
        """Tell those who listen (somebody who is not shown came) who is there."""
        self._note(conversation, tell=False)
        self._tell_typing(conversation, socket)

    def people(self, conversation: int) -> Names:
        """Names by user of all who have it open, in the order of their names."""
        found = self._of_ours(conversation)
        for seen in self._elsewhere.values():
            found |= seen.get(conversation, {})
        return dict(sorted(found.items(), key=lambda person: (person[1], person[0])))

    def typing(self, place: Place, user: int, name: str, *, mode: str, on: bool) -> None:
        """Tell the colleagues, here and elsewhere, that somebody began or stopped writing a reply or a note."""
        frame = {"v": publish.PROTOCOL, "t": "typing", "c": place.conversation, "user": user, "name": name}
        told = [place.conversation, place.inbox, user, on, orjson.dumps(frame | {"mode": mode, "on": on}).decode()]
        self.hear_typing(told)
        publish.gossip({"typing": told})

    def hear_typing(self, told: Any) -> None:
        """Hand a typing frame to those who have the conversation open, and to lists that few people look at."""
        conversation, inbox, user, on, frame = told
        writers = self._typing.setdefault(conversation, {})
        writers.pop(user, None)
        if on:
            writers[user] = (time.monotonic() + TYPING_LASTS, frame)
        audience = self._registry.members(f"conv.{conversation}")
        rows = self._registry.members(f"inbox.{inbox}")
        for socket in audience | rows if len(rows) <= ROW_AUDIENCE else audience:
            if getattr(socket, "user_id", 0) != user:
                socket.deliver(frame)

    def _tell_typing(self, conversation: int, socket: Socket) -> None:
        """Who opens a conversation sees who has been writing in it already."""
        now = time.monotonic()
        for user, (until, frame) in self._typing.get(conversation, {}).items():
            if until > now and getattr(socket, "user_id", 0) != user:
                socket.deliver(frame)

    def hear(self, said: dict[str, Any]) -> None:
        """What another process said; of a release that speaks differently, nothing."""
        try:
            if "typing" in said:
                self.hear_typing(said["typing"])
            if "viewing" in said:
                self.learn(said["from"], said["viewing"], is_all=bool(said.get("all")))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning("not understood", error=type(error).__name__)

    def learn(self, process: str, seen: dict[Any, Iterable[Any]], *, is_all: bool) -> None:
        """What another process says of its own viewers: of some conversations, or of all."""
        if process not in self._heard_of:
            self._told_all = float("-inf")  # it knows nothing of ours
        self._heard_of[process] = time.monotonic()
        known = self._elsewhere.setdefault(process, {})
        fresh = {int(conversation): dict(people) for conversation, people in seen.items()}
        for conversation in fresh.keys() | (known.keys() if is_all else set()):
            people = fresh.get(conversation, {})
            if people != known.get(conversation, {}):
                self._note(conversation, tell=False)
            if people:
                known[conversation] = people
            else:
                known.pop(conversation, None)

    def look(self) -> None:
        """Once a second: tell everything if it is time, forget processes that have gone silent."""
        now = time.monotonic()
        for conversation, writers in list(self._typing.items()):
            if all(until <= now for until, _ in writers.values()):
                del self._typing[conversation]
        for process in [name for name, heard in self._heard_of.items() if now - heard > SILENT_AFTER]:
            del self._heard_of[process]
            for conversation in self._elsewhere.pop(process, {}):
                self._note(conversation, tell=False)
        if now - self._told_all >= TELL_ALL_EVERY:
            self._told_all = now
            publish.gossip({"viewing": {str(c): list(self._of_ours(c).items()) for c in self._here}, "all": True})

    def _of_ours(self, conversation: int) -> Names:
        return dict(self._here.get(conversation, {}).values())

    def _note(self, conversation: int, *, tell: bool = True) -> None:
        self._changed[conversation] = self._changed.get(conversation, False) or tell
        loop = asyncio.get_running_loop()
        if self._timer is None or self._timer.cancelled() or self._timer.when() < loop.time() - GATHER_SECONDS:
            self._timer = loop.call_later(GATHER_SECONDS, self._tell)

    def _tell(self) -> None:
        self._timer = None
        changed, self._changed = self._changed, {}
        for conversation in changed:
            sockets = self._registry.members(f"conv.{conversation}")
            if sockets:
                frame = self._frame(conversation)
                for socket in sockets:
                    socket.deliver(frame)
        told = {str(c): list(self._of_ours(c).items()) for c, tell in changed.items() if tell}
        if told:
            publish.gossip({"viewing": told})

    def _frame(self, conversation: int) -> str:
        users = [{"id": user, "name": name} for user, name in self.people(conversation).items()]
        frame = {"v": publish.PROTOCOL, "t": "viewers", "c": conversation, "users": users[:SHOWN]}
        return orjson.dumps(frame).decode()


viewers = Viewers(registry)
