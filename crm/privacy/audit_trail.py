"""A person's addresses in audit entries about others; entries about the person go by `crm.audit.keeping`."""

from django.db.models import Q, QuerySet

from crm.audit import keeping, log
from crm.audit.models import AuditEntry
from crm.contacts.models import Contact
from crm.foundation.search import search_text
from crm.privacy import rules
from crm.privacy.person import Person


def of_what_concerns_many(person: Person) -> QuerySet[AuditEntry]:
    """Entries about what speaks of many people (rules, selections, files), also where that is no longer there."""
    labels = {sweep.model._meta.label_lower for sweep in rules.sweeps()} | set(keeping.NAMED_FREELY)
    return keeping.entries().filter(model__in=sorted(labels))


def forget_addresses(entry: AuditEntry, person: Person) -> bool:
    """The entry stays, without this person's addresses; whether it had any. In the erasure's transaction."""
    before = {"object_name": entry.object_name, "changes": entry.changes}
    after = person.without_addresses(before)
    if after == before:
        return False
    words = search_text(entry.user_name, after["object_name"], entry.object_id)
    with keeping.opened():
        keeping.entries().filter(pk=entry.pk).update(**after, search_text=words)
    return True


def forget_among_others(person: Person) -> None:
    """Whoever was one contact with this person for a while has entries of that time: they stay without the person's
    addresses, too. In the erasure's transaction.
    """
    mine = keeping.entries().filter(model=Contact._meta.label_lower)
    parted = Q(changes__contact__0=person.pk) | Q(changes__contact__1=person.pk)
    merged = Q(action="merged", **{f"changes__{log.ABSORBED}__1": person.pk})
    told = mine.filter(merged | (parted & Q(action__in=("merge_undone", "split"))))
    others = set(told.values_list("object_id", flat=True)) - {str(person.pk)}
    for entry in mine.filter(object_id__in=others):
        forget_addresses(entry, person)
