"""How many a rule describes, within a limited time: the number, how they stand by consent, and ten of them."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from crm.consent.models import Consent, Purpose, State
from crm.contacts import masking
from crm.contacts.contact_models import ContactQuerySet
from crm.contacts.models import Contact
from crm.foundation.limited import TookTooLong, at_most
from crm.segments import rules, sentence
from crm.segments.contact_fields import CHANNEL, UNKNOWN
from crm.segments.fields import Catalogue
from crm.staff.models import User

SECONDS = 2.0
MANY = 10_000
SAMPLES = 10

# Facts that a preview counts beside the whole, by name: label and condition on Contact.
_splits: dict[str, tuple[Any, Callable[[], Q]]] = {}


def register_split(name: str, label: Any, condition: Callable[[], Q]) -> None:
    """Let previews say how many of a segment are so."""
    _splits[name] = (label, condition)


@dataclass(frozen=True)
class Tally:
    """A count; `is_exact` False: more than `number`, or (None) nobody knows, because counting took too long."""

    number: int | None
    is_exact: bool = True

    def __str__(self) -> str:
        if self.number is None:
            return _("too many to count in time")
        number = number_format(self.number, use_l10n=True, force_grouping=True)
        return number if self.is_exact else _("more than %(number)s") % {"number": number}


@dataclass(frozen=True)
class Preview:
    """What a rule would find. `consent`: granted, withdrawn and unknown for marketing; empty if it took too long."""

    total: Tally
    sentence: str
    consent: Mapping[str, int] = field(default_factory=dict)
    splits: Mapping[str, tuple[Any, int]] = field(default_factory=dict)
    samples: tuple[Contact, ...] = ()


def tally(rows: ContactQuerySet) -> Tally:
    """How many there are: exactly if that takes 2 s at most, else whether more than 10,000."""
    try:
        with at_most(SECONDS):
            return Tally(rows.order_by().count())
    except TookTooLong:
        pass
    number = _within(lambda: rows.order_by().values("pk")[: MANY + 1].count())
    return Tally(None, is_exact=False) if number is None else Tally(min(number, MANY), is_exact=number <= MANY)


def preview(rule: Any, user: User) -> Preview:
    """Count a rule for whoever builds it; raises BrokenRule."""
    catalogue = Catalogue()
    rows = rules.contacts(rule, user, catalogue)
    total = tally(rows)
    words = sentence.of(rule, catalogue)
    samples = _within(lambda: tuple(rows.defer("search_text").order_by("-pk")[:SAMPLES])) or ()
    if not total.is_exact or total.number is None:
        return Preview(total, words, samples=samples)
    splits = {}
    for name, (label, condition) in _splits.items():
        number = _within(functools.partial(_count_of, rows, condition()))
        if number is not None:
            splits[name] = (label, number)
    return Preview(total, words, _consent(rows, total.number), splits, samples)


def consent_words() -> dict[str, str]:
    """What the parts of `Preview.consent` are called."""
    return {state.value: str(state.label) for state in State} | {UNKNOWN: _("Never asked")}


def sample_rows(preview: Preview, user: User) -> list[dict[str, Any]]:
    """The samples as this user may see them."""
    return [
        {"id": contact.pk, "name": masking.name(contact.name, user), "phone": masking.phone(contact.phone, user)}
        for contact in preview.samples
    ]


def _consent(rows: ContactQuerySet, total: int) -> dict[str, int]:
    said = Consent.objects.filter(channel=CHANNEL, purpose=Purpose.MARKETING, contact__in=rows.order_by().values("pk"))
    found = _within(lambda: dict(said.order_by().values_list("state").annotate(number=Count("pk"))))
    if found is None:
        return {}
    parts = {state.value: found.get(state.value, 0) for state in State}
    return parts | {UNKNOWN: max(0, total - sum(parts.values()))}


def _count_of(rows: ContactQuerySet, condition: Q) -> int:
    return rows.filter(condition).order_by().count()


def _within[T](question: Callable[[], T]) -> T | None:
    try:
        with at_most(SECONDS):
            return question()
    except TookTooLong:
        return None
