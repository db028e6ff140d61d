"""Careful reading of foreign JSON: nothing has the type it should."""

from dataclasses import dataclass
from typing import Any, Self

from conversations.channels.base import Person


def read_text(value: Any, limit: int = 4096) -> str:
    """A str (numbers become their digits), at most `limit` characters; anything else is ""."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return str(value)[:limit] if abs(value) < 10**100 else ""
    return value[:limit] if isinstance(value, str) else ""


def read_id(value: Any, limit: int = 256) -> str:
    """An id as `read_text` gives it; a longer one raises ValueError, since cutting could make two ids one."""
    text = read_text(value, limit + 1).strip()
    if len(text) > limit:
        raise ValueError("an id that is too long")
    return text


def as_dict(value: Any) -> dict[str, Any]:
    """The dict, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The list, or an empty one; a lone object counts as a list of one."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) and value else []


def _short(value: Any, limit: int) -> str:
    text = read_text(value, limit + 1).strip()
    return text if len(text) <= limit else ""


@dataclass(frozen=True)
class Envelope:
    """What all items of one change share: to which number it came, and who the people in it are."""

    waba_id: str
    field: str
    phone_number_id: str
    display_phone_number: str
    people: tuple[Person, ...]

    @classmethod
    def of(cls, waba_id: str, field: str, value: dict[str, Any]) -> Self:
        """Read metadata and contacts of a change's value."""
        metadata = as_dict(value.get("metadata"))
        people = []
        for contact in as_list(value.get("contacts")):
            if isinstance(contact, dict):
                profile = as_dict(contact.get("profile"))
                people.append(
                    Person(
                        address=_short(contact.get("wa_id"), 64),
                        user_id=_short(contact.get("user_id"), 256),
                        profile_name=read_text(profile.get("name"), 200),
                        username=read_text(profile.get("username"), 100).lstrip("@"),
                    )
                )
        return cls(
            waba_id,
            field,
            read_text(metadata.get("phone_number_id"), 64),
            read_text(metadata.get("display_phone_number"), 32),
            tuple(people),
        )

    @property
    def ids(self) -> dict[str, Any]:
        """Keyword arguments of every update."""
        return {"phone_number_id": self.phone_number_id, "waba_id": self.waba_id}

    def contact_of(self, address: str, user_id: str) -> Person:
        """The contact with the same wa_id or user id, never the one at the same position; else just these values."""
        for person in self.people:
            if (user_id and person.user_id == user_id) or (address and person.address == address):
                return Person(
                    person.address or address, person.user_id or user_id, person.profile_name, person.username
                )
        return Person(address, user_id)
