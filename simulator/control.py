"""The control API under /api/: what a tester and the phone page ask of the simulator. JSON, loopback only."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from simulator import recording
from simulator.clock import Clock, iso
from simulator.customers import Customers
from simulator.files import read_form
from simulator.inbound import Inbound
from simulator.media import INBOUND_LIFE, MediaStore
from simulator.numbers import Number, NumberBook
from simulator.reading import BadBody, TooLarge, read_json
from simulator.screens import NUMBER_FACTS, Screens
from simulator.settings import SettingError, Settings
from simulator.statuses import Statuses
from simulator.webhooks import Outcome, WebhookQueue

Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]

WAIT_SECONDS = 10.0
MESSAGE_LARGEST = 32 * 1024 * 1024  # a file in base64 may come with it
SHOWN_INLINE = ("image/jpeg", "image/png", "image/webp", "image/gif", "audio/", "video/")


def guarded(handler: Handler) -> Handler:
    """The handler with every refusal told as {"error": sentence}."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except (BadBody, SettingError) as error:
            return _refusal(400, str(error))
        except TooLarge as error:
            return _refusal(413, str(error))

    return answer


class Control:
    """The handlers; the parts they drive are handed in."""

    def __init__(
        self,
        *,
        numbers: NumberBook,
        clock: Clock,
        customers: Customers,
        media: MediaStore,
        settings: Settings,
        queue: WebhookQueue,
        statuses: Statuses,
        inbound: Inbound,
        screens: Screens,
    ) -> None:
        self._numbers, self._clock, self._customers, self._media = numbers, clock, customers, media
        self._settings, self._queue, self._statuses = settings, queue, statuses
        self._inbound, self._screens = inbound, screens

    async def messages(self, request: Request) -> Response:
        """POST: a customer writes; answers once the webhook was answered, 502 after 10 s without."""
        wanted = await read_json(request, MESSAGE_LARGEST)
        number = await self._number(wanted.get("to"))
        delivery = await self._inbound.take(number, wanted, str(request.base_url).rstrip("/"))
        return await self._answered(delivery.answer, {"wamid": delivery.wamid, "to": number.phone_number_id})

    async def statuses(self, request: Request) -> Response:
        """POST: a status webhook now, for a message sent here or any other wamid."""
        wanted = await read_json(request)
        wamid = wanted.get("wamid")
        if not isinstance(wamid, str) or not isinstance(wanted.get("status"), str):
            raise BadBody("Give the wamid of a message and a status.")
        if not isinstance(wanted.get("errors", []), list):
            raise BadBody("errors must be a list of codes or of error objects.")
        line = await self._customers.line(wamid)
        number = await self._number(line["phone_number_id"] if line else wanted.get("to"))
        answer = await self._statuses.tell(number, wamid, wanted)
        return await self._answered(answer, {"wamid": wamid, "status": wanted["status"]})

    async def sent(self, request: Request) -> Response:
        """GET: what the business sent, oldest first; ?since= an id or a time, ?to= a recipient."""
        since, wanted = request.query_params.get("since", ""), request.query_params.get("to", "").lstrip("+")
        after_id, after_time = _since(since)
        found = []
        for row in await self._customers.sent(after_id):
            if row["time"] < after_time or (wanted and wanted != row["recipient"].lstrip("+")):
                continue
            item = {
                "id": row["id"],
                "wamid": row["wamid"],
                "phone_number_id": row["phone_number_id"],
                "time": iso(row["time"]),
                "to": row["recipient"],
                "request": json.loads(row["body"]),
            }
            found.append({**item, "read": True} if row["direction"] == "mark" else {**item, "status": row["state"]})
        return JSONResponse(found)

    async def settings(self, request: Request) -> Response:
        """GET: the settings; POST: change those named."""
        if request.method == "POST":
            self._settings.update(await read_json(request))
        return JSONResponse(self._settings.as_json())

    async def clock(self, request: Request) -> Response:
        """GET: offset and time; POST: {"offset": s} sets, {"advance": s} moves."""
        if request.method == "POST":
            wanted = await read_json(request)
            name = next((name for name in ("offset", "advance") if name in wanted), None)
            seconds = wanted.get(name) if name else None
            if not isinstance(seconds, int) or isinstance(seconds, bool) or abs(seconds) > 10 * 365 * 24 * 3600:
                raise BadBody("Give offset or advance: whole seconds, at most ten years.")
            offset = seconds + (self._clock.offset() if name == "advance" else 0)
            await asyncio.to_thread(self._clock.move, offset)
        return JSONResponse({"offset": self._clock.offset(), "now": iso(self._clock.now())})

    async def numbers(self, request: Request) -> Response:
        """GET: the business numbers, without their secrets."""
        found = await self._numbers.all()
        return JSONResponse([{name: getattr(number, name) for name in NUMBER_FACTS} for number in found])

    async def contacts(self, request: Request) -> Response:
        """GET: the customers; POST: {name, from, user_id?, username?} makes or renames one."""
        if request.method == "POST":
            wanted = await read_json(request)
            texts = {name: str(wanted.get(name) or "").strip() or None for name in ("user_id", "name", "username")}
            wa_id = "".join(sign for sign in str(wanted.get("from") or "") if sign in "0123456789") or None
            if wa_id is None and texts["user_id"] is None:
                raise BadBody("Give from (a phone number), user_id, or both.")
            customer = await self._customers.meet(wa_id, texts["user_id"], texts["name"], texts["username"])
            return JSONResponse({"id": customer.id, "wa_id": customer.wa_id, "user_id": customer.user_id}, 201)
        return JSONResponse(await self._customers.everyone())

    async def conversation(self, request: Request) -> Response:
        """GET ?number=&contact= (phone, user id): what was said, whether the business types."""
        number = await self._number(request.query_params.get("number"))
        contact = request.query_params.get("contact", "")
        customer = await self._customers.find(contact.lstrip("+"), contact)
        if customer is None:
            return JSONResponse({"messages": [], "typing": False, "window_closes": None})
        return JSONResponse(await self._screens.conversation(number, customer))

    async def upload(self, request: Request) -> Response:
        """POST multipart: a file of a customer, to be named by id in messages; with voice=1 a browser's recording."""
        try:
            form = await read_form(request)
        except ValueError as error:
            raise BadBody(str(error)) from None
        try:
            file, to = form.get("file"), form.get("to")
            if file is None or isinstance(file, str):
                raise BadBody("Give a file.")
            number = await self._number(to if isinstance(to, str) else None)
            source, mime_type, filename = file.file, file.content_type or "application/octet-stream", file.filename
            if form.get("voice") and not mime_type.startswith("audio/ogg"):
                recorded = await asyncio.to_thread(file.file.read, recording.LARGEST + 1)
                source, mime_type = io.BytesIO(await recording.as_voice_note(recorded)), recording.MIME_TYPE
                filename = "voice.ogg"
            medium = await self._media.keep(
                source, waba_id=number.waba_id, mime_type=mime_type, filename=filename, life=INBOUND_LIFE
            )
        finally:
            await form.close()
        return JSONResponse({"id": medium.id, "mime_type": medium.mime_type}, 201)

    async def file(self, request: Request) -> Response:
        """GET media/{id}: the bytes for the phone page; what a browser might run is only downloaded."""
        medium = await self._media.get(request.path_params["id"])
        if medium is None:
            return _refusal(404, "There is no such file, or its time is over.")
        way = "inline" if medium.mime_type.startswith(SHOWN_INLINE) else "attachment"
        return FileResponse(
            self._media.path(medium),
            media_type=medium.mime_type,
            filename=medium.filename or medium.id,
            content_disposition_type=way,
            headers={"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"},
        )

    async def health(self, request: Request) -> Response:
        """GET: whether it runs and how many webhooks wait."""
        return JSONResponse({"ok": True, "pending_webhooks": self._queue.pending()})

    async def _number(self, phone_number_id: Any) -> Number:
        number = await (self._numbers.get(str(phone_number_id)) if phone_number_id else self._numbers.first())
        if number is None:
            raise BadBody(f"No number {phone_number_id}." if phone_number_id else "There is no number yet.")
        return number

    async def _answered(self, answer: asyncio.Future[Outcome], told: Json) -> Response:
        await asyncio.wait({answer}, timeout=WAIT_SECONDS)
        if answer.done() and not answer.cancelled():
            return JSONResponse({**told, "status_code": answer.result().status, "detail": answer.result().reason})
        outcome = self._queue.last_outcome(str(told.get("to"))) if "to" in told else None
        outcome = outcome or Outcome(None, "The callback URL did not answer.")
        error = f"{outcome.reason} The webhook stays in the queue."
        return JSONResponse({**told, "status_code": outcome.status, "error": error}, 502)


def _refusal(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)


def _since(text: str) -> tuple[int, float]:
    """A row id (below a thousand million) or a time, as seconds since 1970 or ISO 8601."""
    if not text:
        return 0, 0.0
    try:
        number = float(text)
    except ValueError:
        try:
            return 0, datetime.fromisoformat(text.replace(" ", "+")).timestamp()
        except ValueError:
            raise BadBody("since must be an id or a time.") from None
    return (int(number), 0.0) if number < 1_000_000_000 else (0, number)
