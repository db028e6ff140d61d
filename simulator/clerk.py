"""Meta's clerk: who approves, rejects and pauses templates, and the webhooks that tell the business."""

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulator.clock import Clock
from simulator.numbers import Number, NumberBook
from simulator.reading import BadBody, read_json
from simulator.templates import TemplateBook
from simulator.webhooks import WebhookQueue

Json = dict[str, Any]

REASONS = ("INVALID_FORMAT", "TAG_CONTENT_MISMATCH", "INCORRECT_CATEGORY", "PROMOTIONAL", "ABUSIVE_CONTENT", "SCAM")
SCORES = ("GREEN", "YELLOW", "RED")
CATEGORIES = ("MARKETING", "UTILITY")
PAUSE_HOURS = (3, 6)  # the third pause is the end of the template
# decision: the statuses in which it may be taken
ALLOWED = {
    "approve": ("PENDING", "REJECTED", "PAUSED", "DISABLED"),
    "reject": ("PENDING", "APPROVED"),
    "pause": ("APPROVED",),
    "disable": ("APPROVED", "PAUSED"),
    "quality": ("APPROVED", "PAUSED"),
    "category": ("APPROVED", "PAUSED", "PENDING"),
}


class Clerk:
    """The control API's handlers for templates."""

    def __init__(self, *, numbers: NumberBook, templates: TemplateBook, queue: WebhookQueue, clock: Clock) -> None:
        self._numbers, self._templates, self._queue, self._clock = numbers, templates, queue, clock

    async def listed(self, request: Request) -> Response:
        """GET: every account with its templates, and the reasons a rejection may have."""
        accounts: dict[str, Number] = {}
        for number in await self._numbers.all():
            accounts.setdefault(number.waba_id, number)
        found = [
            {"waba_id": waba_id, "name": number.verified_name, "templates": await self._templates.all(waba_id)}
            for waba_id, number in accounts.items()
        ]
        return JSONResponse({"accounts": found, "reasons": REASONS, "scores": SCORES, "categories": CATEGORIES})

    async def decide(self, request: Request) -> Response:
        """POST {decision, reason?, score?, category?}: change a template and tell the business by webhook."""
        found = await self._templates.get(request.path_params["id"])
        if found is None:
            return JSONResponse({"error": "There is no such template."}, 404)
        waba_id, template = found
        wanted = await read_json(request)
        decision = wanted.get("decision")
        if not isinstance(decision, str) or decision not in ALLOWED:
            raise BadBody(f"decision must be one of {', '.join(ALLOWED)}.")
        if template["status"] not in ALLOWED[decision]:
            raise BadBody(f"A template that is {template['status']} cannot get this decision: {decision}.")
        changed, field, value = self._decided(template, decision, wanted)
        number = next((number for number in await self._numbers.all() if number.waba_id == waba_id), None)
        if number is None:
            raise BadBody("The account of this template has no number any more.")
        await self._templates.save(changed)
        language = changed["language"].replace("_", "-")
        about = {"message_template_id": int(changed["id"]), "message_template_name": changed["name"]}
        value = {**about, "message_template_language": language, **value}
        await self._queue.enqueue(number.phone_number_id, field, value)
        return JSONResponse(changed)

    def _decided(self, template: Json, decision: str, wanted: Json) -> tuple[Json, str, Json]:
        """The template after the decision, and the field and value of its webhook."""
        if decision == "quality":
            score = _one_of(wanted, "score", SCORES)
            before = template["quality_score"]["score"]
            changed = {**template, "quality_score": {"score": score, "date": int(self._clock.now())}}
            value = {"previous_quality_score": before, "new_quality_score": score}
            return changed, "message_template_quality_update", value
        if decision == "category":
            category = _one_of(wanted, "category", CATEGORIES)
            value = {"previous_category": template["category"], "new_category": category}
            return {**template, "category": category}, "template_category_update", value
        status, reason, more = "APPROVED", "NONE", {}
        if decision == "reject":
            status, reason = "REJECTED", _one_of(wanted, "reason", REASONS)
        elif decision == "disable":
            status, more = "DISABLED", self._disabled()
        elif decision == "pause":
            return self._paused(template)
        changed = {**template, "status": status, "rejected_reason": reason}
        return changed, "message_template_status_update", {"event": status, "reason": reason, **more}

    def _paused(self, template: Json) -> tuple[Json, str, Json]:
        """The first two pauses last 3 and 6 hours; the third disables."""
        pauses = template.get("pauses", 0)
        if pauses >= len(PAUSE_HOURS):
            changed = {**template, "status": "DISABLED", "pauses": pauses + 1}
            value: Json = {"event": "DISABLED", "reason": "NONE", **self._disabled()}
        else:
            until = time.strftime("%b %d at %I:%M %p UTC", time.gmtime(self._clock.now() + PAUSE_HOURS[pauses] * 3600))
            changed = {**template, "status": "PAUSED", "pauses": pauses + 1}
            value = {
                "event": "PAUSED",
                "reason": "NONE",
                "other_info": {
                    "title": ("FIRST_PAUSE", "SECOND_PAUSE")[pauses],
                    "description": f"Your WhatsApp message template has been paused for {PAUSE_HOURS[pauses]} hours "
                    f"until {until} because it had issues.",
                },
            }
        return changed, "message_template_status_update", value

    def _disabled(self) -> Json:
        return {"disable_info": {"disable_date": str(int(self._clock.now()))}}


def _one_of(wanted: Json, name: str, known: tuple[str, ...]) -> str:
    value = wanted.get(name)
    if value not in known:
        raise BadBody(f"{name} must be one of {', '.join(known)}.")
    return str(value)
