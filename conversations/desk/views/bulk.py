"""Many conversations at once: the bar of what can be done, doing it, taking it back."""

import datetime as dt
from typing import Any

from django.http import HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _

from conversations.desk import bulk, filters
from conversations.desk.forms import BadForm, read_pk
from conversations.desk.gate import DeskRequest, desk_view
from conversations.desk.queue import UpTo, ViewQuery, ask
from conversations.messaging.models import Conversation
from crm.audit import denials
from crm.foundation import clock


@desk_view("GET", "POST")
def change(request: DeskRequest) -> HttpResponse:
    """GET: the bar for a view's query. POST `action` and `value` with `ids`, or with `query`, `as_of` and `after` for a
    whole view, 200 at a time: JSON with what became of them, `undo`, and `next` to go on after.
    """
    if request.method == "GET":
        return render(request, "inbox/_bulk.html", _bar(request))
    keys, following = _whole_view(request) if "query" in request.POST else (_named(request), 0)
    action, value = request.POST.get("action", ""), request.POST.get("value", "")
    outcome = bulk.carry_out(request.user, keys, action, value)
    if outcome.skipped:
        denials.missed(request, Conversation, pk__in=keys)
    token = bulk.token_of(request.user, action, value, outcome.former)
    return JsonResponse(_told(outcome) | {"undo": token, "next": following})


@desk_view("POST")
def undo(request: DeskRequest) -> HttpResponse:
    """Take a change back by its token."""
    return JsonResponse(_told(bulk.take_back(request.user, request.POST.get("undo", ""))))


def _bar(request: DeskRequest) -> dict[str, Any]:
    query = ViewQuery.of(request.GET)
    total = ask(request.user, {"total": UpTo(query.found(request.user), bulk.MOST + 1)})["total"]
    return filters.people_and_places(request.user) | {
        "total": min(total, bulk.MOST),
        "is_more": total > bulk.MOST,
        "as_of": clock.now().isoformat(),
        "priorities": list(reversed(Conversation.Priority.choices)),
    }


def _named(request: DeskRequest) -> list[int]:
    keys = [pk for pk in map(read_pk, request.POST.get("ids", "").split(",")) if pk]
    if not keys:
        raise BadForm(_("Select at least one conversation."))
    if len(keys) > bulk.AT_ONCE:
        raise BadForm(_("Select %(most)d conversations at most.") % {"most": bulk.AT_ONCE})
    return keys


def _whole_view(request: DeskRequest) -> tuple[list[int], int]:
    """The next keys of a view, and where to go on; what happened there after `as_of` has not been seen and stays."""
    try:
        seen = dt.datetime.fromisoformat(request.POST.get("as_of", ""))
        seen = (seen if seen.tzinfo else seen.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise BadForm(_("The page sent an incomplete request. Reload it and try again.")) from None
    after = read_pk(request.POST.get("after", "")) or 0
    rows = ViewQuery.of(QueryDict(request.POST["query"])).found(request.user)
    rows = rows.filter(pk__gt=after, last_activity_at__lte=seen).order_by("pk")
    keys = list(rows.values_list("pk", flat=True)[: bulk.AT_ONCE + 1])
    following = keys[bulk.AT_ONCE - 1] if len(keys) > bulk.AT_ONCE else 0
    return keys[: bulk.AT_ONCE], following


def _told(outcome: bulk.Outcome) -> dict[str, Any]:
    skipped = [[reason, count] for reason, count in outcome.skipped.most_common()]
    return {"changed": outcome.changed, "unchanged": outcome.unchanged, "skipped": skipped}
