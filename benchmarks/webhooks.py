"""Signed webhooks as Meta sends them: a text message each, from known people, with ids that never repeat."""

import hashlib
import hmac
import itertools
import json
import time

from benchmarks.load import request

PATH = "/webhooks/whatsapp/"
SECRET = "the-app-secret-of-the-benchmark"
WABA, PHONE, DISPLAY = "100", "200", "34600000001"
TEXT = "Buenos días, ¿me pueden decir si el pedido sale hoy? Lo necesito antes del viernes, gracias."

_numbers = itertools.count(time.time_ns() // 1000)


def wa_id(person: int) -> str:
    """The WhatsApp number of the n-th person."""
    return f"346{person:08d}"


def body(person: int, phone: str = PHONE, waba: str = WABA) -> bytes:
    """One text message of a person, now, under a new id."""
    sender = wa_id(person)
    message = {
        "from": sender,
        "id": f"wamid.HBgLMzQ2MDAxMTEyMjIVAgASGBQ{next(_numbers):024X}",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": TEXT},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": DISPLAY, "phone_number_id": phone},
        "contacts": [{"profile": {"name": f"Person {person}"}, "wa_id": sender}],
        "messages": [message],
    }
    change = {"field": "messages", "value": value}
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": waba, "changes": [change]}]}, separators=(",", ":")
    ).encode()


def signature(content: bytes) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.digest(SECRET.encode(), content, hashlib.sha256).hex()


def signed(content: bytes, path: str = PATH) -> bytes:
    """The whole request for a body."""
    return request(
        "POST", path, content, Content_Type="application/json", X_Hub_Signature_256=signature(content)
    )  # fmt: skip


def requests(count: int, people: int = 1000, path: str = PATH) -> list[bytes]:
    """Requests by `people` in turn, ready to be sent."""
    return [signed(body(number % people), path) for number in range(count)]
