"""What rules of segments can speak of: a registry that each feature fills with its fields at start."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Exists, Model, OuterRef, Q

CONTACT = OuterRef("pk")

type Choices = Mapping[Any, str]


class Type(StrEnum):
    """What the values of a field are, and so which operators it has (`operators.py`)."""

    TEXT = "text"
    NUMBER = "number"
    DAY = "day"  # a date
    MOMENT = "moment"  # a date with its time; rules speak of days of the business's time zone
    CHOICE = "choice"  # one of several
    SET = "set"  # any number of several
    YES_NO = "yes_no"


@dataclass(frozen=True)
class Field:
    """One thing rules can speak of. `lookup(name, value)` is a condition on Contact for the lookup names that the
    operators of the type use (`iexact`, `icontains`, `istartswith`; `exact`, `gt`, `gte`, `lt`, `lte`; `regex` of days;
    `in`); it may be unknown (NULL) only for contacts without a value. `is_set` says which have one; None: all do.
    Nothing of it may multiply rows.
    """

    name: str
    label: Any
    group: Any
    type: Type
    lookup: Callable[[str, Any], Q]
    is_set: Callable[[], Q] | None = None
    choices: Callable[[], Choices] | None = None


# Fields that come and go, such as custom attributes: found by what their names begin with.
type Source = Callable[[], Iterable[Field]]

_fields: dict[str, Field] = {}
_sources: dict[str, Source] = {}


def register(*fields: Field) -> None:
    """Let rules speak of these."""
    for field in fields:
        _fields[field.name] = field


def register_source(prefix: str, source: Source) -> None:
    """Let rules speak of whatever `source` finds at the time; all their names begin with `prefix`."""
    _sources[prefix] = source


class Catalogue:
    """The fields as they stand during one request: each source and list of choices is read once, when asked for."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, Field]] = {}
        self._choices: dict[str, Choices] = {}

    def find(self, name: str) -> Field | None:
        """The field of this name, None where there is none (any more)."""
        known = _fields.get(name)
        if known is not None:
            return known
        prefix = next((prefix for prefix in _sources if name.startswith(prefix)), None)
        return self._of(prefix).get(name) if prefix else None

    def all(self) -> list[Field]:
        """Every field, those of one group together."""
        found = [*_fields.values(), *(field for prefix in _sources for field in self._of(prefix).values())]
        groups = list(dict.fromkeys(str(field.group) for field in found))
        return sorted(found, key=lambda field: groups.index(str(field.group)))

    def choices(self, field: Field) -> Choices:
        """What may be chosen: value and label."""
        if field.name not in self._choices:
            self._choices[field.name] = field.choices() if field.choices else {}
        return self._choices[field.name]

    def _of(self, prefix: str) -> dict[str, Field]:
        if prefix not in self._found:
            self._found[prefix] = {field.name: field for field in _sources[prefix]()}
        return self._found[prefix]


def column(name: str) -> Callable[[str, Any], Q]:
    """Lookups of a column of Contact."""
    return lambda lookup, value: Q(**{f"{name}__{lookup}": value})


def filled(name: str) -> Callable[[], Q]:
    """Those whose text column is not empty."""
    return lambda: ~Q(**{name: ""})


def known(name: str) -> Callable[[], Q]:
    """Those whose column is not NULL."""
    return lambda: Q(**{f"{name}__isnull": False})


def related(model: type[Model], name: str, contact: str = "contact", **fixed: Any) -> Callable[[str, Any], Q]:
    """Lookups of a column of rows that belong to a contact: one of them fits."""

    def lookup(lookup: str, value: Any) -> Q:
        rows = model._base_manager.filter(**{contact: CONTACT, f"{name}__{lookup}": value}, **fixed)
        return Q(Exists(rows))

    return lookup


def there_is(model: type[Model], contact: str = "contact", **fixed: Any) -> Callable[[], Q]:
    """Those that have such rows."""
    return lambda: Q(Exists(model._base_manager.filter(**{contact: CONTACT}, **fixed)))


def yes_no(condition: Callable[[], Q]) -> Callable[[str, Any], Q]:
    """Lookups of a fact that is or is not: the condition, which knows no NULL, or its contrary."""
    return lambda _lookup, value: condition() if value else ~condition()
