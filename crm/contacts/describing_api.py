"""Tags, lifecycle stages and custom attributes in the API."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.audit.viewsets import RecordsWrites
from crm.contacts import attributes, profile, reading, tagging
from crm.contacts.filters import AttributeFilter, TagFilter
from crm.contacts.models import CustomAttribute, LifecycleStage, Tag
from crm.contacts.of_contact import ID_PATTERN
from crm.contacts.serializing import TagName, read_as_kept
from crm.staff.endpoint import Endpoint, user_of


class TagSerializer(serializers.ModelSerializer[Tag]):
    """A label for contacts."""

    name = TagName()
    colour = serializers.IntegerField(min_value=0, max_value=15, required=False, help_text="0–15, a class of colours.")
    group = serializers.CharField(
        max_length=50, required=False, allow_blank=True, help_text="Tags of one group stand together."
    )

    class Meta:
        model = Tag
        fields = ("id", "name", "colour", "group")

    def validate_group(self, group: str) -> str:
        """One line."""
        return str(read_as_kept(lambda text: reading.line(text, 50), group))

    def validate_name(self, name: str) -> str:
        """One tag per name, whatever its case."""
        known = profile.find_tag(name)
        if known is not None and known != self.instance:
            raise serializers.ValidationError(
                _("There is already a tag “%(name)s”. Use it or choose another name.") % {"name": known.name}
            )
        return name


class MergeBody(serializers.Serializer[Any]):
    """Which tag stays."""

    into = serializers.PrimaryKeyRelatedField(queryset=Tag.objects.all(), help_text="The id of the tag that stays.")


class TagViewSet(Endpoint, RecordsWrites, viewsets.ModelViewSet[Tag]):
    """The labels of contacts; deleting one takes it off every contact."""

    resource = "tags"
    queryset = Tag.objects.all()
    serializer_class = TagSerializer
    filterset_class = TagFilter
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_regex = ID_PATTERN

    @extend_schema(request=MergeBody, responses={200: TagSerializer})
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str) -> Response:
        """Make this tag and another (`into`) one: contacts and conversations that had this one have the other."""
        body = MergeBody(data=request.data)
        body.is_valid(raise_exception=True)
        kept = tagging.merge(self.get_object(), body.validated_data["into"], by=user_of(request))
        return Response(self.get_serializer(kept).data)


class StageSerializer(serializers.ModelSerializer[LifecycleStage]):
    """A step of a customer's life with the business."""

    name = serializers.CharField(max_length=50)
    colour = serializers.IntegerField(min_value=0, max_value=15, required=False, help_text="0–15, a class of colours.")
    position = serializers.IntegerField(min_value=0, max_value=32767, required=False)

    class Meta:
        model = LifecycleStage
        fields = ("id", "name", "colour", "position")

    def validate_name(self, name: str) -> str:
        """One stage per name, whatever its case."""
        name = str(read_as_kept(lambda text: reading.line(text, 50), name))
        known = [stage for stage in LifecycleStage.objects.all() if stage.name.casefold() == name.casefold()]
        if any(stage != self.instance for stage in known):
            raise serializers.ValidationError(_("There is already a stage with this name. Choose another name."))
        return name


class StageViewSet(Endpoint, RecordsWrites, viewsets.ModelViewSet[LifecycleStage]):
    """The lifecycle stages; deleting one takes it off every contact."""

    resource = "stages"
    queryset = LifecycleStage.objects.all()
    serializer_class = StageSerializer
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_regex = ID_PATTERN


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
