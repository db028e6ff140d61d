"""Sends messages to a Graph side: the product's sender, its outbox with all it writes, and raw sockets."""

import benchmarks.sides.django  # noqa: F401, I001 (first: the models need it)
import asyncio
import time
import uuid
from urllib.parse import urlsplit

import orjson
from django.conf import settings

from benchmarks import load, webhooks
from benchmarks.processes import obey
from benchmarks.sides import office
from conversations.channels.base import Address, OutboundMessage, Person, Text
from conversations.channels.whatsapp.channel import WhatsAppChannel
from conversations.inboxes.models import Inbox
from conversations.messaging import outbox
from conversations.messaging.models import Conversation, Message
from crm.foundation import aio

IN_FLIGHT = 50
CEILING = 1000
WAITING = ("queued", "claimed", "sending")


def by_product(base_url: str, count: int) -> float:
    """Messages per second of the channel alone, 50 in flight; no database."""
    channel = WhatsAppChannel(Address(base_url, ("Authorization", "Bearer token"), webhooks.PHONE))
    return count / aio.run(_by_product(channel, count))


async def _by_product(channel: WhatsAppChannel, count: int) -> float:
    numbers = iter(range(count))

    async def one() -> None:
        for number in numbers:
            person = Person(address=webhooks.wa_id(number))
            await channel.send(OutboundMessage(person, Text(webhooks.TEXT), str(uuid.uuid4())))

    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))
    return time.perf_counter() - begun


def by_raw(base_url: str, count: int) -> float:
    """Messages per second over 50 raw HTTP/1.1 connections, the same JSON."""
    return count / load.run(_by_raw(urlsplit(base_url).port or 80, count))


async def _by_raw(port: int, count: int) -> float:
    connections = [await load.connect(port) for _ in range(IN_FLIGHT)]
    numbers, path = iter(range(count)), f"/{settings.GRAPH_VERSION}/{webhooks.PHONE}/messages"

    async def one(connection: load.Connection) -> None:
        for number in numbers:
            body = {
                "messaging_product": "whatsapp", "recipient_type": "individual", "to": webhooks.wa_id(number),
                "type": "text", "text": {"body": webhooks.TEXT, "preview_url": False},
                "biz_opaque_callback_data": str(uuid.uuid4()),
            }  # fmt: skip
            request = load.request(
                "POST", path, orjson.dumps(body), Content_Type="application/json", Authorization="Bearer token"
            )
            await connection.ask(request)
            orjson.loads(connection.body)["messages"][0]["id"]

    begun = time.perf_counter()
    await asyncio.gather(*(one(connection) for connection in connections))
    seconds = time.perf_counter() - begun
    for connection in connections:
        connection.transport.close()
    return seconds


def queue(count: int, priority: int = 3, text: str = webhooks.TEXT) -> int:
    """Queue a message in each of `count` conversations; how many there are."""
    rows = Conversation.objects.order_by("pk")[:count]
    messages = [
        Message(
            conversation=row, inbox_id=row.inbox_id, direction="out", status="queued", text=text, priority=priority,
            author_kind="campaign" if priority == 3 else "api",
        )
        for row in rows
    ]  # fmt: skip
    return len(Message.objects.bulk_create(messages, batch_size=1000))


def let_go() -> None:
    """The ceiling of every number at its highest, nobody's pair limit used up."""
    Inbox.objects.update(sends_per_second=CEILING, next_send_at=None)
    Conversation.objects.update(next_send_at=None)


def by_outbox(count: int, seconds: float) -> tuple[float, float]:
    """Messages per second and processor seconds per message of the outbox, database writes included."""
    let_go()
    queue(count)
    begun, used = time.perf_counter(), time.process_time()
    waiting = Message.objects.filter(status__in=WAITING, direction="out")
    while time.perf_counter() - begun < seconds and (outbox.drain() or waiting.exists()):
        pass
    took, used = time.perf_counter() - begun, time.process_time() - used
    left = waiting.count()
    waiting.delete()
    return (count - left) / took, used / max(count - left, 1)


if __name__ == "__main__":
    obey(
        office.COMMANDS
        | {"product": by_product, "raw": by_raw, "outbox": by_outbox, "queue": queue, "let_go": let_go}
    )  # fmt: skip
