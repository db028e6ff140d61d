"""Tags of many contacts at once, and two tags that become one."""

from collections.abc import Sequence

from django.dispatch import Signal
from django.utils.translation import gettext as _

from crm.audit import log
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import Contact, ContactChange, ContactQuerySet, ContactTag, Tag
from crm.contacts.profile import REASON_MAX, contact_changed
from crm.contacts.reading import line
from crm.foundation.repointing import repoint
from crm.foundation.retrying import in_transaction
from crm.staff.models import User

tags_merged = Signal()
"""Sent inside the transaction with `kept` and `dropped` before the dropped tag is deleted: what names it otherwise than
by a foreign key names `kept` from now on.
"""

AT_ONCE = 50


@in_transaction
def change(
    contacts: ContactQuerySet, *, add: Sequence[Tag] = (), remove: Sequence[Tag] = (), by: User, reason: str = ""
) -> int:
    """Put tags on and take tags off these contacts, at most AT_ONCE of them, in one transaction; how many changed.
    Restricted people are left alone. What is in both is put on.
    """
    rows = list(
        contacts.filter(restricted_at=None).select_for_update(no_key=True, of=("self",)).order_by("pk")[:AT_ONCE]
    )
    reason = line(reason, REASON_MAX)
    wanted = {tag.pk: tag for tag in add}
    unwanted = {tag.pk: tag for tag in remove if tag.pk not in wanted}
    has = set(ContactTag.objects.filter(contact__in=rows).values_list("contact_id", "tag_id"))
    told: list[tuple[Contact, log.Changes]] = []
    for row in rows:
        added = [tag for pk, tag in wanted.items() if (row.pk, pk) not in has]
        gone = [tag for pk, tag in unwanted.items() if (row.pk, pk) in has]
        if not added and not gone:
            continue
        row.contact_tags.filter(tag__in=gone).delete()
        ContactTag.objects.bulk_create(
            [ContactTag(contact=row, tag=tag, added_by=by, reason=reason) for tag in added], ignore_conflicts=True
        )
        row.version += 1
        row.save(update_fields=["version"])
        history = [ContactChange(field="tag", before=tag.name) for tag in gone]
        history += [ContactChange(field="tag", after=tag.name) for tag in added]
        for one in history:
            one.contact, one.user, one.version = row, by, row.version
        ContactChange.objects.bulk_create(history)
        told.append((row, {"tags": [[tag.name for tag in gone], [tag.name for tag in added]]}))
        contact_changed.send(Contact, contact=row)
    log.record_each("changed", told, by=by)
    return len(told)


@in_transaction
def merge(dropped: Tag, kept: Tag, *, by: User) -> Tag:
    """Whatever has `dropped` has `kept` instead, and `dropped` is gone; raises InvalidValue for the same one."""
    rows = {tag.pk: tag for tag in Tag.objects.select_for_update().filter(pk__in=(dropped.pk, kept.pk)).order_by("pk")}
    if len(rows) < 2:
        raise InvalidValue(_("Choose two different tags that are still there."), field="into")
    dropped, kept = rows[dropped.pk], rows[kept.pk]
    tags_merged.send(Tag, kept=kept, dropped=dropped)
    repoint(dropped, kept)
    log.record("merged", kept, by=by, changes={"tag": [dropped.name, kept.name]})
    dropped.delete()
    return kept
