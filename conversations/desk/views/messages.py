"""Reading and reacting: pages of bubbles, reactions."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from conversations.channels.base import Reaction
from conversations.desk import thread
from conversations.desk.forms import BadForm, read_uuid
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view
from conversations.desk.views import sending
from conversations.messaging import outbound

EMOJI_MAX = 32


@desk_view("GET", "POST")
def messages(request: DeskRequest, pk: int) -> HttpResponse:
    """GET: a page of bubbles (`before`, `after` or `ids`). POST: send a message."""
    chosen = conversation_or_404(request, pk)
    if request.method == "POST":
        return sending.send(request, chosen)
    if "ids" in request.GET:
        ids = [str(found) for found in map(read_uuid, request.GET["ids"].split(",")[:50]) if found]
        page: thread.Page | None = thread.some(chosen, ids)
    elif "before" in request.GET:
        page = thread.before(chosen, request.GET["before"])
    elif "after" in request.GET:
        page = thread.after(chosen, request.GET["after"])
    else:
        page = thread.latest(chosen)
    if page is None:
        raise Http404
    response = render(request, "inbox/_messages.html", {"items": page.items, "conversation": chosen})
    response["X-Before"], response["X-After"] = page.before, page.after
    return response


@desk_view("POST")
def react(request: DeskRequest, pk: int) -> HttpResponse:
    """React to a message; an empty emoji takes the reaction back."""
    chosen = conversation_or_404(request, pk)
    target = sending.quoted(chosen, request.POST.get("message", ""))
    if target is None or not target.external_id:
        raise BadForm(_("This message cannot be reacted to yet."))
    emoji = request.POST.get("emoji", "")[:EMOJI_MAX]
    outbound.compose(chosen, by=request.user, content=Reaction(target.external_id, emoji), origin="agent")
    return sending.bubbles(request, [target])
