"""Everything known of one message: its times, its tries, what went wrong, and the API call that sends the same."""

import datetime as dt
import json
import shlex
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from conversations.channels.whatsapp import codes
from conversations.desk.bubbles import author_label
from conversations.messaging.models import Attempt, Message
from crm.staff.models import User

ATTEMPTS_MAX = 20


@dataclass(frozen=True)
class Try:
    """One attempt to send."""

    started_at: dt.datetime
    outcome: str
    error: str


@dataclass(frozen=True)
class Details:
    """What the information dialog shows."""

    message: Message
    author_label: str
    times: list[tuple[str, dt.datetime]]
    error_text: str
    tries: list[Try]
    tries_count: int
    pricing: str
    curl: str


def details_of(message: Message, user: User, host: str) -> Details:
    """Of a message with its conversation and author; two queries. `host`: "https://…", for the API call, shown to
    whoever makes tokens.
    """
    tries = list(message.attempts.order_by("-pk")[: ATTEMPTS_MAX + 1]) if message.direction == "out" else []
    count = len(tries) if len(tries) <= ATTEMPTS_MAX else message.attempts.count()
    is_final = message.status == Message.Status.FAILED
    return Details(
        message=message,
        author_label=author_label(message),
        times=_times(message),
        error_text=codes.sentence(message.error_code, is_final=is_final),
        tries=[_try(attempt) for attempt in reversed(tries[:ATTEMPTS_MAX])],
        tries_count=count,
        pricing=_pricing(message.pricing),
        curl=curl_of(message, host) if user.has_perm("crm.add_apitoken") else "",
    )


def _times(message: Message) -> list[tuple[str, dt.datetime]]:
    """What happened when, as far as it did, in the order of a message's life."""
    inbound = message.direction == Message.Direction.INBOUND
    known = [
        (_("Written by the person") if inbound else _("Time at WhatsApp"), message.provider_time),
        (_("Arrived here") if inbound else _("Written here"), message.created_at),
        (_("Taken by WhatsApp"), message.accepted_at),
        (_("Sent"), message.sent_at),
        (_("Delivered"), message.delivered_at),
        (_("Read"), message.read_at),
        (_("Played"), message.played_at),
        (_("Not delivered"), message.failed_at),
        (_("Cancelled"), message.cancelled_at),
        (_("Edited"), message.edited_at),
        (_("Deleted"), message.revoked_at),
    ]
    return [(label, at) for label, at in known if at is not None]


def _try(attempt: Attempt) -> Try:
    words = {
        "sending": _("On its way"),
        "accepted": _("Taken by WhatsApp"),
        "refused": _("Refused"),
        "retry": _("To be tried again"),
        "unknown": _("Not confirmed"),
    }
    error = " · ".join(part for part in (attempt.error_code, attempt.error_details) if part)
    return Try(attempt.started_at, words.get(attempt.outcome, attempt.outcome), error)


def _pricing(pricing: Any) -> str:
    """Meta's word for what it is billed as."""
    category = pricing.get("category") if isinstance(pricing, dict) else None
    return category[:40] if isinstance(category, str) else ""


def curl_of(message: Message, host: str) -> str:
    """The API call that would send the same, its token a placeholder; "" for what the API does not send."""
    body = _body(message)
    if body is None or message.direction != Message.Direction.OUTBOUND or message.revoked_at is not None:
        return ""
    url = host + reverse("api:conversation-message-list", args=[message.conversation_id])
    lines = [
        f"curl -X POST {shlex.quote(url)}",
        '-H "Authorization: Bearer $TOKEN"',
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
    ]
    return " \\\n  ".join(lines)


def _body(message: Message) -> dict[str, Any] | None:
    payload = message.payload
    quoted = {"reply_to": message.reply_to_id} if message.reply_to_id else {}
    match message.kind:
        case "text":
            return {"text": message.text} | quoted
        case "location":
            names = ("latitude", "longitude", "name", "address")
            return {"location": {name: payload[name] for name in names if name in payload}} | quoted
        case "contacts":
            return {"contacts": payload.get("contacts", [])} | quoted
        case "template":
            return {"template": {name: payload[name] for name in ("name", "language", "components") if name in payload}}
    attachment = next(iter(message.attachments.all()), None)
    if attachment is None:
        return None
    return {"attachment": str(attachment.pk)} | ({"text": message.text} if message.text else {}) | quoted
