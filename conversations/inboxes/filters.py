"""What a list of inboxes can be narrowed by."""

import django_filters  # type: ignore[import-untyped]

from conversations.inboxes.models import Inbox
from crm.staff.models import Team


class InboxFilter(django_filters.FilterSet):
    """`?team=&phone_number_id=`."""

    team = django_filters.ModelChoiceFilter(field_name="teams", queryset=Team.objects.all(), help_text="Its id.")
    phone_number_id = django_filters.CharFilter(max_length=64, help_text="Meta's id of the number.")

    class Meta:
        model = Inbox
        fields: tuple[str, ...] = ()
