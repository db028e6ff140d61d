"""The segments that a list of contacts in the administration can be narrowed by."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from crm.segments import rules
from crm.segments.models import Segment
from crm.segments.rules import BrokenRule

OFFERED = 200


class SegmentFilter(DropdownFilter):
    """Contacts by segment."""

    title = gettext_lazy("segment")
    parameter_name = "segment"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Each by its name."""
        return [(str(pk), name) for pk, name in Segment.objects.values_list("pk", "name")[:OFFERED]]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """Its members; nobody, with a sentence why, if its rule speaks of what is gone."""
        key = self.value() or ""
        if not key:
            return queryset
        is_key = key.isascii() and key.isdigit() and len(key) < 19
        segment = Segment.objects.filter(pk=int(key)).first() if is_key else None
        if segment is None:
            return queryset.none()
        try:
            return rules.narrow(queryset, segment)
        except BrokenRule as error:
            words = _("The rule of this segment has to be put right: %(reason)s") % {"reason": error}
            messages.warning(request, words)
            return queryset.none()
