"""What lists of conversations and messages can be narrowed by."""

import datetime as dt
from typing import Any

import django_filters  # type: ignore[import-untyped]
from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db.models import BigIntegerField, Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from conversations.live.models import LiveHint
from conversations.messaging.conversation_models import ConversationQuerySet
from conversations.messaging.models import Conversation, Message
from crm.contacts import profile
from crm.foundation import clock
from crm.staff.endpoint import user_of

SANE_TIME = (
    MinValueValidator(dt.datetime(2000, 1, 1, tzinfo=dt.UTC)),
    MaxValueValidator(dt.datetime(2200, 1, 1, tzinfo=dt.UTC)),
)


class IdFilter(django_filters.NumberFilter):
    """A whole number within what an id can be."""

    field_class = forms.IntegerField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=2**63 - 1, **kwargs)

    def get_max_validator(self) -> None:
        """The field checks it."""


class ConversationFilter(django_filters.FilterSet):
    """`?status=&assignee=&inbox=&contact=&tag=&priority=&updated_after=`."""

    status = django_filters.ChoiceFilter(choices=Conversation.Status.choices)
    assignee = django_filters.CharFilter(
        method="by_assignee",
        validators=[RegexValidator(r"\A(me|none|[0-9]{1,18})\Z", _("Write the id of a user, me or none."))],
        help_text="The id of a user, `me` or `none`.",
    )
    inbox = IdFilter(field_name="inbox_id")
    contact = IdFilter(field_name="contact_id")
    tag = django_filters.CharFilter(method="by_tag", max_length=50, help_text="The name of a tag, whatever its case.")
    priority = django_filters.ChoiceFilter(
        method="by_priority", choices=[(name.lower(), name.lower()) for name in Conversation.Priority.names]
    )
    updated_after = django_filters.IsoDateTimeFilter(
        method="by_update",
        validators=SANE_TIME,
        help_text="In which anything happened since; complete for the last 48 hours.",
    )

    class Meta:
        model = Conversation
        fields: tuple[str, ...] = ()

    def by_assignee(self, queryset: ConversationQuerySet, name: str, value: str) -> ConversationQuerySet:
        """Of one user, mine, nobody's."""
        if value == "none":
            return queryset.unassigned()
        user = user_of(self.request).pk if value == "me" else int(value)
        return queryset.filter(assignee_id=user)

    def by_tag(self, queryset: ConversationQuerySet, name: str, value: str) -> ConversationQuerySet:
        """Those that have it; none if there is no such tag."""
        tag = profile.find_tag(value.strip())
        return queryset.filter(conversation_tags__tag=tag) if tag else queryset.none()

    def by_priority(self, queryset: ConversationQuerySet, name: str, value: str) -> ConversationQuerySet:
        """Exactly this one."""
        return queryset.filter(priority=Conversation.Priority[value.upper()])

    def by_update(self, queryset: ConversationQuerySet, name: str, value: dt.datetime) -> ConversationQuerySet:
        """By activity, and by the log of hints: late messages, statuses and assignments move no activity time."""
        hints = LiveHint.objects.filter(created_at__gte=value - dt.timedelta(seconds=clock.offset()))
        touched = hints.annotate(conversation=Cast(KeyTextTransform("c", "payload"), BigIntegerField()))
        return queryset.filter(Q(last_activity_at__gte=value) | Q(pk__in=touched.values("conversation")))


class MessageFilter(django_filters.FilterSet):
    """`?direction=&status=&kind=&created_after=`."""

    direction = django_filters.ChoiceFilter(choices=Message.Direction.choices)
    status = django_filters.ChoiceFilter(choices=Message.Status.choices)
    kind = django_filters.CharFilter(max_length=40, help_text="`text`, `image`, `location` …")
    created_after = django_filters.IsoDateTimeFilter(
        field_name="created_at",
        lookup_expr="gte",
        validators=SANE_TIME,
        help_text="Recorded here since; a message that came late has an older `provider_time`.",
    )

    class Meta:
        model = Message
        fields: tuple[str, ...] = ()


class NoteFilter(MessageFilter):
    """`?created_after=`."""

    direction = status = kind = None
