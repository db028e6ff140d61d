"""The socket of one browser tab: hints out; `hello`, `ping`, which conversation is open and who types in; no database
work after sign-in.
"""

import asyncio
import time
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer

from conversations.desk.access import NOBODY
from conversations.desk.doorman import doorman
from conversations.desk.revision import REVISION
from conversations.live.keys import Place, read_key
from conversations.live.registry import registry
from conversations.live.viewers import viewers

PROTOCOL = "wcrm.v1"
BAD_FRAME, NOT_SIGNED_IN, NO_ACCESS, TOO_MANY_TABS, TOO_FAST = 4400, 4401, 4403, 4409, 4429
FRAME_MAX = 4096
RATE, RATE_SECONDS = 20, 10.0
TABS_MAX = 20
QUEUE_MAX = 300
TYPING_SECONDS = 2.0  # the same is told again after that at the earliest


class DeskConsumer(AsyncWebsocketConsumer):
    """`/ws/inbox/`: accepts first, so that a refusal has a code the browser can read."""

    async def connect(self) -> None:
        """Sign in by the session cookie; close 4401, 4403 or 4409 after accepting if that fails."""
        self.user_id, self.seat_id, self.session_key, self.name, self.is_over = 0, 0, "", "", False
        self.access = self.seat = NOBODY
        self.place: Place | None = None
        self.writing: tuple[str, float] | None = None  # mode, since when it was told
        self.queue: deque[str] = deque()
        self.wake = asyncio.Event()
        self.writer: asyncio.Task[None] | None = None
        self.frames: deque[float] = deque()
        await self.accept(PROTOCOL if PROTOCOL in self.scope["subprotocols"] else None)
        visitor = await doorman.admit(self.scope) if self._is_same_origin() else None
        if visitor is None:
            await self.close(NOT_SIGNED_IN)
            return
        self.user_id, self.session_key, self.access = visitor.user_id, visitor.session_key, visitor.access
        self.seat_id, self.seat, self.name = visitor.seat_id, visitor.seat, visitor.name
        if not self.access.is_allowed:
            await self.close(NO_ACCESS)
            return
        if sum(getattr(socket, "seat_id", 0) == self.seat_id for socket in registry.sockets) >= TABS_MAX:
            await self.close(TOO_MANY_TABS)
            return
        self.writer = asyncio.create_task(self._write())
        registry.add(self, self.access.groups | {f"seat.{self.seat_id}"})

    async def disconnect(self, code: int) -> None:
        """Leave the registry."""
        self._leave()
        if self.writer is not None:
            self.writer.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Answer `hello` and `ping` from memory, note what is open and typed; anything else is a bad frame."""
        if self.is_over:
            return
        now = time.monotonic()
        self.frames.append(now)
        while self.frames and now - self.frames[0] > RATE_SECONDS:
            self.frames.popleft()
        if len(self.frames) > RATE:
            await self._end(TOO_FAST)
            return
        frame = _read(text_data)
        kind = frame.get("t")
        if kind == "hello":
            self.deliver(_frame("ready", head=registry.settled, rev=REVISION))
        elif kind == "ping":
            self.deliver(_frame("pong", head=registry.settled))
        elif not (isinstance(kind, str) and self._took(kind, frame)):
            await self._end(BAD_FRAME)

    def _took(self, kind: str, frame: dict[str, Any]) -> bool:
        """Whether the frame is one about a conversation, and well formed."""
        match (kind, frame):
            case ("open", {"c": int(), "key": str(key)}):
                self.close_conversation()
                place = read_key(key, self.user_id)
                if place is not None and place.conversation == frame["c"] and self._may_open(place):
                    self._open(place)
            case ("close", {"c": int()}):
                self.close_conversation()
            case ("typing", {"c": int(), "mode": "reply" | "note" as mode, "on": bool(on)}):
                if self.place is not None and self.place.conversation == frame["c"] and not self.is_watching:
                    self._type(str(mode), on=on)
            case _:
                return False
        return True

    def _may_open(self, place: Place) -> bool:
        """Whether a key still is good: rights may have gone since it was signed. What restricted agents see is decided
        by conversation, and `presence` looks it up within five seconds.
        """
        return self.access.is_restricted or f"inbox.{place.inbox}" in self.access.groups

    @property
    def is_watching(self) -> bool:
        """Whether a manager looks on as somebody else: they hear, and nobody sees them."""
        return self.seat_id != self.user_id

    def close_conversation(self) -> None:
        """Leave the group of the open conversation, if there is one."""
        if self.place is None:
            return
        if self.writing is not None:
            self._type(self.writing[0], on=False)
        conversation, self.place = self.place.conversation, None
        registry.part(self, f"conv.{conversation}")
        viewers.leave(conversation, self)

    def _open(self, place: Place) -> None:
        self.place = place
        registry.join(self, f"conv.{place.conversation}")
        if self.is_watching:
            viewers.greet(place.conversation, self)
        else:
            viewers.enter(place.conversation, self, self.user_id, self.name)

    def _type(self, mode: str, *, on: bool) -> None:
        """Tell the colleagues; the same again only after a while."""
        now = time.monotonic()
        if self.place is None or (not on and self.writing is None):
            return
        if on and self.writing is not None and self.writing[0] == mode and now - self.writing[1] < TYPING_SECONDS:
            return
        self.writing = (mode, now) if on else None
        viewers.typing(self.place, self.user_id, self.name, mode=mode, on=on)

    def deliver(self, frame: str) -> None:
        """Queue a frame; a reader too slow for its queue gets one `resync` instead of everything."""
        if len(self.queue) >= QUEUE_MAX:
            self.queue.clear()
            frame = _frame("resync", head=registry.settled)
        self.queue.append(frame)
        self.wake.set()

    def hang_up(self, code: int) -> None:
        """Close from outside, without waiting."""
        self._leave()
        task = asyncio.ensure_future(self.close(code))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _end(self, code: int) -> None:
        self._leave()
        await self.close(code)

    def _leave(self) -> None:
        """Hear nothing more, say nothing more."""
        self.is_over = True
        self.close_conversation()
        registry.remove(self)

    async def _write(self) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.queue and not self.is_over:
                await self.send(text_data=self.queue.popleft())

    def _is_same_origin(self) -> bool:
        headers = dict(self.scope["headers"])
        origin = urlsplit(headers.get(b"origin", b"").decode("latin-1"))
        return bool(origin.netloc) and origin.netloc == headers.get(b"host", b"").decode("latin-1")


def _read(text: str | None) -> dict[str, Any]:
    if text is None or len(text) > FRAME_MAX:
        return {}
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return frame if isinstance(frame, dict) else {}


def _frame(kind: str, **payload: Any) -> str:
    return orjson.dumps({"v": 1, "t": kind, **payload}).decode()
