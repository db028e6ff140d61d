"""The one road of a message, read from top to bottom.

A recorded webhook comes in over HTTP, an agent's socket hears of it, the agent reads and answers, Meta's side gets
the answer, and its status webhooks climb back to the agent's screen. Nothing is patched: product and simulator are
processes of their own that speak HTTP, set up with the commands a business would use.
"""

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from django.conf import settings

from tests.product import PASSWORD, Desk, Product, Simulator, signed

SECRET, TOKEN = "the-app-secret", "the-access-token"

RECORDED = {
    "object": "whatsapp_business_account",
    "entry": [{
        "id": "100",
        "changes": [{
            "field": "messages",
            "value": {
                "messaging_product": "whatsapp",
                "metadata": {"display_phone_number": "34600000001", "phone_number_id": "200"},
                "contacts": [{"profile": {"name": "Pilar Gómez"}, "wa_id": "34600111222"}],
                "messages": [{
                    "from": "34600111222",
                    "id": "wamid.HBgLMzQ2MDAxMTEyMjIVAgASGBQzQTAwMDAwMDAwMDAwMDAwMDAwMQA=",
                    "timestamp": "0",
                    "type": "text",
                    "text": {"body": "Buenos días, ¿me cubre el seguro la luna rota?"},
                }],
            },
        }],
    }],
}  # fmt: skip


# The default: one process that does everything; on PostgreSQL also as production has it, with a worker beside it.
SHAPES = [0] if os.environ.get("TEST_DATABASE") == "sqlite" else [0, 1]


@pytest.fixture(scope="module", params=SHAPES, ids=["one process", "with a worker"][: len(SHAPES)])
def product(request: pytest.FixtureRequest) -> Iterator[Product]:
    """An installation with one number and one agent, set up by its own commands."""
    with Product.ready(redis_url=settings.REDIS_URL, workers=request.param) as product:
        callback = f"{product.url}/webhooks/whatsapp/"
        with Simulator(callback_url=callback, secret=SECRET, token=TOKEN) as simulator:
            product.graph = simulator.url
            product.manage(
                "add_number", "--name", "Ventas", "--waba-id", "100", "--phone-number-id", "200", "--team", "Ventas",
                "--graph-base-url", f"{simulator.url}/graph", lines=f"{TOKEN}\n{SECRET}\n",
            )  # fmt: skip
            product.manage(
                "add_user", "ana@acme.test", "--name", "Ana Torres", "--team", "Ventas", lines=f"{PASSWORD}\n"
            )
            yield product.start()


@pytest.fixture
async def ana(product: Product) -> AsyncIterator[Desk]:
    """Ana, signed in."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        desk = Desk(product.url, session)
        await desk.sign_in("ana@acme.test", PASSWORD)
        yield desk


async def wait_for_sent(ana: Desk, product: Product, count: int) -> list[dict]:
    """What Meta's side has received, once it is `count` messages."""
    for _ in range(100):
        async with ana.session.get(f"{product.graph}/api/sent") as answer:
            sent = await answer.json()
        if len(sent) >= count:
            return sent
        await asyncio.sleep(0.1)
    raise AssertionError(f"only {len(sent)} of {count} messages reached Meta's side")


@pytest.mark.sqlite_too
async def test_a_message_reaches_the_agent_and_the_answer_goes_back(product: Product, ana: Desk) -> None:
    socket = await ana.socket()

    # 1. Meta posts a signed webhook; 200 means it is stored.
    body = json.dumps(RECORDED).encode()
    async with ana.session.post(f"{product.url}/webhooks/whatsapp/", data=body, headers=signed(body, SECRET)) as answer:
        assert answer.status == 200

    # 2. The pipeline makes contact, conversation and message; the socket tells Ana's browser which.
    created = await socket.hint("message.created", dir="in")
    conversation = f"/inbox/c/{created['c']}/"

    # 3. The browser pulls what it needs as HTML.
    rows = await ana.get(f"/inbox/rows/?ids={created['c']}&view=unassigned")
    assert "Pilar Gómez" in rows
    assert "luna rota" in rows
    assert "luna rota" in await ana.get(conversation, **{"HX-Request": "true"})

    # 4. Ana answers; her browser chose the id of the message, so a second click changes nothing.
    client_id = str(uuid.uuid4())
    form = {"text": "Sí, Pilar. Mándeme una foto, por favor.", "client_id": client_id, "reply_to": created["m"]}
    assert (await ana.post(f"{conversation}messages/", **form))[0] == 201
    assert (await ana.post(f"{conversation}messages/", **form))[0] == 200

    # 5. The outbox sends it to Graph, once, as an answer to what Pilar wrote.
    (sent,) = await wait_for_sent(ana, product, 1)
    request = sent["request"]
    assert request["to"] == "34600111222"
    assert request["text"]["body"] == "Sí, Pilar. Mándeme una foto, por favor."
    assert request["context"]["message_id"] == RECORDED["entry"][0]["changes"][0]["value"]["messages"][0]["id"]

    # 6. Status webhooks come back the same road; the ticks climb and stay up.
    await socket.hint("message.status", m=client_id, s="read")
    climbed = [frame["s"] for frame in socket.seen if frame["t"] == "message.status" and frame["m"] == client_id]
    ladder = ["accepted", "sent", "delivered", "read"]
    assert climbed == sorted(climbed, key=ladder.index)
    assert climbed[-1] == "read"
    assert 'data-st="read"' in await ana.get(f"{conversation}messages/?ids={client_id}")


@pytest.mark.covers("I12", "W02")
@pytest.mark.sqlite_too
async def test_a_note_stays_inside_and_a_forged_webhook_outside(product: Product, ana: Desk) -> None:
    socket = await ana.socket()
    async with ana.session.post(
        f"{product.graph}/api/messages", json={"from": "34600333444", "name": "Luis", "text": "Hola"}
    ) as answer:
        assert answer.status == 200, await answer.text()
    created = await socket.hint("message.created", dir="in")
    conversation = f"/inbox/c/{created['c']}/"
    already_sent = len(await wait_for_sent(ana, product, 0))

    note = {"text": "Es el cuñado de Pilar", "client_id": str(uuid.uuid4())}
    assert (await ana.post(f"{conversation}notes/", **note))[0] == 201
    reply = {"text": "Hola, Luis", "client_id": str(uuid.uuid4())}
    assert (await ana.post(f"{conversation}messages/", **reply))[0] == 201
    sent = await wait_for_sent(ana, product, already_sent + 1)
    assert "cuñado" not in json.dumps(sent, ensure_ascii=False)

    forged = json.dumps(RECORDED).encode()
    async with ana.session.post(
        f"{product.url}/webhooks/whatsapp/", data=forged, headers=signed(forged, "another secret")
    ) as answer:
        assert answer.status == 401


@pytest.mark.covers("G21")
def test_the_log_has_no_word_and_no_number_of_a_customer(product: Product) -> None:
    for private in ("luna rota", "cuñado", "Pilar", "34600111222", SECRET, TOKEN):
        assert private not in product.log
