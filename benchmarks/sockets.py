"""Many WebSockets in one process at little cost: raw protocol, frames counted, their stamps read if asked to."""

import asyncio
import base64
import os
import time
from collections.abc import Sequence
from typing import cast

import orjson

from benchmarks.load import request

HEADERS_END = b"\r\n\r\n"
PATH = "/ws/inbox/"


class Socket(asyncio.Protocol):
    """One socket: counts the frames that have `word` in them; with `is_reading` it keeps them and when they came."""

    def __init__(self, *, is_reading: bool = False, word: bytes = b"") -> None:
        self.buffer = bytearray()
        self.is_open = asyncio.get_running_loop().create_future()
        self.is_reading, self.word = is_reading, word
        self.count = self.resyncs = 0
        self.frames: list[tuple[float, bytes]] = []
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Whoever waits is told."""
        if not self.is_open.done():
            self.is_open.set_exception(ConnectionResetError("closed before the handshake"))

    def data_received(self, data: bytes) -> None:
        """Handshake first, then frames."""
        self.buffer += data
        if not self.is_open.done():
            end = self.buffer.find(HEADERS_END)
            if end < 0:
                return
            status = bytes(self.buffer[9:12])
            del self.buffer[: end + 4]
            if status == b"101":
                self.is_open.set_result(None)
            else:
                self.is_open.set_exception(ConnectionError(f"handshake: {status.decode()}"))
        self._frames()

    def _frames(self) -> None:
        buffer, at = self.buffer, 0
        while len(buffer) - at >= 2:
            length, head = buffer[at + 1] & 127, 2
            if length == 126:
                if len(buffer) - at < 4:
                    break
                length, head = int.from_bytes(buffer[at + 2 : at + 4]), 4
            if len(buffer) - at < head + length:
                break
            self._frame(buffer[at] & 15, buffer, at + head, at + head + length)
            at += head + length
        del buffer[:at]

    def _frame(self, opcode: int, buffer: bytearray, start: int, end: int) -> None:
        if opcode == 9:  # ping
            self.transport.write(masked(bytes(buffer[start:end]), opcode=10))
        elif opcode == 1:
            if buffer.find(b'"resync"', start, end) >= 0:
                self.resyncs += 1
                return
            if buffer.find(b'"ready"', start, end) >= 0 or buffer.find(self.word, start, end) < 0:
                return
            self.count += 1
            if self.is_reading:
                self.frames.append((time.monotonic(), bytes(buffer[start:end])))

    def stamps(self) -> list[float]:
        """Seconds from the stamp `at` in each frame to its arrival."""
        return [came - orjson.loads(frame)["at"] for came, frame in self.frames]

    def forget(self) -> None:
        """Count anew."""
        self.count = self.resyncs = 0
        self.frames.clear()


def masked(payload: bytes, *, opcode: int = 1) -> bytes:
    """A frame as a client sends it (up to 125 bytes); a mask of zeros changes nothing."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


async def open_sockets(
    port: int, sessions: Sequence[str], *, is_reading: bool = False, word: bytes = b""
) -> list[Socket]:
    """One socket per session key, said hello to."""
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(20)

    async def one(key: str) -> Socket:
        async with gate:
            _transport, socket = await loop.create_connection(
                lambda: Socket(is_reading=is_reading, word=word), "127.0.0.1", port
            )  # fmt: skip
            socket.transport.write(
                request(
                    "GET", PATH, Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version="13",
                    Sec_WebSocket_Key=base64.b64encode(os.urandom(16)).decode(), Cookie=f"session={key}",
                    Origin="http://127.0.0.1", Sec_WebSocket_Protocol="wcrm.v1",
                )
            )  # fmt: skip
            await asyncio.wait_for(socket.is_open, 30)
            socket.transport.write(masked(b'{"t":"hello","since":0}'))
            return socket

    return list(await asyncio.gather(*(one(key) for key in sessions)))


async def settle(sockets: Sequence[Socket], wanted: int, patience: float = 2.0) -> float:
    """Wait until every socket has `wanted` frames, or nothing has come for `patience` seconds; when the last came."""
    last, moved = -1, time.monotonic()
    while True:
        count = sum(socket.count for socket in sockets)
        if count != last:
            last, moved = count, time.monotonic()
        if count >= wanted * len(sockets) or time.monotonic() - moved > patience:
            return moved
        await asyncio.sleep(0.002)
