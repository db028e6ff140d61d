"""Sockets over real connections: Redis that goes away, and a browser that stops reading."""

import asyncio
import json
import socket

import aiohttp
import pytest
import uvicorn
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import Client

from config.asgi import application
from conversations.desk import consumers
from scripts.servers import PrivateRedis
from tests.conftest import ON_SQLITE
from tests.factories import InboxFactory, TeamFactory, UserFactory
from tests.product import PASSWORD, Desk, Process, Product, Simulator, free_port, signed
from tests.webhooks import body, change, person, text

SECRET, TOKEN = "the-app-secret", "the-access-token"


@pytest.fixture
def redis():
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def product(redis):
    """Two web processes and a worker."""
    with (
        Product.ready(redis_url=redis.url, workers=1) as product,
        Simulator(callback_url=f"{product.url}/webhooks/whatsapp/", secret=SECRET, token=TOKEN) as simulator,
    ):
        product.manage(
            "add_number", "--name", "Ventas", "--waba-id", "100", "--phone-number-id", "200", "--team", "Ventas",
            "--graph-base-url", f"{simulator.url}/graph", lines=f"{TOKEN}\n{SECRET}\n",
        )  # fmt: skip
        product.manage("add_user", "ana@acme.test", "--name", "Ana Torres", "--team", "Ventas", lines=f"{PASSWORD}\n")
        yield product.start()


async def post(session, url, external_id):
    """A customer's message, as Meta sends it."""
    value = change(phone="200", messages=[text(external_id)], contacts=[person()])
    raw = json.dumps(body(value, waba="100")).encode()
    async with session.post(f"{url}/webhooks/whatsapp/", data=raw, headers=signed(raw, SECRET)) as answer:
        assert answer.status == 200


@pytest.mark.skipif(ON_SQLITE, reason="one process needs no Redis")
async def test_agents_hear_within_seconds_what_other_processes_do_while_redis_is_away(product, redis):
    """The socket hears it from the log; `hint` waits ten seconds at most."""
    port = free_port()
    other = Process("-m", "config.serve", env=product.env | {"PORT": str(port)}, log=product.data / "other.log")
    try:
        url = f"http://127.0.0.1:{port}"
        other.wait_until_up(f"{url}/healthz/")
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            desk = Desk(product.url, session)
            await desk.sign_in("ana@acme.test", PASSWORD)
            live = await desk.socket()
            await post(session, url, "wamid.with")
            await live.hint("message.created")
            redis.stop()
            await post(session, url, "wamid.without")
            missed = await live.hint("message.created")
            answer = json.loads(await desk.get("/inbox/sync/?since=0"))
            assert missed["id"] in [hint["id"] for hint in answer["hints"]]
            redis.start()
            await post(session, url, "wamid.again")
            await live.hint("message.created")
            frames = [frame["id"] for frame in live.seen if "id" in frame]
            assert len(frames) == len(set(frames)), "each came once"
    finally:
        other.end()


@pytest.fixture
async def server():
    """The application on a real port, in this loop."""
    config = uvicorn.Config(application, port=free_port(), lifespan="off", log_config=None, ws_max_size=4096)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 (uvicorn sets no event)
            await asyncio.sleep(0.01)
    yield server
    server.force_exit = server.should_exit = True
    await task


def cookie_of(user):
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


async def connect_and_read_nothing(port, cookie):
    """A socket whose other end opens it and then takes nothing off the wire."""
    wire = socket.socket()
    wire.setblocking(False)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # else the system takes megabytes for it
    await asyncio.get_running_loop().sock_connect(wire, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=wire, limit=1024)
    writer.write(
        f"GET /ws/inbox/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Cookie: {cookie}\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()
    return writer


@pytest.mark.django_db(transaction=True)
async def test_one_that_never_reads_costs_little_and_the_others_hear_everything(server, registry):
    agent = await sync_to_async(make_agent)()
    cookie, port = await sync_to_async(cookie_of)(agent), server.config.port
    frozen = await connect_and_read_nothing(port, cookie)
    try:
        async with aiohttp.ClientSession(headers={"Cookie": cookie}) as session:
            origin = f"http://127.0.0.1:{port}"
            tabs = [await session.ws_connect(f"{origin}/ws/inbox/", origin=origin) for _ in range(5)]
            await until(lambda: len(registry.sockets) == 6)
            for start in range(0, 10_000, 100):
                for number in range(start, start + 100):
                    registry.deliver([f"u.{agent.pk}"], json.dumps({"n": number, "x": "x" * 1000}))
                for tab in tabs:
                    heard = [json.loads((await tab.receive(10)).data)["n"] for _ in range(100)]
                    assert heard == list(range(start, start + 100))
            waiting = max(len(one.queue) for one in registry.sockets)
            assert 0 < waiting <= consumers.QUEUE_MAX
            buffered = [one.transport.get_write_buffer_size() for one in server.server_state.connections]
            assert max(buffered) < 256 * 1024
            for tab in tabs:
                await tab.close()
    finally:
        frozen.transport.abort()
    await until(lambda: not registry.sockets)


def make_agent():
    team = TeamFactory()
    InboxFactory(teams=[team])
    return UserFactory(teams=[team])


async def until(true):
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 (what is waited for sets no event)
            await asyncio.sleep(0.01)
