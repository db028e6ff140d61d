"""How rows of two contacts become rows of one: a rule for each unique constraint that contains a contact.

Every relation to Contact is found by introspection and moves. Where a constraint lets only one of two rows stay, a rule
says what happens; features register theirs at start, and `missing` (part of `manage.py check`) names what has none.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.core import checks
from django.db.models import Exists, F, Field, ForeignKey, Model, OneToOneField, OuterRef, Q, UniqueConstraint
from django.db.models.constraints import BaseConstraint, CheckConstraint

from crm.contacts.models import Contact
from crm.foundation.repointing import relations_to
from crm.merging import values
from crm.merging.journal import Journal

type Step = Callable[[Journal], None]


@dataclass(frozen=True)
class ByHand:
    """A model whose rows need thinking: `merge` leaves none of the dropped contact's, `undo` gets what it noted and
    the two contacts after all other steps have been taken back.
    """

    merge: Step
    undo: Callable[[Any, Contact, Contact], None] | None = None


_once: set[str] = set()
_by_hand: dict[type[Model], ByHand] = {}
_settled: set[str] = set()


def keep_one(*constraints: str) -> None:
    """Of two rows that one of these constraints forbids, the kept contact's stays and the other one is put away."""
    _once.update(constraints)


def by_hand(model: type[Model], rule: ByHand, *constraints: str) -> None:
    """Rows of this model are merged by its own function, which minds these constraints."""
    _by_hand[model] = rule
    _settled.update(constraints)


def merge_rows(journal: Journal) -> None:
    """Have everything that is the dropped contact's be the kept one's; raises LookupError without a rule."""
    if unruled := missing():
        raise LookupError("; ".join(unruled))
    for rule in _by_hand.values():
        rule.merge(journal)
    for model, key in relations_to(Contact):
        mine = model._base_manager.filter(**{key.name: journal.dropped})
        if model in _by_hand:
            if mine.exists():
                raise LookupError(f"The rule of {model._meta.label} left rows of a contact that goes.")
            continue
        for constraint in _with(model, key):
            theirs = model._base_manager.filter(constraint.condition or Q(), **{key.name: journal.kept})
            others = {name: OuterRef(name) for name in constraint.fields if name != key.name}
            journal.put_away(mine.filter(constraint.condition or Q()).filter(Exists(theirs.filter(**others))))
        journal.move(mine, key.name)


def undo_by_hand(notes: dict[str, Any], kept: Contact, restored: Contact) -> None:
    """What the rules of single models do when a merge is taken back."""
    for model, rule in _by_hand.items():
        if rule.undo is not None:
            rule.undo(notes.get(model._meta.label_lower), kept, restored)


def missing() -> list[str]:
    """What contacts have and no rule says how to merge: constraints, and columns of their own."""
    found = [f"No rule for merging: column {name} of contacts" for name in values.without_rule()]
    for model, key in relations_to(Contact):
        known = _settled if model in _by_hand else _once
        found += [
            f"No rule for merging: {one} of {model._meta.label}" for one in _names(model, key) if one not in known
        ]
    return found


@checks.register(checks.Tags.models)
def check(app_configs: Any = None, **_: Any) -> list[checks.CheckMessage]:
    """Part of `manage.py check`."""
    hint = "Register one: crm.merging.rules.keep_one or by_hand, crm.merging.values; see docs/merging.md."
    return [checks.Error(sentence, hint=hint, id="crm.E001") for sentence in missing()]


def _names(model: type[Model], key: "ForeignKey[Any, Any]") -> Iterator[str]:
    """What lets only one row of a contact be: constraints by their names, `unique` and `unique_together` by fields."""
    for constraint in model._meta.constraints:
        if not isinstance(constraint, CheckConstraint) and key.name in _fields(constraint):
            yield constraint.name
    if key.unique or isinstance(key, OneToOneField):
        yield key.name
    yield from ("+".join(names) for names in model._meta.unique_together if key.name in names)


def _fields(constraint: BaseConstraint) -> set[str]:
    """The fields a constraint speaks of, also in its expressions (of unknown ones: every name in them)."""
    found = set(getattr(constraint, "fields", ()))
    waiting: list[Any] = list(getattr(constraint, "expressions", ()))
    while waiting:
        part = waiting.pop()
        name = getattr(part, "name", None)
        if isinstance(part, F) and isinstance(name, str):
            found.add(name)
        elif isinstance(part, str):
            found.add(part)
        elif isinstance(part, tuple | list):
            waiting += part
        else:
            waiting += part.get_source_expressions() if hasattr(part, "get_source_expressions") else []
    return {name.removesuffix("_id") for name in found}


def _with(model: type[Model], key: "Field[Any, Any]") -> list[UniqueConstraint]:
    return [
        constraint
        for constraint in model._meta.constraints
        if isinstance(constraint, UniqueConstraint) and key.name in constraint.fields
    ]
