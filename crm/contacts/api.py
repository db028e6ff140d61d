"""Contacts and tags in the API."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _
from rest_framework import mixins, serializers, viewsets

from crm.contacts import profile
from crm.contacts.filters import ContactFilter
from crm.contacts.models import ChannelIdentity, Contact, Tag
from crm.staff.api import HasScope, ManagersWrite, user_of

WRITABLE_KINDS = (Contact.Kind.PERSON, Contact.Kind.EMPLOYEE)
TAGS_MAX = 50


class IdentitySerializer(serializers.ModelSerializer[ChannelIdentity]):
    """One account of the contact on a channel."""

    class Meta:
        model = ChannelIdentity
        fields = ("channel", "wa_id", "user_id", "username")
        read_only_fields = fields


class TagNames(serializers.ListField):
    """Tags by their names; unknown ones are made."""

    child = serializers.CharField(max_length=50)

    def get_attribute(self, instance: Contact) -> list[str]:
        """The names, from the prefetched tags."""
        return [tag.name for tag in instance.tags.all()]


class ContactSerializer(serializers.ModelSerializer[Contact]):
    """A person; their accounts come from WhatsApp and are read only."""

    name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    phone = serializers.CharField(
        max_length=50, required=False, allow_null=True, help_text="With country code; kept as E.164."
    )
    identities = IdentitySerializer(many=True, read_only=True)
    tags = TagNames(required=False, max_length=TAGS_MAX)

    class Meta:
        model = Contact
        fields = ("id", "name", "kind", "phone", "identities", "tags", "created_at")
        read_only_fields = ("created_at",)

    def validate_kind(self, kind: str) -> str:
        """Groups come from WhatsApp only and stay groups."""
        if kind not in WRITABLE_KINDS or (self.instance and self.instance.kind == Contact.Kind.GROUP):
            raise serializers.ValidationError(_("A contact can be made a person or an employee; groups stay groups."))
        return kind

    def validate_phone(self, phone: str | None) -> str | None:
        """The E.164 form."""
        number = profile.number(phone) if phone else None
        if phone and number is None:
            raise serializers.ValidationError(
                _("This is not a phone number. Write it with its country code, such as +34 600 123 456.")
            )
        return number

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A new contact needs something to be known by."""
        if self.instance is None and not (attrs.get("name") or attrs.get("phone")):
            raise serializers.ValidationError(_("Give the contact a name or a phone number."))
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Contact:
        """A contact without accounts: those come when the person writes."""
        return profile.write(Contact(), by=user_of(self.context["request"]), **validated_data)

    def update(self, instance: Contact, validated_data: dict[str, Any]) -> Contact:
        """Only what was sent changes."""
        return profile.write(instance, by=user_of(self.context["request"]), **validated_data)


class ContactViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Contact],
):
    """The people the business talks with."""

    queryset = Contact.objects.all()
    serializer_class = ContactSerializer
    filterset_class = ContactFilter
    http_method_names = ["get", "post", "patch", "head", "options"]
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Contact]:
        """Those the token's user may see."""
        accounts = Prefetch("identities", ChannelIdentity.objects.order_by("pk"))
        return Contact.objects.visible_to(user_of(self.request)).prefetch_related(accounts, "tags")


class TagSerializer(serializers.ModelSerializer[Tag]):
    """A label for contacts."""

    name = serializers.CharField(max_length=50)
    colour = serializers.IntegerField(min_value=0, max_value=15, required=False, help_text="0–15, a class of colours.")

    class Meta:
        model = Tag
        fields = ("id", "name", "colour")

    def validate_name(self, name: str) -> str:
        """One tag per name, whatever its case."""
        known = profile.find_tag(name)
        if known is not None and known != self.instance:
            raise serializers.ValidationError(
                _("There is already a tag “%(name)s”. Use it or choose another name.") % {"name": known.name}
            )
        return name


class TagViewSet(viewsets.ModelViewSet[Tag]):
    """The labels of contacts; deleting one takes it off every contact."""

    queryset = Tag.objects.all()
    serializer_class = TagSerializer
    permission_classes = (HasScope, ManagersWrite)
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_regex = "[0-9]{1,18}"
