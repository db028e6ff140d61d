"""What a list of webhook events can be narrowed by."""

import django_filters  # type: ignore[import-untyped]

from conversations.ingest.models import WebhookEvent


class WebhookEventFilter(django_filters.FilterSet):
    """`?state=`."""

    state = django_filters.ChoiceFilter(choices=WebhookEvent.State.choices)

    class Meta:
        model = WebhookEvent
        fields: tuple[str, ...] = ()
