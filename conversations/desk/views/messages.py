"""Reading and reacting: pages of bubbles, searching among them, what is known of one, reactions."""

import uuid

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from conversations.channels.base import Reaction
from conversations.desk import thread, thread_search
from conversations.desk.details import details_of
from conversations.desk.forms import BadForm, read_uuid
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view, not_seen
from conversations.desk.views import sending
from conversations.messaging import outbound
from conversations.messaging.models import Message

EMOJI_MAX = 32


@desk_view("GET", "POST")
def messages(request: DeskRequest, pk: int) -> HttpResponse:
    """GET: a page of bubbles (`before`, `after`, `around` or `ids`). POST: send a message."""
    chosen = conversation_or_404(request, pk)
    if request.method == "POST":
        return sending.send(request, chosen)
    if "ids" in request.GET:
        ids = [str(found) for found in map(read_uuid, request.GET["ids"].split(",")[:50]) if found]
        page: thread.Page | None = thread.some(chosen, ids)
    elif "around" in request.GET:
        middle = read_uuid(request.GET["around"])
        page = thread.around(chosen, middle) if middle else None
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


@desk_view("GET")
def search(request: DeskRequest, pk: int) -> JsonResponse:
    """The ids of the messages of this conversation that match `q`, newest first."""
    chosen = conversation_or_404(request, pk)
    return JsonResponse({"hits": thread_search.hits(chosen, request.GET.get("q", ""))})


@desk_view("GET")
def info(request: DeskRequest, client_id: uuid.UUID) -> HttpResponse:
    """Everything known of one message."""
    visible = Message.objects.visible_to(request.user).filter(client_id=client_id)
    message = visible.select_related("author", "conversation__contact").prefetch_related("attachments").first()
    if message is None:
        raise not_seen(request, Message, client_id=client_id)
    host = f"{request.scheme}://{request.get_host()}"
    return render(request, "inbox/_info.html", {"details": details_of(message, request.user, host)})
