"""Saved views: kept, renamed, deleted; each answers with the views as they are now."""

from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _

from conversations.desk import queue, saved_views
from conversations.desk.forms import BadForm, read_pk
from conversations.desk.gate import DeskRequest, desk_view, not_seen
from conversations.desk.models import SavedView
from conversations.desk.queue import ViewQuery
from conversations.desk.views.lists import views_context


@desk_view("GET", "POST")
def views(request: DeskRequest) -> HttpResponse:
    """The views with their counts; POST `save` (name, query, team), `rename` or `delete` (pk)."""
    current = ViewQuery.of(QueryDict(request.POST.get("query", "") or request.GET.urlencode()))
    if request.method == "POST":
        _change(request, current)
    user, kept = request.user, saved_views.of(request.user)
    values = queue.ask(user, queue.counters(user) | saved_views.counters(user, kept))
    return render(request, "inbox/_views.html", views_context(request, current, kept, values))


def _change(request: DeskRequest, current: ViewQuery) -> None:
    name, action = request.POST.get("name", ""), request.POST.get("action", "save")
    if action == "save":
        pk = read_pk(request.POST.get("team", ""))
        team = get_object_or_404(saved_views.teams_of(request.user), pk=pk) if pk else None
        saved_views.save(request.user, name, current, team)
        return
    pk = read_pk(request.POST.get("pk", "")) or 0
    view = SavedView.objects.visible_to(request.user).filter(pk=pk).first()
    if view is None:
        raise not_seen(request, SavedView, pk=pk)
    if not saved_views.may_change(view, request.user):
        raise saved_views.NotYours
    if action == "rename":
        saved_views.rename(view, name, by=request.user)
    elif action == "delete":
        saved_views.delete(view, by=request.user)
    else:
        raise BadForm(_("The page sent an incomplete request. Reload it and try again."))
