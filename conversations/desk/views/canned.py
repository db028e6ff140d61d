"""Canned answers at the desk: found while writing, kept in order by managers."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _

from conversations.answers import editing, filling
from conversations.answers.models import CannedAnswer
from conversations.desk.forms import BadForm, read_pk
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view
from crm.foundation.errors import Refusal
from crm.staff.models import Team

SHOWN = 8
LISTED = 200
MAY_EDIT = "conversations.change_cannedanswer"


class ManagersOnly(Refusal):
    """Agents use what managers keep."""

    code = "managers_only"
    http_status = 403


@desk_view("GET")
def find(request: DeskRequest) -> HttpResponse:
    """Answers for what was typed after the slash, filled in for conversation `c`."""
    pk = read_pk(request.GET.get("c", ""))
    if pk is None:
        raise BadForm(_("The page sent an incomplete request. Reload it and try again."))
    chosen = conversation_or_404(request, pk)
    found = CannedAnswer.objects.visible_to(request.user).search(request.GET.get("q", "")[:100])[:SHOWN]
    answers = [{"answer": one, "text": filling.filled(one.body, chosen, request.user)} for one in found]
    return render(request, "inbox/_suggest.html", {"answers": answers, "may_edit": request.user.has_perm(MAY_EDIT)})


@desk_view("GET", "POST")
def answers(request: DeskRequest) -> HttpResponse:
    """The dialog with all answers; POST `save` or `delete`, by managers."""
    if request.method == "GET":
        return _dialog(request)
    if not request.user.has_perm(MAY_EDIT):
        raise ManagersOnly(_("Only managers change quick answers. Ask one of them."))
    pk = read_pk(request.POST.get("id", ""))
    answer = get_object_or_404(CannedAnswer, pk=pk) if pk else CannedAnswer()
    if request.POST.get("action") == "delete":
        if pk:
            editing.delete(answer, by=request.user)
        return _dialog(request, done=_("Deleted."))
    team_pk = read_pk(request.POST.get("team", ""))
    wanted = {name: request.POST.get(name, "") for name in ("shortcut", "title", "body")}
    try:
        editing.save(answer, **wanted, team=get_object_or_404(Team, pk=team_pk) if team_pk else None, by=request.user)
    except editing.BadAnswer as refusal:
        form = wanted | {"id": pk or "", "team": team_pk, "error": str(refusal), "field": refusal.extra["field"]}
        response = _dialog(request, form=form, status=refusal.http_status)
        response["X-Error"] = refusal.code
        return response
    return _dialog(request, done=_("Saved."))


def _dialog(
    request: DeskRequest, *, form: dict[str, Any] | None = None, done: str = "", status: int = 200
) -> HttpResponse:
    may_edit = request.user.has_perm(MAY_EDIT)
    context = {
        "answers": CannedAnswer.objects.visible_to(request.user).select_related("team")[:LISTED],
        "teams": Team.objects.all() if may_edit else [],
        "may_edit": may_edit,
        "variables": [f"{{{{{name}}}}}" for name in filling.NAMES],
        "form": form,
        "done": done,
    }
    return render(request, "inbox/_canned_answers.html", context, status=status)
