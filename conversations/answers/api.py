"""Canned answers in the API."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from rest_framework import serializers, viewsets

from conversations.answers import editing
from conversations.answers.filters import CannedAnswerFilter
from conversations.answers.models import CannedAnswer
from conversations.channels.whatsapp import limits
from crm.staff.endpoint import Endpoint, user_of


class CannedAnswerSerializer(serializers.ModelSerializer[CannedAnswer]):
    """A text agents insert with `/shortcut`; variables such as `{{contact.first_name}}` are filled in then. Without a
    `team` it is for everybody.
    """

    shortcut = serializers.CharField(max_length=41, help_text="Small letters, digits, - and _.")
    title = serializers.CharField(max_length=100, required=False, allow_blank=True)
    body = serializers.CharField(max_length=limits.TEXT_MAX, trim_whitespace=False)

    class Meta:
        model = CannedAnswer
        fields = ("id", "shortcut", "title", "body", "team", "created_at")
        read_only_fields = ("created_at",)

    def create(self, validated_data: dict[str, Any]) -> CannedAnswer:
        """Through the same checks as the inbox."""
        return self._save(CannedAnswer(), validated_data)

    def update(self, instance: CannedAnswer, validated_data: dict[str, Any]) -> CannedAnswer:
        """What is left out stays, as it stands now."""
        with transaction.atomic():
            instance.refresh_from_db(from_queryset=CannedAnswer.objects.select_for_update(no_key=True))
            return self._save(instance, validated_data)

    def _save(self, answer: CannedAnswer, wanted: dict[str, Any]) -> CannedAnswer:
        parts = {name: wanted.get(name, getattr(answer, name)) for name in ("shortcut", "title", "body")}
        team = wanted.get("team", answer.team)
        try:
            return editing.save(answer, **parts, team=team, by=user_of(self.context["request"]))
        except editing.BadAnswer as refusal:
            raise serializers.ValidationError({refusal.extra["field"]: [str(refusal)]}) from refusal


class CannedAnswerViewSet(Endpoint, viewsets.ModelViewSet[CannedAnswer]):
    """The texts agents insert; those of other teams are not shown to agents."""

    resource = "canned-answers"
    queryset = CannedAnswer.objects.all()
    serializer_class = CannedAnswerSerializer
    filterset_class = CannedAnswerFilter
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[CannedAnswer]:
        """Those the token's user may use."""
        return CannedAnswer.objects.visible_to(user_of(self.request))

    def perform_destroy(self, instance: CannedAnswer) -> None:
        """Through the same function as the inbox."""
        editing.delete(instance, by=user_of(self.request))
