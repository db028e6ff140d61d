"""Cursor pages for the API: stable while rows arrive, the same cost at any depth."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.core import signing
from django.db.models import Model, Q
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

MAX_PAGE_SIZE = 200
_SALT = "page"


class NewestFirstCursor(BasePagination):
    """Descending by `columns`, the last of which is unique; `?page_size=` up to 200; `next` is the next page's address.

    Not DRF's own cursor: that one pages by the first column alone and goes round in circles where 1,000 rows share it.
    """

    columns: ClassVar[tuple[str, ...]] = ("id",)

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        """One page of rows; raises ValidationError for a cursor this API did not make."""
        self.request = request
        size = self._page_size(request)
        text = request.query_params.get("cursor")
        if text:
            queryset = queryset.filter(self._below(queryset.model, text))
        rows = list(queryset.order_by(*(f"-{name}" for name in self.columns))[: size + 1])
        self.last = rows[size - 1] if len(rows) > size else None
        return rows[:size]

    def get_paginated_response(self, data: Any) -> Response:
        """The page and where the next one is."""
        return Response({"next": self._next_address(), "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """OpenAPI's words for a page."""
        address = {"type": "string", "nullable": True, "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {"next": address, "results": schema},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """OpenAPI's words for the two parameters."""
        cursor = {"description": "Taken from `next`.", "schema": {"type": "string"}}
        size = {"schema": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE}}
        return [
            {"name": name, "in": "query", "required": False, **rest}
            for name, rest in (("cursor", cursor), ("page_size", size))
        ]

    def _page_size(self, request: Request) -> int:
        text = request.query_params.get("page_size", "")
        wanted = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        return min(wanted or api_settings.PAGE_SIZE or MAX_PAGE_SIZE, MAX_PAGE_SIZE)

    def _next_address(self) -> str | None:
        if self.last is None:
            return None
        values = [self.last.serializable_value(name) for name in self.columns]
        cursor = signing.dumps([getattr(value, "isoformat", lambda v=value: v)() for value in values], salt=_SALT)
        return replace_query_param(self.request.build_absolute_uri(), "cursor", cursor)

    def _below(self, model: type[Model], text: str) -> Q:
        """The rows after the one the cursor names."""
        try:
            values: Sequence[Any] = signing.loads(text, salt=_SALT)
        except signing.BadSignature as error:
            sentence = _("This cursor is not from this API. Start again without it.")
            raise exceptions.ValidationError({"cursor": [sentence]}) from error
        if len(values) != len(self.columns):
            raise exceptions.ValidationError({"cursor": [_("This cursor is of another list. Start again without it.")]})
        below, equal = Q(pk__in=[]), Q()
        for name, value in zip(self.columns, values, strict=True):
            below |= equal & Q(**{f"{name}__lt": value})
            equal &= Q(**{name: value})
        return below & Q(**{f"{self.columns[0]}__lte": values[0]})
