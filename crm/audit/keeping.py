"""How long the audit log is kept, and the one door through which entries leave it or forget: the database refuses any
other.
"""

import contextlib
import datetime as dt
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.conf import settings
from django.db import models

from crm.audit import log
from crm.audit.models import AuditEntry
from crm.foundation import appendonly
from crm.foundation.search import search_text

KEPT = dt.timedelta(days=settings.AUDIT_KEPT_DAYS)
DOOR = "audit log"
# What staff name in their own words, perhaps after somebody.
NAMED_FREELY = ("conversations.savedview",)
_LINKS = frozenset({log.ABSORBED, "merged_into"})
_NAMES = ("name", "phone")
_SHORTEST = 3  # characters of a name worth looking for
_BATCH = 500


def opened() -> contextlib.AbstractContextManager[None]:
    """For retention and erasure only: a transaction in which entries may be changed and deleted, by this connection."""
    return appendonly.opened(DOOR)


def entries() -> models.QuerySet[AuditEntry]:
    """All of them, by a queryset that changes and deletes where the door is open."""
    return models.QuerySet(AuditEntry)


def forget(model: type[models.Model], pks: Collection[Any], pseudonym: str) -> int:
    """Take out of the log who these were, also those that were merged into them: their entries stay, with who did what
    and when, under `pseudonym` and without values; so do what others had of them by a merge, and names in what staff
    name freely. Returns how many entries of theirs there are. For erasure.
    """
    with opened():
        mine = entries().filter(model=model._meta.label_lower, object_id__in=_with_absorbed(model, pks))
        names: set[str] = set()
        count = 0
        for batch in _batches(mine):
            for entry in batch:
                names |= _names_in(entry)
                entry.object_name = pseudonym
                entry.changes = {name: _emptied(name, pair) for name, pair in entry.changes.items()}
            count += _write(batch)
        _forget_lent(model, pks)
        known = sorted((name for name in names - {pseudonym} if len(name) >= _SHORTEST), key=len, reverse=True)
        if known:
            pattern = "|".join(map(re.escape, known))
            _forget_words(re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE), pseudonym)
    return count


def _with_absorbed(model: type[models.Model], pks: Iterable[Any]) -> set[str]:
    """The keys as the log has them, with those of what was merged into these, and into that, and is no longer there."""
    found, wanted = set(), {str(pk) for pk in pks}
    while wanted:
        found |= wanted
        merges = entries().filter(model=model._meta.label_lower, object_id__in=wanted, action="merged")
        absorbed = (changes.get(log.ABSORBED, [])[1:] for changes in merges.values_list("changes", flat=True))
        wanted = {str(pk) for pair in absorbed for pk in pair} - found
        wanted -= {str(pk) for pk in model._base_manager.filter(pk__in=wanted).values_list("pk", flat=True)}
    return found


def _forget_lent(model: type[models.Model], pks: Collection[Any]) -> None:
    """Entries of merges by which others had what was these one's, perhaps taken back since, stay without values."""
    numbers = [pk for pk in pks if isinstance(pk, int)]  # of what is merged
    merges = entries().filter(model=model._meta.label_lower, action="merged")
    for batch in _batches(merges.filter(**{f"changes__{log.ABSORBED}__1__in": numbers})):
        for entry in batch:
            entry.changes = {name: _emptied(name, pair) for name, pair in entry.changes.items()}
        _write(batch)


def _names_in(entry: AuditEntry) -> set[str]:
    values = [entry.object_name, *(value for name in _NAMES for value in entry.changes.get(name, ()))]
    return {value for value in values if isinstance(value, str) and value}


def _emptied(name: str, pair: Any) -> Any:
    """That there was something, and no more; keys of what was merged stay."""
    return pair if name in _LINKS else [log.HIDDEN if value else value for value in pair]


def _forget_words(names: "re.Pattern[str]", pseudonym: str) -> None:
    for batch in _batches(entries().filter(model__in=NAMED_FREELY)):
        told = []
        for entry in batch:
            before = (entry.object_name, entry.changes)
            entry.object_name, entry.changes = (_without(value, names, pseudonym) for value in before)
            if (entry.object_name, entry.changes) != before:
                told.append(entry)
        _write(told)


def _without(value: Any, names: "re.Pattern[str]", pseudonym: str) -> Any:
    match value:
        case str():
            return names.sub(lambda _found: pseudonym, value)
        case dict():
            return {key: _without(one, names, pseudonym) for key, one in value.items()}
        case list():
            return [_without(one, names, pseudonym) for one in value]
    return value


def _batches(rows: models.QuerySet[AuditEntry]) -> Iterator[list[AuditEntry]]:
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:_BATCH]):
        yield batch
        last = batch[-1].pk


def _write(batch: list[AuditEntry]) -> int:
    for entry in batch:
        entry.object_name = entry.object_name[:200]
        entry.search_text = search_text(entry.user_name, entry.object_name, entry.object_id)
    entries().bulk_update(batch, ["object_name", "changes", "search_text"])
    return len(batch)
