"""The socket of one browser tab: hints out, `hello` and `ping` in; no database work after sign-in."""

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
from conversations.live.registry import registry

PROTOCOL = "wcrm.v1"
BAD_FRAME, NOT_SIGNED_IN, NO_ACCESS, TOO_MANY_TABS, TOO_FAST = 4400, 4401, 4403, 4409, 4429
FRAME_MAX = 4096
RATE, RATE_SECONDS = 20, 10.0
TABS_MAX = 20
QUEUE_MAX = 300


class DeskConsumer(AsyncWebsocketConsumer):
    """`/ws/inbox/`: accepts first, so that a refusal has a code the browser can read."""

    async def connect(self) -> None:
        """Sign in by the session cookie; close 4401, 4403 or 4409 after accepting if that fails."""
        self.user_id, self.session_key, self.access, self.is_over = 0, "", NOBODY, False
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
        if not self.access.is_allowed:
            await self.close(NO_ACCESS)
            return
        if sum(getattr(socket, "user_id", 0) == self.user_id for socket in registry.sockets) >= TABS_MAX:
            await self.close(TOO_MANY_TABS)
            return
        self.writer = asyncio.create_task(self._write())
        registry.add(self, self.access.groups)

    async def disconnect(self, code: int) -> None:
        """Leave the registry."""
        registry.remove(self)
        if self.writer is not None:
            self.writer.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Answer `hello` and `ping` from memory; anything else is a bad frame."""
        if self.is_over:
            return
        now = time.monotonic()
        self.frames.append(now)
        while self.frames and now - self.frames[0] > RATE_SECONDS:
            self.frames.popleft()
        if len(self.frames) > RATE:
            await self._end(TOO_FAST)
            return
        kind = _kind(text_data)
        if kind == "hello":
            self.deliver(_frame("ready", head=registry.settled, rev=REVISION))
        elif kind == "ping":
            self.deliver(_frame("pong", head=registry.settled))
        else:
            await self._end(BAD_FRAME)

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


def _kind(text: str | None) -> str:
    if text is None or len(text) > FRAME_MAX:
        return ""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ""
    kind = frame.get("t") if isinstance(frame, dict) else None
    return kind if isinstance(kind, str) else ""


def _frame(kind: str, **payload: Any) -> str:
    return orjson.dumps({"v": 1, "t": kind, **payload}).decode()
