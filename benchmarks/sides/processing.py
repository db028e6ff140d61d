"""Turns stored webhooks into messages in three ways: the product's pipeline, one-at-a-time ORM, hand-written SQL.

All three start from the same sealed events of known people and leave the same essential rows: message, conversation's
summary, hint, event processed.
"""

import benchmarks.sides.django  # noqa: F401, I001 (first: the models need it)
import datetime as dt
import time
from typing import Any

import orjson
from django.db import connection, transaction

from benchmarks import webhooks
from benchmarks.processes import obey
from benchmarks.sides import by_hand, office
from conversations.inboxes.models import Inbox
from conversations.ingest import pipeline
from conversations.ingest.models import WebhookEvent
from conversations.live.models import LiveHint
from conversations.messaging.models import Conversation, Message
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock
from crm.foundation.secrets import seal


def store(count: int, people: int) -> None:
    """Webhooks as the batcher keeps them, one message each."""
    signers = list(Inbox.objects.values_list("account_id", flat=True)[:1])
    WebhookEvent.objects.bulk_create(
        (WebhookEvent(sealed_body=seal(webhooks.body(number % people)), signer_ids=signers) for number in range(count)),
        batch_size=1000,
    )


def measure(way: str, count: int, people: int, seconds: float) -> float:
    """Events per second of one way over `count` fresh events, or over as many as it manages in `seconds`."""
    store(count, people)
    before = Message.objects.count()
    begun = time.perf_counter()
    WAYS[way](begun + seconds)
    took = time.perf_counter() - begun
    made = Message.objects.count() - before
    left = WebhookEvent.objects.filter(state="pending").count()
    if made + left != count:
        reasons = set(WebhookEvent.objects.exclude(reason="").values_list("reason", flat=True)[:5])
        raise RuntimeError(f"{way} made {made} messages of {count} events and left {left}: {reasons or 'no reason'}")
    by_sql(float("inf"))  # what it did not manage
    return made / took


def by_product(until: float) -> None:
    """As a worker does it."""
    while time.perf_counter() < until and pipeline.drain():
        pass


def by_orm(until: float) -> None:
    """The usual way: a transaction for each event; look up, save, look up, save."""
    for pk in list(WebhookEvent.objects.filter(state="pending").order_by("pk").values_list("pk", flat=True)):
        if time.perf_counter() > until:
            return
        with transaction.atomic():
            event = WebhookEvent.objects.select_for_update().get(pk=pk)
            for entry in orjson.loads(event.body)["entry"]:
                for change in entry["changes"]:
                    _value_by_orm(change["value"])
            event.state, event.processed_at = "processed", clock.real()
            event.save()


def _value_by_orm(value: dict[str, Any]) -> None:
    inbox = Inbox.objects.get(phone_number_id=value["metadata"]["phone_number_id"])
    names = {one["wa_id"]: one["profile"]["name"] for one in value["contacts"]}
    for item in value["messages"]:
        at = dt.datetime.fromtimestamp(int(item["timestamp"]), dt.UTC)
        identity = ChannelIdentity.objects.filter(channel="whatsapp", wa_id=item["from"]).first()
        if identity is None:
            contact = Contact.objects.create(name=names[item["from"]], phone=f"+{item['from']}")
            identity = ChannelIdentity.objects.create(
                contact=contact, channel="whatsapp", wa_id=item["from"], first_seen_at=at, last_seen_at=at
            )
        conversation, _made = Conversation.objects.get_or_create(
            inbox=inbox, identity=identity, defaults={"contact": identity.contact}
        )
        message, made = Message.objects.get_or_create(
            inbox=inbox, external_id=item["id"],
            defaults={
                "conversation": conversation, "direction": "in", "status": "received", "author_kind": "contact",
                "text": item["text"]["body"], "provider_time": at, "sort_at": at,
            },
        )  # fmt: skip
        if made:
            conversation.inbound_count += 1
            conversation.last_activity_at = conversation.last_sort_at = at
            conversation.window_expires_at = at + dt.timedelta(hours=24)
            conversation.last_message_id, conversation.last_preview = message.pk, message.text[:200]
            conversation.save()
            LiveHint.objects.create(
                groups=[f"inbox.{inbox.pk}"], payload={"t": "message.created", "c": conversation.pk}
            )


def by_sql(until: float) -> None:
    """The limit: batches of 200, one statement each on PostgreSQL."""
    batch = by_hand.postgresql if connection.vendor == "postgresql" else by_hand.sqlite
    while time.perf_counter() < until and batch(200):
        pass


WAYS = {"product": by_product, "orm": by_orm, "sql": by_sql}

if __name__ == "__main__":
    obey(office.COMMANDS | {"measure": measure})
