"""Writing to the audit log: `record`, called inside the transaction of the act; and what changed, field by field."""

import contextlib
import datetime as dt
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
# Fields that say nothing about an act, and those whose values nobody shall read here.
SILENT = frozenset({"id", "search_text", "version", "last_login", "last_used_at"})
SECRET = frozenset({"password", "digest", "secret", "access_token"})

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
    who = _origin.get()
    user_name = by.name if by is not None else who.user_name
    object_id = str(subject.pk) if subject is not None else ""
    object_name = _name_of(subject) if subject is not None else ""
    return AuditEntry.objects.create(
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


def deleted(subject: models.Model, *, by: Any = None) -> AuditEntry:
    """Append an entry of a row about to be deleted, with what it was."""
    return record("deleted", subject, by=by, changes=difference(snapshot(subject), {}))


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
    """What differs between two snapshots: {field: [before, after]}; of secrets only that they differ."""
    return {
        name: [_shown(before.get(name)), _shown(after.get(name))]
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
            return str(value)[:LONGEST] if len(str(value)) > LONGEST else value
    return str(value)[:LONGEST]
