"""What a conversation is: whose, in which state, read by whom; and the head that shows it."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _

from conversations.desk import thread
from conversations.desk.forms import BadForm, read_pk, read_version
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view
from conversations.desk.rows import row_of
from conversations.messaging import threads
from conversations.messaging.models import Conversation
from crm.foundation.errors import Conflict
from crm.staff.models import Team, User


@desk_view("GET")
def header(request: DeskRequest, pk: int) -> HttpResponse:
    """The head of a thread."""
    return render(request, "inbox/_header.html", header_context(request, conversation_or_404(request, pk)))


@desk_view("POST")
def assign(request: DeskRequest, pk: int) -> HttpResponse:
    """Give the conversation to somebody, to a team, to nobody; 409 with the present state if it changed meanwhile."""
    chosen = conversation_or_404(request, pk)
    assignee, team = chosen.assignee, chosen.team
    if "assignee" in request.POST:
        assignee = _assignee(request)
    if "team" in request.POST:
        wanted = read_pk(request.POST["team"])
        team = get_object_or_404(Team, pk=wanted) if wanted else None

    def change() -> Conversation:
        return threads.assign(chosen, by=request.user, assignee=assignee, team=team, version=read_version(request.POST))

    return _changed(request, pk, change)


def _assignee(request: DeskRequest) -> User | None:
    wanted = request.POST["assignee"]
    if wanted == "me":
        return request.user
    pk = read_pk(wanted)
    return get_object_or_404(User, pk=pk, is_active=True) if pk else None


@desk_view("POST")
def status(request: DeskRequest, pk: int) -> HttpResponse:
    """Resolve or reopen."""
    chosen = conversation_or_404(request, pk)
    wanted = request.POST.get("status", "")
    if wanted not in (Conversation.Status.OPEN, Conversation.Status.RESOLVED):
        raise BadForm(_("The page sent an incomplete request. Reload it and try again."))
    return _changed(
        request, pk, lambda: threads.set_status(chosen, wanted, by=request.user, version=read_version(request.POST))
    )


@desk_view("POST")
def read(request: DeskRequest, pk: int) -> HttpResponse:
    """The agent has read everything."""
    threads.mark_read(conversation_or_404(request, pk), request.user)
    return HttpResponse(status=204)


def _changed(request: DeskRequest, pk: int, change: Any) -> HttpResponse:
    try:
        change()
        conflict = False
    except Conflict:
        conflict = True
    still = Conversation.objects.visible_to(request.user).for_rows(request.user).filter(pk=pk).first()
    if still is None:  # given away to where this user does not see it
        return HttpResponse(status=204)
    context = header_context(request, still, conflict=conflict)
    return render(request, "inbox/_header.html", context, status=409 if conflict else 200)


def header_context(request: DeskRequest, chosen: Conversation, *, conflict: bool = False) -> dict[str, Any]:
    """What the head of a thread shows."""
    agents, teams = thread.assignable(chosen)
    return {
        "conversation": row_of(chosen, request.user),
        "agents": agents,
        "teams": teams,
        "can_act": True,
        "conflict": conflict,
    }
