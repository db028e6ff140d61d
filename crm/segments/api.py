"""Segments in the API."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field, inline_serializer
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.contacts.api import ID_PATTERN, ContactSerializer, ContactViewSet
from crm.segments import counting, operators, rules, saving, sentence
from crm.segments.fields import Catalogue
from crm.segments.models import Segment
from crm.segments.rules import BrokenRule
from crm.segments.saving import SegmentRefused
from crm.staff import tokens
from crm.staff.endpoint import Endpoint, user_of

RULE_HELP = "`{}` for everybody, or `all` or `any` with conditions `{field, op, value}` and groups, three levels deep."


@extend_schema_field(OpenApiTypes.OBJECT)
class RuleField(serializers.Field[Any, Any, Any, Segment]):
    """A rule; what is wrong with it is said by the path of each row."""

    def to_internal_value(self, data: Any) -> Any:
        """As it is kept."""
        try:
            return rules.read(data).as_json()
        except BrokenRule as error:
            sentences = {path or "rule": [words] for path, words in error.problems.items()}
            raise serializers.ValidationError(sentences) from error

    def to_representation(self, value: Any) -> Any:
        """As kept."""
        return value


class SegmentSerializer(serializers.ModelSerializer[Segment]):
    """A segment; `sentence` says its rule in the language of the token's user."""

    name = serializers.CharField(max_length=saving.NAME_MAX)
    description = serializers.CharField(max_length=saving.DESCRIPTION_MAX, required=False, allow_blank=True)
    rule = RuleField(required=False, help_text=RULE_HELP)
    sentence = serializers.SerializerMethodField()
    problems = serializers.SerializerMethodField(help_text="Rows that speak of what is gone: sentences by path.")
    version = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, help_text="In a PATCH: refuse it (409) if changed since."
    )

    class Meta:
        model = Segment
        fields = (
            "id",
            "name",
            "description",
            "rule",
            "sentence",
            "problems",
            "is_static",
            "version",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("is_static", "created_at", "updated_at")

    def get_sentence(self, segment: Segment) -> str:
        """Its rule in words; "" if it cannot be understood any more."""
        return self._understood(segment)[0]

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_problems(self, segment: Segment) -> dict[str, str]:
        """What is wrong with it by now."""
        return self._understood(segment)[1]

    def create(self, validated_data: dict[str, Any]) -> Segment:
        """A live one."""
        validated_data.pop("version", None)
        return _saved(Segment(), self.context["request"], validated_data)

    def update(self, instance: Segment, validated_data: dict[str, Any]) -> Segment:
        """Only what was sent changes."""
        return _saved(instance, self.context["request"], validated_data)

    def _understood(self, segment: Segment) -> tuple[str, dict[str, str]]:
        if not hasattr(self, "_catalogue"):
            self._catalogue = Catalogue()
        try:
            return sentence.of(segment.rule, self._catalogue), {}
        except BrokenRule as error:
            return "", {} if segment.is_static else error.problems


def _reads_contacts(request: Request) -> bool:
    token: Any = request.auth
    return tokens.opens(token, "contacts", "read")


def _saved(segment: Segment, request: Request, values: dict[str, Any]) -> Segment:
    try:
        return saving.save(segment, by=user_of(request), **values)
    except SegmentRefused as error:
        raise serializers.ValidationError({error.extra["field"]: [str(error)]}) from error


class RuleSerializer(serializers.Serializer[Any]):
    """A rule to try."""

    rule = RuleField(help_text=RULE_HELP)


class FreezeSerializer(serializers.Serializer[Any]):
    """What the frozen copy is called."""

    name = serializers.CharField(max_length=saving.NAME_MAX)


_COUNT: dict[str, Any] = {"count": serializers.IntegerField(allow_null=True), "is_exact": serializers.BooleanField()}
PREVIEW = inline_serializer(
    "SegmentPreview",
    _COUNT
    | {
        "sentence": serializers.CharField(),
        "consent": serializers.DictField(child=serializers.IntegerField()),
        "splits": serializers.DictField(child=serializers.IntegerField()),
        "samples": serializers.ListField(
            child=serializers.DictField(), help_text="Empty for a token that does not read contacts."
        ),
    },
)
FIELDS = inline_serializer(
    "SegmentField",
    {
        "name": serializers.CharField(),
        "label": serializers.CharField(),
        "group": serializers.CharField(),
        "type": serializers.CharField(),
        "operators": serializers.ListField(child=serializers.DictField()),
        "choices": serializers.ListField(child=serializers.DictField()),
    },
    many=True,
)


class SegmentViewSet(Endpoint, viewsets.ModelViewSet[Segment]):
    """Groups of contacts by a rule, or frozen."""

    resource = "segments"
    resources = {"members": "contacts"}
    needs = {"preview": "crm.add_segment", "fields": "crm.add_segment", "freeze": "crm.add_segment"}
    queryset = Segment.objects.all()
    serializer_class = SegmentSerializer
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_regex = ID_PATTERN

    def perform_destroy(self, instance: Segment) -> None:
        """The contacts stay."""
        saving.delete(instance, by=user_of(self.request))

    @extend_schema(request=RuleSerializer, responses={200: PREVIEW})
    @action(detail=False, methods=["post"], serializer_class=RuleSerializer)
    def preview(self, request: Request) -> Response:
        """How many a rule describes, how they stand by consent for marketing, and ten of them if the token reads
        contacts; nothing is kept.
        """
        asked = RuleSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        found = counting.preview(asked.validated_data["rule"], user_of(request))
        return Response(
            {
                "count": found.total.number,
                "is_exact": found.total.is_exact,
                "sentence": found.sentence,
                "consent": found.consent,
                "splits": {name: number for name, (_label, number) in found.splits.items()},
                "samples": counting.sample_rows(found, user_of(request)) if _reads_contacts(request) else [],
            }
        )

    @extend_schema(responses={200: FIELDS})
    @action(detail=False, methods=["get"], pagination_class=None, filter_backends=[])
    def fields(self, request: Request) -> Response:
        """What rules can speak of: every field with its operators and choices."""
        catalogue = Catalogue()
        return Response(
            [
                {
                    "name": field.name,
                    "label": str(field.label),
                    "group": str(field.group),
                    "type": field.type.value,
                    "operators": [
                        {"op": one.name, "label": str(one.label), "value": one.asks}
                        for one in operators.of(field).values()
                    ],
                    "choices": [{"value": value, "label": label} for value, label in catalogue.choices(field).items()],
                }
                for field in catalogue.all()
            ]
        )

    @extend_schema(responses={200: ContactSerializer(many=True)})
    @action(detail=True, methods=["get"], serializer_class=ContactSerializer)
    def members(self, request: Request, pk: str = "") -> Response:
        """The contacts in it now, newest first."""
        as_shown: Any = ContactViewSet(request=request)
        page: Any = self.paginate_queryset(rules.narrow(as_shown.get_queryset(), self.get_object()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=FreezeSerializer, responses={201: SegmentSerializer})
    @action(detail=True, methods=["post"], serializer_class=FreezeSerializer)
    def freeze(self, request: Request, pk: str = "") -> Response:
        """A static segment of those who are in it now."""
        asked = FreezeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            frozen = saving.freeze(self.get_object(), by=user_of(request), name=asked.validated_data["name"])
        except SegmentRefused as error:
            raise serializers.ValidationError({error.extra["field"]: [str(error)]}) from error
        return Response(SegmentSerializer(frozen, context=self.get_serializer_context()).data, status=201)
