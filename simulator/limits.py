"""What the Graph API refuses in a message before sending it: an own reading of Meta's reference, type by type."""

import re
from collections.abc import Callable
from typing import Any

from simulator.errors import GraphError, bad_parameter, from_code

Json = dict[str, Any]

USER_ID = re.compile(r"(?:[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}|user\.[0-9a-zA-Z]{1,250})\Z")
PHONE = re.compile(r"\+?[\d\s().-]{5,30}\Z")
MEDIA_KINDS = ("image", "video", "audio", "document", "sticker")


def need(value: Any, path: str, kind: type[Any] = str, longest: int | None = None) -> Any:
    """The value, which must be there, of this type, not empty and not too long; else code 100 or 131008."""
    if value is None or value == "":
        raise from_code(131008, details=f"{path} is required.")
    if not isinstance(value, kind):
        raise bad_parameter(f"Param {path} must be {_NAMES[kind]}.")
    if longest is not None and len(value) > longest:
        message = f"(#100) Param {path} must be at most {longest} characters long."
        raise GraphError(400, 100, message, f"Message too long. Length must be at most {longest}.")
    return value


_NAMES: dict[type, str] = {str: "a string", dict: "an object", list: "an array"}


def optional(value: Any, path: str, longest: int) -> None:
    """A text that may be missing but not be too long."""
    if value is not None:
        need(value or None if not isinstance(value, str) else value or " ", path, str, longest)


def check_text(body: Json) -> None:
    """A text of 1 to 4,096 characters."""
    need(body.get("body"), "text['body']", str, 4096)
    if not body["body"].strip():
        raise bad_parameter("Param text['body'] must be a non-empty string.")


def check_media(kind: str) -> Callable[[Json], None]:
    """A file by id or by link, exactly one of them, with its caption."""

    def check(body: Json) -> None:
        if ("id" in body) == ("link" in body):
            raise bad_parameter(f"Param {kind} must have exactly one of id and link.")
        if "id" in body:
            key = body["id"]
            if not (isinstance(key, str | int) and str(key).isdecimal()):
                raise bad_parameter(f"Param {kind}['id'] must be a media id.")
        elif not re.match(r"https?://[^\s/]+", need(body["link"], f"{kind}['link']", str, 2048)):
            raise bad_parameter(f"Param {kind}['link'] is not a valid URI.")
        if kind in {"audio", "sticker"} and "caption" in body:
            raise bad_parameter(f"Unexpected key caption on param {kind}.")
        optional(body.get("caption"), f"{kind}['caption']", 1024)
        if kind == "document":
            optional(body.get("filename"), "document['filename']", 240)

    return check


def check_location(body: Json) -> None:
    """Latitude and longitude in degrees."""
    for name, largest in (("latitude", 90.0), ("longitude", 180.0)):
        try:
            degrees = float(body[name])
        except (KeyError, TypeError, ValueError):
            raise from_code(131008, details=f"location['{name}'] is required and must be a number.") from None
        if not -largest <= degrees <= largest:
            raise bad_parameter(f"Param location['{name}'] must be between -{largest:g} and {largest:g}.")
    optional(body.get("name"), "location['name']", 1000)
    optional(body.get("address"), "location['address']", 1000)


def check_contacts(body: Any) -> None:
    """Between one and 257 contact cards, each with a formatted name and one more part of it."""
    for index, card in enumerate(need(body, "contacts", list, 257)):
        path = f"contacts[{index}]"
        name = need(need(card, path, dict).get("name"), f"{path}['name']", dict)
        need(name.get("formatted_name"), f"{path}['name']['formatted_name']")
        if len(name) < 2:
            raise bad_parameter(f"Param {path}['name'] needs at least one more part besides formatted_name.")


def check_reaction(body: Json) -> None:
    """A wamid and one emoji, or none to take the reaction back."""
    need(body.get("message_id"), "reaction['message_id']")
    emoji = body.get("emoji", "")
    if not isinstance(emoji, str) or len(emoji) > 16 or emoji.isascii() and emoji != "":
        raise bad_parameter("Param reaction['emoji'] must be one emoji or an empty string.")


def check_template(body: Json) -> None:
    """A name, a language and a list of components; whether they fit the template is checked elsewhere."""
    need(body.get("name"), "template['name']", str, 512)
    language = need(body.get("language"), "template['language']", dict)
    need(language.get("code"), "template['language']['code']")
    for index, component in enumerate(body.get("components") or []):
        need(need(component, f"template['components'][{index}]", dict).get("type"), "component['type']")


def _texts(body: Json, longest: int) -> None:
    need(need(body.get("body"), "interactive['body']", dict).get("text"), "interactive['body']['text']", str, longest)
    optional((body.get("footer") or {}).get("text"), "interactive['footer']['text']", 60)
    header = body.get("header") or {}
    if header.get("type", "text") == "text":
        optional(header.get("text"), "interactive['header']['text']", 60)


def _buttons(body: Json, action: Json) -> None:
    _texts(body, 1024)
    buttons = need(action.get("buttons"), "action['buttons']", list)
    if not 1 <= len(buttons) <= 3:
        raise from_code(131009, details="Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3")
    replies = [need(button, "button", dict).get("reply") or {} for button in buttons]
    for reply in replies:
        need(reply.get("id"), "button['reply']['id']", str, 256)
        need(reply.get("title"), "button['reply']['title']", str, 20)
    for part in ("id", "title"):
        if len({reply[part] for reply in replies}) < len(replies):
            raise from_code(131009, details=f"Duplicated {part} in the buttons.")


def _list(body: Json, action: Json) -> None:
    _texts(body, 4096)
    need(action.get("button"), "action['button']", str, 20)
    sections = need(action.get("sections"), "action['sections']", list)
    rows = [row for section in sections for row in need(section, "section", dict).get("rows") or []]
    if not 1 <= len(sections) <= 10 or not 1 <= len(rows) <= 10:
        raise from_code(131009, details="Total row count exceed max allowed count: 10")
    for section in sections:
        if len(sections) > 1:
            need(section.get("title"), "section['title']", str, 24)
    for row in rows:
        need(row.get("id"), "row['id']", str, 200)
        need(row.get("title"), "row['title']", str, 24)
        optional(row.get("description"), "row['description']", 72)
    if len({row["id"] for row in rows}) < len(rows):
        raise from_code(131009, details="Duplicated row id.")


def check_interactive(body: Json) -> None:
    """Reply buttons and lists closely, the other kinds by their texts."""
    kind = need(body.get("type"), "interactive['type']")
    action = need(body.get("action"), "interactive['action']", dict)
    if kind == "button":
        _buttons(body, action)
    elif kind == "list":
        _list(body, action)
    elif kind in {"product", "product_list", "catalog_message", "cta_url", "flow", "location_request_message"} | {
        "address_message",
        "order_details",
        "order_status",
        "call_permission_request",
        "voice_call",
        "carousel",
    }:
        if body.get("body"):
            _texts(body, 1024)
    else:
        raise bad_parameter(f"Param interactive['type'] has an unknown value: {kind}.")


CHECKS: dict[str, Callable[[Any], None]] = {
    "text": check_text,
    "location": check_location,
    "contacts": check_contacts,
    "reaction": check_reaction,
    "interactive": check_interactive,
    "template": check_template,
    **{kind: check_media(kind) for kind in MEDIA_KINDS},
}


def check_message(body: Json) -> str:
    """Check a send as a whole; answers its type. Raises GraphError, whatever the JSON looks like."""
    try:
        return _check_message(body)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise bad_parameter("A part of the message has the wrong type.") from None


def _check_message(body: Json) -> str:
    if body.get("messaging_product") != "whatsapp":
        raise GraphError(400, 100, "(#100) The parameter messaging_product is required.", "It must be 'whatsapp'.")
    if body.get("recipient_type", "individual") not in ("individual", "group"):
        raise bad_parameter("Param recipient_type must be one of {individual, group}.")
    if not body.get("to") and not body.get("recipient"):
        raise GraphError(400, 100, "(#100) The parameter to is required.", "Give a phone number or a user id.")
    kind = body.get("type", "text")
    if not isinstance(kind, str) or kind not in CHECKS:
        raise bad_parameter(f"Param type must be one of {{{', '.join(sorted(CHECKS))}}} - got {kind!r}.")
    content = body.get(kind)
    if content is None:
        raise GraphError(400, 100, f"(#100) The parameter {kind} is required.", f"A {kind} message needs {kind}.")
    CHECKS[kind](need(content, kind, list if kind == "contacts" else dict))
    context = body.get("context")
    if context is not None:
        need(need(context, "context", dict).get("message_id"), "context['message_id']")
    optional(body.get("biz_opaque_callback_data"), "biz_opaque_callback_data", 512)
    return kind


def recipient_of(body: Json) -> tuple[str | None, str | None]:
    """Phone digits and user id of who shall get a message; either may come in `to` or `recipient`."""
    wa_id = user_id = None
    for value in (body.get("to"), body.get("recipient")):
        if value is None or value == "":
            continue
        if isinstance(value, str) and USER_ID.match(value):
            user_id = value
        elif isinstance(value, str | int) and PHONE.match(str(value)):
            wa_id = "".join(character for character in str(value) if character in "0123456789")
        else:
            raise bad_parameter("The recipient is neither a phone number nor a business-scoped user id.")
    return wa_id, user_id
