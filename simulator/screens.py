"""What the phones' screens show, asked for all of them at once, and how a customer uses the phone."""

import json
from dataclasses import asdict, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulator.clock import Clock, iso
from simulator.content import CATALOGUE
from simulator.customers import Customer, Customers, Habits
from simulator.numbers import Number, NumberBook
from simulator.reading import BadBody, read_json
from simulator.sending import Sending
from simulator.settings import Settings
from simulator.statuses import Statuses
from simulator.store import Store
from simulator.templates import TemplateBook, rendered
from simulator.webhooks import WebhookQueue

Json = dict[str, Any]

NUMBER_FACTS = ("waba_id", "phone_number_id", "display_phone_number", "verified_name")
MOST_PHONES = 6
NETWORKS = ("online", "offline", "none")


class Screens:
    """The handlers; the parts they look at are handed in."""

    def __init__(
        self,
        *,
        store: Store,
        numbers: NumberBook,
        clock: Clock,
        customers: Customers,
        templates: TemplateBook,
        settings: Settings,
        queue: WebhookQueue,
        statuses: Statuses,
        sending: Sending,
    ) -> None:
        self._store, self._numbers, self._clock, self._customers = store, numbers, clock, customers
        self._templates, self._settings, self._queue = templates, settings, queue
        self._statuses, self._sending = statuses, sending

    async def show(self, request: Request) -> Response:
        """GET ?phone=<number>:<customer row id> for each phone, &seen= the last version: what has changed since."""
        version = await self._store.version()
        is_news = request.query_params.get("seen") != version
        asked = request.query_params.getlist("phone")
        if len(asked) > MOST_PHONES:
            raise BadBody(f"At most {MOST_PHONES} phones.")
        numbers = await self._numbers.all()
        return JSONResponse(
            {
                "version": version,
                "offset": self._clock.offset(),
                "settings": self._settings.as_json(),
                "pending": self._queue.pending(),
                "numbers": [{name: getattr(number, name) for name in NUMBER_FACTS} for number in numbers],
                "contacts": await self._customers.everyone() if is_news else None,
                "phones": [await self._phone(numbers, pair, is_news) for pair in asked],
            }
        )

    async def _phone(self, numbers: list[Number], pair: str, is_news: bool) -> Json | None:
        """One phone's screen; its messages only when there is news; None for a customer or number unknown."""
        phone_number_id, _, key = pair.partition(":")
        number = next((number for number in numbers if number.phone_number_id == phone_number_id), None)
        customer = await self._customers.by_id(key)
        if number is None or customer is None:
            return None
        typing = self._sending.is_typing(phone_number_id, customer.id)
        if not is_news:
            return {"typing": typing}
        chats = {row["phone_number_id"]: await self._line(row) for row in await self._customers.chats(customer)}
        return {**await self.conversation(number, customer), "typing": typing, "chats": chats}

    async def conversation(self, number: Number, customer: Customer) -> Json:
        """What was said between them, whether the business types, when the window closes."""
        wrote_at = await self._customers.wrote_at(customer, number.phone_number_id)
        rows = await self._customers.history(customer.id, number.phone_number_id)
        known = await self._templates.all(number.waba_id)
        templates = {(item["name"], item["language"]): item for item in known}
        return {
            "messages": [await self._line(row, templates) for row in rows],
            "typing": self._sending.is_typing(number.phone_number_id, customer.id),
            "window_closes": iso(wrote_at + 24 * 3600) if wrote_at is not None else None,
        }

    async def _line(self, row: Any, templates: dict[tuple[str, str], Json] | None = None) -> Json:
        message = json.loads(row["body"])
        line = {
            "id": row["id"],
            "wamid": row["wamid"],
            "direction": row["direction"],
            "time": iso(row["time"]),
            "state": row["state"],
            "message": message,
        }
        if row["direction"] == "out" and message.get("type") == "template":
            if templates is None:
                number = await self._numbers.get(row["phone_number_id"])
                known = await self._templates.all(number.waba_id) if number else []
                templates = {(item["name"], item["language"]): item for item in known}
            wanted = message["template"]
            template = templates.get((wanted["name"], wanted["language"]["code"]))
            line["template"] = rendered(template, wanted) if template else None
        return line

    async def habits(self, request: Request) -> Response:
        """POST contacts/{id} {name?, network?, reads?, hides_phone?}: how a customer uses the phone from now on."""
        wanted = await read_json(request)
        key = request.path_params["id"]
        customer = await self._customers.by_id(key)
        if customer is None:
            return JSONResponse({"error": "There is no such customer."}, 404)
        before = await self._customers.habits(customer)
        after = _changed(before, wanted)
        if after.hides_phone and customer.user_id is None:
            raise BadBody("Only who has a user id can hide the phone number.")
        if isinstance(wanted.get("name"), str) and wanted["name"].strip():
            await self._customers.meet(customer.wa_id, customer.user_id, wanted["name"].strip())
        await self._customers.set_habits(customer, after)
        if before.network != "online" and after.network == "online":
            for line in await self._customers.undelivered(customer):
                number = await self._numbers.get(line["phone_number_id"])
                if number is not None:
                    await self._statuses.catch_up(number, line)
        return JSONResponse({"id": customer.id, **asdict(after)})

    async def products(self, request: Request) -> Response:
        """GET: what the cart offers."""
        return JSONResponse(CATALOGUE)


def _changed(habits: Habits, wanted: Json) -> Habits:
    for name in ("reads", "hides_phone"):
        if not isinstance(wanted.get(name, False), bool):
            raise BadBody(f"{name} must be true or false.")
    if wanted.get("network", "online") not in NETWORKS:
        raise BadBody(f"network must be one of {', '.join(NETWORKS)}.")
    return replace(habits, **{name: wanted[name] for name in ("network", "reads", "hides_phone") if name in wanted})
