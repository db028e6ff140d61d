"""What a list of canned answers can be narrowed by."""

import django_filters  # type: ignore[import-untyped]

from conversations.answers.models import CannedAnswer, CannedAnswerQuerySet
from crm.staff.models import Team


class CannedAnswerFilter(django_filters.FilterSet):
    """`?search=&team=`."""

    search = django_filters.CharFilter(
        method="by_words",
        max_length=200,
        help_text="Every word occurs in shortcut, title or text; accents and case do not matter.",
    )
    team = django_filters.ModelChoiceFilter(queryset=Team.objects.all(), help_text="Its id.")

    class Meta:
        model = CannedAnswer
        fields: tuple[str, ...] = ()

    def by_words(self, queryset: CannedAnswerQuerySet, name: str, value: str) -> CannedAnswerQuerySet:
        """As agents search them."""
        return queryset.search(value)
