"""What happens on a customer's phone, turned into the webhook that Meta would send."""

import asyncio
import io
from base64 import b64decode
from dataclasses import dataclass, replace
from typing import Any

from simulator.clock import Clock
from simulator.content import BUILDERS, part
from simulator.customers import Customer, Customers, new_wamid
from simulator.media import INBOUND_LIFE, MediaStore, Medium
from simulator.numbers import Number
from simulator.reading import BadBody
from simulator.statuses import value_of
from simulator.webhooks import Outcome, WebhookQueue

Json = dict[str, Any]

MEDIA = {"image", "video", "audio", "voice", "document", "sticker"}


@dataclass
class Delivery:
    """A webhook under way and the message in it."""

    wamid: str | None
    answer: asyncio.Future[Outcome]


class Inbound:
    """Takes what a tester or the phone page says that a customer did."""

    def __init__(self, *, clock: Clock, customers: Customers, media: MediaStore, queue: WebhookQueue) -> None:
        self._clock, self._customers, self._media, self._queue = clock, customers, media, queue

    async def take(self, number: Number, wanted: Json, base_url: str) -> Delivery:
        """Record and enqueue one event of a customer; raises BadBody with a sentence."""
        kind = wanted.get("type", "text")
        if not isinstance(kind, str) or not kind:
            raise BadBody("type must be a word.")
        if kind == "raw":
            return await self._raw(number, wanted)
        customer = await self._customer(wanted)
        wamid = str(wanted.get("wamid") or new_wamid(customer.wa_id, inbound=kind != "echo"))
        try:
            at = int(wanted.get("timestamp") or self._clock.now())
        except (TypeError, ValueError):
            raise BadBody("timestamp must be seconds since 1970.") from None
        if kind == "echo":
            return await self._echo(number, customer, wanted, wamid, at, base_url)
        if kind == "call":
            return await self._call(number, customer, wanted, wamid, at)
        if kind == "user_preferences":
            return await self._preference(number, customer, wanted, wamid, at)
        if kind == "user_id_update":
            return await self._user_id_update(number, customer, wanted, at)
        message = {**_sender(wanted, customer), "id": wamid, "timestamp": str(at)}
        message |= await self._content(number, customer, kind, wanted, base_url)
        _add_circumstances(message, wanted, number)
        content: Json = {"messages": [message]}
        if kind != "system":
            content = {"contacts": [_contact(wanted, customer)], **content}
            await self._customers.wrote(customer, number.phone_number_id, at)
        return await self._put(number, customer, "messages", value_of(number, **content), message, at)

    async def _customer(self, wanted: Json) -> Customer:
        texts = {}
        for name in ("from", "user_id", "name", "username"):
            value = wanted.get(name)
            if value is not None and not isinstance(value, str | int):
                raise BadBody(f"{name} must be a text.")
            texts[name] = str(value) if value not in (None, "") else None
        wa_id = "".join(sign for sign in texts["from"] or "" if sign in "0123456789") or None
        if wa_id is None and texts["user_id"] is None:
            raise BadBody("Give from (a phone number), user_id, or both.")
        return await self._customers.meet(wa_id, texts["user_id"], texts["name"], texts["username"])

    async def _content(self, number: Number, customer: Customer, kind: str, wanted: Json, base_url: str) -> Json:
        """`type` and the object named for it."""
        if kind in MEDIA:
            return await self._media_content(number, kind, wanted, base_url)
        if kind == "system":
            return await self._system(customer, wanted)
        if kind in BUILDERS:
            return BUILDERS[kind](wanted)
        return {"type": kind, kind: wanted[kind]} if kind in wanted else {"type": kind}

    async def _media_content(self, number: Number, kind: str, wanted: Json, base_url: str) -> Json:
        given = wanted.get(kind) or wanted.get("media") or {}
        if not isinstance(given, dict):
            raise BadBody(f"{kind} must be an object with base64 and mime, an id, or nothing for a sample file.")
        plain = "audio" if kind == "voice" else kind
        content: Json = {}
        if given.get("caption"):
            content["caption"] = str(given["caption"])
        medium = await self._file(number, kind, given)
        if medium is None:
            return {"type": plain, plain: {**content, **given}}
        if kind == "document":
            content["filename"] = given.get("filename") or medium.filename or "document"
        content |= {"mime_type": medium.mime_type, "sha256": medium.sha256, "id": medium.id}
        content["url"] = f"{base_url}/attachments/?{await self._media.query(medium)}"
        if plain == "audio":
            content["voice"] = kind == "voice" or bool(given.get("voice"))
        if kind == "sticker":
            content["animated"] = bool(given.get("animated"))
        return {"type": plain, plain: content}

    async def _file(self, number: Number, kind: str, given: Json) -> Medium | None:
        """The file meant: bytes in the request, one sent before, or a sample; None for an id nobody knows."""
        if given.get("id"):
            return await self._media.get(str(given["id"]))
        if "base64" not in given:
            return await self._media.sample(kind, waba_id=number.waba_id, life=INBOUND_LIFE)
        try:
            data = b64decode(given["base64"], validate=True)
        except (TypeError, ValueError):
            raise BadBody("base64 cannot be read.") from None
        mime_type = str(given.get("mime") or given.get("mime_type") or "application/octet-stream")
        filename = str(given["filename"]) if given.get("filename") else None
        return await self._media.keep(
            io.BytesIO(data), waba_id=number.waba_id, mime_type=mime_type, filename=filename, life=INBOUND_LIFE
        )

    async def _system(self, customer: Customer, wanted: Json) -> Json:
        """A new phone number (`new_wa_id`) or a new user id (`new_user_id`); the customer is changed too."""
        given = wanted.get("system") or wanted
        new_wa_id, new_user_id = given.get("new_wa_id"), given.get("new_user_id")
        if new_wa_id:
            body = f"User {customer.name} changed from {customer.wa_id} to {new_wa_id}"
            system: Json = {"body": body, "wa_id": str(new_wa_id), "type": "user_changed_number"}
        elif new_user_id:
            body = f"User {customer.name} changed from {customer.user_id} to {new_user_id}"
            system = {"body": body, "user_id": str(new_user_id), "type": "user_changed_user_id"}
        elif isinstance(wanted.get("system"), dict):
            return {"type": "system", "system": wanted["system"]}
        else:
            raise BadBody("A system message needs new_wa_id or new_user_id.")
        if new_wa_id and new_user_id:
            system["user_id"] = str(new_user_id)
        await self._customers.change(
            customer,
            wa_id=str(new_wa_id) if new_wa_id else None,
            user_id=str(new_user_id) if new_user_id else None,
        )
        return {"type": "system", "system": system}

    async def _user_id_update(self, number: Number, customer: Customer, wanted: Json, at: int) -> Delivery:
        new = wanted.get("new_user_id")
        if not isinstance(new, str) or not new:
            raise BadBody("A user_id_update needs new_user_id.")
        update = {
            "wa_id": customer.wa_id or "",
            "detail": "The user id of this user has changed.",
            "user_id": {"previous": customer.user_id or "", "current": new},
            "timestamp": str(at),
        }
        await self._customers.change(customer, user_id=new)
        value = value_of(number, contacts=[_contact(wanted, customer)], user_id_update=[update])
        answer = await self._queue.enqueue(number.phone_number_id, "user_id_update", value)
        return Delivery(None, answer)

    async def _preference(self, number: Number, customer: Customer, wanted: Json, wamid: str, at: int) -> Delivery:
        """The person stops promotions (`value`: stop) or takes them again (resume)."""
        word = wanted.get("value", "stop")
        if word not in ("stop", "resume"):
            raise BadBody("value must be stop or resume.")
        preference: Json = {
            "wa_id": "" if _hides_phone(wanted) else customer.wa_id or "",
            "detail": f"User requested to {word} marketing messages",
            "category": "marketing_messages",
            "value": word,
            "timestamp": at,
        }
        if customer.user_id:
            preference["user_id"] = customer.user_id
        habits = await self._customers.habits(customer)
        await self._customers.set_habits(customer, replace(habits, stopped=word == "stop"))
        value = value_of(number, contacts=[_contact(wanted, customer)], user_preferences=[preference])
        line = {"id": wamid, "type": "user_preferences", "user_preferences": preference}
        return await self._put(number, customer, "user_preferences", value, line, at)

    async def _echo(
        self, number: Number, customer: Customer, wanted: Json, wamid: str, at: int, base_url: str
    ) -> Delivery:
        """What the business wrote on its own phone (coexistence): field smb_message_echoes."""
        inner = part(wanted, "echo")
        kind = str(wanted.get("echo_type", "text") if inner is wanted else inner.get("type", "text"))
        echo: Json = {"from": number.digits, "to": customer.wa_id or "", "id": wamid, "timestamp": str(at)}
        if customer.user_id:
            echo["to_user_id"] = customer.user_id
        echo |= await self._content(number, customer, kind, inner, base_url)
        value = value_of(number, contacts=[_contact(wanted, customer)], message_echoes=[echo])
        return await self._put(number, customer, "smb_message_echoes", value, echo, at)

    async def _call(self, number: Number, customer: Customer, wanted: Json, wamid: str, at: int) -> Delivery:
        """A call of the customer, missed unless told otherwise; it opens the window like a message."""
        given = wanted.get("call") if isinstance(wanted.get("call"), dict) else {}
        call: Json = {
            **_sender(wanted, customer),
            "to": number.digits,
            "id": wamid,
            "event": "connect",
            "direction": "USER_INITIATED",
            "timestamp": str(at),
            **(given or {}),
        }
        value = value_of(number, contacts=[_contact(wanted, customer)], calls=[call])
        await self._customers.wrote(customer, number.phone_number_id, at)
        return await self._put(number, customer, "calls", value, {**call, "type": "call"}, at)

    async def _raw(self, number: Number, wanted: Json) -> Delivery:
        if not isinstance(wanted.get("value"), dict):
            raise BadBody("raw needs value, the object of one change, and field, its name.")
        field = str(wanted.get("field", "messages"))
        return Delivery(None, await self._queue.enqueue(number.phone_number_id, field, wanted["value"]))

    async def _put(
        self, number: Number, customer: Customer, field: str, value: Json, message: Json, at: int
    ) -> Delivery:
        direction = "echo" if field == "smb_message_echoes" else "in"
        key = await self._customers.log(
            wamid=message["id"],
            phone_number_id=number.phone_number_id,
            customer=customer,
            direction=direction,
            time=at,
            body=message,
            state="pending",
        )
        answer = await self._queue.enqueue(number.phone_number_id, field, value, message_id=key, state="sent")
        return Delivery(message["id"], answer)


def _sender(wanted: Json, customer: Customer) -> Json:
    """`from` as Meta writes it: absent when given as null, "" when given as "", else the digits."""
    sender: Json = {}
    if "from" not in wanted or wanted["from"] is not None:
        sender["from"] = "" if _hides_phone(wanted) else customer.wa_id or ""
    if customer.user_id:
        sender["from_user_id"] = customer.user_id
    return sender


def _contact(wanted: Json, customer: Customer) -> Json:
    contact = customer.as_contact(empty_wa_id=_hides_phone(wanted))
    if "from" in wanted and wanted["from"] is None:
        del contact["wa_id"]
    return contact


def _hides_phone(wanted: Json) -> bool:
    return wanted.get("from") in (None, "")


def _add_circumstances(message: Json, wanted: Json, number: Number) -> None:
    """Quote, forwarded mark, product asked about, advertisement and group, on whatever message."""
    context: Json = {}
    if isinstance(wanted.get("context"), dict):
        context = dict(wanted["context"])
    if context.get("id") or wanted.get("referred_product"):
        context.setdefault("from", number.digits)
    for name in ("forwarded", "frequently_forwarded"):
        if wanted.get(name):
            context[name] = True
    if isinstance(wanted.get("referred_product"), dict):
        context["referred_product"] = wanted["referred_product"]
    if context:
        message["context"] = context
    for name in ("referral", "group_id", "errors"):
        if wanted.get(name):
            message[name] = wanted[name]
