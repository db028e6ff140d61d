"""Status webhooks: the usual way from sent to read, failures, and those a tester asks for."""

import asyncio
import hashlib
import json
import sqlite3
from typing import Any

from simulator.clock import Clock
from simulator.customers import Customers, Habits
from simulator.errors import in_status
from simulator.numbers import Number
from simulator.settings import Settings
from simulator.webhooks import Outcome, WebhookQueue

Json = dict[str, Any]

# seconds after the send at which Meta and the customer's phone report; voice notes are played as well
USUAL = (("sent", 0.1), ("delivered", 0.5), ("read", 1.1), ("played", 1.5))
DAY = 24 * 3600


def value_of(number: Number, **content: Any) -> Json:
    """A webhook value of the fields that name the number in `metadata`."""
    metadata = {"display_phone_number": number.digits, "phone_number_id": number.phone_number_id}
    return {"messaging_product": "whatsapp", "metadata": metadata, **content}


class Statuses:
    """Builds status updates and puts them on their way."""

    def __init__(self, clock: Clock, customers: Customers, queue: WebhookQueue, settings: Settings) -> None:
        self._clock, self._customers, self._queue, self._settings = clock, customers, queue, settings

    async def follow(self, number: Number, line: sqlite3.Row, category: str) -> None:
        """Report sent, delivered and read (voice notes: played) within 2 s, as far as the phone's habits allow."""
        if not self._settings.statuses:
            return
        habits = await self._habits(line)
        for status, seconds in USUAL:
            if status in _reported(line, habits):
                extra = self._bill(line, status, category)
                await self._put(number, line, status, after=self._settings.delay + seconds, extra=extra)

    async def catch_up(self, number: Number, line: sqlite3.Row) -> None:
        """A phone is back on the network: report what it had not got as delivered and read."""
        if not self._settings.statuses:
            return
        habits = await self._habits(line)
        for status, seconds in USUAL:
            if status != "sent" and status in _reported(line, habits):
                await self._put(number, line, status, after=seconds, extra=self._bill(line, status, "service"))

    async def _habits(self, line: sqlite3.Row) -> Habits:
        customer = await self._customers.find(line["wa_id"], line["user_id"])
        return await self._customers.habits(customer) if customer else Habits()

    async def fail(self, number: Number, line: sqlite3.Row, code: int, details: str | None = None) -> None:
        """Report that an accepted message failed with one of Meta's codes."""
        extra = {"errors": [in_status(code, details)]}
        await self._put(number, line, "failed", after=self._settings.delay + 0.1, extra=extra)

    async def tell(self, number: Number, wamid: str, wanted: Json) -> asyncio.Future[Outcome]:
        """Send the status that a tester asks for now, for a message sent here or any other."""
        line = await self._customers.line(wamid)
        status, extra = str(wanted["status"]), {}
        errors = wanted.get("errors")
        if errors is None and status == "failed":
            errors = [131026]
        if errors is not None:
            extra["errors"] = [in_status(error) if isinstance(error, int) else error for error in errors]
        elif line is not None:
            extra = self._bill(line, status, "service")
        update = self._update(line, wamid, status, self._clock.now(), extra)
        for name in ("timestamp", "recipient_id", "recipient_user_id", "biz_opaque_callback_data", "pricing"):
            if name in wanted:
                update[name] = str(wanted[name]) if name == "timestamp" else wanted[name]
        key, state = (line["id"], status) if line is not None else (None, None)
        value = value_of(number, statuses=[update])
        return await self._queue.enqueue(number.phone_number_id, "messages", value, message_id=key, state=state)

    async def _put(self, number: Number, line: sqlite3.Row, status: str, *, after: float, extra: Json) -> None:
        update = self._update(line, line["wamid"], status, self._clock.now() + after, extra)
        content: Json = {"statuses": [update]}
        if line["user_id"]:
            customer = await self._customers.find(line["wa_id"], line["user_id"])
            if customer is not None:
                content = {"contacts": [customer.as_contact()], **content}
        value = value_of(number, **content)
        await self._queue.enqueue(
            number.phone_number_id, "messages", value, after=after, message_id=line["id"], state=status
        )

    @staticmethod
    def _update(line: sqlite3.Row | None, wamid: str, status: str, at: float, extra: Json) -> Json:
        update: Json = {"id": wamid, "status": status, "timestamp": str(int(at)), "recipient_id": ""}
        if line is None:
            return {**update, **extra}
        request = json.loads(line["body"])
        if request.get("recipient_type") == "group":
            update |= {"recipient_id": line["recipient"], "recipient_type": "group"}
        else:
            update["recipient_id"] = line["wa_id"] or ""
        if line["user_id"]:
            update["recipient_user_id"] = line["user_id"]
        if request.get("biz_opaque_callback_data") is not None:
            update["biz_opaque_callback_data"] = request["biz_opaque_callback_data"]
        return {**update, **extra}

    def _bill(self, line: sqlite3.Row, status: str, category: str) -> Json:
        """Meta names price and conversation on `sent` and on one of delivered and read, the expiry only on `sent`."""
        if status not in {"sent", "delivered"}:
            return {}
        key = hashlib.sha256(line["wamid"].encode()).hexdigest()[:32]
        conversation: Json = {"id": key, "origin": {"type": category}}
        if status == "sent":
            conversation["expiration_timestamp"] = str(int(self._clock.now()) + DAY)
        pricing = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": category}
        return {"conversation": conversation, "pricing": pricing}


def _reported(line: sqlite3.Row, habits: Habits) -> set[str]:
    """Which statuses this message comes to on a phone with these habits."""
    if habits.network != "online":
        return {"sent"}
    if not habits.reads:
        return {"sent", "delivered"}
    request = json.loads(line["body"])
    is_voice = request.get("type") == "audio" and bool(request.get("audio", {}).get("voice"))
    return {"sent", "delivered", "read", *(["played"] if is_voice else [])}
