"""What of each table goes into a person's copy, and what becomes of it when they are erased.

Every table of ours has a rule: registered at start by the feature that knows it. `missing` (part of `manage.py check`)
names tables without one; those with a way of keys to a contact cannot be called impersonal.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.core import checks
from django.db.models import ForeignKey, Model, QuerySet
from django.utils.functional import Promise

from crm.contacts.models import Contact
from crm.privacy.person import Person
from crm.staff.roles import APPS

type Values = dict[str, Any]


def delete(rows: Sequence[Any]) -> None:
    """The usual end: these rows, and what hangs on them."""
    if rows:
        type(rows[0])._base_manager.filter(pk__in=[row.pk for row in rows]).delete()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Rows that keys lead from a person to, by one way or several (each goes by its index; a row may be met twice).
    `section` is their heading in the copy, "" for what is not in it (`why_not` says why); `erase` takes a batch away,
    after which `ways` no longer find it.
    """

    model: type[Model]
    ways: Callable[[Person], Sequence[QuerySet[Any]]]
    section: str | Promise = ""
    why_not: str = ""
    without: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    erase: Callable[[Sequence[Any]], None] = delete
    stays: str | Promise = ""  # what of it stays and why, for the certificate
    at_once: bool = False  # these go in the first transaction: nothing may be brought back or found by them

    @property
    def name(self) -> str:
        """How exports, certificates and the audit log call the table."""
        return self.model._meta.label_lower

    def rows(self, person: Person) -> Iterator[Any]:
        """Each once."""
        seen = set()
        for number, way in enumerate(found := self.ways(person)):
            for row in way.order_by("pk").iterator(chunk_size=500):
                if row.pk not in seen:
                    yield row
                if number + 1 < len(found):
                    seen.add(row.pk)

    def some(self, person: Person, limit: int) -> list[Any]:
        """At most `limit` of those that are left; none if there are none."""
        for way in self.ways(person):
            if chosen := list(way[:limit]):
                return chosen
        return []


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A store without a key to the person: every row of `rows` is looked at once. `take` erases what it finds in one
    of them and says whether there was anything.
    """

    model: type[Model]
    rows: Callable[[Person], QuerySet[Any]]
    take: Callable[..., bool]
    why_not: str
    stays: str | Promise = ""
    at_once: int = 200  # rows of one transaction
    # Where rows have files: what they say is found out before the transaction, and is the third argument of `take`.
    reads: Callable[[Any, Person], Any] | None = None

    @property
    def name(self) -> str:
        """As of a rule."""
        return self.model._meta.label_lower


@dataclass
class _Registry:
    rules: dict[type[Model], Rule] = field(default_factory=dict)
    sweeps: dict[type[Model], Sweep] = field(default_factory=dict)
    impersonal: dict[type[Model], str] = field(default_factory=dict)
    at_once: list[Callable[[Person], None]] = field(default_factory=list)
    afterwards: list[Callable[[Person], None]] = field(default_factory=list)


_known = _Registry()


def add(*rules: Rule | Sweep) -> None:
    """Register what tables need."""
    for rule in rules:
        if isinstance(rule, Sweep):
            _known.sweeps[rule.model] = rule
        else:
            _known.rules[rule.model] = rule


def impersonal(*models: type[Model], because: str) -> None:
    """Tables that hold nothing of the people who write to us."""
    _known.impersonal |= dict.fromkeys(models, because)


def at_once(act: Callable[[Person], None]) -> None:
    """Have `act` called in the first transaction of an erasure: what must not go on, stops."""
    _known.at_once.append(act)


def stop_at_once(person: Person) -> None:
    """Call all of them."""
    for act in _known.at_once:
        act(person)


def linked(model: type[Model], *paths: str, **more: Any) -> Rule:
    """A rule for rows with one of these ways (lookups) to the contact."""

    def ways(person: Person) -> list[QuerySet[Any]]:
        return [model._base_manager.filter(**{path: person.pk}) for path in paths]

    return Rule(model=model, ways=ways, **more)


def all_rules() -> list[Rule]:
    """Every rule, tables that point at others before those: the order in which rows go."""
    waiting, ordered = dict(_known.rules), list[Rule]()
    while waiting:
        pointed_at = {
            target for model in waiting for target in _targets(model) if target in waiting and target is not model
        }
        free = [model for model in waiting if model not in pointed_at] or list(waiting)[:1]
        ordered += [waiting.pop(model) for model in free]
    return ordered


def sections() -> list[Rule]:
    """Those of the copy, in the order of registration: who it is first, then what was said."""
    return [rule for rule in _known.rules.values() if rule.section]


def sweeps() -> list[Sweep]:
    """Every store that is searched."""
    return list(_known.sweeps.values())


def left_out() -> dict[str, str]:
    """Tables about people that are not in the copy, and why."""
    found: list[Rule | Sweep] = [*_known.rules.values(), *_known.sweeps.values()]
    return {rule.name: rule.why_not for rule in found if rule.why_not}


def what_stays() -> dict[str, str]:
    """What an erasure leaves, and why."""
    found: list[Rule | Sweep] = [*_known.rules.values(), *_known.sweeps.values()]
    return {rule.name: str(rule.stays) for rule in found if rule.stays}


def has_way(model: type[Model]) -> bool:
    """Whether keys lead from this table to contacts."""
    return any(_ways(model, frozenset()))


def missing(models: Iterable[type[Model]] | None = None) -> list[str]:
    """Tables without a rule, and rules that contradict themselves."""
    found = []
    for model in models if models is not None else _ours():
        label = model._meta.label
        rule = _known.rules.get(model)
        if rule is None and has_way(model) and model is not Contact:
            found.append(f"No rule for export and erasure: {label} has a key that leads to a contact")
        elif rule is None and model not in _known.sweeps and model not in _known.impersonal:
            found.append(f"No rule for export and erasure: {label} (or say that it is impersonal, and why)")
        elif rule is not None and bool(rule.section) == bool(rule.why_not):
            found.append(f"{label} is either a section of the copy, or it says why not")
    return found


@checks.register(checks.Tags.models)
def check(app_configs: Any = None, **_: Any) -> list[checks.CheckMessage]:
    """Part of `manage.py check`."""
    hint = "Register one with crm.privacy.rules; see docs/privacy.md."
    return [checks.Error(sentence, hint=hint, id="crm.E002") for sentence in missing()]


def _ours() -> Iterator[type[Model]]:
    for label in APPS:
        for model in apps.get_app_config(label).get_models(include_auto_created=True):
            if not model._meta.auto_created or has_way(model):
                yield model


def _targets(model: type[Model]) -> Iterator[type[Model]]:
    for one in model._meta.concrete_fields:
        if isinstance(one, ForeignKey):
            yield one.related_model


def _ways(model: type[Model], seen: frozenset[type[Model]]) -> Iterator[bool]:
    for target in _targets(model):
        if target is Contact:
            yield True
        elif target is not model and target not in seen:
            yield from _ways(target, seen | {model})
