"""Two contacts become one: every row of the one that goes is the kept one's, and a record can take it back."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from crm.audit import log
from crm.contacts.models import Contact, ContactChange
from crm.contacts.profile import contact_changed
from crm.foundation.retrying import in_transaction
from crm.merging import rules, values
from crm.merging.errors import CannotMerge, Merged
from crm.merging.journal import DROPPED, KEPT, Journal
from crm.merging.models import MergeRecord
from crm.merging.rows import packed
from crm.staff.models import User

_vetoes: list[Callable[[int], None]] = []


def unless(veto: Callable[[int], None]) -> None:
    """Ask this of the key of each contact, locked, before it is merged by hand: it may raise a refusal."""
    _vetoes.append(veto)


@in_transaction
def merge(kept: Contact, dropped: Contact, *, by: User, choices: Mapping[str, str] | None = None) -> MergeRecord:
    """Make `dropped` part of `kept`. `choices` says per field whose value counts ("kept", "dropped"): `values.CHOSEN`,
    "attributes.<key>", "phone", "email". Raises CannotMerge.
    """
    kept, dropped = _locked(kept.pk, dropped.pk)
    record = _join(Journal(kept, dropped, choices=_checked(choices or {})), by)
    contact_changed.send(Contact, contact=kept)
    return record


@in_transaction
def absorb(kept: Contact, gone: Contact) -> None:
    """Two accounts turned out to be one, and so are their contacts (the way `identities.join` goes). WhatsApp itself
    said so: the record is not taken back. `kept` is up to date then.
    """
    pair = {row.pk: row for row in _lock(kept.pk, gone.pk)}
    _join(Journal(pair[kept.pk], pair[gone.pk]), None)
    kept.refresh_from_db()


def _join(journal: Journal, by: User | None) -> MergeRecord:
    kept, dropped = journal.kept, journal.dropped
    before, seen, gone = packed(kept), log.snapshot(kept), packed(dropped)
    log.record("merged", dropped, by=by, changes={"merged_into": [None, kept.pk]})
    gave_way = values.merge(journal)
    rules.merge_rows(journal)
    # Not `delete()`: a row that still belongs to it is an error, not something that goes along.
    Contact._base_manager.filter(pk=dropped.pk)._raw_delete(transaction.get_connection().alias)
    pairs = values.changed(before, kept)
    kept.version = max(kept.version, dropped.version) + 1
    kept.refresh_search_text()
    kept.save()
    if by is not None:
        journal.note_made(*_history(kept, pairs, by))
    moved = {label: sum(map(len, fields.values())) for label, fields in journal.moved.items()}
    summary = {
        "into": kept.pk, "name": _name_of(gone), "taken": sorted(pairs), "gave_way": gave_way, "moved": moved,
        "by_itself": by is None,
    }  # fmt: skip
    changes = log.difference(seen, log.snapshot(kept))
    log.record("merged", kept, by=by, changes=changes | {log.ABSORBED: [None, gone["id"]]})
    return MergeRecord.objects.create(
        kept=kept, dropped_id=gone["id"], dropped=gone, kept_before=pairs, moved=journal.moved, lost=journal.lost,
        summary=summary, merged_by=by,
    )  # fmt: skip


def _history(kept: Contact, pairs: Mapping[str, list[Any]], by: User) -> list[ContactChange]:
    """What the merge wrote into the kept contact, so that a form opened before is not saved over it. The phone is left
    out: what is there is what staff wrote (`identities.refresh_contact`).
    """
    rows = []
    for column, (before, after) in pairs.items():
        if column == "attributes":
            changed = [key for key in sorted({**before, **after}) if before.get(key) != after.get(key)]
            rows += [(f"{values.ATTRIBUTE}{key}", before.get(key), after.get(key)) for key in changed]
        elif column.removesuffix("_id") in ("stage", "owner"):
            rows.append((column.removesuffix("_id"), None, str(getattr(kept, column.removesuffix("_id")))))
        elif column in values.CHOSEN:
            rows.append((column, before, after))
    return ContactChange.objects.bulk_create(
        ContactChange(contact=kept, field=name, before=before, after=after, version=kept.version, user=by)
        for name, before, after in rows
    )


def ask(*locked: int) -> None:
    """Whether anything speaks against taking rows to or from these contacts; raises what a veto does."""
    for veto, pk in itertools.product(_vetoes, locked):
        veto(pk)


def _locked(kept: int, dropped: int) -> tuple[Contact, Contact]:
    """Both, up to date; raises CannotMerge."""
    if kept == dropped:
        raise CannotMerge(_("This is the same contact. Choose another one."))
    found = {row.pk: row for row in _lock(kept, dropped)}
    for pk in (kept, dropped):
        if pk in found:
            continue
        if into := where(pk):
            raise CannotMerge(_("One of them has been merged into another contact already."), merged_into=into)
        raise CannotMerge(_("One of these contacts is no longer there."))
    ask(kept, dropped)
    if Contact.Kind.GROUP in {row.kind for row in found.values()}:
        raise CannotMerge(_("A group is not a person: it cannot be merged."))
    return found[kept], found[dropped]


def where(pk: int) -> int | None:
    """The contact that one which is gone is part of now."""
    records = MergeRecord.objects.filter(dropped_id=pk, undone_at=None).order_by("-pk")
    return records.values_list("kept_id", flat=True).first()


def refuse(pk: int, user: User) -> None:
    """Raise Merged for a contact that is part of one this user may see."""
    into = where(pk)
    if into is not None and Contact.objects.visible_to(user).filter(pk=into).exists():
        raise Merged(_("This contact has been merged into another one."), merged_into=into)


def refuse_external_id(external_id: str, user: User) -> None:
    """The same for what another system calls a contact that is gone; merging kept the other one's id."""
    gone = MergeRecord.objects.filter(dropped__external_id=external_id, undone_at=None).order_by("-pk").first()
    if gone is not None:
        refuse(gone.dropped_id, user)


def _lock(*keys: int) -> list[Contact]:
    return list(Contact.objects.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk"))


def _checked(choices: Mapping[str, str]) -> dict[str, str]:
    known = {*values.CHOSEN, *values.POINTS}
    for name, whose in choices.items():
        if whose not in (KEPT, DROPPED) or not (name in known or name.startswith(values.ATTRIBUTE)):
            raise CannotMerge(_("“%(name)s” is not a field one can choose a value for.") % {"name": name})
    return dict(choices)


def _name_of(row: Mapping[str, Any]) -> str:
    return str(row["name"] or row["phone"] or "")
