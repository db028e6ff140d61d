"""The fields of rules that contacts bring: their columns, tags, custom attributes, consent and frozen segments."""

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

import phonenumbers
from django.conf.locale import LANG_INFO
from django.db.models import Exists, Q
from django.db.models.fields.json import KeyTextTransform
from django.utils.translation import gettext_lazy

from crm.consent.models import Consent, Purpose, State
from crm.contacts import attributes, masking, reading
from crm.contacts.models import Contact, ContactPoint, ContactTag, CustomAttribute, LifecycleStage, Tag
from crm.segments.fields import (
    CONTACT,
    Choices,
    Field,
    Type,
    column,
    filled,
    known,
    register,
    register_source,
    related,
    there_is,
    yes_no,
)
from crm.segments.models import Segment, SegmentMember
from crm.staff.models import User

ATTRIBUTE = "attribute."
PERSON, TOLD = gettext_lazy("Person"), gettext_lazy("Consent")
UNKNOWN = "unknown"
CHANNEL = "whatsapp"
# Numbers of these codes do not say by their first digits alone which country they are of.
_SHARED_CODES = (1, 7)


def _of_name(lookup: str, value: str) -> Q:
    """Some are called by their number or address: who looks and may not see those guesses none, piece by piece."""
    condition = Q(**{f"name__{lookup}": value})
    if not masking.hides():
        return condition
    has_digits = any(char.isdigit() for char in unicodedata.normalize("NFKC", value))
    return Q(pk__in=[]) if has_digits else condition & ~Q(name__regex="[@\uff20\ufe6b]")


def _kinds() -> Choices:
    return {kind.value: str(kind.label) for kind in (Contact.Kind.PERSON, Contact.Kind.EMPLOYEE)}


def _languages() -> Choices:
    """Each by its two or three letters; its regional forms are meant too."""
    codes = {code.partition("-")[0] for code in LANG_INFO}
    names = {code: reading.language_name(code) for code in codes}
    return dict(sorted(names.items(), key=lambda pair: pair[1].casefold()))


def _of_languages(_lookup: str, codes: list[str]) -> Q:
    condition = Q(language__in=codes)
    for code in codes:
        condition |= Q(language__startswith=f"{code}-")
    return condition


def _countries() -> Choices:
    return reading.countries()


def _of_countries(_lookup: str, codes: list[str]) -> Q:
    """By what is written; where nothing is, by the number, as far as its code is of one country."""
    condition = Q(country__in=codes)
    for region in codes:
        code = phonenumbers.country_code_for_region(region)
        if code not in _SHARED_CODES and phonenumbers.region_code_for_country_code(code) == region:
            condition |= Q(country="", phone__startswith=f"+{code}")
    return condition


def _stages() -> Choices:
    return dict(LifecycleStage.objects.values_list("pk", "name"))


def _staff() -> Choices:
    return dict(User.objects.order_by("name", "pk").values_list("pk", "name"))


def tags() -> Choices:
    """Every tag by its key."""
    return dict(Tag.objects.values_list("pk", "name"))


def _frozen() -> Choices:
    return dict(Segment.objects.filter(is_static=True).values_list("pk", "name"))


def _consents() -> Choices:
    return {state.value: str(state.label) for state in State} | {UNKNOWN: str(gettext_lazy("Never asked"))}


def _of_consent(purpose: str) -> Callable[[str, Any], Q]:
    def lookup(_lookup: str, states: list[str]) -> Q:
        said = Consent.objects.filter(contact=CONTACT, channel=CHANNEL, purpose=purpose)
        condition = Q(pk__in=[])
        spoken = [state for state in states if state != UNKNOWN]
        if spoken:
            condition = Q(Exists(said.filter(state__in=spoken)))
        return condition | ~Q(Exists(said)) if UNKNOWN in states else condition

    return lookup


def _attribute_fields() -> Iterable[Field]:
    return [_of_attribute(attribute) for attribute in CustomAttribute.objects.all()]


def _of_attribute(attribute: CustomAttribute) -> Field:
    type_ = {
        CustomAttribute.Type.TEXT: Type.TEXT,
        CustomAttribute.Type.NUMBER: Type.NUMBER,
        CustomAttribute.Type.DATE: Type.DAY,
        CustomAttribute.Type.CHOICE: Type.CHOICE,
        CustomAttribute.Type.YES_NO: Type.YES_NO,
    }[CustomAttribute.Type(attribute.type)]
    choices = {choice: choice for choice in attribute.choices}
    lookup = attributes.lookup(attribute.key)
    return Field(
        f"{ATTRIBUTE}{attribute.key}",
        attribute.label,
        gettext_lazy("Custom attributes"),
        type_,
        _kept_text(attribute.key) if type_ == Type.TEXT else lookup,
        is_set=lambda: lookup("isnull", False),
        choices=(lambda: choices) if type_ == Type.CHOICE else None,
    )


def _kept_text(key: str) -> Callable[[str, Any], Q]:
    """The same of its text."""

    def lookup(name: str, value: Any) -> Q:
        of_key: Any = KeyTextTransform(key, "attributes")
        return Q(of_key.get_lookup(name)(of_key, value))

    return lookup


def _current_email() -> Q:
    return Q(Exists(ContactPoint.objects.filter(contact=CONTACT, kind=ContactPoint.Kind.EMAIL, until=None)))


def add() -> None:
    """Register them; once, at start."""
    register(
        Field("name", gettext_lazy("Name"), PERSON, Type.TEXT, _of_name, filled("name")),
        Field("company", gettext_lazy("Company"), PERSON, Type.TEXT, column("company"), filled("company")),
        Field("kind", gettext_lazy("Kind"), PERSON, Type.CHOICE, column("kind"), choices=_kinds),
        Field(
            "language", gettext_lazy("Language"), PERSON, Type.CHOICE, _of_languages, filled("language"), _languages
        ),
        Field("country", gettext_lazy("Country"), PERSON, Type.CHOICE, _of_countries, choices=_countries),
        Field("stage", gettext_lazy("Lifecycle stage"), PERSON, Type.CHOICE, column("stage"), known("stage"), _stages),
        Field("owner", gettext_lazy("Owner"), PERSON, Type.CHOICE, column("owner"), known("owner"), _staff),
        Field(
            "tags", gettext_lazy("Tags"), PERSON, Type.SET, related(ContactTag, "tag"), there_is(ContactTag), tags
        ),
        Field(
            "has_phone", gettext_lazy("Has a phone"), PERSON, Type.YES_NO, yes_no(lambda: Q(phone__isnull=False))
        ),
        Field("has_email", gettext_lazy("Has an e-mail address"), PERSON, Type.YES_NO, yes_no(_current_email)),
        Field("created", gettext_lazy("First contact"), PERSON, Type.MOMENT, column("created_at")),
        Field(
            "last_inbound",
            gettext_lazy("Last wrote"),
            PERSON,
            Type.MOMENT,
            column("last_inbound_at"),
            known("last_inbound_at"),
        ),
        Field(
            "segment",
            gettext_lazy("Frozen segments"),
            PERSON,
            Type.SET,
            related(SegmentMember, "segment"),
            choices=_frozen,
        ),
        *(
            Field(
                f"consent.{purpose.value}", purpose.label, TOLD, Type.CHOICE, _of_consent(purpose), choices=_consents
            )
            for purpose in Purpose
        ),
    )  # fmt: skip
    register_source(ATTRIBUTE, _attribute_fields)
