"""The simulator behind a real server, and a real callback server that records what it is sent."""

import asyncio
import hashlib
import hmac
import json
import socket
from contextlib import asynccontextmanager

import aiohttp
import uvicorn
from aiohttp import web

from simulator import Number, Simulator

NUMBER = Number("111", "222", "+34 911 000 000", "Correduría Sol", "first secret", "first token")
OTHER = Number("333", "444", "+34 922 000 000", "Correduría Luna", "second secret", "second token")
JSON = {"Content-Type": "application/json"}


class Callback:
    """The product's webhook endpoint, as far as the simulator can see it."""

    def __init__(self):
        self.posts, self.problems, self.statuses = [], [], []
        self.news = asyncio.Condition()

    async def take(self, request):
        body = await request.read()
        envelope = json.loads(body)
        secret = {number.waba_id: number.app_secret for number in (NUMBER, OTHER)}[envelope["entry"][0]["id"]]
        expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if request.headers["X-Hub-Signature-256"] != expected:
            self.problems.append("bad signature")
        status = self.statuses.pop(0) if self.statuses else 200
        self.posts.append((status, body))
        async with self.news:
            self.news.notify_all()
        return web.Response(status=status)

    @property
    def changes(self):
        return [change for _, body in self.posts for change in json.loads(body)["entry"][0]["changes"]]

    def items(self, kind):
        return [item for change in self.changes for item in change["value"].get(kind, [])]

    async def wait_for(self, kind, count, seconds=4.0):
        async with asyncio.timeout(seconds), self.news:
            await self.news.wait_for(lambda: len(self.items(kind)) >= count)
        return self.items(kind)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def listening(callback, port):
    app = web.Application(client_max_size=50 * 1024 * 1024)
    app.router.add_post("/hook/", callback.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


class Client:
    """Speaks HTTP to one running simulator."""

    def __init__(self, session, address, data_dir):
        self.session, self.address, self.data_dir = session, address, data_dir

    async def api(self, path, body=None):
        method = "GET" if body is None else "POST"
        async with self.session.request(method, f"{self.address}/api/{path}", json=body) as answer:
            return answer.status, await answer.json()

    async def graph(self, method, path, body=None, token="first token", **options):
        headers = {"Authorization": f"Bearer {token}"} | options.pop("headers", {})
        address = f"{self.address}/graph/v23.0/{path}"
        async with self.session.request(method, address, json=body, headers=headers, **options) as answer:
            return answer.status, await answer.json()

    async def send(self, body, **options):
        return await self.graph("POST", "222/messages", {"messaging_product": "whatsapp", **body}, **options)

    async def say(self, text="hola", to="34600111222"):
        return await self.send({"to": to, "type": "text", "text": {"body": text}})


@asynccontextmanager
async def running(data_dir, callback_port, numbers=(NUMBER, OTHER), around=lambda simulator: simulator):
    simulator = Simulator(
        data_dir=data_dir,
        clock_file=data_dir / "clock",
        callback_url=lambda: f"http://127.0.0.1:{callback_port}/hook/",
        load_numbers=lambda: list(numbers),
    )
    await simulator.startup()
    sock = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio switches Nagle's delay off only where this is named
    sock.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(around(simulator), log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.005)
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield Client(session, f"http://127.0.0.1:{sock.getsockname()[1]}/simulator", data_dir)
    finally:
        server.should_exit = server.force_exit = True
        await task
        sock.close()
        async with asyncio.timeout(1):
            await simulator.shutdown()
