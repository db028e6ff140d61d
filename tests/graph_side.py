"""Meta's side of the wire: a real server on a free loopback port that answers as told and records what it was asked."""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import orjson
from aiohttp import web

RELEASED = web.AppKey("released", asyncio.Event)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str]
    content: bytes
    fields: dict[str, bytes] = field(default_factory=dict)

    @property
    def json(self):
        return orjson.loads(self.content)


def says(body, status=200, **headers) -> Answer:
    """A JSON answer."""

    async def answer(request):
        return web.json_response(
            body, status=status, headers={name.replace("_", "-"): v for name, v in headers.items()}
        )

    return answer


def refuses(code, status=400, details="", **headers) -> Answer:
    """Graph's error object."""
    error = {"message": f"(#{code})", "type": "OAuthException", "code": code, "error_data": {"details": details}}
    return says({"error": error}, status, **headers)


def raw(content, status=200, content_type="text/html", **headers) -> Answer:
    """Any bytes."""

    async def answer(request):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=content, status=status, content_type=content_type, headers=names)

    return answer


def accepts(wamid) -> Answer:
    return says({"messaging_product": "whatsapp", "messages": [{"id": wamid}]})


async def drops(request):
    """Take the request, then cut the connection."""
    request.transport.abort()
    return web.Response()


async def stalls(request):
    """Never answer."""
    await request.app[RELEASED].wait()
    return web.Response()


async def never_ends(request):
    """An answer without end."""
    response = web.StreamResponse()
    await response.prepare(request)
    while not request.app[RELEASED].is_set():
        await response.write(b" " * 65536)
        await asyncio.sleep(0)
    return response


async def promises_more(request):
    """Announce 1,000 bytes, send ten and hang up."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"0123456789")
    await asyncio.sleep(0.01)
    request.transport.abort()
    return response


class GraphSide:
    """Sends are accepted with new wamids and uploads with new ids unless told otherwise; what is not known is 404."""

    def __init__(self):
        self.asked: list[Asked] = []
        self.next: deque[Answer] = deque()
        self.at: dict[str, deque[Answer]] = defaultdict(deque)
        self.count = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def start(self):
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self.loop).result(10)
        return self

    def stop(self):
        asyncio.run_coroutine_threadsafe(self._stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()

    def answers(self, *answers: Answer) -> None:
        """How the next POSTs to …/messages are answered; the last one is not repeated."""
        self.next.extend(answers)

    def answers_at(self, path: str, *answers: Answer) -> None:
        """How requests for exactly this path are answered; the last one is repeated."""
        self.at[path].extend(answers)

    @property
    def sent(self) -> list[dict]:
        """The bodies of all POSTs to …/messages."""
        return [asked.json for asked in self.asked if asked.method == "POST" and asked.path.endswith("/messages")]

    @property
    def uploads(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == "POST" and asked.path.endswith("/media")]

    async def _start(self):
        app = web.Application(client_max_size=200 * 1024 * 1024)
        app[RELEASED] = self.released = asyncio.Event()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self.runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.url = "http://{}:{}".format(*site._server.sockets[0].getsockname()[:2])

    async def _stop(self):
        self.released.set()
        await self.runner.cleanup()

    async def _handle(self, request):
        asked = Asked(request.method, request.path, dict(request.headers), dict(request.query), b"")
        if request.content_type == "multipart/form-data":
            async for part in await request.multipart():
                asked.fields[part.name] = bytes(await part.read())
                if part.name == "file":
                    asked.headers |= {"file-name": part.filename, "file-type": part.headers["Content-Type"]}
        else:
            asked.content = await request.read()
        self.asked.append(asked)
        return await self._answer_for(request)(request)

    def _answer_for(self, request) -> Answer:
        told = self.at.get(request.path)
        if told:
            return told.popleft() if len(told) > 1 else told[0]
        self.count += 1
        if request.method == "POST" and request.path.endswith("/messages"):
            return self.next.popleft() if self.next else accepts(f"wamid.out{self.count}")
        if request.method == "POST" and request.path.endswith("/media"):
            return says({"id": f"media-{self.count}"})
        return refuses(100, 404)
