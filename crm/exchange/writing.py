"""Rows of a file become contacts: few statements for many rows, with the records that a person's change leaves."""

import datetime as dt
import itertools
from collections.abc import Sequence
from typing import Any

from django.db.models import Model

from crm.consent import ledger
from crm.contacts import addresses, points, profile
from crm.contacts.models import Contact, ContactChange, ContactPoint, ContactTag, Tag
from crm.contacts.profile import contact_changed
from crm.exchange.matching import Decision, Outcome
from crm.exchange.models import ImportJob, ImportRow
from crm.foundation import clock
from crm.foundation.rows import update_rows
from crm.foundation.search import search_text
from crm.staff.models import User

WRITTEN = (
    "name", "is_name_confirmed", "kind", "phone", "company", "language", "country", "time_zone", "stage",
    "external_id", "attributes", "version", "search_text",
)  # fmt: skip
REASON = "import"


def write(decisions: Sequence[Decision], job: ImportJob, by: User, tags: dict[str, Tag]) -> None:
    """Carry out what was decided, inside the caller's transaction; `decision.contact` is set for each one written.
    `tags`: by folded name, new ones are put in.
    """
    fresh = [one for one in decisions if one.outcome == Outcome.NEW]
    changed = [one for one in decisions if one.outcome == Outcome.UPDATE]
    before = {one.given.number: _before(one) for one in changed}
    _make(fresh, by)
    history = _change(changed, by, before)
    _tag([*fresh, *changed], history, by, tags, reason_of(job))
    _store_changed(changed, history, by)
    _consent([*fresh, *changed], job, by)
    _note_rows(decisions, job, before)
    for one in changed:
        if one.contact is not None:
            contact_changed.send(Contact, contact=one.contact)


def reason_of(job: ImportJob) -> str:
    """What stands at the tags that it put on."""
    return f"{REASON} {job.pk}"


def note(decisions: Sequence[Decision], job: ImportJob) -> None:
    """Keep what would become of these rows."""
    ImportRow.objects.bulk_create([_row(one, job) for one in decisions], ignore_conflicts=True)


def _make(fresh: Sequence[Decision], by: User) -> None:
    for one in fresh:
        contact = one.contact = Contact(**one.values, attributes=one.attributes)
        contact.is_name_confirmed = bool(contact.name)
        contact.phone = one.given.phone or None
        contact.refresh_search_text()
        if one.given.email:  # beside the number, behind the separator
            contact.search_text = f"{contact.search_text} {search_text(one.given.email)}"
    Contact.objects.bulk_create([one.contact for one in fresh if one.contact is not None])
    _add_points(fresh, by, clock.now())


def _add_points(decisions: Sequence[Decision], by: User, at: dt.datetime) -> list[ContactPoint]:
    made = [
        ContactPoint(
            contact=one.contact, kind=kind, value=value, match_key=points.key_of(kind, value), is_primary=is_primary,
            added_by=by, added_at=at,
        )
        for one in decisions
        for kind, value, is_primary in one.points
    ]  # fmt: skip
    ContactPoint.objects.bulk_create(made)
    addresses.tell(addresses.Given(point.contact, point.value) for point in made if point.kind == points.PHONE)
    return made


def _change(changed: Sequence[Decision], by: User, before: dict[int, dict[str, Any]]) -> dict[int, list[ContactChange]]:
    """Set the new values (stored later) and say what changed, by contact; `before` gets the points that were added."""
    history: dict[int, list[ContactChange]] = {}
    for one in changed:
        contact = _known(one)
        changes = history[contact.pk] = []
        for name, value in one.values.items():
            stands = getattr(contact, name) if name != "name" or contact.is_name_confirmed else ""
            changes.append(ContactChange(field=name, before=_as_text(stands), after=_as_text(value)))
            setattr(contact, name, value)
        if "name" in one.values:
            contact.is_name_confirmed = True
        for key, value in one.attributes.items():
            changes.append(
                ContactChange(field=f"{profile.ATTRIBUTE}{key}", before=contact.attributes.get(key), after=value)
            )
        contact.attributes = contact.attributes | one.attributes
        for kind, value, is_primary in one.points:
            name = {"phone": "phones", "email": "emails"}[kind]
            if is_primary:
                name = str(kind)
                contact.phone = value if kind == points.PHONE else contact.phone
            changes.append(ContactChange(field=name, after=value))
    made = iter(_add_points(changed, by, clock.now()))
    for one in changed:
        before[one.given.number]["points"] = [point.pk for point in itertools.islice(made, len(one.points))]
    return history


def _store_changed(changed: Sequence[Decision], history: dict[int, list[ContactChange]], by: User) -> None:
    rows = []
    for one in changed:
        contact = _known(one)
        if not history[contact.pk]:
            continue
        contact.version += 1
        if one.values or one.attributes or one.points:
            contact.refresh_search_text()
        rows.append(contact)
        for change in history[contact.pk]:
            change.contact, change.user, change.version = contact, by, contact.version
    update_rows(rows, WRITTEN)
    ContactChange.objects.bulk_create([change for changes in history.values() for change in changes])


def _tag(
    decisions: Sequence[Decision],
    history: dict[int, list[ContactChange]],
    by: User,
    tags: dict[str, Tag],
    reason: str,
) -> None:
    links = []
    for one in decisions:
        contact = _known(one)
        for name in one.tags:
            folded = name.casefold()
            tag = tags.get(folded) or profile.find_or_make_tag(name)
            tags[folded] = tag
            links.append(ContactTag(contact=contact, tag=tag, added_by=by, reason=reason))
            if contact.pk in history:
                history[contact.pk].append(ContactChange(field="tag", after=tag.name))
    ContactTag.objects.bulk_create(links, ignore_conflicts=True)


def _consent(decisions: Sequence[Decision], job: ImportJob, by: User) -> None:
    news = [
        ledger.news(
            _known(one), purpose=purpose, state=state, source=ledger.Source.IMPORT, at=at, by=by,
            evidence={"import": job.pk, "row": one.given.number, "file": job.file_name, "from": source},
        )
        for one in decisions
        for purpose, state, at, source in one.consents
    ]  # fmt: skip
    if news:
        ledger.record_many(news)


def _note_rows(decisions: Sequence[Decision], job: ImportJob, before: dict[int, dict[str, Any]]) -> None:
    rows = []
    for one in decisions:
        row = _row(one, job)
        row.is_committed = one.outcome in (Outcome.NEW, Outcome.UPDATE)
        row.before = before.get(one.given.number)
        rows.append(row)
    ImportRow.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["job", "number"],
        update_fields=["outcome", "contact", "reason", "before", "is_committed"],
    )


def _row(one: Decision, job: ImportJob) -> ImportRow:
    return ImportRow(
        job=job, number=one.given.number, outcome=one.outcome, contact=one.contact, reason=one.reason[:300]
    )


def _before(one: Decision) -> dict[str, Any]:
    """What taking it back needs: each value before and after, and what was added."""
    contact = _known(one)
    values = {name: [_plain(getattr(contact, name)), _plain(value)] for name, value in one.values.items()}
    if "name" in one.values:
        values["is_name_confirmed"] = [contact.is_name_confirmed, True]
    return {
        "values": values,
        "attributes": {key: [contact.attributes.get(key), value] for key, value in one.attributes.items()},
        "tags": [name.casefold() for name in one.tags],
        "consents": [[purpose, state] for purpose, state, _at, _source in one.consents],
    }


def _known(one: Decision) -> Contact:
    if one.contact is None:
        raise ValueError("A row without a contact.")
    return one.contact


def _plain(value: Any) -> Any:
    return value.pk if isinstance(value, Model) else value


def _as_text(value: Any) -> Any:
    """Stages by their name, as the history shows them."""
    return str(value) if isinstance(value, Model) else value
