"""How the API writes contacts, and reads them: every field through the same checks as the inbox and the imports."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from crm.contacts import attributes, masking, points, profile, reading
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint, LifecycleStage, Tag
from crm.staff.endpoint import user_of
from crm.staff.models import User

WRITABLE_KINDS = (Contact.Kind.PERSON, Contact.Kind.EMPLOYEE)
TAGS_MAX = 50


class IdentitySerializer(serializers.ModelSerializer[ChannelIdentity]):
    """One account of the contact on a channel."""

    class Meta:
        model = ChannelIdentity
        fields = ("id", "channel", "wa_id", "user_id", "username")
        read_only_fields = fields

    def to_representation(self, instance: ChannelIdentity) -> dict[str, Any]:
        """Numbers as the token's user may see them."""
        data, user = super().to_representation(instance), user_of(self.context["request"])
        data["wa_id"] = masking.account(instance.wa_id, user) or None
        data["username"] = masking.name(instance.username, user)
        return data


class PointSerializer(serializers.ModelSerializer[ContactPoint]):
    """A phone or an e-mail address of the contact; the primary phone is also the contact's `phone`."""

    class Meta:
        model = ContactPoint
        fields = ("id", "kind", "value", "label", "is_primary", "added_at", "until")
        read_only_fields = ("added_at", "until")

    def to_representation(self, instance: ContactPoint) -> dict[str, Any]:
        """The value as the token's user may see it."""
        data, user = super().to_representation(instance), user_of(self.context["request"])
        return data | {"value": masking.point(instance.kind, instance.value, user)}


class TagName(serializers.CharField):
    """The name of a tag, in one line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=profile.TAG_MAX, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """As it is kept."""
        try:
            return profile.tag_name(super().to_internal_value(data))
        except InvalidValue as error:
            raise serializers.ValidationError(str(error)) from error


class TagNames(serializers.ListField):
    """Tags by their names; unknown ones are made by who may make tags."""

    child = TagName()

    def get_attribute(self, instance: Contact) -> list[str]:
        """The names, from the prefetched tags."""
        return [tag.name for tag in instance.tags.all()]


@extend_schema_field(OpenApiTypes.OBJECT)
class AttributeValues(serializers.Field[dict[str, Any], Any, dict[str, Any], Contact]):
    """Values of custom attributes by key; each has the type of its attribute."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The values as sent, once all of them can be read; null and "" mean none."""
        if not isinstance(data, dict):
            raise serializers.ValidationError(_("Send an object of values by key."))
        try:
            attributes.merged({}, data)
        except InvalidValue as error:
            raise serializers.ValidationError({error.extra["field"]: [str(error)]}) from error
        return data

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        """As kept."""
        return value


def read_as_kept(reader: Callable[[str], Any], text: str | None) -> Any:
    """What a reader of `crm.contacts.reading` makes of a text; its refusal as one of the field."""
    try:
        return reader(" ".join((text or "").split()))
    except InvalidValue as error:
        raise serializers.ValidationError(str(error)) from error


def points_of(contact: Contact) -> list[ContactPoint]:
    """The present points; lists have prefetched them as `current_points`."""
    known: list[ContactPoint] | None = getattr(contact, "current_points", None)
    return list(points.current(contact)) if known is None else known


class ShownName(serializers.CharField):
    """A name; one that is a number or an address is masked like one."""

    def to_representation(self, value: Any) -> str:
        """For the token's user."""
        return masking.name(super().to_representation(value), user_of(self.context["request"]))


class ShownPhone(serializers.CharField):
    """A number as the token's user may see it."""

    def to_representation(self, value: Any) -> str:
        """For the token's user."""
        return masking.phone(super().to_representation(value), user_of(self.context["request"]))


class PrimaryEmail(serializers.CharField):
    """The primary address as the token's user may see it."""

    def get_attribute(self, instance: Contact) -> str | None:
        """From the points."""
        found = (point.value for point in points_of(instance) if point.kind == points.EMAIL and point.is_primary)
        return next(found, None)

    def to_representation(self, value: Any) -> str:
        """For the token's user."""
        return masking.email(super().to_representation(value), user_of(self.context["request"]))


class ContactSerializer(serializers.ModelSerializer[Contact]):
    """A person; their accounts come from WhatsApp and are read only."""

    name = ShownName(max_length=200, required=False, allow_blank=True)
    phone = ShownPhone(max_length=50, required=False, allow_null=True, help_text="With country code; kept as E.164.")
    email = PrimaryEmail(
        max_length=254, required=False, allow_null=True, help_text="The primary address; further ones are `points`."
    )
    company = serializers.CharField(max_length=200, required=False, allow_blank=True)
    language = serializers.CharField(
        max_length=10, required=False, allow_blank=True, help_text="BCP 47, such as `es` or `pt-BR`."
    )
    country = serializers.CharField(
        max_length=2, required=False, allow_blank=True, help_text="ISO 3166-1, such as `ES`; empty: that of the number."
    )
    time_zone = serializers.CharField(
        max_length=40, required=False, allow_blank=True, help_text="Such as `America/Bogota`; empty: by the number."
    )
    stage = serializers.PrimaryKeyRelatedField(
        queryset=LifecycleStage.objects.all(), required=False, allow_null=True, help_text="A lifecycle stage's id."
    )
    owner = serializers.PrimaryKeyRelatedField(
        queryset=User.objects.filter(is_active=True), required=False, allow_null=True, help_text="A user's id."
    )
    external_id = serializers.CharField(
        max_length=100, required=False, allow_null=True, help_text="What another system calls this person; once."
    )
    identities = IdentitySerializer(many=True, read_only=True)
    points = serializers.SerializerMethodField()
    tags = TagNames(required=False, max_length=TAGS_MAX)
    attributes = AttributeValues(
        required=False, help_text="Values of custom attributes by key; what is left out stays, null takes one out."
    )
    version = serializers.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        required=False,
        help_text="In a PATCH: refuse it (409) if one of its fields was changed since this version.",
    )

    class Meta:
        model = Contact
        fields = (
            "id", "name", "kind", "phone", "email", "company", "language", "country", "time_zone", "stage", "owner",
            "external_id", "identities", "points", "tags", "attributes", "version", "restricted_at", "last_inbound_at",
            "created_at",
        )  # fmt: skip
        read_only_fields = ("restricted_at", "last_inbound_at", "created_at")

    @extend_schema_field(PointSerializer(many=True))
    def get_points(self, contact: Contact) -> list[dict[str, Any]]:
        """The present phones and e-mail addresses."""
        return list(PointSerializer(points_of(contact), many=True, context=self.context).data)

    def validate_kind(self, kind: str) -> str:
        """Groups come from WhatsApp only and stay groups."""
        if kind not in WRITABLE_KINDS or (self.instance and self.instance.kind == Contact.Kind.GROUP):
            raise serializers.ValidationError(_("A contact can be made a person or an employee; groups stay groups."))
        return kind

    def validate_tags(self, names: list[str]) -> list[str]:
        """New ones only by who may make tags."""
        if not user_of(self.context["request"]).has_perm("crm.add_tag"):
            known = {tag.name.casefold() for tag in Tag.objects.all()}
            for name in names:
                if name.casefold() not in known:
                    sentence = _("There is no tag “%(name)s”. Ask a manager to create it.")
                    raise serializers.ValidationError(sentence % {"name": name})
        return names

    def validate_name(self, name: str) -> str:
        """Not what stands for a hidden one."""
        return str(read_as_kept(reading.name, name))

    def validate_phone(self, phone: str | None) -> str | None:
        """The E.164 form."""
        found: str | None = read_as_kept(reading.phone, phone)
        return found

    def validate_email(self, email: str | None) -> str | None:
        """An address that can be one."""
        found: str | None = read_as_kept(reading.email, email)
        return found

    def validate_language(self, language: str) -> str:
        """As BCP 47 writes it."""
        return str(read_as_kept(reading.language, language))

    def validate_country(self, country: str) -> str:
        """One there is."""
        return str(read_as_kept(reading.country, country))

    def validate_time_zone(self, time_zone: str) -> str:
        """One there is."""
        return str(read_as_kept(reading.time_zone, time_zone))

    def validate_external_id(self, external_id: str | None) -> str | None:
        """One that no other contact has."""
        found: str | None = read_as_kept(reading.external_id, external_id)
        others = Contact.objects.filter(external_id=found)
        if found and (others.exclude(pk=self.instance.pk) if self.instance else others).exists():
            raise serializers.ValidationError(_("Another contact has this external id already."))
        return found

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A new contact needs something to be known by."""
        if self.instance is None and not any(attrs.get(name) for name in ("name", "phone", "email")):
            raise serializers.ValidationError(_("Give the contact a name, a phone number or an e-mail address."))
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Contact:
        """A contact without accounts: those come when the person writes."""
        validated_data.pop("version", None)
        return profile.write(Contact(), by=user_of(self.context["request"]), **validated_data)

    def update(self, instance: Contact, validated_data: dict[str, Any]) -> Contact:
        """Only what was sent changes."""
        return profile.write(instance, by=user_of(self.context["request"]), **validated_data)
