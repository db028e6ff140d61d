"""Taking people out of the audit log: who did what and when stays, to whom and with which values goes."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Model, QuerySet

from crm.audit.log import HIDDEN
from crm.audit.models import AuditEntry
from crm.privacy.person import Person


def forget(model: type[Model], pks: Iterable[Any], pseudonym: str) -> int:
    """Entries about these rows name nobody any more; how many there were. Call it in the erasure's transaction."""
    entries: QuerySet[AuditEntry] = QuerySet(AuditEntry)
    count = 0
    for entry in entries.filter(model=model._meta.label_lower, object_id__in=[str(pk) for pk in pks]):
        changes = _emptied(entry.changes)
        count += entries.filter(pk=entry.pk).update(object_name=pseudonym, changes=changes)
    return count


def forget_addresses(model: type[Model], pks: Iterable[Any], person: Person) -> None:
    """The same of what concerns many: only this person's addresses go."""
    entries: QuerySet[AuditEntry] = QuerySet(AuditEntry)
    for entry in entries.filter(model=model._meta.label_lower, object_id__in=[str(pk) for pk in pks]):
        before = {"object_name": entry.object_name, "changes": entry.changes}
        after = person.without_addresses(before)
        if after != before:
            entries.filter(pk=entry.pk).update(**after)


def _emptied(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: [HIDDEN if value else value for value in pair] for name, pair in changes.items()}
