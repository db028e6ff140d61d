"""The Graph API under /graph/vNN.N/: who may ask, which object is meant, what it answers."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from simulator.connection import cut
from simulator.errors import GraphError, bad_parameter, bad_token, unknown_object
from simulator.files import Files
from simulator.media import MediaStore, Medium
from simulator.numbers import Number, NumberBook
from simulator.reading import BadBody, TooLarge, read_json
from simulator.sending import ConnectionCut, PageInstead, Sending
from simulator.store import Store
from simulator.template_graph import TemplateGraph
from simulator.templates import TemplateBook

Json = dict[str, Any]

VERSION = re.compile(r"v\d{1,3}\.\d{1,2}\Z")
NEW_PROFILE = '{"about": "", "vertical": "UNDEFINED"}'
PROFILE_LIMITS = {"about": 139, "address": 256, "description": 512, "email": 128, "vertical": 64}
APP_FIELDS = (
    "messages", "message_template_status_update", "phone_number_quality_update", "account_update", "account_alerts",
)  # fmt: skip
APP = {"link": "https://www.facebook.com/games/?app_id=1", "name": "Simulator", "id": "1"}


class Graph:
    """Answers what a client library asks of Meta's Graph API."""

    def __init__(
        self,
        *,
        store: Store,
        numbers: NumberBook,
        sending: Sending,
        media: MediaStore,
        files: Files,
        templates: TemplateBook,
    ) -> None:
        self._store, self._numbers, self._sending = store, numbers, sending
        self._media, self._files = media, files
        self._book, self._templates = templates, TemplateGraph(templates)
        self._phone: dict[tuple[str, str], Callable[[Request, Number], Awaitable[Response]]] = {
            ("GET", ""): self._get_phone,
            ("POST", "messages"): self._post_message,
            ("POST", "marketing_messages"): self._post_message,
            ("POST", "media"): self._files.upload,
            ("GET", "whatsapp_business_profile"): self._get_profile,
            ("POST", "whatsapp_business_profile"): self._post_profile,
        }
        self._waba: dict[tuple[str, str], Callable[[Request, list[Number]], Awaitable[Response]]] = {
            ("GET", ""): self._get_waba,
            ("GET", "phone_numbers"): self._get_phones,
            ("GET", "message_templates"): self._templates.listed,
            ("POST", "message_templates"): self._templates.create,
            ("DELETE", "message_templates"): self._templates.delete,
            ("GET", "subscribed_apps"): self._subscriptions,
            ("POST", "subscribed_apps"): self._subscriptions,
            ("DELETE", "subscribed_apps"): self._subscriptions,
        }

    async def handle(self, request: Request) -> Response:
        """Answer any request under the version; every refusal in Meta's shape."""
        try:
            return await self._dispatch(request)
        except GraphError as error:
            headers = {"WWW-Authenticate": f'OAuth "Facebook Platform" "invalid_token" "{error.message}"'}
            return JSONResponse(error.body(), error.status, headers if error.status == 401 else None)
        except TooLarge as error:
            return JSONResponse(GraphError(413, 100, "(#100) Request Entity Too Large", str(error)).body(), 413)
        except PageInstead:
            return HTMLResponse("<!DOCTYPE html><title>Error</title><h1>Sorry, something went wrong.</h1>", 500)
        except ConnectionCut:
            return cut()

    async def _dispatch(self, request: Request) -> Response:
        name, edge = request.path_params["name"], request.path_params.get("edge", "")
        if not VERSION.match(request.path_params["version"]):
            raise GraphError(400, 2500, f"Unknown path components: /{name}/{edge}".rstrip("/"))
        if (name, edge, request.method) == (APP["id"], "subscriptions", "GET"):
            return await self._app_subscriptions(request)
        allowed = await self.allowed(request)
        for number in allowed:
            if number.phone_number_id == name:
                return await self._found(self._phone, request, name, edge)(request, number)
        account = [number for number in allowed if number.waba_id == name]
        if account:
            return await self._found(self._waba, request, name, edge)(request, account)
        medium = await self._media.get(name) if not edge else None
        if medium is not None and any(number.waba_id == medium.waba_id for number in allowed):
            return await self._medium(request, medium)
        found = await self._book.get(name)
        if found is not None and any(number.waba_id == found[0] for number in allowed):
            answer = await self._templates.one(request, found[1], edge)
            return answer or JSONResponse(_only(found[1], request))
        raise unknown_object(request.method, name)

    async def allowed(self, request: Request) -> list[Number]:
        """The numbers that the request's token opens; raises the 401 of a bad one."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in {"bearer", "oauth"}:
            token = ""
        token = token.strip() or request.headers.get("d360-api-key", "")
        numbers = await self._numbers.with_token(token) if token else []
        if not numbers:
            raise bad_token()
        return numbers

    @staticmethod
    def _found[T](table: dict[tuple[str, str], T], request: Request, name: str, edge: str) -> T:
        method = "GET" if request.method == "HEAD" else request.method
        if (method, edge) in table:
            return table[method, edge]
        if any(known == edge for _, known in table):
            raise unknown_object(request.method, name)
        raise GraphError(400, 2500, f"Unknown path components: /{edge}")

    async def _post_message(self, request: Request, number: Number) -> Response:
        return JSONResponse(await self._sending.take(number, await _body(request)))

    async def _medium(self, request: Request, medium: Medium) -> Response:
        if request.method == "DELETE":
            await self._media.delete(medium)
            return JSONResponse({"success": True})
        if request.method not in {"GET", "HEAD"}:
            raise unknown_object(request.method, medium.id)
        return JSONResponse(await self._files.describe(request, medium))

    async def _get_phone(self, request: Request, number: Number) -> Response:
        return JSONResponse(_only(_phone(number), request))

    async def _get_waba(self, request: Request, numbers: list[Number]) -> Response:
        account = {
            "id": numbers[0].waba_id,
            "name": numbers[0].verified_name,
            "timezone_id": "1",
            "message_template_namespace": f"simulator_{numbers[0].waba_id}",
            "account_review_status": "APPROVED",
            "currency": "EUR",
            "primary_funding_id": "1",
        }
        return JSONResponse(_only(account, request))

    async def _get_phones(self, request: Request, numbers: list[Number]) -> Response:
        data = [_only(_phone(number), request) for number in numbers]
        return JSONResponse({"data": data, "paging": {"cursors": {"before": "QVFI1", "after": f"QVFI{len(data)}"}}})

    async def _get_profile(self, request: Request, number: Number) -> Response:
        profile: Json = json.loads(await self._store.fact(f"profile {number.phone_number_id}", NEW_PROFILE))
        profile["messaging_product"] = "whatsapp"
        wanted = {name for name in request.query_params.get("fields", "").split(",") if name}
        shown = {name: profile[name] for name in profile if not wanted or name in {*wanted, "messaging_product"}}
        return JSONResponse({"data": [shown]})

    async def _post_profile(self, request: Request, number: Number) -> Response:
        body = await _body(request)
        if body.pop("messaging_product", None) != "whatsapp":
            raise GraphError(400, 100, "(#100) The parameter messaging_product is required.", "It must be 'whatsapp'.")
        for name, longest in PROFILE_LIMITS.items():
            if not isinstance(body.get(name, ""), str) or len(body.get(name, "")) > longest:
                raise bad_parameter(f"Param {name} must be a string of at most {longest} characters.")
        sites = body.get("websites", [])
        if not isinstance(sites, list) or len(sites) > 2 or any(len(str(site)) > 256 for site in sites):
            raise bad_parameter("Param websites must be at most 2 addresses of at most 256 characters.")
        key = f"profile {number.phone_number_id}"
        kept: Json = json.loads(await self._store.fact(key, NEW_PROFILE))
        new = {name: body[name] for name in (*PROFILE_LIMITS, "websites") if name in body}
        await self._store.remember(key, json.dumps({**kept, **new}))
        return JSONResponse({"success": True})

    async def _app_subscriptions(self, request: Request) -> Response:
        """What the app listens to; asked with "app id|app secret"."""
        token = request.headers.get("authorization", "").partition(" ")[2].strip()
        if token not in {f"{APP['id']}|{number.app_secret}" for number in await self._numbers.all()}:
            raise bad_token()
        fields = [{"name": name, "version": request.path_params["version"]} for name in APP_FIELDS]
        return JSONResponse({"data": [{"object": "whatsapp_business_account", "active": True, "fields": fields}]})

    async def _subscriptions(self, request: Request, numbers: list[Number]) -> Response:
        key = f"subscribed {numbers[0].waba_id}"
        if request.method in {"GET", "HEAD"}:
            is_subscribed = await self._store.fact(key, "yes") == "yes"
            return JSONResponse({"data": [{"whatsapp_business_api_data": APP}] if is_subscribed else []})
        await self._store.remember(key, "yes" if request.method == "POST" else "no")
        return JSONResponse({"success": True})


def _phone(number: Number) -> Json:
    return {
        "id": number.phone_number_id,
        "verified_name": number.verified_name,
        "display_phone_number": number.display_phone_number,
        "code_verification_status": "VERIFIED",
        "quality_rating": "GREEN",
        "platform_type": "CLOUD_API",
        "throughput": {"level": "STANDARD"},
        "status": "CONNECTED",
        "name_status": "APPROVED",
        "account_mode": "LIVE",
        "whatsapp_business_manager_messaging_limit": "TIER_10K",
    }


def _only(item: Json, request: Request) -> Json:
    """The fields that `?fields=` names, and the id; all without it."""
    wanted = {re.split(r"[.({]", name)[0] for name in request.query_params.get("fields", "").split(",") if name}
    return {name: item[name] for name in item if not wanted or name in {*wanted, "id"}}


async def _body(request: Request) -> Json:
    try:
        return await read_json(request)
    except BadBody as error:
        raise bad_parameter(str(error)) from None
