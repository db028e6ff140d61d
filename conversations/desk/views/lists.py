"""The list of conversations in fragments: more rows, fresh rows, counts."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from conversations.desk.banner import fence_of
from conversations.desk.forms import read_pk
from conversations.desk.gate import DeskRequest, desk_view
from conversations.desk.queue import ViewQuery, views_for
from conversations.desk.rows import rows_of
from conversations.messaging.models import Conversation

IDS_MAX = 50


@desk_view("GET")
def more_rows(request: DeskRequest) -> HttpResponse:
    """The next rows of a list."""
    query = ViewQuery.of(request.GET)
    found, cursor = query.page(request.user, request.GET.get("cursor", ""))
    return render(request, "inbox/_rows.html", rows_context(request, query, found, cursor))


@desk_view("GET")
def rows(request: DeskRequest) -> HttpResponse:
    """Named rows, fresh; those that are not in the view (any longer) come as gone."""
    query = ViewQuery.of(request.GET)
    wanted = [pk for pk in map(read_pk, request.GET.get("ids", "").split(",")[:IDS_MAX]) if pk]
    found = list(query.conversations(request.user).filter(pk__in=wanted))
    present = {row.pk for row in found}
    context = rows_context(request, query, found, "")
    return render(request, "inbox/_rows.html", context | {"gone": [pk for pk in wanted if pk not in present]})


@desk_view("GET")
def counts(request: DeskRequest) -> HttpResponse:
    """How many open conversations each view has, and whether sending is stopped."""
    views = views_for(request.user, ViewQuery.of(request.GET))
    return render(request, "inbox/_counts.html", {"views": views, "fence": fence_of(request.user)})


def rows_context(request: DeskRequest, query: ViewQuery, found: list[Conversation], cursor: str) -> dict[str, Any]:
    """What the rows of a list need."""
    return {"rows": rows_of(found, request.user), "next_cursor": cursor, "query": query.encoded}
