"""Webhook events in the API: what Meta sent and what became of each item, read only."""

from typing import Any

from cryptography.fernet import InvalidToken
from django.db.models import Prefetch, QuerySet
from rest_framework import serializers, viewsets
from rest_framework.serializers import BaseSerializer

from conversations.ingest.filters import WebhookEventFilter
from conversations.ingest.models import EventItem, WebhookEvent
from crm.staff.endpoint import Endpoint


class EventItemSerializer(serializers.ModelSerializer[EventItem]):
    """One item of a webhook; `message` is the id of the message it became or changed."""

    class Meta:
        model = EventItem
        fields = ("position", "kind", "outcome", "reason", "message")
        read_only_fields = fields


class WebhookEventSerializer(serializers.ModelSerializer[WebhookEvent]):
    """One POST of Meta's; `attempts` is how often it was tried."""

    attempts = serializers.IntegerField(source="attempts_count", read_only=True)

    class Meta:
        model = WebhookEvent
        fields: tuple[str, ...] = ("id", "state", "reason", "attempts", "received_at", "processed_at")
        read_only_fields = fields


class WholeEventSerializer(WebhookEventSerializer):
    """With its items and what was sent; `body` is null where the key that sealed it is gone."""

    items = EventItemSerializer(many=True, read_only=True)
    body = serializers.SerializerMethodField(help_text="As it came; what is not UTF-8 is replaced.")

    class Meta(WebhookEventSerializer.Meta):
        fields = (*WebhookEventSerializer.Meta.fields, "items", "body")
        read_only_fields = fields

    def get_body(self, event: WebhookEvent) -> str | None:
        """The text of the exact bytes."""
        try:
            return event.body.decode("utf-8", "replace")
        except InvalidToken:
            return None


class WebhookEventViewSet(Endpoint, viewsets.ReadOnlyModelViewSet[WebhookEvent]):
    """What came from Meta, the newest first: kept for 7 days, in quarantine for 90."""

    resource = "webhook-events"
    queryset = WebhookEvent.objects.all()
    filterset_class = WebhookEventFilter
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[WebhookEvent]:
        """Bodies and items one by one only: a batch may be 3 MB and hold 1,000 items."""
        if self.action != "retrieve":
            return WebhookEvent.objects.defer("sealed_body")
        return WebhookEvent.objects.prefetch_related(Prefetch("items", EventItem.objects.order_by("position")))

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """The whole of one, the outline of many."""
        return WholeEventSerializer if self.action == "retrieve" else WebhookEventSerializer
