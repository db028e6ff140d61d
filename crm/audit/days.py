"""The filter of a list by days."""

import datetime as dt
from typing import Any

from django.http import HttpRequest
from django.utils.timezone import make_aware
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.utils import parse_date_str


class DaysFilter(RangeDateFilter):
    """From one day to another, both whole, in the reader's time zone (Unfold's own ends as the last day begins)."""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Rows of these days; what is no day narrows nothing."""
        first, last = (parse_date_str(self.used_parameters.get(name, "")) for name in self.expected_parameters())
        if first is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": _beginning(first)})
        if last is not None and last < dt.date.max:
            queryset = queryset.filter(**{f"{self.parameter_name}__lt": _beginning(last + dt.timedelta(days=1))})
        return queryset


def _beginning(day: dt.date) -> dt.datetime:
    """Where it begins; far-off days where UTC's do, because a time zone could end before time does."""
    is_near = 1 < day.year < dt.MAXYEAR
    return make_aware(dt.datetime.combine(day, dt.time.min), None if is_near else dt.UTC)
