"""What a contact's own columns become when two contacts do, and go back to."""

from collections.abc import Mapping
from typing import Any

from crm.contacts.models import Contact
from crm.merging.journal import DROPPED, Journal
from crm.merging.rows import packed, value

# Of these one is kept: as chosen, else the kept contact's, else the other's. An empty one never counts.
CHOSEN = ("name", "kind", "company", "language", "country", "time_zone", "stage", "owner", "external_id")
ATTRIBUTE = "attributes."
# Points are rows; their rule settles which ones come first.
POINTS = ("phone", "email")
_EARLIEST = ("created_at", "restricted_at")
_LATEST = ("last_inbound_at",)
# The rule of points, or `refresh_search_text`, or nothing, has the word.
_OTHERWISE = ("id", "phone", "attributes", "is_name_confirmed", "version", "search_text")
_UNTOUCHED = frozenset({"id", "version", "search_text"})


def without_rule() -> list[str]:
    """Columns of contacts that no rule here knows."""
    known = {*CHOSEN, *_EARLIEST, *_LATEST, *_OTHERWISE}
    return [field.name for field in Contact._meta.concrete_fields if field.name not in known]


def choices_of(kept: Contact, dropped: Contact) -> list[str]:
    """The fields in which both say something, and not the same."""
    columns = [name for name in CHOSEN if _differ(_said(kept, name), _said(dropped, name))]
    keys = sorted(kept.attributes.keys() & dropped.attributes.keys())
    return columns + [f"{ATTRIBUTE}{key}" for key in keys if kept.attributes[key] != dropped.attributes[key]]


def merge(journal: Journal) -> dict[str, Any]:
    """Write into the kept contact (not saved) what the merge makes of its columns; returns the values that gave way,
    by field. `Contact.phone` is written by the rule of points.
    """
    kept, dropped = journal.kept, journal.dropped
    said = {name: [_shown(one, name) for one in (kept, dropped)] for name in choices_of(kept, dropped)}
    for name in CHOSEN:
        _take(journal, name)
    attributes = dropped.attributes | kept.attributes
    for key in kept.attributes.keys() & dropped.attributes.keys():
        if journal.chosen(f"{ATTRIBUTE}{key}") == DROPPED:
            attributes[key] = dropped.attributes[key]
    kept.attributes = attributes
    for names, best in ((_EARLIEST, min), (_LATEST, max)):
        for name in names:
            moments = [moment for moment in (getattr(kept, name), getattr(dropped, name)) if moment is not None]
            setattr(kept, name, best(moments) if moments else None)
    return {name: next(one for one in both if one != _shown(kept, name)) for name, both in said.items()}


def changed(before: Mapping[str, Any], after: Contact) -> dict[str, list[Any]]:
    """The columns of a contact that are other than they were: {column: [before, after]}."""
    now = packed(after)
    return {name: [before[name], now[name]] for name in now if name not in _UNTOUCHED and now[name] != before[name]}


def put_back(contact: Contact, pairs: Mapping[str, list[Any]]) -> None:
    """Undo what a merge made of columns (not saved); what somebody changed since stays. Attributes go one by one."""
    now = packed(contact)
    for column, (before, after) in pairs.items():
        if column == "attributes":
            contact.attributes = _put_back_attributes(contact.attributes, before, after)
        elif now.get(column, object()) == after:
            setattr(contact, column, value(Contact, column, before))


def _put_back_attributes(now: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    untouched = {key for key in before.keys() | after.keys() if now.get(key) == after.get(key)}
    stays = {key: said for key, said in now.items() if key not in untouched}
    return stays | {key: said for key, said in before.items() if key in untouched}


def _take(journal: Journal, name: str) -> None:
    kept, dropped = journal.kept, journal.dropped
    mine, theirs = _said(kept, name), _said(dropped, name)
    if name == "name" and mine and theirs and not journal.chosen(name):
        prefers_theirs = dropped.is_name_confirmed and not kept.is_name_confirmed
    else:
        prefers_theirs = journal.chosen(name) == DROPPED
    if not theirs or (mine and not prefers_theirs):
        return
    column = Contact._meta.get_field(name).attname  # type: ignore[union-attr]
    setattr(kept, column, theirs)
    if name == "name":
        kept.is_name_confirmed = dropped.is_name_confirmed


def _said(contact: Contact, name: str) -> Any:
    return getattr(contact, Contact._meta.get_field(name).attname)  # type: ignore[union-attr]


def _differ(mine: Any, theirs: Any) -> bool:
    return bool(mine and theirs and mine != theirs)


def _shown(contact: Contact, name: str) -> Any:
    if name.startswith(ATTRIBUTE):
        return contact.attributes[name.removeprefix(ATTRIBUTE)]
    return str(getattr(contact, name))
