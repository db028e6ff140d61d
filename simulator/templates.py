"""The message templates that every simulated business account has, and how they are listed and searched."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def _template(key: int, name: str, language: str, category: str, body: str, *, sample: list[str], more: Json) -> Json:
    parts: list[Json] = []
    if "header" in more:
        parts.append({"type": "HEADER", "format": "TEXT", "text": more["header"]})
    text: Json = {"type": "BODY", "text": body}
    if sample:
        text["example"] = {"body_text": [sample]}
    parts.append(text)
    if "footer" in more:
        parts.append({"type": "FOOTER", "text": more["footer"]})
    if "replies" in more:
        buttons = [{"type": "QUICK_REPLY", "text": reply} for reply in more["replies"]]
        parts.append({"type": "BUTTONS", "buttons": buttons})
    return {
        "id": str(key),
        "name": name,
        "language": language,
        "status": "APPROVED",
        "category": category,
        "parameter_format": "POSITIONAL",
        "quality_score": {"score": "GREEN", "date": 1764547200},
        "components": parts,
    }


TEMPLATES: list[Json] = [
    _template(
        1000000000000001,
        "hello_world",
        "en_US",
        "UTILITY",
        "Welcome and congratulations! This message shows that your number can send templates.",
        sample=[],
        more={"header": "Hello World", "footer": "WhatsApp Business Platform sample message"},
    ),
    _template(
        1000000000000002,
        "seguimiento_caso",
        "es",
        "UTILITY",
        "Hola {{1}}, tenemos novedades sobre tu caso {{2}}. ¿Quieres que sigamos por aquí?",
        sample=["Ana", "A-1024"],
        more={"replies": ["Sí, seguimos", "Llámenme"]},
    ),
    _template(
        1000000000000003,
        "seguimiento_caso",
        "en",
        "UTILITY",
        "Hello {{1}}, there is news about your case {{2}}. Shall we go on here?",
        sample=["Ana", "A-1024"],
        more={"replies": ["Yes, go on", "Call me"]},
    ),
    _template(
        1000000000000004,
        "renovacion_poliza",
        "es",
        "MARKETING",
        "Hola {{1}}, tu póliza {{2}} vence el {{3}}. Renuévala antes y conserva tu descuento.",
        sample=["Ana", "P-77", "31 de diciembre"],
        more={"header": "Tu póliza vence pronto", "footer": "Responde BAJA para no recibir promociones"},
    ),
    _template(
        1000000000000005,
        "renovacion_poliza",
        "en",
        "MARKETING",
        "Hello {{1}}, your policy {{2}} ends on {{3}}. Renew it before then and keep your discount.",
        sample=["Ana", "P-77", "31 December"],
        more={"header": "Your policy ends soon", "footer": "Reply STOP to receive no promotions"},
    ),
]


def find_template(name: str, language: str) -> Json | None:
    """The template of this name in this language."""
    return next((item for item in TEMPLATES if item["name"] == name and item["language"] == language), None)


def rendered(message: Json) -> Json | None:
    """A template message as the customer reads it: header, text, footer and the quick replies to tap."""
    template = find_template(message["name"], message["language"]["code"])
    if template is None:
        return None
    parts = {part["type"]: part for part in template["components"]}
    sent = {str(part.get("type", "")).upper(): part for part in message.get("components") or []}
    text = parts["BODY"]["text"]
    for index, value in enumerate(sent.get("BODY", {}).get("parameters") or [], start=1):
        text = text.replace(f"{{{{{index}}}}}", str(value.get("text", "")))
    buttons = [button["text"] for button in parts.get("BUTTONS", {}).get("buttons", [])]
    return {
        "header": parts.get("HEADER", {}).get("text"),
        "text": text,
        "footer": parts.get("FOOTER", {}).get("text"),
        "buttons": [{"text": word, "payload": word} for word in buttons],
    }


def list_templates(query: Mapping[str, str], address: str) -> Json:
    """One page as Meta lists it: filters, fields, limit, cursors, and a summary where asked for."""
    found = [
        item
        for item in TEMPLATES
        if all(query.get(name, item[name]) == item[name] for name in ("status", "category", "language"))
        and query.get("name", "") in item["name"]
    ]
    start = _position(query.get("after")) if query.get("after") else 0
    limit = max(1, min(_number(query.get("limit"), 25), 1000))
    if query.get("before"):
        start = max(0, _position(query["before"]) - 1 - limit)
    page = found[start : start + limit]
    names = [name for name in query.get("fields", "").split(",") if name]
    answer: Json = {
        "data": [{name: item[name] for name in item if not names or name in {*names, "id"}} for item in page]
    }
    if page:
        cursors = {"before": _cursor(start + 1), "after": _cursor(start + len(page))}
        answer["paging"] = {"cursors": cursors}
        if start + limit < len(found):
            answer["paging"]["next"] = f"{address}?limit={limit}&after={cursors['after']}"
    if query.get("summary"):
        total = len(TEMPLATES)
        summary = {"total_count": len(found), "message_template_count": total, "message_template_limit": 6000}
        answer["summary"] = {**summary, "are_translations_complete": True}
    return answer


def _cursor(position: int) -> str:
    return urlsafe_b64encode(f"QVFI{position}".encode()).decode()


def _position(cursor: str | None) -> int:
    try:
        return int(urlsafe_b64decode((cursor or "").encode()).decode().removeprefix("QVFI"))
    except ValueError:
        return 0


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() else default
