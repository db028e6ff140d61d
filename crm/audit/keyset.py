"""Lists of the administration: pages by key in one fixed order, and counts that stop at a thousand."""

from functools import cached_property
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from unfold.views import ChangeList

AFTER, BEFORE = "after", "before"
MOST = 1000


def bounded_count(rows: "QuerySet[Any]", most: int = MOST) -> int:
    """How many rows there are, at most `most` + 1: the database stops counting there."""
    return rows.order_by().values("pk")[: most + 1].count()


def counted(number: int, most: int = MOST) -> str:
    """A bounded count for reading: "37", "1,000+"."""
    text = number_format(min(number, most), use_l10n=True, force_grouping=True)
    return f"{text}+" if number > most else text


class BoundedPaginator(Paginator):
    """Django's pages by number, for what offers a choice: it never counts more than a thousand rows."""

    @cached_property
    def count(self) -> int:
        """At most MOST + 1."""
        rows: Any = self.object_list
        return bounded_count(rows) if isinstance(rows, QuerySet) else len(rows)


class KeysetPages:
    """What Unfold's footer of a list asks of a paginator."""

    template_name = "admin/keyset_pages.html"
    ELLIPSIS = "…"

    def __init__(self, per_page: int, count: int, previous: str, following: str) -> None:
        self.per_page, self.count, self.previous, self.following = per_page, count, previous, following

    @property
    def counted(self) -> str:
        """How many rows the whole list has."""
        return counted(self.count)


class KeysetChangeList(ChangeList):
    """A list in the order of its admin (`ordering`, columns without NULL), `?after=` and `?before=` the key of a row.

    The same few queries at any depth and size. Columns do not sort: no index could serve every order.
    """

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> "QuerySet[Any]":
        """The rows that filters and search leave; the page's own parameters are no filters."""
        for place in (self.params, self.filter_params):
            place.pop(AFTER, None)
            place.pop(BEFORE, None)
        if any("\x00" in value for values in self.filter_params.values() for value in values):
            raise IncorrectLookupParameters("No column holds a NUL.")
        return super().get_queryset(request, exclude_parameters)

    def get_ordering(self, request: HttpRequest, queryset: "QuerySet[Any]") -> list[str]:
        """The admin's order, made total by the key."""
        order = list(self.model_admin.get_ordering(request) or self._get_default_ordering())
        keys = {"pk", self.lookup_opts.pk.name}
        return order if any(name.lstrip("-") in keys for name in order) else [*order, "-pk"]

    def get_ordering_field_columns(self) -> dict[int, str]:
        """No column shows an arrow."""
        return {}

    def get_results(self, request: HttpRequest) -> None:
        """One page: its rows, what lies before and after, and a bounded count."""
        size = self.list_per_page
        before, after = request.GET.get(BEFORE, ""), "" if BEFORE in request.GET else request.GET.get(AFTER, "")
        rows: list[Model] = []
        if before:
            rows = list(self.queryset.filter(self._beyond(request, before, backwards=True)).reverse()[: size + 1])
            is_more = len(rows) > size
            rows = rows[:size][::-1]
            before = before if is_more else ""  # the first page is a whole one
        if not before:
            found = self.queryset.filter(self._beyond(request, after)) if after else self.queryset
            rows = list(found[: size + 1])
        has_more = bool(before) or len(rows) > size
        rows = rows[:size]
        is_whole = not (before or after or has_more)
        count = len(rows) if is_whole else bounded_count(self.queryset)
        previous = self.get_query_string({BEFORE: rows[0].pk}) if rows and (before or after) else ""
        following = self.get_query_string({AFTER: rows[-1].pk}) if rows and has_more else ""
        self.result_list, self.result_count, self.full_result_count = rows, count, count
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True
        self.paginator = KeysetPages(size, count, previous, following)

    def _beyond(self, request: HttpRequest, key: str, *, backwards: bool = False) -> Q:
        """The rows after the one with this key, or before it."""
        order = self.get_ordering(request, self.queryset)
        values = self._place_of(key, [name.lstrip("-") for name in order])
        beyond, equal, edge = Q(pk__in=[]), Q(), Q()
        for place, (name, value) in enumerate(zip(order, values, strict=True)):
            lookup = "lt" if name.startswith("-") != backwards else "gt"
            column = name.lstrip("-")
            beyond |= equal & Q(**{f"{column}__{lookup}": value})
            equal &= Q(**{column: value})
            if place == 0:
                edge = Q(**{f"{column}__{lookup}e": value})  # lets the index start at the right place
        return beyond & edge

    def _place_of(self, key: str, columns: list[str]) -> list[Any]:
        """The values of these columns in the row with this key; raises IncorrectLookupParameters if it is gone."""
        try:
            pk = self.lookup_opts.pk.to_python(key)
        except ValidationError as error:
            raise IncorrectLookupParameters(error) from error
        if columns in (["pk"], [self.lookup_opts.pk.name]):
            return [pk]
        found = self.root_queryset.order_by().filter(pk=pk).values_list(*columns).first()
        if found is None:
            raise IncorrectLookupParameters(f"No row {key}.")
        return list(found)
