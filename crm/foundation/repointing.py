"""Everything that points at one row made to point at another, found by introspection."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, ForeignKey, ManyToOneRel, Model, OuterRef, QuerySet, UniqueConstraint

AT_ONCE = 1000  # a tag may be on a million


def relations_to(model: type[Model]) -> "Iterator[tuple[type[Model], ForeignKey[Any, Any]]]":
    """Every model with a foreign key to `model`, and the key; also those without a name at this end."""
    for relation in model._meta.get_fields(include_hidden=True):
        if not isinstance(relation, ManyToOneRel):
            continue
        related, field = relation.related_model, relation.field
        if isinstance(field, ForeignKey) and isinstance(related, type):
            yield related, field


def keys_to(model: type[Model], target: type[Model]) -> Iterator[str]:
    """The names of a model's own foreign keys to another one."""
    for field in model._meta.concrete_fields:
        if isinstance(field, ForeignKey) and field.remote_field.model is target:
            yield field.name


def repoint(source: Model, target: Model, *, but: tuple[type[Model], ...] = ()) -> None:
    """Have every row with a foreign key to `source` point at `target` instead, those of the models in `but` aside.

    What `target` has already by a unique constraint is deleted at `source`. Call it in a transaction, both locked.
    """
    for model, field in relations_to(type(source)):
        if model not in but:
            _repoint(model._base_manager.all(), field.name, source, target)


def _repoint(rows: QuerySet[Any], name: str, source: Model, target: Model) -> None:
    mine = rows.filter(**{name: source})
    for others in _unique_with(rows.model, name):
        theirs = rows.filter(**{name: target}, **{other: OuterRef(other) for other in others})
        _delete(rows, mine.filter(Exists(theirs)))
    mine.update(**{name: target})


def _delete(rows: QuerySet[Any], which: QuerySet[Any]) -> None:
    """A part of `rows`, a bounded number at a time."""
    ordered = which.order_by("pk").values_list("pk", flat=True)
    keys = list(ordered[:AT_ONCE])
    while keys:
        rows.filter(pk__in=keys).delete()
        keys = list(ordered.filter(pk__gt=keys[-1])[:AT_ONCE])


def _unique_with(model: type[Model], name: str) -> list[list[str]]:
    """For each unique constraint with this field, its other fields."""
    fields = [list(rule.fields) for rule in model._meta.constraints if isinstance(rule, UniqueConstraint)]
    return [[other for other in names if other != name] for names in fields if name in names]
