"""A merge taken back: the state before, with what happened since where the two do not contradict each other."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from crm.audit import log
from crm.contacts.models import ChannelIdentity, Contact
from crm.contacts.profile import contact_changed
from crm.foundation import clock
from crm.foundation.repointing import keys_to, relations_to
from crm.foundation.retrying import in_transaction
from crm.merging import rules, values
from crm.merging.errors import CannotUndo
from crm.merging.models import MergeRecord
from crm.merging.rows import plain, still_whole, unpacked, value
from crm.staff.models import User


@in_transaction
def undo(record: MergeRecord, *, by: User) -> Contact:
    """Take a merge back; returns the contact that is there again. Raises CannotUndo.

    What moved goes back as it is now, what was put away comes back as it was, what the merge wrote is unwritten unless
    somebody wrote over it since. What is new since stays, but for what an account that goes back did.
    """
    record, kept = _locked(record)
    is_same = record.summary.get("into") == record.kept_id  # else it went on into another one, by itself
    inbound = kept.last_inbound_at
    if is_same:
        values.put_back(kept, record.kept_before)
    kept.version += 1
    kept.save()
    restored = _bring_back(record)
    _move_back(record, kept, restored)
    _let_follow(kept, restored)
    _change_back(record)
    _unwrite(record)
    _restore(record)
    rules.undo_by_hand(record.lost.get("notes", {}) if is_same else {}, kept, restored)
    _give_back_inbound(record, inbound, kept, restored)
    for contact in (kept, restored):
        contact.refresh_search_text()
        contact.save()
    _close(record, by)
    for contact in (kept, restored):
        log.record("merge_undone", contact, by=by, changes={"contact": [kept.pk, restored.pk]})
        contact_changed.send(Contact, contact=contact)
    return restored


def is_by_itself(record: MergeRecord) -> bool:
    """WhatsApp said that two accounts are one: nobody decided it, and nobody takes it back."""
    return bool(record.summary.get("by_itself"))


def why_not(record: MergeRecord) -> str:
    """Why a merge cannot be taken back, "" if it can."""
    if record.undone_at is not None:
        return _("This merge has been taken back already.")
    if is_by_itself(record):
        return _("WhatsApp itself said that the two accounts are one: this cannot be taken back. Split them instead.")
    later = MergeRecord.objects.filter(kept=record.kept_id, undone_at=None, pk__gt=record.pk)
    if any(not is_by_itself(one) for one in later):
        return _("Another contact was merged into this one later. Take that merge back first.")
    return ""


def _locked(record: MergeRecord) -> tuple[MergeRecord, Contact]:
    kept = Contact.objects.select_for_update(of=("self",)).filter(merges=record.pk).first()
    found = MergeRecord.objects.select_for_update(of=("self",)).filter(pk=record.pk, kept=kept).first()
    if kept is None or found is None:
        raise CannotUndo(_("This merge is no longer there."))
    if sentence := why_not(found):
        raise CannotUndo(sentence)
    return found, kept


def _bring_back(record: MergeRecord) -> Contact:
    """The contact that went, as it was; an external id that another one has by now is that one's."""
    [restored] = still_whole([unpacked(Contact, record.dropped)])
    taken = Contact.objects.filter(external_id=restored.external_id)
    if restored.external_id is not None and taken.exists():
        restored.external_id = None
    restored.version += 1
    Contact._base_manager.bulk_create([restored])
    return restored


def _move_back(record: MergeRecord, kept: Contact, restored: Contact) -> None:
    for label, fields in record.moved.items():
        for name, keys in fields.items():
            rows = apps.get_model(label)._base_manager.filter(pk__in=keys, **{name: kept})
            list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
            rows.update(**{name: restored})


def _let_follow(kept: Contact, restored: Contact) -> None:
    """What accounts that went back did since then is theirs: rows that name both an account and its contact."""
    accounts = ChannelIdentity.objects.filter(contact=restored)
    for model, key in relations_to(Contact):
        for field in keys_to(model, ChannelIdentity):
            rows = model._base_manager.filter(**{key.name: kept, f"{field}__in": accounts.values("pk")})
            rows.update(**{key.name: restored})


def _change_back(record: MergeRecord) -> None:
    for label, rows in record.lost.get("changed", {}).items():
        model = apps.get_model(label)
        for pk, pairs in rows.items():
            row = model._base_manager.filter(pk=pk).first()
            if row is None or any(plain(getattr(row, name)) != after for name, (_before, after) in pairs.items()):
                continue
            before = {name: value(model, name, pair[0]) for name, pair in pairs.items()}
            try:
                with transaction.atomic():
                    model._base_manager.filter(pk=pk).update(**before)
            except IntegrityError:
                continue  # something else is in its place since


def _unwrite(record: MergeRecord) -> None:
    for label, keys in record.lost.get("made", {}).items():
        apps.get_model(label)._base_manager.filter(pk__in=keys).delete()


def _restore(record: MergeRecord) -> None:
    for label, rows in record.lost.get("away", {}).items():
        model = apps.get_model(label)
        whole = still_whole([unpacked(model, row) for row in rows])
        model._base_manager.bulk_create(whole, ignore_conflicts=True)


def _give_back_inbound(record: MergeRecord, now: dt.datetime | None, kept: Contact, restored: Contact) -> None:
    """Who wrote since, by when their accounts were last seen."""
    pair: Mapping[str, Any] = record.kept_before
    before, merged = pair.get("last_inbound_at", (plain(kept.last_inbound_at),) * 2)
    if now is None or plain(now) == merged:
        return
    seen = {
        contact.pk: any(at >= now for at in contact.identities.values_list("last_seen_at", flat=True))
        for contact in (kept, restored)
    }
    if seen[restored.pk]:
        restored.last_inbound_at = now
        if not seen[kept.pk]:
            kept.last_inbound_at = value(Contact, "last_inbound_at", before)


def _close(record: MergeRecord, by: User) -> None:
    """The record says that it happened, and no longer what: that is with the two people again."""
    record.undone_at, record.undone_by = clock.now(), by
    record.dropped, record.kept_before, record.moved, record.lost = {}, {}, {}, {}
    record.summary = {"into": record.summary.get("into"), "moved": record.summary.get("moved", {})}
    record.save()
