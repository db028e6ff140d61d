"""A message as a bubble: everything `_message.html` shows, in the reader's language."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.urls import reverse
from django.utils import formats
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from catalog.products.models import Product
from conversations.channels.whatsapp import codes
from conversations.desk import kinds
from conversations.desk.formatting import formatted
from conversations.messaging.models import Attachment, Message
from conversations.messaging.refetching import may_ask_again
from crm.foundation import clock

EXCERPT = 120
# Failures that only a template gets past.
WINDOW_CODES = ("window_closed", "131047")
SOUNDS = ("audio", "voice")
BARS = 64
RELATED = ("author", "sender", "conversation__contact", "reply_to__author", "reply_to__conversation__contact")


@dataclass(frozen=True)
class File:
    """An attachment in a bubble."""

    id: str
    kind: str
    name: str
    mime: str
    size: int
    url: str
    state: str
    width: int | None
    height: int | None
    can_ask_again: bool = False
    wave: str = ""
    duration: str = ""
    seconds: float = 0
    rendition_url: str = ""


@dataclass(frozen=True)
class Quote:
    """The message a bubble answers to."""

    client_id: str
    author_label: str
    excerpt: str


@dataclass(frozen=True)
class Bubble:
    """One message for the page."""

    client_id: str
    pk: int
    sort_key: str
    version: int
    direction: str
    kind: str
    status: str
    status_label: str
    author_kind: str
    author_label: str
    sender_label: str
    at: dt.datetime
    text: str
    formatted: SafeString
    summary: str
    is_forwarded: bool
    edited_at: dt.datetime | None
    original_text: str
    revoked_at: dt.datetime | None
    error_text: str
    needs_template: bool
    can_retry: bool
    can_cancel: bool
    quoted: Quote | None
    quoted_missing: bool
    attachments_list: list[File] = field(default_factory=list)
    reactions_list: list[dict[str, Any]] = field(default_factory=list)
    location: dict[str, Any] | None = None
    cards: list[dict[str, Any]] = field(default_factory=list)
    referral: dict[str, str] | None = None
    order: dict[str, Any] | None = None
    product: dict[str, str] | None = None


def bubbles_of(messages: Any) -> list[Bubble]:
    """Bubbles of a queryset: one query for the messages, one each for files and reactions, one for products if any."""
    rows = list(messages.select_related(*RELATED).prefetch_related("attachments", "reactions"))
    names = Product.objects.names(retailer_id for row in rows for retailer_id in _retailer_ids(row.payload))
    return [_bubble(row, names) for row in rows]


def bubble_of(message: Message) -> Bubble:
    """The bubble of one message, freshly read."""
    return bubbles_of(Message.objects.filter(pk=message.pk))[0]


def author_label(message: Message) -> str:
    """Who wrote it, for the reader."""
    if message.author is not None:
        return message.author.name
    if message.direction == Message.Direction.INBOUND:
        return message.conversation.contact.title
    labels = {"phone": _("From the phone"), "api": _("By API"), "bot": _("Bot"), "system": "WhatsApp"}
    return labels.get(message.author_kind, _("Automatic"))


def _bubble(message: Message, product_names: dict[str, str]) -> Bubble:
    is_gone = message.revoked_at is not None
    payload = {} if is_gone else message.payload
    text = "" if is_gone else message.text
    sender = message.sender
    return Bubble(
        client_id=str(message.client_id),
        pk=message.pk,
        sort_key=message.sort_key,
        version=message.version,
        direction=message.direction,
        kind=message.kind,
        status=message.status,
        status_label=message.get_status_display(),
        author_kind=message.author_kind,
        author_label=author_label(message),
        sender_label=(sender.profile_name or f"…{(sender.wa_id or '')[-3:]}") if sender else "",
        at=message.sort_at,
        text=text,
        formatted=formatted("" if message.kind == "order" else text, mentioned=_mentioned(message, payload)),
        summary="" if is_gone else kinds.summary(message.kind, text, payload),
        is_forwarded=message.is_forwarded,
        edited_at=None if is_gone else message.edited_at,
        original_text="" if is_gone else message.original_text,
        revoked_at=message.revoked_at,
        error_text=_error_text(message),
        needs_template=message.status == "failed" and message.error_code in WINDOW_CODES,
        can_retry=message.status in ("failed", "unknown") and message.author_kind != Message.Author.PHONE,
        can_cancel=message.status == Message.Status.QUEUED,
        quoted=_quote(message.reply_to),
        quoted_missing=bool(message.quoted_external_id) and message.reply_to is None and "product" not in payload,
        attachments_list=[] if is_gone else [_file(attachment) for attachment in _in_order(message)],
        reactions_list=_reactions(message),
        **_parts(message.kind, payload, text, product_names),
    )


def _mentioned(message: Message, payload: dict[str, Any]) -> list[str]:
    names = payload.get("mentions") if message.direction == Message.Direction.NOTE else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _error_text(message: Message) -> str:
    if not message.error_code or message.status not in ("failed", "unknown", "queued"):
        return ""
    return codes.sentence(message.error_code, is_final=message.status == "failed")


def _quote(message: Message | None) -> Quote | None:
    if message is None:
        return None
    text = "" if message.revoked_at else message.text
    kind = "revoked" if message.revoked_at else message.kind
    return Quote(str(message.client_id), author_label(message), kinds.preview(kind, text)[:EXCERPT])


def _in_order(message: Message) -> list[Attachment]:
    return sorted(message.attachments.all(), key=lambda attachment: (attachment.created_at, attachment.pk))


def _file(attachment: Attachment) -> File:
    url = reverse("desk:media", args=[attachment.pk])
    return File(
        id=str(attachment.pk),
        kind=attachment.kind,
        name=attachment.filename or str(kinds.WORDS.get(attachment.kind, attachment.kind)),
        mime=attachment.mime_type,
        size=attachment.size,
        url=url,
        state=attachment.state,
        width=attachment.width,
        height=attachment.height,
        can_ask_again=may_ask_again(attachment, clock.now()),
        wave=waveform(attachment.peaks) if attachment.kind in SOUNDS else "",
        duration=_clock_time(attachment.duration_ms),
        seconds=(attachment.duration_ms or 0) / 1000,
        rendition_url=f"{url}?rendition=1" if attachment.rendition else "",
    )


def waveform(peaks: Any) -> str:
    """The SVG path of a voice message's bars in a box of 256 × 32; a flat line where its loudness is not known."""
    known = [peak for peak in peaks if isinstance(peak, int | float)] if isinstance(peaks, list) else []
    heights = [max(2, round(min(max(peak, 0), 100) * 0.28)) for peak in known[:BARS]] or [2] * BARS
    return "".join(f"M{2 + 256 * place // len(heights)} {16 - high / 2:g}v{high}" for place, high in enumerate(heights))


def _clock_time(milliseconds: int | None) -> str:
    seconds = round((milliseconds or 0) / 1000)
    return f"{seconds // 60}:{seconds % 60:02}" if milliseconds else ""


def _reactions(message: Message) -> list[dict[str, Any]]:
    us, person = _("Us"), message.conversation.contact.title
    return [
        {"emoji": reaction.emoji, "label": us if reaction.actor == "us" else person, "mine": reaction.actor == "us"}
        for reaction in sorted(message.reactions.all(), key=lambda reaction: reaction.reacted_at)
        if reaction.emoji
    ]


def _parts(kind: str, payload: dict[str, Any], text: str, names: dict[str, str]) -> dict[str, Any]:
    """The cards of a bubble: location, contact cards, ad, order, product."""
    parts: dict[str, Any] = {"referral": _referral(payload.get("referral")), "product": _product(payload, names)}
    if kind == "location":
        parts["location"] = _location(payload)
    elif kind == "contacts":
        parts["cards"] = [_card(card) for card in payload.get("contacts") or [] if isinstance(card, dict)]
    elif kind == "order":
        parts["order"] = _order(payload, text, names)
    return parts


def _location(payload: dict[str, Any]) -> dict[str, Any] | None:
    latitude, longitude = _number(payload.get("latitude")), _number(payload.get("longitude"))
    if latitude is None or longitude is None:
        return None
    return {
        "latitude": latitude,
        "longitude": longitude,
        "name": _text(payload.get("name")),
        "address": _text(payload.get("address")),
        "url": f"https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=16/{latitude}/{longitude}",
    }


def _card(card: dict[str, Any]) -> dict[str, Any]:
    def each(name: str, key: str) -> list[str]:
        parts = card.get(name)
        return [_text(part.get(key)) for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []

    name, org = card.get("name"), card.get("org")
    return {
        "name": (_text(name.get("formatted_name")) if isinstance(name, dict) else "") or _("Contact card"),
        "phones": [phone for phone in each("phones", "phone") if phone],
        "emails": [email for email in each("emails", "email") if email],
        "org": _text(org.get("company")) if isinstance(org, dict) else "",
    }


def _referral(part: Any) -> dict[str, str] | None:
    if not isinstance(part, dict):
        return None
    url = _text(part.get("source_url"))
    is_web = urlsplit(url).scheme in ("http", "https") if url else False
    return {
        "headline": _text(part.get("headline")) or _("Ad"),
        "body": _text(part.get("body")),
        "source_url": url if is_web else "",
    }


def _order(payload: dict[str, Any], text: str, names: dict[str, str]) -> dict[str, Any]:
    lines, total, currency = [], 0.0, ""
    items = payload.get("product_items")
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict):
            continue
        quantity, price = _number(item.get("quantity")), _number(item.get("item_price"))
        currency = _text(item.get("currency"))[:3] or currency
        retailer_id = _text(item.get("product_retailer_id"))
        total += (quantity or 0) * (price or 0)
        lines.append(
            {
                "name": names.get(retailer_id, retailer_id),
                "quantity": f"{quantity or 0:g}",
                "price": _money(price, currency) if price is not None else "",
            }
        )
    return {"items": lines, "total": _money(total, currency) if total else "", "note": text}


def _product(payload: dict[str, Any], names: dict[str, str]) -> dict[str, str] | None:
    part = payload.get("product")
    retailer_id = _text(part.get("product_retailer_id")) if isinstance(part, dict) else ""
    return {"retailer_id": retailer_id, "name": names.get(retailer_id, "")} if retailer_id else None


def _retailer_ids(payload: dict[str, Any]) -> list[str]:
    items = payload.get("product_items")
    parts = [*(items if isinstance(items, list) else []), payload.get("product")]
    return [_text(part.get("product_retailer_id")) for part in parts if isinstance(part, dict)]


def _money(amount: float, currency: str) -> str:
    return f"{formats.number_format(amount, 2, use_l10n=True, force_grouping=True)} {currency}".strip()


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e12 else None


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value[:500] if isinstance(value, str) else ""
