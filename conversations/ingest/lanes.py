"""Whose news a webhook is, as a number: events of one person share a lane and are processed one after the other."""

import zlib
from typing import Any

import orjson

from conversations.channels.whatsapp.messages import bare_number
from conversations.channels.whatsapp.reading import as_dict, as_list
from crm.contacts.phones import match_key

NOBODY = 0
# Which list of a change's value holds items, and where the item names the person: number, business-scoped user id.
PERSON_OF = {
    "messages": ("from", "from_user_id"),
    "message_echoes": ("to", "to_user_id"),
    "statuses": ("recipient_id", "recipient_user_id"),
    "calls": ("from", "from_user_id"),
    "user_id_update": ("wa_id", "user_id"),
}


def lane_of(body: bytes) -> int:
    """31 bits from the first person the webhook is about; 0 for nobody's news and for what is no JSON.

    Two bodies about one person share a lane if both carry the number (in any spelling) or neither does. Who is known
    by number in one and only by user id in the other has two lanes: there the locks and constraints alone keep order.
    """
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return NOBODY
    for entry in as_list(as_dict(payload).get("entry")):
        for change in as_list(as_dict(entry).get("changes")):
            name = _name(as_dict(as_dict(change).get("value")))
            if name:
                return zlib.crc32(name.encode("utf-8", "replace")) & 0x7FFFFFFF or 1
    return NOBODY


def _name(value: dict[str, Any]) -> str:
    for key, (number_key, user_id_key) in PERSON_OF.items():
        for item in as_list(value.get(key)):
            return _person(value, as_dict(item), number_key, user_id_key)
    for chunk in as_list(value.get("history")):
        for thread in as_list(as_dict(chunk).get("threads")):
            return match_key(_id(as_dict(thread).get("id")))
    return ""


def _person(value: dict[str, Any], item: dict[str, Any], number_key: str, user_id_key: str) -> str:
    """The group, else the number's match key, else the user id; what the item lacks may stand in `contacts`."""
    if "group_id" in item and (group := _id(item["group_id"])):
        return group
    if "to" in item and number_key == "from" and _is_our_own(value, item):
        number_key, user_id_key = "to", "to_user_id"
    number = _id(item.get(number_key))
    if number:
        return match_key(number)
    user_id = _id(item.get(user_id_key))
    contacts = as_list(value.get("contacts"))
    for contact in map(as_dict, contacts):
        if len(contacts) == 1 or (user_id and _id(contact.get("user_id")) == user_id):
            return match_key(_id(contact.get("wa_id"))) or user_id or _id(contact.get("user_id"))
    return user_id


def _is_our_own(value: dict[str, Any], item: dict[str, Any]) -> bool:
    """A call we made, or media of a history message from our own phone."""
    ours = _id(as_dict(value.get("metadata")).get("display_phone_number"))
    return item.get("direction") == "BUSINESS_INITIATED" or _id(item.get("from")) == bare_number(ours)


def _id(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**30 else ""
    return value.strip()[:256] if isinstance(value, str) else ""
