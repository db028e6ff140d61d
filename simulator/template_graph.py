"""Templates over the Graph API: what a business may create, change and delete, and what Meta refuses."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulator.errors import GraphError, bad_parameter, unknown_object
from simulator.limits import need, optional
from simulator.numbers import Number
from simulator.reading import BadBody, read_json
from simulator.templates import TemplateBook, list_templates, parts_of

Json = dict[str, Any]

NAME = re.compile(r"[a-z0-9_]{1,512}\Z")
LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?\Z")
VARIABLE = re.compile(r"{{\s*(\w+)\s*}}")
CATEGORIES = ("AUTHENTICATION", "MARKETING", "UTILITY")
PARTS = ("HEADER", "BODY", "FOOTER", "BUTTONS", "CAROUSEL", "LIMITED_TIME_OFFER")
EDITABLE = ("APPROVED", "REJECTED", "PAUSED")


class TemplateGraph:
    """The Graph API's handlers for templates."""

    def __init__(self, templates: TemplateBook) -> None:
        self._templates = templates

    async def listed(self, request: Request, numbers: list[Number]) -> Response:
        """GET /{waba}/message_templates."""
        found = await self._templates.all(numbers[0].waba_id)
        address = str(request.url.replace(query="")).rstrip("?")
        return JSONResponse(list_templates(found, request.query_params, address))

    async def create(self, request: Request, numbers: list[Number]) -> Response:
        """POST /{waba}/message_templates: a new one waits for the clerk."""
        body = await _body(request)
        name = need(body.get("name"), "name", str, 512)
        if not NAME.match(name):
            raise bad_parameter("Param name may have only lower-case letters, digits and underscores.")
        language = need(body.get("language"), "language")
        if not LANGUAGE.match(language):
            raise bad_parameter("Param language must be a code such as es or en_US.")
        category = _category(body.get("category"))
        style = body.get("parameter_format", "POSITIONAL")
        if style not in ("POSITIONAL", "NAMED"):
            raise bad_parameter("Param parameter_format must be one of {POSITIONAL, NAMED}.")
        components = check_components(body.get("components"), category)
        waba_id = numbers[0].waba_id
        if await self._templates.find(waba_id, name, language) is not None:
            details = "There is already content in this language for this template."
            raise GraphError(400, 100, "(#100) Invalid parameter", details, subcode=2388024)
        facts = {
            "name": name,
            "language": language,
            "status": "PENDING",
            "category": category,
            "parameter_format": style,
            "quality_score": {"score": "UNKNOWN", "date": 0},
            "rejected_reason": "NONE",
            "components": components,
        }
        template = await self._templates.add(waba_id, facts)
        return JSONResponse({"id": template["id"], "status": "PENDING", "category": category})

    async def edit(self, request: Request, template: Json) -> Response:
        """POST /{template}: all components anew; the category only while it is not approved."""
        body = await _body(request)
        if template["status"] not in EDITABLE:
            raise bad_parameter(f"A template that is {template['status']} cannot be changed.")
        category = _category(body.get("category", template["category"]))
        if template["status"] == "APPROVED" and category != template["category"]:
            raise bad_parameter("The category of an approved template cannot be changed.")
        components = check_components(body.get("components", template["components"]), category)
        changed = {"category": category, "components": components, "status": "PENDING", "rejected_reason": "NONE"}
        await self._templates.save({**template, **changed})
        told = {name: template[name] for name in ("id", "name")}
        return JSONResponse({"success": True, **told, "category": category})

    async def unpause(self, template: Json) -> Response:
        """POST /{template}/unpause."""
        if template["status"] != "PAUSED":
            raise bad_parameter("This template is not paused.")
        await self._templates.save({**template, "status": "APPROVED"})
        return JSONResponse({"success": True})

    async def delete(self, request: Request, numbers: list[Number]) -> Response:
        """DELETE /{waba}/message_templates?name=&hsm_id=: all languages of a name, or the one with the id."""
        name = need(request.query_params.get("name"), "name")
        key = request.query_params.get("hsm_id")
        found = [
            item["id"]
            for item in await self._templates.all(numbers[0].waba_id)
            if item["name"] == name and key in (None, "", item["id"])
        ]
        if not found:
            details = "The message template could not be found."
            raise GraphError(400, 100, "(#100) Invalid parameter", details, subcode=2593002)
        await self._templates.delete(found)
        return JSONResponse({"success": True})

    async def one(self, request: Request, template: Json, edge: str) -> Response | None:
        """Whatever may be asked of one template; None for a read, which the caller answers with its fields."""
        if request.method in {"GET", "HEAD"} and not edge:
            return None
        if request.method == "POST":
            if not edge:
                return await self.edit(request, template)
            if edge == "unpause":
                return await self.unpause(template)
        raise unknown_object(request.method, template["id"])


def check_components(given: Any, category: str) -> list[Json]:
    """The components as they are kept, their types in capitals; raises GraphError whatever the JSON looks like."""
    try:
        return _check_components(given, category)
    except (AttributeError, KeyError, TypeError):
        raise bad_parameter("A component of the template has the wrong type.") from None


def _check_components(given: Any, category: str) -> list[Json]:
    kept: list[Json] = []
    for index, part in enumerate(need(given, "components", list)):
        kind = str(need(need(part, f"components[{index}]", dict).get("type"), f"components[{index}]['type']")).upper()
        if kind not in PARTS or kind in {other["type"] for other in kept}:
            raise bad_parameter(f"components[{index}] has an unknown type or one that was there before: {kind}.")
        kept.append({**part, "type": kind})
    parts = parts_of({"components": kept})
    if category != "AUTHENTICATION" or "text" in parts.get("BODY", {}):
        _check_body(parts.get("BODY", {}))
    optional(parts.get("FOOTER", {}).get("text"), "footer text", 60)
    header = parts.get("HEADER", {})
    if header.get("format") == "TEXT":
        text = need(header.get("text"), "header text", str, 60)
        if len(VARIABLE.findall(text)) > 1:
            raise bad_parameter("A header may have one variable.")
    _check_buttons(parts.get("BUTTONS", {}).get("buttons") or [])
    return kept


def _check_body(body: Json) -> None:
    text = need(body.get("text"), "body text", str, 1024).strip()
    if VARIABLE.match(text) or re.search(r"{{\s*\w+\s*}}\Z", text):
        details = "Variables can't be at the start or end of the template."
        raise GraphError(400, 100, "(#100) Invalid parameter", details, subcode=2388299)
    numbers = [int(name) for name in VARIABLE.findall(text) if name.isdecimal()]
    if sorted(set(numbers)) != list(range(1, len(set(numbers)) + 1)):
        raise bad_parameter("The variables of the body must be numbered from 1 without a gap.")
    words = re.findall(r"\w+", VARIABLE.sub(" ", text))
    if numbers and len(words) < len(set(numbers)):
        details = "This template has too many variables for its length."
        raise GraphError(400, 100, "(#100) Invalid parameter", details, subcode=2388293)


def _check_buttons(buttons: list[Json]) -> None:
    kinds = [need(need(button, "button", dict).get("type"), "button['type']") for button in buttons]
    most = {"URL": 2, "PHONE_NUMBER": 1, "COPY_CODE": 1}
    if len(buttons) > 10 or any(kinds.count(kind) > count for kind, count in most.items()):
        raise bad_parameter("A template has at most 10 buttons: 2 links, 1 phone, 1 code.")
    for button, kind in zip(buttons, kinds, strict=True):
        if kind in {"QUICK_REPLY", "URL", "PHONE_NUMBER"}:
            need(button.get("text"), "button['text']", str, 25)
        if kind == "URL":
            need(button.get("url"), "button['url']", str, 2000)


def _category(given: Any) -> str:
    if given not in CATEGORIES:
        raise bad_parameter(f"Param category must be one of {{{', '.join(CATEGORIES)}}}.")
    return str(given)


async def _body(request: Request) -> Json:
    try:
        return await read_json(request)
    except BadBody as error:
        raise bad_parameter(str(error)) from None
