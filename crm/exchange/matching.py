"""Who the rows of a file are among the contacts there are, and what each row would change."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from crm.consent import ledger, suppression
from crm.consent.models import Consent, ConsentEvent, State
from crm.contacts import points
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint, ContactTag
from crm.exchange.given import Given
from crm.exchange.models import ImportJob, ImportRow

Outcome = ImportRow.Outcome


@dataclass
class Decision:
    """What becomes of a row: of a new or updated contact also what is written."""

    given: Given
    outcome: str
    contact: Contact | None = None
    reason: str = ""
    values: dict[str, Any] = field(default_factory=dict)  # columns that change
    attributes: dict[str, Any] = field(default_factory=dict)
    points: list[tuple[str, str, bool]] = field(default_factory=list)  # kind, value, whether it is the first
    tags: list[str] = field(default_factory=list)
    consents: list[tuple[str, str, Any, str]] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether anything of a known contact changes."""
        return bool(self.values or self.attributes or self.points or self.tags or self.consents)


@dataclass
class Known:
    """What there is of the people in some rows."""

    contacts: dict[int, Contact] = field(default_factory=dict)
    by_external_id: dict[str, int] = field(default_factory=dict)
    by_phone: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    by_email: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    points: dict[int, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    has_primary: set[tuple[int, str]] = field(default_factory=set)
    tags: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    standing: dict[tuple[int, str], str] = field(default_factory=dict)
    told: set[tuple[int, str, str, Any]] = field(default_factory=set)

    @classmethod
    def of(cls, rows: Iterable[Given], *, locked: bool) -> "Known":
        """Look them up together; `locked`: nobody else changes them until the end of the transaction."""
        rows, known = list(rows), cls()
        keys = {row.phone_key for row in rows} - {""}
        emails = {row.email_key for row in rows if not (row.external_id or row.phone)} - {""}
        ids = {row.external_id for row in rows} - {""}
        if ids:
            named = Contact.objects.filter(external_id__in=ids)
            known.by_external_id = {name or "": pk for name, pk in named.values_list("external_id", "pk")}
        for kind, wanted, found in (
            (points.PHONE, keys, known.by_phone), (points.EMAIL, emails, known.by_email),
        ):  # fmt: skip
            present = ContactPoint.objects.filter(kind=kind, match_key__in=wanted, until=None)
            for key, pk in present.values_list("match_key", "contact") if wanted else ():
                found[key].add(pk)
        accounts = ChannelIdentity.objects.filter(match_key__in=keys)
        for number, pk in accounts.values_list("match_key", "contact") if keys else ():
            known.by_phone[number or ""].add(pk)
        everybody = set(known.by_external_id.values()).union(*known.by_phone.values(), *known.by_email.values())
        if everybody:
            known._read(everybody, locked=locked, with_consents=any(row.consents for row in rows))
        return known

    def _read(self, keys: set[int], *, locked: bool, with_consents: bool) -> None:
        rows = Contact.objects.select_related("stage").prefetch_related("identities").filter(pk__in=keys).order_by("pk")
        if locked:
            rows = rows.select_for_update(no_key=True, of=("self",))
        self.contacts = {row.pk: row for row in rows}
        present = ContactPoint.objects.filter(contact__in=keys, until=None)
        for pk, kind, key, is_primary in present.values_list("contact", "kind", "match_key", "is_primary"):
            self.points[pk].add((kind, key))
            if is_primary:
                self.has_primary.add((pk, kind))
        for pk, name in ContactTag.objects.filter(contact__in=keys).values_list("contact", "tag__name"):
            self.tags[pk].add(name.casefold())
        if not with_consents:
            return
        said = Consent.objects.filter(contact__in=keys, channel=ledger.WHATSAPP)
        self.standing = {(pk, purpose): state for pk, purpose, state in said.values_list("contact", "purpose", "state")}
        events = ConsentEvent.objects.filter(contact__in=keys, source=ledger.Source.IMPORT)
        self.told = set(events.values_list("contact", "purpose", "state", "at"))


def decide(rows: Sequence[Given], job: ImportJob, *, tags: Iterable[str] = (), locked: bool = False) -> list[Decision]:
    """What becomes of each row, by the job's option for known contacts; `tags`: names of those that all of them get.
    Writes nothing; `locked`: the contacts stay as they are until the end of the transaction.
    """
    good = [row for row in rows if not row.problem and not row.same_as]
    known = Known.of(good, locked=locked)
    silent = _opted_out(good, known)
    taken = _taken(job, known, rows[0].number)
    decided = [_decide(row, known, job.options["existing"], list(tags), silent) for row in rows]
    for one in decided:
        if one.contact is None or one.outcome == Outcome.ERROR:
            continue
        first = taken.setdefault(one.contact.pk, one.given.number)
        if first != one.given.number:  # by another of its names
            one.given.same_as = first
            one.outcome, one.reason, one.contact = Outcome.DUPLICATE, _same_as(first), None
    return decided


def _taken(job: ImportJob, known: Known, before: int) -> dict[int, int]:
    """Which of these contacts earlier rows of the file were about."""
    if not known.contacts:
        return {}
    rows = job.rows.filter(contact__in=known.contacts, number__lt=before).order_by("-number")
    rows = rows.exclude(outcome__in=(Outcome.ERROR, Outcome.DUPLICATE))
    return dict(rows.values_list("contact", "number"))


def _decide(row: Given, known: Known, existing: str, tags: list[str], silent: set[tuple[str, str]]) -> Decision:
    if row.problem:
        return Decision(row, Outcome.ERROR, reason=row.problem)
    if row.same_as:
        return Decision(row, Outcome.DUPLICATE, reason=_same_as(row.same_as))
    contact, problem = _find(row, known)
    if problem:
        return Decision(row, Outcome.ERROR, contact, problem)
    if contact is None:
        return _new(row, tags, silent)
    if existing == "skip":
        return Decision(row, Outcome.SAME, contact, _("Known already."))
    found = _changed(row, contact, known, existing, tags)
    found.outcome = Outcome.UPDATE if found.changes else Outcome.SAME
    return found


def _find(row: Given, known: Known) -> tuple[Contact | None, str]:
    """The contact a row means, or why it cannot be said or changed."""
    found = {known.by_external_id[row.external_id]} if row.external_id in known.by_external_id else set()
    by_phone = known.by_phone.get(row.phone_key, set()) if row.phone else set()
    if found and by_phone - found:
        return None, _("The external id is one contact's and the number another's.")
    if not found:
        found = by_phone
    if not found and not row.external_id and not row.phone:
        found = known.by_email.get(row.email_key, set())
    if len(found) > 1:
        return None, _("Several contacts have this number or address. Merge them first.")
    contact = known.contacts.get(next(iter(found))) if found else None
    if contact is None:
        return None, ""
    if contact.restricted_at is not None:
        return contact, _("This person's data is restricted: it is not changed.")
    if contact.kind == Contact.Kind.GROUP:
        return contact, _("This is a WhatsApp group, no person.")
    if row.external_id and contact.external_id and contact.external_id != row.external_id:
        return contact, _("The contact with this number has another external id.")
    return contact, ""


def _new(row: Given, tags: list[str], silent: set[tuple[str, str]]) -> Decision:
    asked = [(points.PHONE, row.phone), (points.EMAIL, row.email)]
    consents = [one for one in row.consents if one[1] == State.WITHDRAWN or (row.phone, one[0]) not in silent]
    return Decision(
        row,
        Outcome.NEW,
        reason="" if len(consents) == len(row.consents) else _opted_out_word(),
        values=dict(row.values),
        attributes=dict(row.attributes),
        points=[(kind, value, True) for kind, value in asked if value],
        tags=list(dict.fromkeys([*row.tags, *tags])),
        consents=consents,
    )


def _changed(row: Given, contact: Contact, known: Known, existing: str, tags: list[str]) -> Decision:
    found = Decision(row, Outcome.SAME, contact)
    pk, overwrites = contact.pk, existing == "update"
    for name, value in row.values.items():
        stands = getattr(contact, name)
        is_ours = name != "name" or contact.is_name_confirmed
        if (stands != value or not is_ours) and (overwrites or not stands or not is_ours):
            found.values[name] = value
    for key, value in row.attributes.items():
        if contact.attributes.get(key) != value and (overwrites or key not in contact.attributes):
            found.attributes[key] = value
    for kind, value, key in ((points.PHONE, row.phone, row.phone_key), (points.EMAIL, row.email, row.email_key)):
        if value and (kind, key) not in known.points[pk]:
            if sum(one == kind for one, _key in known.points[pk]) >= points.MOST:
                found.reason = _("It has too many phones or e-mails: no more are added.")
            else:
                found.points.append((kind, value, (pk, kind) not in known.has_primary))
    found.tags = [name for name in dict.fromkeys([*row.tags, *tags]) if name.casefold() not in known.tags[pk]]
    for consent in row.consents:
        purpose, state, at, _source = consent
        if state == State.GRANTED and known.standing.get((pk, purpose)) == State.WITHDRAWN:
            found.reason = _opted_out_word()
        elif (pk, purpose, state, at) not in known.told:
            found.consents.append(consent)
    return found


def _opted_out(rows: Iterable[Given], known: Known) -> set[tuple[str, str]]:
    """Numbers (with the purpose) of people nobody knows any more, who never want to be written to."""
    asked: Mapping[str, set[str]] = defaultdict(set)
    for row in rows:
        for purpose, state, _at, _source in row.consents:
            if row.phone and state == State.GRANTED:
                asked[purpose].add(row.phone)
    return {
        (number, purpose)
        for purpose, numbers in asked.items()
        for number in suppression.are_suppressed(sorted(numbers), purpose)
    }


def _same_as(number: int) -> str:
    return _("The same person as row %(number)d.") % {"number": number}


def _opted_out_word() -> str:
    return _("They have opted out: the consent is not taken over.")
