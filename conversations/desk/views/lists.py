"""The list of conversations in fragments: more rows, fresh rows, counts, and the dialog of its filters."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from conversations.desk import filters, queue, saved_views
from conversations.desk.banner import fence_of
from conversations.desk.forms import read_pk
from conversations.desk.gate import DeskRequest, desk_view
from conversations.desk.queue import ViewQuery
from conversations.desk.rows import rows_of
from conversations.inboxes.models import Inbox
from conversations.messaging.models import Conversation

IDS_MAX = 50


@desk_view("GET")
def more_rows(request: DeskRequest) -> HttpResponse:
    """The next rows of a list; with the first ones its filters."""
    query, cursor = ViewQuery.of(request.GET), request.GET.get("cursor", "")
    values = queue.ask(request.user, _reader(request) | ({} if cursor else filters.names(query, request.user)))
    found, following = query.page(request.user, cursor, values["pins"])
    context = rows_context(request, query, found, following, values)
    if not cursor:
        context |= head_context(query, values) | {"with_chips": True}
    return render(request, "inbox/_rows.html", context)


@desk_view("GET")
def rows(request: DeskRequest) -> HttpResponse:
    """Named rows, fresh; those that are not in the view (any longer) come as gone."""
    query = ViewQuery.of(request.GET)
    wanted = [pk for pk in map(read_pk, request.GET.get("ids", "").split(",")[:IDS_MAX]) if pk]
    found = list(query.conversations(request.user).filter(pk__in=wanted))
    present = {row.pk for row in found}
    context = rows_context(request, query, found, "", queue.ask(request.user, _reader(request)))
    return render(request, "inbox/_rows.html", context | {"gone": [pk for pk in wanted if pk not in present]})


@desk_view("GET")
def counts(request: DeskRequest) -> HttpResponse:
    """How many conversations each view has, and whether sending is stopped."""
    query, kept = ViewQuery.of(request.GET), saved_views.of(request.user)
    values = queue.ask(request.user, queue.counters(request.user) | saved_views.counters(request.user, kept))
    context = views_context(request, query, kept, values)
    return render(request, "inbox/_counts.html", context | {"fence": fence_of(request.user)})


@desk_view("GET")
def filter_dialog(request: DeskRequest) -> HttpResponse:
    """The dialog of all filters, as the list has them now."""
    query = ViewQuery.of(request.GET)
    context = filters.dialog(query, request.user) | {"own_teams": saved_views.teams_of(request.user)}
    return render(request, "inbox/_filters.html", context)


def list_context(request: DeskRequest, query: ViewQuery) -> dict[str, Any]:
    """Everything that the list's side of a page shows."""
    user, kept = request.user, saved_views.of(request.user)
    values = queue.ask(
        user,
        _reader(request) | queue.counters(user) | saved_views.counters(user, kept) | filters.names(query, user),
    )
    found, cursor = query.page(user, "", values["pins"])
    context = rows_context(request, query, found, cursor, values) | views_context(request, query, kept, values)
    return context | head_context(query, values) | {"view": query.view, "status": query.status, "q": query.search}


def rows_context(
    request: DeskRequest, query: ViewQuery, found: list[Conversation], cursor: str, values: dict[str, Any]
) -> dict[str, Any]:
    """What the rows of a list need."""
    shown = rows_of(found, request.user, query, several=values["several"] > 1)
    return {"rows": shown, "next_cursor": cursor, "query": query.encoded}


def head_context(query: ViewQuery, values: dict[str, Any]) -> dict[str, Any]:
    """What the list's head says of its filters."""
    words, own = filters.sort_words(), queue.SORT_OF.get(query.view, "recent")
    sorts = {own: (words | filters.view_sort_words())[own]} | words
    return {"list_query": query, "chips": filters.chips(query, values), "sorts": sorts.items()}


def views_context(request: DeskRequest, query: ViewQuery, kept: list[Any], values: dict[str, Any]) -> dict[str, Any]:
    """The views to choose from, with their counts."""
    views = queue.views_of(values, query)
    saved = saved_views.shown(request.user, kept, values, query)
    hidden = next((item for item in [*saved, *views[3:]] if item["is_current"]), None)
    return {"views": views, "saved": saved, "more_view": hidden}


def _reader(request: DeskRequest) -> dict[str, Any]:
    """Whether this reader has more than one inbox, and what they have pinned."""
    user = request.user
    return {"several": queue.UpTo(Inbox.objects.visible_to(user), 2), "pins": queue.pins_of(user)}
