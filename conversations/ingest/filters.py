"""What a list of webhook events can be narrowed by."""

import django_filters  # type: ignore[import-untyped]

from conversations.ingest.models import WebhookEvent
from conversations.messaging.filters import SANE_TIME


class WebhookEventFilter(django_filters.FilterSet):
    """`?state=&received_after=`."""

    state = django_filters.ChoiceFilter(choices=WebhookEvent.State.choices)
    received_after = django_filters.IsoDateTimeFilter(
        field_name="received_at", lookup_expr="gte", validators=SANE_TIME, help_text="Stored here since."
    )

    class Meta:
        model = WebhookEvent
        fields: tuple[str, ...] = ()
