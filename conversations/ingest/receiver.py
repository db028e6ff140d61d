"""The webhook endpoint: a raw ASGI route in front of Django. 200 only after the exact bytes are committed."""

import asyncio
import time
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.db import DatabaseError

from conversations.ingest.batcher import Overloaded, batcher
from conversations.ingest.keyring import key_ring

PATH = "/webhooks/whatsapp/"
CHALLENGE_MAX = 200
# Reading the secrets and storing the bytes together: Meta is answered within two seconds.
ANSWER_SECONDS = 1.8
READ_SECONDS = 15.0


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


async def receive_webhook(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """ASGI callable: GET answers Meta's handshake, POST takes a webhook."""
    try:
        if scope["method"] == "GET":
            text = await _handshake(scope)
        elif scope["method"] == "POST":
            text = await _take(scope, receive)
        else:
            raise _Refused(405, "use GET or POST")
        await _respond(send, 200, text)
    except _Refused as refused:
        await _respond(send, refused.status, refused.text)


async def _handshake(scope: dict[str, Any]) -> str:
    query = parse_qs(scope["query_string"].decode("latin-1"))
    mode, token, challenge = (query.get(f"hub.{name}", [""])[0] for name in ("mode", "verify_token", "challenge"))
    await _fresh_key_ring(ANSWER_SECONDS)
    if mode != "subscribe" or not token or not key_ring.knows_verify_token(token):
        raise _Refused(403, "unknown verify token")
    if len(challenge) > CHALLENGE_MAX or not challenge.isascii() or not challenge.isalnum():
        raise _Refused(400, "malformed challenge")
    return challenge


async def _take(scope: dict[str, Any], receive: Any) -> str:
    headers: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, []).append(value)
    body = await _body(receive, headers)
    signatures = headers.get(b"x-hub-signature-256", [])
    started = time.monotonic()
    await _fresh_key_ring(ANSWER_SECONDS)
    signer_ids = key_ring.signers(signatures[0], body) if len(signatures) == 1 else []
    if not signer_ids:
        raise _Refused(401, "invalid signature")
    try:
        left = ANSWER_SECONDS - (time.monotonic() - started)
        await batcher.put(body, signatures[0].decode("ascii", "replace"), signer_ids, seconds=max(left, 0))
    except Overloaded as error:
        raise _Refused(503, "try again later") from error
    return "ok"


async def _body(receive: Any, headers: dict[bytes, list[bytes]]) -> bytes:
    largest = settings.WEBHOOK_MAX_BYTES
    declared = headers.get(b"content-length", [b""])[0]
    if declared.isdigit() and int(declared[:20]) > largest:
        raise _Refused(413, "too large")
    content_type = headers.get(b"content-type", [b"application/json"])[0].partition(b";")[0].strip().lower()
    if content_type not in (b"application/json", b""):
        raise _Refused(415, "send application/json")
    body, started = bytearray(), time.monotonic()
    while True:
        message = await _within(READ_SECONDS - (time.monotonic() - started), receive)
        if message["type"] == "http.disconnect":
            raise _Refused(400, "incomplete")
        body += message.get("body", b"")
        if len(body) > largest:
            raise _Refused(413, "too large")
        if not message.get("more_body"):
            return bytes(body)


async def _within(seconds: float, receive: Any) -> Any:
    """The next part of a body; a sender that trickles is not waited for."""
    try:
        async with asyncio.timeout(max(seconds, 0)):
            return await receive()
    except TimeoutError as error:
        raise _Refused(408, "too slow") from error


async def _fresh_key_ring(seconds: float) -> None:
    if key_ring.is_fresh:
        return
    try:
        await asyncio.wait_for(asyncio.to_thread(key_ring.refresh), seconds)
    except (TimeoutError, DatabaseError) as error:
        raise _Refused(503, "try again later") from error


async def _respond(send: Any, status: int, text: str) -> None:
    body = text.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
