"""Writing to the audit log: `record`, called inside the transaction of the act; and what changed, field by field."""

import contextlib
import datetime as dt
import itertools
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import models

from crm.audit.models import AuditEntry
from crm.foundation.search import search_text
from crm.foundation.secrets import EncryptedTextField

HIDDEN = "•••"
LONGEST = 500
_CONTEXT = 60  # characters before the first difference of two long texts
# Fields that say nothing about an act, and those whose values nobody shall read here.
SILENT = frozenset({"id", "search_text", "version", "last_login", "last_used_at"})
SECRET = frozenset({"password", "digest", "secret", "access_token"})

# In entries "merged": whose history is now also this thing's.
ABSORBED = "absorbed"

type Changes = dict[str, list[Any]]


@dataclass(frozen=True)
class Origin:
    """Who acts and from where, for everything that is recorded during a request or a command."""

    source: AuditEntry.Source
    user_id: int | None = None
    user_name: str = ""
    token_prefix: str = ""
    ip: str | None = None


SYSTEM = Origin(AuditEntry.Source.SYSTEM)
_origin: ContextVar[Origin] = ContextVar("_origin", default=SYSTEM)


@contextlib.contextmanager
def acting(origin: Origin) -> Iterator[None]:
    """Everything recorded inside is by this origin."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)


def set_origin(origin: Origin) -> None:
    """From here on in this request: a token or a sign-in has said who acts."""
    _origin.set(origin)


def origin() -> Origin:
    """Who acts now."""
    return _origin.get()


def record(
    action: str, subject: models.Model | None = None, *, by: Any = None, changes: Mapping[str, Iterable[Any]] = {}
) -> AuditEntry:
    """Append an entry: `action` on `subject` by the user `by` (without one, whoever acts in this request); `changes` as
    `difference` returns them.
    """
    entry = _entry(action, subject, by, changes)
    entry.save(force_insert=True)
    return entry


def record_each(action: str, told: Iterable[tuple[models.Model, Mapping[str, Iterable[Any]]]], *, by: Any) -> None:
    """The same of several things, each with its own changes, in one statement."""
    AuditEntry.objects.bulk_create([_entry(action, subject, by, changes) for subject, changes in told])


def _entry(action: str, subject: models.Model | None, by: Any, changes: Mapping[str, Iterable[Any]]) -> AuditEntry:
    who = _origin.get()
    user_name = by.name if by is not None else who.user_name
    object_id = str(subject.pk) if subject is not None else ""
    object_name = _name_of(subject) if subject is not None else ""
    return AuditEntry(
        user_id=by.pk if by is not None else who.user_id,
        user_name=user_name,
        token_prefix=who.token_prefix,
        source=who.source,
        ip=who.ip,
        action=action,
        model=subject._meta.label_lower if subject is not None else "",
        object_id=object_id,
        object_name=object_name,
        changes={name: list(values) for name, values in changes.items()},
        search_text=search_text(user_name, object_name, object_id),
    )


def created(subject: models.Model, *, by: Any = None, **linked: Any) -> AuditEntry:
    """Append an entry of a new row, with what it has and what it is `linked` with."""
    changes = difference({}, snapshot(subject) | linked)
    told = {name: pair for name, pair in changes.items() if pair[1] not in (None, "", [], {})}
    return record("created", subject, by=by, changes=told)


def changed(subject: models.Model, before: Mapping[str, Any], *, by: Any = None, **linked: Any) -> AuditEntry | None:
    """Append an entry of what differs from the snapshot `before`, also of what it is `linked` with; nothing if nothing
    does.
    """
    changes = difference(before, snapshot(subject) | linked)
    return record("changed", subject, by=by, changes=changes) if changes else None


def deleted(subject: models.Model, *, by: Any = None, **linked: Any) -> AuditEntry:
    """Append an entry of a row about to be deleted, with what it was and how much goes with it, by kind of thing
    ({"crm.contacttag": [12, None]}).
    """
    before = snapshot(subject) | going_with(subject) | linked
    return record("deleted", subject, by=by, changes=difference(before, {}))


def going_with(subject: models.Model) -> dict[str, int]:
    """How many rows of other tables are deleted with this one, by kind; those without any are left out."""
    numbers = {
        relation.related_model._meta.label_lower: relation.related_model._base_manager.filter(
            **{relation.field.name: subject.pk}
        ).count()
        for relation in subject._meta.related_objects
        if relation.on_delete is models.CASCADE
    }
    return {label: number for label, number in numbers.items() if number}


def _name_of(subject: models.Model) -> str:
    """None for what is called by its kind and number, which readers see in their own language."""
    name = str(subject)
    return "" if name == f"{subject._meta.verbose_name} {subject.pk}" else name[:200]


def snapshot(subject: models.Model) -> dict[str, Any]:
    """The values of a row that an entry may show, by field; secrets as a mark that there is one."""
    return {
        field.attname: _value(field, getattr(subject, field.attname))
        for field in subject._meta.concrete_fields
        if field.name not in SILENT
    }


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """What differs between two snapshots: {field: [before, after]}; of secrets only that they differ. Long texts are
    cut, with a mark on each side that is cut, to where they differ.
    """
    return {
        name: _cut([_shown(before.get(name)), _shown(after.get(name))])
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    }


@dataclass(frozen=True)
class _Secret:
    value: Any


def _value(field: "models.Field[Any, Any]", value: Any) -> Any:
    if field.name in SECRET or isinstance(field, EncryptedTextField):
        return _Secret(value) if value else ""
    return value


def _shown(value: Any) -> Any:
    match value:
        case _Secret():
            return HIDDEN
        case None | bool() | int() | float():
            return value
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case Decimal() | uuid.UUID():
            return str(value)
        case list() | tuple() | dict():
            return str(value) if len(str(value)) > LONGEST else value
    return str(value)


def _cut(pair: list[Any]) -> list[Any]:
    """Of texts longer than LONGEST that part, from shortly before the first difference if that comes later."""
    texts = [value for value in pair if isinstance(value, str)]
    if all(len(text) <= LONGEST for text in texts):
        return pair
    same = 0
    if len(texts) == 2:  # both sides
        same = sum(1 for _same in itertools.takewhile(lambda two: two[0] == two[1], zip(*texts, strict=False)))
    start = same - _CONTEXT if same > LONGEST - _CONTEXT else 0
    return [_part(value, start) if isinstance(value, str) else value for value in pair]


def _part(text: str, start: int) -> str:
    end = start + LONGEST
    return ("…" if start else "") + text[start:end] + ("…" if len(text) > end else "")
