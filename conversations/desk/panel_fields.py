"""The fields of a contact in the panel: what they show to whom, and what one may choose."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import phonenumbers
from django.db.models import Q
from django.utils.translation import gettext as _

from crm.contacts import localtime, masking, points
from crm.contacts.models import Contact, ContactPoint, CustomAttribute, LifecycleStage
from crm.contacts.profile import ATTRIBUTE
from crm.contacts.reading import language_name
from crm.contacts.timeline import label_of
from crm.staff.models import Membership, Role, User

OF_PEOPLE = ("phone", "email", "company", "language", "stage", "owner", "country", "time_zone", "external_id", "kind")
ADDRESSES = ("phone", "email")
OWNERS_MAX = 500
LANGUAGES = (
    "es", "en", "pt-BR", "pt", "fr", "de", "it", "ca", "eu", "gl", "nl", "pl", "ro", "ru", "uk", "tr", "ar", "he", "hi",
    "id", "ja", "ko", "zh-Hans",
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One value of a contact, edited in place; `mine` is what could not be saved: it has an `error`, or `is_stale`."""

    name: str
    label: str
    value: str
    version: int
    kind: str = "text"
    placeholder: str = ""
    choices: list[tuple[str, str]] = field(default_factory=list)
    max_length: int = 200
    mine: str = ""
    error: str = ""
    is_stale: bool = False

    @property
    def theirs(self) -> str:
        """The present value in words, where somebody else was faster."""
        return dict(self.choices).get(self.value, self.value) or _("empty")

    @property
    def mine_shown(self) -> str:
        """What one wanted, in words."""
        return dict(self.choices).get(self.mine, self.mine) or _("empty")


@dataclass(frozen=True)
class Known:
    """What fields need beside the contact: the present points, the stages, who may own contacts."""

    points: list[ContactPoint]
    stages: list[LifecycleStage]
    owners: list[User]

    @classmethod
    def of(cls, contact: Contact, user: User) -> "Known":
        """Three queries. Who does not see everything chooses among their teams and the managers."""
        staff = User.objects.filter(is_active=True).order_by("name", "pk")
        if not user.sees_everything:
            mates = Membership.objects.filter(team__in=user.memberships.values("team")).values("user")
            staff = staff.filter(Q(pk=user.pk) | Q(role=Role.MANAGER) | Q(pk__in=mates))
        return cls(list(points.current(contact)), list(LifecycleStage.objects.all()), list(staff[:OWNERS_MAX]))


def fields_of(contact: Contact, own: Sequence[CustomAttribute], known: Known, user: User) -> list[Field]:
    """The fields of a contact as this user may see them, its custom attributes last."""
    names = ["name", *(OF_PEOPLE if contact.kind != Contact.Kind.GROUP else ())]
    found = [_field(contact, name, known, user) for name in names]
    return found + [_own_field(contact, attribute) for attribute in own]


def field_of(contact: Contact, name: str, user: User) -> Field | None:
    """One field by its name ("attributes.<key>" for a custom one); None for what is none or not theirs to change."""
    if name.startswith(ATTRIBUTE):
        key = name.removeprefix(ATTRIBUTE)
        found = [attribute for attribute in CustomAttribute.objects.all() if attribute.key == key]
        return _own_field(contact, found[0]) if found else None
    fields = fields_of(contact, (), Known.of(contact, user), user)
    return next((one for one in fields if one.name == name and one.kind != "masked"), None)


def _field(contact: Contact, name: str, known: Known, user: User) -> Field:
    label, version = str(_("E-mail")) if name == "email" else label_of(name), contact.version
    if name == "name":
        value = contact.name if contact.is_name_confirmed or contact.kind == Contact.Kind.GROUP else ""
        called = masking.name(f"~{contact.name}" if contact.name and not value else _("Add a name"), user)
        return Field(name, label, masking.name(value, user), version, placeholder=called)
    if name in ADDRESSES:
        return _address(contact, name, label, known, user)
    if name in ("stage", "owner"):
        return _chosen(contact, name, label, known)
    if name == "language":
        return Field(name, label, contact.language, version, "select", choices=languages(contact.language))
    if name == "kind":
        kinds = [(value, str(word)) for value, word in Contact.Kind.choices if value != Contact.Kind.GROUP]
        return Field(name, label, contact.kind, version, "select", choices=kinds)
    if name == "country":
        by_number = localtime.region_of(contact.phone)
        return Field(name, label, contact.country, version, placeholder=by_number or "ES", max_length=2)
    if name == "time_zone":
        zone = localtime.zone_of(contact.phone)
        return Field(name, label, contact.time_zone, version, placeholder=zone.key if zone else "", max_length=40)
    if name == "external_id":
        return Field(name, label, contact.external_id or "", version, max_length=100)
    return Field(name, label, contact.company, version, placeholder=_("Add a company"))


def _address(contact: Contact, name: str, label: str, known: Known, user: User) -> Field:
    value, version = contact.phone or "", contact.version
    if name == "email":
        value = next((one.value for one in known.points if one.kind == points.EMAIL and one.is_primary), "")
    if value and masking.hides(user):
        return Field(name, label, masking.point(name, value, user), version, "masked")
    if name == "email":
        return Field(name, label, value, version, "email", placeholder=_("Add an e-mail"), max_length=254)
    return Field(name, label, number(value), version, "tel", placeholder="+34 600 123 456", max_length=50)


def _chosen(contact: Contact, name: str, label: str, known: Known) -> Field:
    rows = known.stages if name == "stage" else known.owners
    pk = contact.stage_id if name == "stage" else contact.owner_id
    is_offered = pk is None or any(row.pk == pk for row in rows)
    gone = [] if is_offered else [contact.stage if name == "stage" else contact.owner]
    choices = [("", "—"), *((str(row.pk), str(row)) for row in [*rows, *gone] if row)]
    return Field(name, label, str(pk or ""), contact.version, "select", choices=choices)


def _own_field(contact: Contact, attribute: CustomAttribute) -> Field:
    value, kind = contact.attributes.get(attribute.key), str(attribute.type)
    text = "" if value is None else str(value)
    choices: list[tuple[str, str]] = []
    if attribute.type == CustomAttribute.Type.YES_NO:
        text = {True: "yes", False: "no"}.get(value, "") if isinstance(value, bool) else ""
        kind, choices = "select", [("", "—"), ("yes", _("Yes")), ("no", _("No"))]
    elif attribute.type == CustomAttribute.Type.CHOICE:
        gone = [text] if text and text not in attribute.choices else []  # a choice that is offered no longer
        kind, choices = "select", [("", "—"), *((choice, choice) for choice in [*attribute.choices, *gone])]
    return Field(
        f"{ATTRIBUTE}{attribute.key}", attribute.label, text, contact.version, kind, choices=choices, max_length=500
    )


def number(phone: str | None) -> str:
    """A phone as people read it: "+34 600 12 34 56"."""
    try:
        parsed = phonenumbers.parse(phone or "")
    except phonenumbers.NumberParseException:
        return phone or ""
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def languages(present: str) -> list[tuple[str, str]]:
    """Languages to choose from by name, the present one among them."""
    codes = [*LANGUAGES, *([present] if present and present not in LANGUAGES else [])]
    return [("", "—"), *sorted(((code, language_name(code)) for code in codes), key=lambda pair: pair[1].casefold())]
