"""Webhook bodies as Meta makes them, small and with ids that say which fault they belong to."""

import hashlib
import hmac
import json
import random
from dataclasses import dataclass, field
from typing import Any

from scripts.cluster import DISPLAY, PHONE_NUMBER_ID, WABA_ID

# A total order: the last of these that Meta reported is what the message must show in the end.
LADDER = ("accepted", "sent", "failed", "delivered", "read")


@dataclass
class Delivery:
    """One POST to be made until it is answered 200, and what a 200 promises (lines of the ledger)."""

    content: bytes
    promises: list[dict[str, Any]] = field(default_factory=list)
    tries: int = 0

    def headers(self, app_secret: str) -> dict[str, str]:
        """Meta's, with its signature."""
        signature = hmac.new(app_secret.encode(), self.content, hashlib.sha256).hexdigest()
        return {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}


@dataclass(frozen=True)
class Inbound:
    """A message somebody wrote: wamid, number and seconds since 1970."""

    wamid: str
    person: str
    at: int


def person(scenario: int, number: int) -> str:
    """A phone number that no other scenario of this installation uses."""
    return f"346{scenario:02d}{number:06d}"


def inbound(key: str, scenario: int, count: int, *, people: int, now: int) -> list[Inbound]:
    """`count` messages by `people` persons, in the order in which they were written, four a second."""
    first = now - count // 4 - 60
    return [
        Inbound(f"wamid.{key}.{n}", person(scenario, n % people), first + n // 4)
        for n in range(count)
    ]  # fmt: skip


def deliveries(messages: list[Inbound], *, per_body: int, copies: int, window: int, seed: int) -> list[Delivery]:
    """Every body `copies` times, each moved by less than `window` places."""
    bodies = [_body_of(messages[start : start + per_body]) for start in range(0, len(messages), per_body)]
    rng = random.Random(seed)
    places = [
        (position + rng.uniform(0, window), Delivery(body.content, body.promises))
        for position, body in enumerate(body for body in bodies for _ in range(copies))
    ]
    return [delivery for _place, delivery in sorted(places, key=lambda place: place[0])]


def status(wamid: str, state: str, at: int, *, to: str, reference: str) -> Delivery:
    """A status webhook for a message of ours; `reference` is what we sent along."""
    item: dict[str, Any] = {"id": wamid, "status": state, "timestamp": str(at), "recipient_id": to}
    item["biz_opaque_callback_data"] = reference
    if state == "failed":
        item["errors"] = [{"code": 131026, "title": "Message undeliverable"}]
    return Delivery(_webhook(statuses=[item]), [{"kind": "status", "id": wamid, "status": state}])


def _body_of(messages: list[Inbound]) -> Delivery:
    people = dict.fromkeys(message.person for message in messages)
    contacts = [{"profile": {"name": f"Persona {number[-6:]}"}, "wa_id": number} for number in people]
    items = [
        {
            "from": message.person,
            "id": message.wamid,
            "timestamp": str(message.at),
            "type": "text",
            "text": {"body": f"Hola {message.wamid}"},
        }
        for message in messages
    ]
    promises = [
        {"kind": "message", "id": message.wamid, "person": message.person, "at": message.at} for message in messages
    ]
    return Delivery(_webhook(contacts=contacts, messages=items), promises)


def _webhook(**value: Any) -> bytes:
    metadata = {"display_phone_number": DISPLAY, "phone_number_id": PHONE_NUMBER_ID}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata} | value}
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": WABA_ID, "changes": [change]}]}).encode()
