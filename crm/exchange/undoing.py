"""Taking an import back: new contacts go, changed values become what they were, wherever nobody has been since."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from crm.consent import ledger
from crm.consent.models import Consent, ConsentEvent, State
from crm.contacts.models import Contact, ContactChange, ContactPoint, ContactTag, LifecycleStage
from crm.contacts.profile import ATTRIBUTE, contact_changed
from crm.exchange import jobs
from crm.exchange.models import ImportJob, ImportRow
from crm.exchange.writing import WRITTEN, reason_of
from crm.foundation.rows import update_rows
from crm.staff.models import User

# What may hang on a contact that an import made and nobody has used since.
OWN = ("crm.contactpoint", "crm.contacttag", "crm.consent", "crm.consentevent", "crm.importrow", "crm.segmentmember",
       "crm.duplicatepair", "crm.accesslogentry")  # fmt: skip


def undo(job: ImportJob, by: User) -> Iterator[None]:
    """The steps of it."""
    while True:
        committed = job.rows.filter(is_committed=True, is_undone=False, number__gt=job.done).order_by("number")
        rows = list(committed[: jobs.at_once()])
        if not rows:
            break
        with transaction.atomic():
            _take_back(rows, job, by)
            jobs.advance(job, done=rows[-1].number)
        yield
    jobs.done(job)


def _take_back(rows: Sequence[ImportRow], job: ImportJob, by: User) -> None:
    keys = {row.contact_id for row in rows if row.contact_id is not None}
    found = Contact.objects.select_for_update(no_key=True, of=("self",)).prefetch_related("identities")
    contacts = {contact.pk: contact for contact in found.filter(pk__in=keys).order_by("pk")}
    fresh = [row for row in rows if row.outcome == ImportRow.Outcome.NEW and row.contact_id in contacts]
    used = _used([contacts[row.contact_id or 0] for row in fresh], job)
    gone: list[Contact] = []
    for row in fresh:
        if row.contact_id in used:
            row.reason = _("Not taken back: the contact has been used or changed since.")
        else:
            gone.append(contacts[row.contact_id or 0])
            row.contact_id = None
    _forget_grants(list(contacts), job)
    _delete(gone)
    told = [(row, contacts[row.contact_id or 0]) for row in rows if row.before and row.contact_id in contacts]
    _restore(told, job, by)
    for row in rows:
        row.is_undone = True
    update_rows(rows, ["is_undone", "reason", "contact"])


def _used(contacts: Iterable[Contact], job: ImportJob) -> set[int]:
    """Those that something other than the import hangs on, or that somebody has changed."""
    contacts = list(contacts)
    keys = [contact.pk for contact in contacts]
    found = {contact.pk for contact in contacts if contact.version > 1 or contact.last_inbound_at}
    for relation in Contact._meta.related_objects:
        rows = relation.related_model._base_manager
        name = relation.field.name
        if relation.related_model._meta.label_lower in OWN:
            continue
        found |= set(rows.filter(**{f"{name}__in": keys}).values_list(name, flat=True))
    heard = ConsentEvent.objects.filter(contact__in=keys)
    heard = heard.exclude(source__in=(ledger.Source.IMPORT, ledger.Source.SUPPRESSED))
    others = ImportRow.objects.filter(contact__in=keys, is_committed=True, is_undone=False).exclude(job=job)
    return found | set(heard.values_list("contact", flat=True)) | set(others.values_list("contact", flat=True))


def _forget_grants(keys: Sequence[int], job: ImportJob) -> None:
    """Nobody has said what a wrong file said in their name; who withdrew by it stays withdrawn."""
    said = ConsentEvent.objects.filter(contact__in=keys, source=ledger.Source.IMPORT, state=State.GRANTED)
    events = list(said.filter(evidence__import=job.pk))
    if not events:
        return
    with ledger.opened():
        Consent.objects.filter(event__in=events).delete()
        ConsentEvent._base_manager.filter(pk__in=[event.pk for event in events]).delete()
    ledger.refresh_many({(event.contact_id, event.channel, event.purpose) for event in events})


def _delete(contacts: Sequence[Contact]) -> None:
    if contacts:
        with ledger.opened():
            Contact.objects.filter(pk__in=[contact.pk for contact in contacts]).delete()


def _restore(rows: Sequence[tuple[ImportRow, Contact]], job: ImportJob, by: User) -> None:
    """Changed contacts: what still is as the import wrote it becomes what it was."""
    tagged, pointed = _tags_of(rows, job), _points_of(rows)
    stages = {stage.pk: stage.name for stage in LifecycleStage.objects.all()}
    history: list[ContactChange] = []
    for row, contact in rows:
        before: dict[str, Any] = row.before or {}
        changes: list[ContactChange] = []
        kept = _set_back(contact, before["values"], stages, changes)
        attributes = dict(contact.attributes)
        for key, (old, new) in before["attributes"].items():
            if attributes.get(key) != new:
                kept.append(key)
                continue
            changes.append(ContactChange(field=f"{ATTRIBUTE}{key}", before=new, after=old))
            attributes = {name: value for name, value in attributes.items() if name != key}
            attributes |= {} if old is None else {key: old}
        contact.attributes = attributes
        changes += _without_points(contact, [pointed.get((contact.pk, key)) for key in before["points"]])
        for name in before["tags"]:
            link = tagged.get((contact.pk, name))
            if link is not None:
                changes.append(ContactChange(field="tag", before=link.tag.name))
                link.delete()
        if kept:
            row.reason = (_("Changed by somebody since, and left: %(fields)s.") % {"fields": ", ".join(kept)})[:300]
        if changes:
            contact.version += 1
            contact.refresh_search_text()
            for change in changes:
                change.contact, change.user, change.version = contact, by, contact.version
            history += changes
    update_rows([contact for _row, contact in rows], WRITTEN)
    ContactChange.objects.bulk_create(history)
    for _row, contact in rows:
        contact_changed.send(Contact, contact=contact)


def _set_back(
    contact: Contact, values: Mapping[str, Any], stages: Mapping[int, str], changes: list[ContactChange]
) -> list[str]:
    """The columns that are as the import left them get what they had; the others are returned."""
    kept = []
    for name, (old, new) in values.items():
        attribute, is_stage = ("stage_id", True) if name == "stage" else (name, False)
        if name == "is_name_confirmed":
            continue
        if getattr(contact, attribute) != new or (is_stage and old not in (None, *stages)):
            kept.append(name)
            continue
        setattr(contact, attribute, old)
        shown = [stages.get(one) for one in (new, old)] if is_stage else [new, old]
        changes.append(ContactChange(field=name, before=shown[0], after=shown[1]))
    if "name" in values and "name" not in kept:
        contact.is_name_confirmed = values["is_name_confirmed"][0]
    return kept


def _tags_of(rows: Sequence[tuple[ImportRow, Contact]], job: ImportJob) -> dict[tuple[int, str], ContactTag]:
    """Those that the import put on, and nobody again since."""
    keys = [contact.pk for row, contact in rows if (row.before or {}).get("tags")]
    links = ContactTag.objects.filter(contact__in=keys, reason=reason_of(job)).select_related("tag")
    return {(link.contact_id, link.tag.name.casefold()): link for link in links}


def _points_of(rows: Sequence[tuple[ImportRow, Contact]]) -> dict[tuple[int, int], ContactPoint]:
    """Those that the import added."""
    keys = [key for row, _contact in rows for key in (row.before or {}).get("points", [])]
    return {(point.contact_id, point.pk): point for point in ContactPoint.objects.filter(pk__in=keys, until=None)}


def _without_points(contact: Contact, points: Iterable[ContactPoint | None]) -> list[ContactChange]:
    """Phones and e-mails that were added are gone, without a trace of having been the contact's."""
    changes = []
    for point in points:
        if point is None:
            continue
        point.delete()
        if not point.is_primary:
            changes.append(ContactChange(field={"phone": "phones", "email": "emails"}[point.kind], before=point.value))
            continue
        changes.append(ContactChange(field=point.kind, before=point.value))
        following = contact.points.filter(kind=point.kind, until=None).order_by("pk").first()
        if following is not None:
            following.is_primary = True
            following.save(update_fields=["is_primary"])
        if point.kind == ContactPoint.Kind.PHONE:
            contact.phone = following.value if following else None
    return changes
