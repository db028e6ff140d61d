"""The webhook endpoint: a raw ASGI route in front of Django. 200 only after the exact bytes are committed."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any, ClassVar
from urllib.parse import parse_qs

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from conversations.ingest.batcher import Overloaded, batcher
from conversations.ingest.deadlines import deadlines
from conversations.ingest.keyring import KeyRingUnavailable, key_ring
from conversations.ingest.tallies import tallies

PATH = "/webhooks/whatsapp/"
CHALLENGE_MAX = 200
# Reading the secrets and storing the bytes together: Meta is answered within two seconds.
ANSWER_SECONDS = 1.8
READ_SECONDS = 15.0
# Of all bodies that come in pieces just now: strangers who send slowly cannot fill the memory. Where it is full, the
# one that has been coming longest gives way: a webhook of Meta's is complete in moments.
READING_BYTES_MAX = 128 * 1024 * 1024
HEADERS = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class _Reading:
    """The bodies that are not complete yet, by who reads them, the oldest first, and those who are to stop; changed by
    the server's loop only.
    """

    bodies: ClassVar[dict[asyncio.Task[Any], bytearray]] = {}
    stopped: ClassVar[dict[asyncio.Task[Any], _Refused]] = {}
    held = 0  # bytes of all bodies

    @classmethod
    def add(cls, task: asyncio.Task[Any], part: bytes) -> bytearray:
        """What the task has read so far, with another part."""
        body = cls.bodies.setdefault(task, bytearray())
        body += part
        cls.held += len(part)
        return body

    @classmethod
    def make_room(cls, task: asyncio.Task[Any]) -> None:
        """While there is too much, the oldest give way; raises if that is the task itself."""
        while cls.held > READING_BYTES_MAX:
            oldest = next(iter(cls.bodies))
            refusal = _Refused(503, "try again later")
            if oldest is task:
                raise refusal
            cls.drop(oldest)
            cls.stop(oldest, refusal)

    @classmethod
    def drop(cls, task: asyncio.Task[Any]) -> None:
        """Its body is complete, or not wanted any more."""
        cls.held -= len(cls.bodies.pop(task, b""))

    @classmethod
    def stop(cls, task: asyncio.Task[Any], refusal: _Refused) -> None:
        """Make the task end its reading with this refusal."""
        if task not in cls.stopped:
            cls.stopped[task] = refusal
            task.cancel()


async def receive_webhook(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """ASGI callable: GET answers Meta's handshake, POST takes a webhook."""
    try:
        _check_host(scope["headers"])
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
    accounts = key_ring.verified_by(token) if mode == "subscribe" and token else []
    if not accounts:
        raise _Refused(403, "unknown verify token")
    if len(challenge) > CHALLENGE_MAX or not challenge.isascii() or not challenge.isalnum():
        raise _Refused(400, "malformed challenge")
    tallies.note_verified(accounts)
    return challenge


async def _take(scope: dict[str, Any], receive: Any) -> str:
    signatures: list[bytes] = []
    declared, content_type = b"", b""
    for name, value in scope["headers"]:
        if name == b"x-hub-signature-256":
            signatures.append(value)
        elif name == b"content-length":
            declared = value
        elif name == b"content-type":
            content_type = value
    _check(declared, content_type)
    body = await _body(receive)
    started = time.monotonic()
    if key_ring.is_due:
        await _fresh_key_ring(ANSWER_SECONDS)
    signer_ids = key_ring.signers(signatures[0], body) if len(signatures) == 1 else []
    if not signer_ids:
        tallies.note_refused(key_ring.named_in(body))
        raise _Refused(401, "invalid signature")
    try:
        left = ANSWER_SECONDS - (time.monotonic() - started)
        await batcher.put(body, signatures[0].decode("ascii", "replace"), signer_ids, seconds=max(left, 0))
    except Overloaded as error:
        raise _Refused(503, "try again later") from error
    tallies.note_event(signer_ids)
    return "ok"


def _check_host(headers: Iterable[tuple[bytes, bytes]]) -> None:
    for name, value in headers:
        if name == b"host" and not validate_host(split_domain_port(value.decode("latin-1"))[0], settings.ALLOWED_HOSTS):
            raise _Refused(400, "not our host")


def _check(declared: bytes, content_type: bytes) -> None:
    if declared.isdigit() and int(declared[:20]) > settings.WEBHOOK_MAX_BYTES:
        raise _Refused(413, "too large")
    if content_type.partition(b";")[0].strip().lower() not in (b"application/json", b""):
        raise _Refused(415, "send application/json")


async def _body(receive: Any) -> bytes:
    """The whole body; a sender that trickles is not waited for."""
    task, largest = asyncio.current_task(), settings.WEBHOOK_MAX_BYTES
    if task is None:
        raise RuntimeError("a webhook is read by a task")
    deadlines.add(task, READ_SECONDS, _stop_reading)
    try:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            body: bytes = message.get("body", b"")
        else:
            body = await _parts(task, receive, message, largest)
    except asyncio.CancelledError as error:
        refusal = _Reading.stopped.get(task)
        if refusal is None or task.uncancel():
            raise
        raise refusal from error
    finally:
        deadlines.drop(task)
        _Reading.stopped.pop(task, None)
    if len(body) > largest:
        raise _Refused(413, "too large")
    return body


def _stop_reading(task: "asyncio.Task[Any]") -> None:
    _Reading.stop(task, _Refused(408, "too slow"))


async def _parts(task: "asyncio.Task[Any]", receive: Any, message: Any, largest: int) -> bytes:
    try:
        while True:
            if message["type"] == "http.disconnect":
                raise _Refused(400, "incomplete")
            body = _Reading.add(task, message.get("body", b""))
            if len(body) > largest:
                raise _Refused(413, "too large")
            if not message.get("more_body"):
                return bytes(body)
            _Reading.make_room(task)
            message = await receive()
    finally:
        _Reading.drop(task)


async def _fresh_key_ring(seconds: float) -> None:
    try:
        await key_ring.ensure_fresh(seconds)
    except KeyRingUnavailable as error:
        raise _Refused(503, "try again later") from error


async def _respond(send: Any, status: int, text: str) -> None:
    body = text.encode()
    headers = [*HEADERS, (b"content-length", b"%d" % len(body))]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
