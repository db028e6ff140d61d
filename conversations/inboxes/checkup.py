"""The check-up of a number: what Graph says of it, its account and its webhooks, asked only when somebody wants to know
and kept until the next time.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from django.conf import settings
from django.db import transaction

from conversations.graphapi.client import MESSAGING_LIMIT, GraphClient
from conversations.graphapi.errors import GraphError, NotSent, Refused
from conversations.inboxes.models import Inbox, NumberCheck
from crm.foundation import aio, clock
from crm.foundation.text import clean_json

Json = dict[str, Any]

ANSWER_SECONDS = 15.0
APPS_ASKED = 3
TEMPLATES_COUNTED = 200
_NUMBER = "id,display_phone_number,verified_name,quality_rating,throughput,status"


def ask(inbox: Inbox) -> NumberCheck:
    """Ask Graph about a number and keep what it says; a part without an answer says why. Takes at most
    ANSWER_SECONDS, raises nothing of the network's.
    """
    secrets = [row.secret for row in inbox.account.app_secrets.filter(is_active=True).order_by("-pk") if row.secret]
    answers, problems = aio.run(_ask_all(inbox, secrets))
    with transaction.atomic():
        values = {"asked_at": clock.real(), "answers": clean_json(answers), "problems": problems}
        row, _is_new = NumberCheck.objects.update_or_create(inbox=inbox, defaults=values)
    return row


async def _ask_all(inbox: Inbox, secrets: list[str]) -> tuple[Json, dict[str, str]]:
    account = inbox.account
    client = GraphClient(
        await aio.session(),
        base_url=account.base_url,
        version=settings.GRAPH_VERSION,
        auth=account.auth,
        phone_number_id=inbox.phone_number_id,
    )
    may_ask_as_app = account.auth_header.lower() == "authorization" and _is_meta(account.base_url)
    questions: dict[str, Coroutine[Any, Any, Json]] = {
        "number": client.read(inbox.phone_number_id, fields=_NUMBER),
        "limit": client.read(inbox.phone_number_id, fields=MESSAGING_LIMIT),
        "payment": client.read(account.waba_id, fields="primary_funding_id"),
        "templates": _templates(client, account.waba_id),
        "apps": client.read(f"{account.waba_id}/subscribed_apps"),
    }
    answers, problems = await _gather(questions)
    if "apps" in answers:
        apps = answers["apps"] = {"apps": _apps(answers["apps"])}
        asked = {"fields": _fields(client, [app["id"] for app in apps["apps"]], secrets if may_ask_as_app else [])}
        more, trouble = await _gather(asked)
        answers, problems = answers | more, problems | trouble
    return answers, problems


def _is_meta(address: str) -> bool:
    """Whether the installation's own Graph answers there: to nobody else are app secrets shown, whatever an account's
    form says.
    """
    return address == settings.GRAPH_BASE_URL.rstrip("/")


async def _gather(questions: dict[str, Coroutine[Any, Any, Json]]) -> tuple[Json, dict[str, str]]:
    async def timed(question: Coroutine[Any, Any, Json]) -> Json | str:
        try:
            return await asyncio.wait_for(question, ANSWER_SECONDS / 2)
        except Refused as error:
            return str(error.code)
        except NotSent:
            return "not_sent"
        except (GraphError, TimeoutError):
            return "unanswered"

    found = dict(zip(questions, await asyncio.gather(*map(timed, questions.values())), strict=True))
    answers = {part: answer for part, answer in found.items() if isinstance(answer, dict)}
    return answers, {part: problem for part, problem in found.items() if isinstance(problem, str)}


async def _templates(client: GraphClient, waba_id: str) -> Json:
    """How many templates there are by state, of the first TEMPLATES_COUNTED."""
    answer = await client.read(f"{waba_id}/message_templates", fields="status", limit=str(TEMPLATES_COUNTED))
    states: dict[str, int] = {}
    for row in _rows(answer):
        state = str(row.get("status") or "")[:40]
        states[state] = states.get(state, 0) + 1
    return {"states": states}


async def _fields(client: GraphClient, app_ids: list[str], secrets: list[str]) -> Json:
    """The webhook fields that the apps of this account are subscribed to; only the app itself may ask."""
    if not app_ids or not secrets:
        return {"fields": None}
    refusal: GraphError | None = None
    for app_id in app_ids[:APPS_ASKED]:
        for secret in secrets[:2]:
            try:
                answer = await client.read(f"{app_id}/subscriptions", app_token=f"{app_id}|{secret}")
            except Refused as error:
                refusal = error
                continue
            return _subscription(answer)
    raise refusal or NotSent("nobody to ask")


def _subscription(answer: Json) -> Json:
    rows = [row for row in _rows(answer) if row.get("object") == "whatsapp_business_account"]
    names = {_name(field) for row in rows for field in row.get("fields") or []}
    urls = [str(row["callback_url"])[:500] for row in rows if row.get("callback_url")]
    return {"fields": sorted(name for name in names if name), "callback_url": urls[0] if urls else ""}


def _apps(answer: Json) -> list[dict[str, str]]:
    parts = [row.get("whatsapp_business_api_data") for row in _rows(answer)]
    known = [part for part in parts if isinstance(part, dict) and str(part.get("id") or "").isalnum()]
    return [{"id": str(part["id"])[:40], "name": str(part.get("name") or "")[:100]} for part in known]


def _rows(answer: Json) -> list[Json]:
    data = answer.get("data")
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []


def _name(field: Any) -> str:
    """Graph names a field alone, or with its version."""
    return str(field.get("name") or "")[:80] if isinstance(field, dict) else str(field)[:80]
