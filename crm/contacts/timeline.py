"""A contact's timeline: kinds of rows merged newest first, in pages; other features register theirs at start."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet, Value
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.contacts import attributes, masking
from crm.contacts.models import Contact, ContactChange, ContactEvent, ContactFile, ContactNote, CustomAttribute
from crm.contacts.profile import ATTRIBUTE
from crm.contacts.reading import language_name
from crm.staff.models import User

PAGE = 20
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Entry:
    """One line: what happened, who did it, more text, and where it can be seen."""

    text: str
    by: str = ""
    detail: str = ""
    url: str = ""
    icon: str = "history"


@dataclass(frozen=True)
class Kind:
    """Rows of one model: `rows` of a contact that a user may see, `at` their time's field, `entries` in words."""

    name: str
    group: str
    at: str
    rows: Callable[[Contact, User], QuerySet[Any]]
    entries: Callable[[Sequence[Any]], list[Entry]]


@dataclass(frozen=True)
class Line:
    """An entry in its place."""

    key: str
    at: dt.datetime
    entry: Entry


@dataclass(frozen=True)
class Page:
    """Lines newest first, and the cursor of the older ones ("" where there are none)."""

    lines: list[Line]
    cursor: str


# What one can narrow a timeline to; each kind belongs to one.
groups: dict[str, str | Promise] = {
    "notes": gettext_lazy("Notes"),
    "tags": gettext_lazy("Tags"),
    "changes": gettext_lazy("Changes"),
    "outside": gettext_lazy("Calls, visits and the like"),
    "documents": gettext_lazy("Documents"),
}
# Changes of what not everybody may see, and which kind of it.
_ADDRESSES = {"phone": "phone", "phones": "phone", "email": "email", "emails": "email"}
_EVENT_ICONS = {"call": "phone", "email": "mail", "visit": "user"}
_kinds: dict[str, Kind] = {}
type _Place = tuple[dt.datetime, str, int]


def register(*kinds: Kind, group: str = "", label: str | Promise = "") -> None:
    """Add kinds of rows, and with `group` and `label` a new choice to narrow by."""
    if group:
        groups[group] = label
    _kinds.update({kind.name: kind for kind in kinds})


def page(contact: Contact, user: User, *, group: str = "", cursor: str = "") -> Page | None:
    """The lines of a group (all without one) older than a cursor; None for a cursor that is none."""
    below = _place(cursor) if cursor else None
    if cursor and below is None:
        return None
    found: list[tuple[_Place, Any]] = []
    for kind in _kinds.values():
        if group and kind.group != group:
            continue
        rows = kind.rows(contact, user)
        if below:
            rows = rows.filter(_older(kind, below))
        found += [
            ((getattr(row, kind.at), kind.name, row.pk), row) for row in rows.order_by(f"-{kind.at}", "-pk")[: PAGE + 1]
        ]
    found.sort(key=lambda pair: pair[0], reverse=True)
    shown = found[:PAGE]
    words: dict[tuple[str, int], Entry] = {}
    for kind in _kinds.values():
        mine = [row for (_at, name, _pk), row in shown if name == kind.name]
        if mine:
            words |= {(kind.name, row.pk): entry for row, entry in zip(mine, kind.entries(mine), strict=True)}
    lines = [Line(f"{name}-{pk}", at, words[name, pk]) for (at, name, pk), _row in shown]
    return Page(lines, _cursor(shown[-1][0]) if len(found) > PAGE else "")


def _cursor(place: _Place) -> str:
    at, name, pk = place
    return f"{(at - _EPOCH) // dt.timedelta(microseconds=1)}.{name}.{pk}"


def _place(cursor: str) -> _Place | None:
    at, _dot, rest = cursor.partition(".")
    name, _dot, pk = rest.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in (at, pk)):
        return None
    try:
        return _EPOCH + dt.timedelta(microseconds=int(at)), name, int(pk)
    except OverflowError:
        return None


def _older(kind: Kind, below: _Place) -> Q:
    at, name, pk = below
    older = Q(**{f"{kind.at}__lt": at})
    if kind.name < name:
        return older | Q(**{kind.at: at})
    return older | Q(**{kind.at: at, "pk__lt": pk}) if kind.name == name else older


def _notes(notes: Sequence[ContactNote]) -> list[Entry]:
    return [Entry(_("Note"), _name(note.author), note.text, f"#note-{note.pk}", "sticky-note") for note in notes]


def _tags(changes: Sequence[ContactChange]) -> list[Entry]:
    return [
        Entry(_("Tag “%(name)s” added") % {"name": change.after}, _name(change.user), icon="tag")
        if change.before is None
        else Entry(_("Tag “%(name)s” removed") % {"name": change.before}, _name(change.user), icon="tag")
        for change in changes
    ]


def _changed(changes: Sequence[ContactChange]) -> list[Entry]:
    keys = {change.field.removeprefix(ATTRIBUTE) for change in changes if change.field.startswith(ATTRIBUTE)}
    own = dict(CustomAttribute.objects.filter(key__in=keys).values_list("key", "label")) if keys else {}
    return [_change(change, own) for change in changes]


def _change(change: ContactChange, own: dict[str, str]) -> Entry:
    by = _name(change.user)
    if change.field == "note":
        return Entry(_("Note by %(name)s deleted") % {"name": change.before or _("somebody")}, by, icon="trash-2")
    if change.field in ("phones", "emails"):
        value = {"value": _value(change, change.after or change.before)}
        text = _("“%(value)s” added") if change.before is None else _("“%(value)s” is no longer theirs")
        return Entry(text % value, by, icon="phone" if change.field == "phones" else "mail")
    key = change.field.removeprefix(ATTRIBUTE)
    label = own.get(key, key) if change.field.startswith(ATTRIBUTE) else label_of(change.field)
    before, after = _value(change, change.before), _value(change, change.after)
    texts = {"field": label, "before": before, "after": after}
    if not before:
        return Entry(_("%(field)s: “%(after)s”") % texts, by, icon="pencil")
    if not after:
        return Entry(_("%(field)s emptied: “%(before)s”") % texts, by, icon="pencil")
    return Entry(_("%(field)s: “%(before)s” → “%(after)s”") % texts, by, icon="pencil")


def label_of(field: str) -> str:
    """The name of a contact's own field, as forms show it."""
    if field == "email":
        return _("E-mail")
    return str(getattr(Contact._meta.get_field(field), "verbose_name", field)).capitalize()


def _value(change: ContactChange, value: Any) -> str:
    """A value before or after in words; `hides` of the row says that its reader may not see addresses."""
    if value is None or value == "":
        return ""
    field, hides = change.field, getattr(change, "hides", False)
    if field == "kind":
        return str(Contact.Kind(value).label) if value in Contact.Kind.values else str(value)
    if field in _ADDRESSES:
        return masking.cover(_ADDRESSES[field], str(value)) if hides else str(value)
    if field == "name" and hides:
        return masking.cover("name", str(value))
    return language_name(value) if field == "language" else attributes.shown(value)


def _events(events: Sequence[ContactEvent]) -> list[Entry]:
    return [
        Entry(event.title, _name(event.added_by), event.text, event.url, _EVENT_ICONS.get(event.kind, "history"))
        for event in events
    ]


def _files(files: Sequence[ContactFile]) -> list[Entry]:
    return [
        Entry(_("Document “%(name)s” added") % {"name": file.name}, _name(file.added_by), icon="file") for file in files
    ]


def _changes_for(contact: Contact, user: User) -> QuerySet[ContactChange]:
    """Each says whether its reader may see addresses."""
    changes = contact.changes.exclude(field="tag").select_related("user")
    return changes.annotate(hides=Value(masking.hides(user)))


def _name(user: User | None) -> str:
    return user.name if user else ""


register(
    Kind("note", "notes", "created_at", lambda contact, user: contact.notes.select_related("author"), _notes),
    Kind(
        "tag",
        "tags",
        "created_at",
        lambda contact, user: contact.changes.filter(field="tag").select_related("user"),
        _tags,
    ),
    Kind(
        "change",
        "changes",
        "created_at",
        _changes_for,
        _changed,
    ),
    Kind("outside", "outside", "at", lambda contact, user: contact.events.select_related("added_by"), _events),
    Kind("file", "documents", "added_at", lambda contact, user: contact.files.select_related("added_by"), _files),
    Kind(
        "contact",
        "changes",
        "created_at",
        lambda contact, user: Contact.objects.filter(pk=contact.pk),
        lambda rows: [Entry(_("Contact created"), icon="user-plus") for _row in rows],
    ),
)
