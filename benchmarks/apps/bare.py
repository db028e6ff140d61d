"""The limits: a webhook that is checked and stored nowhere, and a registry of sockets, on bare ASGI."""

import asyncio
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import parse_qs

import orjson

from benchmarks.webhooks import SECRET

KEY = SECRET.encode()
sockets: set["Socket"] = set()


class Socket:
    """A socket with a queue of its own, as the product has."""

    def __init__(self) -> None:
        self.queue: list[str] = []
        self.wake = asyncio.Event()

    def deliver(self, frame: str) -> None:
        """Queue a frame."""
        self.queue.append(frame)
        self.wake.set()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Webhooks at /, sockets, and /publish/?count=&wait= to send to all of them."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await _socket(receive, send)
    elif scope["path"] == "/publish/":
        await _publish(scope, send)
    elif scope["path"] == "/healthz/":
        await _answer(send, 200)
    else:
        await _webhook(scope, receive, send)


async def _webhook(scope: dict[str, Any], receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    given = dict(scope["headers"]).get(b"x-hub-signature-256", b"")
    wanted = b"sha256=" + hmac.digest(KEY, body, hashlib.sha256).hex().encode()
    if not hmac.compare_digest(given, wanted):
        await _answer(send, 401)
        return
    orjson.loads(body)
    await _answer(send, 200)


async def _answer(send: Any, status: int) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def _socket(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    socket = Socket()
    sockets.add(socket)
    writer = asyncio.create_task(_write(socket, send))
    try:
        while (await receive())["type"] != "websocket.disconnect":
            pass
    finally:
        sockets.discard(socket)
        writer.cancel()


async def _write(socket: Socket, send: Any) -> None:
    while True:
        await socket.wake.wait()
        socket.wake.clear()
        frames, socket.queue = socket.queue, []
        for frame in frames:
            await send({"type": "websocket.send", "text": frame})


async def _publish(scope: dict[str, Any], send: Any) -> None:
    """`count` frames to every socket, `wait` seconds between two."""
    query = parse_qs(scope["query_string"].decode())
    count, wait = int(query["count"][0]), float(query["wait"][0])
    begun = time.monotonic()
    for number in range(count):
        if wait:
            await asyncio.sleep(max(begun + number * wait - time.monotonic(), 0))
        frame = orjson.dumps({"v": 1, "t": "bench", "n": number, "at": time.monotonic()}).decode()
        for socket in sockets:
            socket.deliver(frame)
        await asyncio.sleep(0)
    await _answer(send, 200)
