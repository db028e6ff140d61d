"""Contacts, their notes, tags and custom attributes in the API."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.generics import get_object_or_404

from crm.audit.viewsets import RecordsWrites
from crm.contacts import attributes, notes, profile
from crm.contacts.attributes import InvalidValue
from crm.contacts.filters import AttributeFilter, ContactFilter, TagFilter
from crm.contacts.models import ChannelIdentity, Contact, ContactNote, CustomAttribute, Tag
from crm.staff.endpoint import Endpoint, user_of

ID_PATTERN = "[0-9]{1,18}"
WRITABLE_KINDS = (Contact.Kind.PERSON, Contact.Kind.EMPLOYEE)
TAGS_MAX = 50


class IdentitySerializer(serializers.ModelSerializer[ChannelIdentity]):
    """One account of the contact on a channel."""

    class Meta:
        model = ChannelIdentity
        fields = ("channel", "wa_id", "user_id", "username")
        read_only_fields = fields


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


class ContactSerializer(serializers.ModelSerializer[Contact]):
    """A person; their accounts come from WhatsApp and are read only."""

    name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    phone = serializers.CharField(
        max_length=50, required=False, allow_null=True, help_text="With country code; kept as E.164."
    )
    company = serializers.CharField(max_length=200, required=False, allow_blank=True)
    language = serializers.CharField(
        max_length=10, required=False, allow_blank=True, help_text="BCP 47, such as `es` or `pt-BR`."
    )
    identities = IdentitySerializer(many=True, read_only=True)
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
            "id",
            "name",
            "kind",
            "phone",
            "company",
            "language",
            "identities",
            "tags",
            "attributes",
            "version",
            "created_at",
        )
        read_only_fields = ("created_at",)

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

    def validate_phone(self, phone: str | None) -> str | None:
        """The E.164 form."""
        number = profile.number(phone) if phone else None
        if phone and number is None:
            raise serializers.ValidationError(profile.not_a_number())
        return number

    def validate_language(self, language: str) -> str:
        """As BCP 47 writes it."""
        try:
            return profile.language(language)
        except InvalidValue as error:
            raise serializers.ValidationError(str(error)) from error

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A new contact needs something to be known by."""
        if self.instance is None and not (attrs.get("name") or attrs.get("phone")):
            raise serializers.ValidationError(_("Give the contact a name or a phone number."))
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Contact:
        """A contact without accounts: those come when the person writes."""
        validated_data.pop("version", None)
        return profile.write(Contact(), by=user_of(self.context["request"]), **validated_data)

    def update(self, instance: Contact, validated_data: dict[str, Any]) -> Contact:
        """Only what was sent changes."""
        return profile.write(instance, by=user_of(self.context["request"]), **validated_data)


class ContactViewSet(
    Endpoint,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Contact],
):
    """The people the business talks with."""

    resource = "contacts"
    queryset = Contact.objects.all()
    serializer_class = ContactSerializer
    filterset_class = ContactFilter
    http_method_names = ["get", "post", "patch", "head", "options"]
    lookup_value_regex = ID_PATTERN

    def get_queryset(self) -> QuerySet[Contact]:
        """Those the token's user may see."""
        accounts = Prefetch("identities", ChannelIdentity.objects.order_by("pk"))
        return Contact.objects.visible_to(user_of(self.request)).prefetch_related(accounts, "tags")


class TagSerializer(serializers.ModelSerializer[Tag]):
    """A label for contacts."""

    name = TagName()
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


class TagViewSet(Endpoint, RecordsWrites, viewsets.ModelViewSet[Tag]):
    """The labels of contacts; deleting one takes it off every contact."""

    resource = "tags"
    queryset = Tag.objects.all()
    serializer_class = TagSerializer
    filterset_class = TagFilter
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_regex = ID_PATTERN


class NoteSerializer(serializers.ModelSerializer[ContactNote]):
    """A note about a contact; `author` is a user's id."""

    text = serializers.CharField(max_length=notes.TEXT_MAX)
    author = serializers.PrimaryKeyRelatedField[Any](read_only=True)

    class Meta:
        model = ContactNote
        fields = ("id", "text", "author", "created_at", "edited_at")
        read_only_fields = ("author", "created_at", "edited_at")

    def create(self, validated_data: dict[str, Any]) -> ContactNote:
        """By the token's user."""
        return notes.add(self.context["contact"], validated_data["text"], by=user_of(self.context["request"]))

    def update(self, instance: ContactNote, validated_data: dict[str, Any]) -> ContactNote:
        """One's own only."""
        text = validated_data.get("text", instance.text)
        return notes.edit(instance, text, by=user_of(self.context["request"]))


class NotesOfContact(Endpoint, viewsets.ModelViewSet[ContactNote]):
    """What staff want to remember about a contact, newest first."""

    resource = "contacts"
    queryset = ContactNote.objects.all()
    serializer_class = NoteSerializer
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_regex = ID_PATTERN

    def lock(self) -> None:
        """The contact: before its notes, as everywhere."""
        Contact.objects.select_for_update(no_key=True).filter(pk=self.kwargs["contact"]).first()

    def get_contact(self) -> Contact:
        """The contact in the address, if the token's user may see it."""
        return get_object_or_404(Contact.objects.visible_to(user_of(self.request)), pk=self.kwargs["contact"])

    def get_queryset(self) -> QuerySet[ContactNote]:
        """The notes of that contact."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return ContactNote.objects.filter(contact=self.get_contact())

    def get_serializer_context(self) -> dict[str, Any]:
        """Whose notes, for a new one."""
        context = dict(super().get_serializer_context())
        if self.action == "create" and not getattr(self, "swagger_fake_view", False):
            context["contact"] = self.get_contact()
        return context

    def perform_destroy(self, instance: ContactNote) -> None:
        """One's own; a manager anybody's."""
        notes.delete(instance, by=user_of(self.request))


class AttributeSerializer(serializers.ModelSerializer[CustomAttribute]):
    """A field of contacts that the business has thought of."""

    key = serializers.RegexField(
        r"^[a-z][a-z0-9_]*$", max_length=50, help_text="Its name in `attributes`; stays for ever. a–z, 0–9 and _."
    )
    label = serializers.CharField(max_length=100)  # type: ignore[assignment]
    type = serializers.ChoiceField(
        CustomAttribute.Type.choices, required=False, default=CustomAttribute.Type.TEXT, help_text="Stays for ever."
    )
    choices = serializers.ListField(
        child=serializers.CharField(max_length=100), required=False, max_length=100, help_text="For the type `choice`."
    )
    position = serializers.IntegerField(min_value=0, max_value=32767, required=False)

    class Meta:
        model = CustomAttribute
        fields = ("id", "key", "label", "type", "choices", "position")

    def validate_key(self, key: str) -> str:
        """One attribute per key, and the same one for ever: contacts keep their values by it."""
        if self.instance is not None and key != self.instance.key:
            raise serializers.ValidationError(_("The key stays. Make a new attribute instead."))
        if self.instance is None and CustomAttribute.objects.filter(key=key).exists():
            raise serializers.ValidationError(_("There is already an attribute with this key. Choose another one."))
        return key

    def validate_type(self, type_: str) -> str:
        """The values that contacts have are of it."""
        if self.instance is not None and type_ != self.instance.type:
            raise serializers.ValidationError(_("The type stays. Make a new attribute instead."))
        return type_

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Something to choose from, each once, and only where one chooses; not too many attributes."""
        type_ = self.instance.type if self.instance else attrs["type"]
        choices = attrs.get("choices", self.instance.choices if self.instance else [])
        if (type_ == CustomAttribute.Type.CHOICE) != bool(choices):
            raise serializers.ValidationError({"choices": [_("The type choice needs choices, and no other has any.")]})
        if len(set(choices)) < len(choices):
            raise serializers.ValidationError({"choices": [_("Each choice once.")]})
        if self.instance is None and CustomAttribute.objects.count() >= attributes.MOST:
            raise serializers.ValidationError(_("There are too many attributes. Delete one that nobody needs."))
        return attrs


class AttributeViewSet(Endpoint, RecordsWrites, viewsets.ModelViewSet[CustomAttribute]):
    """The custom attributes; deleting one takes its values off every contact."""

    resource = "attributes"
    queryset = CustomAttribute.objects.all()
    serializer_class = AttributeSerializer
    filterset_class = AttributeFilter
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_regex = ID_PATTERN

    def perform_destroy(self, instance: CustomAttribute) -> None:
        """With its values."""
        attributes.remove(instance)
