"""Rules: a tree of "all of" and "any of" over conditions, read with an error for each row, compiled to one Q."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import Exists, Q, QuerySet
from django.utils.translation import gettext as _

from crm.contacts.contact_models import ContactQuerySet
from crm.contacts.models import Contact
from crm.foundation.errors import Refusal
from crm.segments import operators
from crm.segments.fields import CONTACT, Catalogue, Field
from crm.segments.models import Segment, SegmentMember
from crm.segments.operators import Operator
from crm.staff.models import User

MODES = ("all", "any")
DEPTH_MAX = 3
CONDITIONS_MAX = 50

type Rule = dict[str, Any]


class BrokenRule(Refusal):
    """A rule that cannot be understood; `problems` has a sentence by the path of each row: "" the whole, "0" the first
    row, "2.1" the second one of the group that is third.
    """

    code = "broken_rule"
    http_status = 422

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(next(iter(problems.values())), problems=problems)
        self.problems = problems


@dataclass(frozen=True)
class Condition:
    """A row: a field, what is said of it, and the value as it is kept."""

    field: Field
    operator: Operator
    value: Any

    def compiled(self) -> Q:
        """As a condition on Contact."""
        return self.operator.condition(self.field, self.value)

    def as_json(self) -> Rule:
        """As it is kept."""
        kept = {"field": self.field.name, "op": self.operator.name}
        return kept if self.operator.asks == "nothing" else kept | {"value": self.value}


@dataclass(frozen=True)
class Group:
    """Rows of which all, or any, must fit; without rows everybody does."""

    mode: Literal["all", "any"]
    parts: tuple["Condition | Group", ...]

    def compiled(self) -> Q:
        """As a condition on Contact."""
        condition = Q()
        for part in self.parts:
            condition = condition & part.compiled() if self.mode == "all" else condition | part.compiled()
        return condition

    def as_json(self) -> Rule:
        """As it is kept."""
        return {self.mode: [part.as_json() for part in self.parts]}


def read(raw: Any, catalogue: Catalogue | None = None) -> Group:
    """Understand a rule; raises BrokenRule with what is wrong at every row."""
    problems: dict[str, str] = {}
    number = sum(1 for _row in _conditions(raw, 1))
    if number > CONDITIONS_MAX:
        raise BrokenRule({"": _("These are too many conditions: %(most)d at most.") % {"most": CONDITIONS_MAX}})
    found = _group({"all": []} if raw in ({}, None) else raw, "", 1, catalogue or Catalogue(), problems)
    if problems or found is None:
        raise BrokenRule(problems)
    return found


def compile(raw: Any, catalogue: Catalogue | None = None) -> Q:
    """A rule as a condition on Contact; raises BrokenRule."""
    return read(raw, catalogue).compiled()


def contacts(raw: Any, user: User, catalogue: Catalogue | None = None) -> ContactQuerySet:
    """Those whom a rule describes now, as far as `user` sees them; raises BrokenRule."""
    return _usable(Contact.objects.visible_to(user)).filter(compile(raw, catalogue))


def members(segment: Segment, user: User, catalogue: Catalogue | None = None) -> ContactQuerySet:
    """Those in a segment now, as far as `user` sees them; raises BrokenRule if it speaks of what is gone."""
    return narrow(Contact.objects.visible_to(user), segment, catalogue)


def narrow[Q_: QuerySet[Any]](rows: Q_, segment: Segment, catalogue: Catalogue | None = None) -> Q_:
    """Those of these contacts who are in a segment now; raises BrokenRule."""
    if segment.is_static:
        return _usable(rows).filter(Exists(SegmentMember.objects.filter(contact=CONTACT, segment=segment.pk)))
    return _usable(rows).filter(compile(segment.rule, catalogue))


def _usable[Q_: QuerySet[Any]](rows: Q_) -> Q_:
    """People whose data may be used: no groups, and nobody whose data is restricted (GDPR article 18)."""
    return rows.filter(restricted_at=None).exclude(kind=Contact.Kind.GROUP)


def parts_of(raw: Any) -> tuple[str, list[Any]] | None:
    """Mode and rows of what may be a group; None if it is none."""
    if not isinstance(raw, dict):
        return None
    modes = [mode for mode in MODES if mode in raw]
    rows = raw[modes[0]] if len(modes) == 1 else None
    return (modes[0], rows) if isinstance(rows, list) else None


def _conditions(raw: Any, depth: int) -> Iterator[Any]:
    """Its rows that are no groups, as far down as rules go."""
    group = parts_of(raw)
    for part in group[1] if group else ():
        if depth < DEPTH_MAX and parts_of(part) is not None:
            yield from _conditions(part, depth + 1)
        else:
            yield part


def _group(raw: Any, path: str, depth: int, catalogue: Catalogue, problems: dict[str, str]) -> Group | None:
    group = parts_of(raw)
    if group is None:
        problems[path] = _("This is no rule. Write {“all”: […]} or {“any”: […]} with conditions in it.")
        return None
    if depth > DEPTH_MAX:
        problems[path] = _("Groups go no deeper than %(most)d levels.") % {"most": DEPTH_MAX}
        return None
    mode, rows = group
    if depth > 1 and not rows:
        problems[path] = _("This group is empty. Add a condition or remove it.")
    parts = []
    for number, row in enumerate(rows):
        below = f"{path}.{number}".lstrip(".")
        part = (
            _group(row, below, depth + 1, catalogue, problems)
            if isinstance(row, dict) and (row.keys() & set(MODES))
            else _condition(row, below, catalogue, problems)
        )
        if part is not None:
            parts.append(part)
    return Group("all" if mode == "all" else "any", tuple(parts))


def _condition(raw: Any, path: str, catalogue: Catalogue, problems: dict[str, str]) -> Condition | None:
    if not isinstance(raw, dict):
        problems[path] = _("This is no condition. Write a field, an operator and a value.")
        return None
    name, said = raw.get("field"), raw.get("op")
    if not name:
        problems[path] = _("Choose a field.")
        return None
    field = catalogue.find(name) if isinstance(name, str) else None
    if field is None:
        problems[path] = _("There is no field “%(name)s” (any more). Choose another.") % {"name": str(name)[:50]}
        return None
    operator = operators.of(field).get(said) if isinstance(said, str) else None
    if operator is None:
        problems[path] = _("“%(field)s” knows no operator “%(name)s”.") % {"field": field.label, "name": str(said)[:50]}
        return None
    try:
        value = operators.read(operator, raw.get("value"), lambda: catalogue.choices(field))
    except operators.InvalidValue as error:
        problems[path] = str(error)
        return None
    return Condition(field, operator, value)
