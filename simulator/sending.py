"""POST /{phone}/messages: check, record, answer, and let the statuses follow."""

import asyncio
import re
import time
from typing import Any

from simulator.clock import Clock
from simulator.customers import Customer, Customers, Habits, new_wamid
from simulator.errors import bad_parameter, from_code, is_later
from simulator.limits import MEDIA_KINDS, check_message, recipient_of
from simulator.media import MediaStore
from simulator.numbers import Number
from simulator.settings import Failure, Settings
from simulator.statuses import Statuses
from simulator.templates import TemplateBook, parts_of

Json = dict[str, Any]

WINDOW = 24 * 3600
TYPING_SECONDS = 25.0
UNUSABLE = {"PAUSED": 132015, "DISABLED": 132016}


class ConnectionCut(Exception):
    """The send was accepted, and the connection has to end without an answer."""


class PageInstead(Exception):
    """The send was not looked at, and the answer has to be a page of HTML."""


class Sending:
    """Takes what the business sends."""

    def __init__(
        self,
        *,
        clock: Clock,
        customers: Customers,
        media: MediaStore,
        statuses: Statuses,
        settings: Settings,
        templates: TemplateBook,
    ) -> None:
        self._clock, self._customers, self._media, self._templates = clock, customers, media, templates
        self._statuses, self._settings = statuses, settings
        self._typing: dict[tuple[str, int], float] = {}

    def is_typing(self, phone_number_id: str, customer_id: int) -> bool:
        """Whether the business showed a typing indicator within the last 25 s and has not written since."""
        return self._typing.get((phone_number_id, customer_id), 0.0) > time.monotonic()

    async def take(self, number: Number, body: Json) -> Json:
        """Answer one POST; raises GraphError, ConnectionCut or PageInstead."""
        if self._settings.take("html_500"):
            raise PageInstead
        if body.get("status") == "read":
            return await self._mark_read(number, body)
        kind = check_message(body)
        failure = self._settings.take_failure()
        if failure is not None and not _comes_later(failure):
            raise from_code(failure.code, failure.http_status)
        category = await self._check_template(number, body) if kind == "template" else "service"
        is_group = body.get("recipient_type") == "group"
        wa_id, user_id = (None, None) if is_group else recipient_of(body)
        if wa_id is not None and wa_id == number.digits:
            raise from_code(131021)
        customer = None if is_group else await self._customers.meet(wa_id, user_id)
        problem = await self._problem(number, customer, body, kind, category, failure)
        wamid = new_wamid(wa_id, inbound=False)
        recipient = str(body.get("to") or body.get("recipient"))
        await self._record(number, customer, wamid, recipient, body, "failed" if problem else "accepted")
        line = await self._customers.line(wamid)
        if line is not None and problem is not None:
            await self._statuses.fail(number, line, *problem)
        elif line is not None:
            await self._statuses.follow(number, line, category)
        if self._settings.take("accept_then_drop"):
            raise ConnectionCut
        if self._settings.stall:
            await asyncio.sleep(self._settings.stall)
        return _accepted(recipient, wa_id, user_id, customer, wamid)

    async def _record(
        self, number: Number, customer: Customer | None, wamid: str, recipient: str, body: Json, state: str
    ) -> None:
        await self._customers.log(
            wamid=wamid,
            phone_number_id=number.phone_number_id,
            customer=customer,
            direction="out",
            time=self._clock.now(),
            body=body,
            recipient=recipient,
            state=state,
        )
        if customer is not None:
            self._typing.pop((number.phone_number_id, customer.id), None)

    async def _problem(
        self, number: Number, customer: Customer | None, body: Json, kind: str, category: str, failure: Failure | None
    ) -> tuple[int, str | None] | None:
        """Why the accepted message will fail: a forced code, the person's phone, the closed window, a lost file."""
        if failure is not None:
            return failure.code, None
        habits = await self._customers.habits(customer) if customer is not None else Habits()
        if habits.network == "none":
            return 131026, None
        if habits.stopped and category == "marketing":
            return 131050, None
        if kind != "template" and customer is not None and await self._is_closed(number, customer):
            return 131047, None
        if kind in MEDIA_KINDS and "id" in body[kind]:
            key = str(body[kind]["id"])
            medium = await self._media.get(key)
            if medium is None or medium.waba_id != number.waba_id:
                return 131053, f"Media upload error: no media with id {key}."
        return None

    async def _is_closed(self, number: Number, customer: Customer) -> bool:
        wrote_at = await self._customers.wrote_at(customer, number.phone_number_id)
        if wrote_at is None:
            return self._settings.strict_window
        return self._clock.now() - wrote_at > WINDOW

    async def _mark_read(self, number: Number, body: Json) -> Json:
        if body.get("messaging_product") != "whatsapp" or not isinstance(body.get("message_id"), str):
            raise bad_parameter("A read mark needs messaging_product 'whatsapp' and the message_id of a message.")
        line = await self._customers.line(body["message_id"])
        if line is None or line["direction"] != "in" or line["phone_number_id"] != number.phone_number_id:
            raise bad_parameter("Invalid message_id: no such message from a customer to this number.")
        await self._customers.mark_read(line)
        if body.get("typing_indicator"):
            self._typing[number.phone_number_id, line["customer_id"]] = time.monotonic() + TYPING_SECONDS
        await self._customers.log(
            wamid=body["message_id"],
            phone_number_id=number.phone_number_id,
            customer=None,
            direction="mark",
            time=self._clock.now(),
            body=body,
            recipient=line["wa_id"] or line["user_id"] or "",
        )
        return {"success": True}

    async def _check_template(self, number: Number, body: Json) -> str:
        """The template must be usable in that language and get as many body parameters as it has; its category."""
        wanted = body["template"]
        name, language = wanted["name"], wanted["language"]["code"]
        template = await self._templates.find(number.waba_id, name, language)
        status = template["status"] if template else ""
        if status in UNUSABLE:
            raise from_code(UNUSABLE[status])
        if template is None or status != "APPROVED":
            raise from_code(132001, details=f"template name ({name}) does not exist in {language}")
        expected = len(set(re.findall(r"{{\s*(\w+)\s*}}", parts_of(template).get("BODY", {}).get("text", ""))))
        given = next(
            (part.get("parameters") or [] for part in wanted.get("components") or [] if part["type"].lower() == "body"),
            [],
        )
        if len(given) != expected:
            details = f"body: localizable_params ({len(given)}) does not match the expected number ({expected})"
            raise from_code(132000, details=details)
        return str(template["category"]).lower()


def _comes_later(failure: Failure) -> bool:
    return failure.http_status == 200 or (failure.http_status is None and is_later(failure.code))


def _accepted(recipient: str, wa_id: str | None, user_id: str | None, customer: Customer | None, wamid: str) -> Json:
    contact: Json = {"input": recipient, "wa_id": wa_id or ""}
    if user_id or (customer and customer.user_id):
        contact["user_id"] = user_id or (customer.user_id if customer else None)
    return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": wamid}]}
