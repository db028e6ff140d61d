"""Filters of the administration's lists: by named set and by period, as the dashboard's cards link to them."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from conversations.reports import period
from conversations.reports.sets import CONVERSATIONS, MESSAGES, PARAMETER, NamedSet


class _SetFilter(DropdownFilter):
    title = gettext_lazy("set")
    parameter_name = PARAMETER
    sets: ClassVar[dict[str, NamedSet]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every set that has a name."""
        return [(key, str(one.title)) for key, one in self.sets.items()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """Its rows."""
        chosen = self.sets.get(self.value() or "")
        return queryset.filter(chosen.condition()) if chosen else queryset


class ConversationSetFilter(_SetFilter):
    """Open, waiting, closing …"""

    sets = CONVERSATIONS


class MessageSetFilter(_SetFilter):
    """On their way, not confirmed, failed …"""

    sets = MESSAGES


class PeriodFilter(DropdownFilter):
    """The last days."""

    title = gettext_lazy("period")
    parameter_name = period.PARAMETER

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The dashboard's periods."""
        return [(key, str(words)) for key, words in period.CHOICES.items()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """What was made in these days."""
        value = self.value()
        if value not in period.CHOICES:
            return queryset
        return queryset.filter(created_at__gte=period.Period.of(value).since)
