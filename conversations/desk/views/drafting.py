"""What helps while writing: drafts kept, colleagues to mention."""

import datetime as dt

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from conversations.desk import drafts
from conversations.desk.forms import BadForm, read_pk
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view
from conversations.desk.models import Draft
from conversations.notices import mentions
from crm.foundation import clock


@desk_view("POST")
def draft(request: DeskRequest, pk: int) -> HttpResponse:
    """Keep what the agent has begun to write: `mode`, `text`, and when it was written (`at`, milliseconds)."""
    chosen = conversation_or_404(request, pk)
    mode = request.POST.get("mode", Draft.Mode.REPLY)
    if mode not in Draft.Mode.values:
        raise BadForm(_("The page sent an incomplete request. Reload it and try again."))
    drafts.save(request.user, chosen, mode, request.POST.get("text", ""), _time(request.POST.get("at", "")))
    return HttpResponse(status=204)


@desk_view("GET")
def mention(request: DeskRequest) -> HttpResponse:
    """Colleagues who can see conversation `c` and whose name begins with `q`."""
    pk = read_pk(request.GET.get("c", ""))
    if pk is None:
        raise BadForm(_("The page sent an incomplete request. Reload it and try again."))
    chosen = conversation_or_404(request, pk)
    people = mentions.candidates(chosen, request.user, request.GET.get("q", "")[:100])
    return render(request, "inbox/_suggest.html", {"people": people})


def _time(text: str) -> dt.datetime:
    """The moment of these milliseconds; now for nonsense."""
    if not (text.isascii() and text.isdigit() and len(text) <= 14):
        return clock.now()
    return dt.datetime.fromtimestamp(int(text) / 1000, dt.UTC)
