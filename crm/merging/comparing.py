"""Two contacts side by side, as a manager sees them before deciding."""

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from crm.audit.words import when
from crm.consent.models import Consent
from crm.contacts import attributes, masking
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint, CustomAttribute
from crm.contacts.reading import language_name
from crm.contacts.timeline import label_of
from crm.foundation.repointing import relations_to
from crm.merging import values

# Counted beside the rows that are shown in full, or of no use for telling two people apart.
_UNCOUNTED = frozenset(
    {"contactpoint", "channelidentity", "contacttag", "consent", "duplicatepair", "accesslogentry", "importrow",
     "contactchange"}
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One thing both are compared by; `is_choice`: both say something else, and one of it can stay."""

    name: str
    label: str
    first: str
    second: str
    is_choice: bool = False

    @property
    def is_same(self) -> bool:
        """Whether there is nothing to choose or to think about."""
        return self.first == self.second


@dataclass
class _Side:
    """What is shown of one contact."""

    contact: Contact
    points: list[ContactPoint] = field(default_factory=list)
    accounts: list[ChannelIdentity] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    consents: list[Consent] = field(default_factory=list)


def both(first: int, second: int) -> tuple[Contact, Contact] | None:
    """The two, with what is counted of them; None if one is gone. One query."""
    rows = Contact.objects.filter(pk__in=(first, second)).select_related("stage", "owner").annotate(**_counts())
    found = {row.pk: row for row in rows}
    return (found[first], found[second]) if len(found) == 2 and first != second else None


def lines(first: Contact, second: Contact) -> list[Line]:
    """Field by field; five queries."""
    one, other = _sides(first, second)
    choices = set(values.choices_of(first, second))
    customs = dict(CustomAttribute.objects.values_list("key", "label"))
    found = []
    for name in (*values.POINTS, *values.CHOSEN):
        if name in values.POINTS:
            mine, theirs = _first_point(one, name), _first_point(other, name)
            is_choice = bool(mine and theirs and mine != theirs)
        else:
            mine, theirs = _shown(first, name), _shown(second, name)
            is_choice = name in choices
        found.append(Line(name, label_of(name), mine, theirs, is_choice))
    for key in dict.fromkeys([*first.attributes, *second.attributes]):
        name = f"{values.ATTRIBUTE}{key}"
        said = [attributes.shown(contact.attributes[key]) if key in contact.attributes else ""
                for contact in (first, second)]  # fmt: skip
        found.append(Line(name, customs.get(key, key), said[0], said[1], name in choices))
    return found + _facts(one, other)


def _facts(one: _Side, other: _Side) -> list[Line]:
    """What goes along as it is."""
    rows = [
        ("points", _("Further phones and e-mails"), _points),
        ("accounts", _("Accounts"), _accounts),
        ("tags", _("Tags"), lambda side: ", ".join(side.tags)),
        ("consents", _("Consents"), _consents),
        ("restricted_at", _("Restricted"), lambda side: _moment(side.contact.restricted_at)),
        ("last_inbound_at", _("Last wrote"), lambda side: _moment(side.contact.last_inbound_at)),
        ("created_at", _("Known since"), lambda side: _moment(side.contact.created_at)),
    ]
    found = [Line(name, label, read(one), read(other)) for name, label, read in rows]
    for name, label in _counted().items():
        numbers = [getattr(side.contact, name) for side in (one, other)]
        found.append(Line(name, label, str(numbers[0] or ""), str(numbers[1] or "")))
    return [line for line in found if line.first or line.second]


def _sides(*contacts: Contact) -> list[_Side]:
    sides = {contact.pk: _Side(contact) for contact in contacts}
    for point in ContactPoint.objects.filter(contact__in=sides, until=None).order_by("kind", "-is_primary", "pk"):
        sides[point.contact_id].points.append(point)
    for account in ChannelIdentity.objects.filter(contact__in=sides).order_by("pk"):
        sides[account.contact_id].accounts.append(account)
    tagged = Contact.tags.through._base_manager.filter(contact__in=sides).order_by("tag__name")
    for contact, name in tagged.values_list("contact_id", "tag__name"):
        sides[contact].tags.append(name)
    for consent in Consent.objects.filter(contact__in=sides).order_by("channel", "purpose"):
        sides[consent.contact_id].consents.append(consent)
    return list(sides.values())


def _first_point(side: _Side, kind: str) -> str:
    first = next((point for point in side.points if point.kind == kind and point.is_primary), None)
    return masking.point(kind, first.value) if first else ""


def _points(side: _Side) -> str:
    return ", ".join(masking.point(point.kind, point.value) for point in side.points if not point.is_primary)


def _accounts(side: _Side) -> str:
    shown = []
    for account in side.accounts:
        number = masking.phone(f"+{account.wa_id}") if account.wa_id else ""
        name = masking.name(account.username or account.profile_name)
        shown.append(" ".join(part for part in (account.channel, number or account.user_id, name) if part))
    return "\n".join(shown)


def _consents(side: _Side) -> str:
    return "\n".join(f"{one.get_purpose_display()}: {one.get_state_display()}" for one in side.consents)


def _moment(moment: Any) -> str:
    return when(moment) if moment else ""


def _shown(contact: Contact, name: str) -> str:
    if name == "name":
        return contact.title if contact.name else ""
    if name == "kind":
        return contact.get_kind_display()
    said = getattr(contact, name)
    return language_name(said) if name == "language" and said else str(said or "")


def _counted() -> dict[str, str]:
    """What of a contact is counted, and what it is called."""
    return {
        f"count_{model._meta.model_name}": str(capfirst(model._meta.verbose_name_plural))
        for model, _key in relations_to(Contact)
        if model._meta.model_name not in _UNCOUNTED
    }


def _counts() -> dict[str, Any]:
    counts = {}
    for model, key in relations_to(Contact):
        if model._meta.model_name in _UNCOUNTED:
            continue
        mine = model._base_manager.filter(**{key.name: OuterRef("pk")}).order_by().values(key.name)
        number = Subquery(mine.annotate(number=Count("pk")).values("number"))
        counts[f"count_{model._meta.model_name}"] = Coalesce(number, 0)
    return counts
