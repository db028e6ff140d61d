"""The kinds of message without a file: from a tester's short words to Meta's object."""

from collections.abc import Callable
from typing import Any

from simulator.reading import BadBody

Json = dict[str, Any]

LOCATION = {"latitude": 40.4168, "longitude": -3.7038, "name": "Puerta del Sol", "address": "Madrid, España"}
CARDS = [
    {
        "name": {"first_name": "Lucía", "last_name": "Prado", "formatted_name": "Lucía Prado"},
        "phones": [{"phone": "+34 600 000 111", "wa_id": "34600000111", "type": "MOBILE"}],
        "org": {"company": "Taller Prado"},
    }
]
ORDER = {
    "catalog_id": "1000000000000101",
    "text": "",
    "product_items": [
        {"product_retailer_id": "SEGURO-HOGAR", "quantity": 1, "item_price": 120.5, "currency": "EUR"},
        {"product_retailer_id": "ASISTENCIA", "quantity": 2, "item_price": 15, "currency": "EUR"},
    ],
}
# what the phone's cart offers
CATALOGUE = {
    "catalog_id": "100000000000200",
    "currency": "EUR",
    "products": [
        {"id": "asistencia-viaje", "name": "Asistencia en viaje, 15 días", "price": 34.9},
        {"id": "lunas", "name": "Cobertura de lunas", "price": 28.5},
        {"id": "mascotas", "name": "Seguro de mascotas", "price": 96},
        {"id": "movil", "name": "Seguro de móvil", "price": 59.9},
        {"id": "bici", "name": "Responsabilidad civil de bicicleta", "price": 22},
    ],
}
UNSUPPORTED = [
    {
        "code": 131051,
        "title": "Message type unknown",
        "message": "Message type unknown",
        "error_data": {"details": "Message type is currently not supported."},
    }
]


def part(wanted: Json, name: str) -> Json:
    """The object under this name; the request itself where a tester wrote its parts at the top."""
    found = wanted.get(name)
    return found if isinstance(found, dict) else wanted


def _text(wanted: Json) -> Json:
    text = wanted.get("text")
    if isinstance(text, dict):
        text = text.get("body")
    if not isinstance(text, str):
        raise BadBody("A text message needs text.")
    return {"type": "text", "text": {"body": text}}


def _as_given(kind: str, default: Any) -> Callable[[Json], Json]:
    return lambda wanted: {"type": kind, kind: wanted.get(kind) or default}


def _button(wanted: Json) -> Json:
    given = wanted.get("button")
    words = given if isinstance(given, dict) else {}
    text = given if isinstance(given, str) else words.get("text") or wanted.get("text") or "Sí"
    payload = words.get("payload") or wanted.get("payload") or text
    return {"type": "button", "button": {"payload": payload, "text": text}}


def _interactive(wanted: Json) -> Json:
    given = wanted.get("interactive")
    short = next((kind for kind in ("button_reply", "list_reply", "nfm_reply") if kind in wanted), None)
    if given is None and short:
        given = {"type": short, short: wanted[short]}
    if not isinstance(given, dict) or not given.get("type"):
        raise BadBody("An interactive message needs interactive with its type, or use type button_reply or list_reply.")
    return {"type": "interactive", "interactive": given}


def _reply(kind: str, default: Json) -> Callable[[Json], Json]:
    return lambda wanted: {"type": "interactive", "interactive": {"type": kind, kind: wanted.get(kind) or default}}


def _reaction(wanted: Json) -> Json:
    """An empty or missing emoji takes the reaction back, as on the wire."""
    given = part(wanted, "reaction")
    reaction = {name: given[name] for name in ("message_id", "emoji") if name in given}
    if not reaction.get("message_id"):
        raise BadBody("A reaction needs the message_id it reacts to.")
    return {"type": "reaction", "reaction": reaction}


def _original(wanted: Json, kind: str) -> tuple[Json, str]:
    given = part(wanted, kind)
    original = given.get("original_message_id") or given.get("message_id") or wanted.get("message_id")
    if not isinstance(original, str):
        raise BadBody(f"{kind} needs the message_id of the message it changes.")
    return given, original


def _edit(wanted: Json) -> Json:
    given, original = _original(wanted, "edit")
    message = given.get("message")
    if message is None:
        message = _text({"text": given.get("text") or wanted.get("text")})
    return {"type": "edit", "edit": {"original_message_id": original, "message": message}}


def _revoke(wanted: Json) -> Json:
    return {"type": "revoke", "revoke": {"original_message_id": _original(wanted, "revoke")[1]}}


def _unsupported(wanted: Json) -> Json:
    message: Json = {"type": "unsupported", "errors": wanted.get("errors") or UNSUPPORTED}
    if wanted.get("unsupported"):
        message["unsupported"] = wanted["unsupported"]
    return message


BUILDERS: dict[str, Callable[[Json], Json]] = {
    "text": _text,
    "location": _as_given("location", LOCATION),
    "contacts": _as_given("contacts", CARDS),
    "order": _as_given("order", ORDER),
    "button": _button,
    "interactive": _interactive,
    "button_reply": _reply("button_reply", {"id": "yes", "title": "Sí"}),
    "list_reply": _reply("list_reply", {"id": "home", "title": "Hogar", "description": "Seguro de hogar"}),
    "nfm_reply": _reply("nfm_reply", {"name": "flow", "body": "Sent", "response_json": '{"flow_token":"1"}'}),
    "reaction": _reaction,
    "edit": _edit,
    "revoke": _revoke,
    "unsupported": _unsupported,
}
