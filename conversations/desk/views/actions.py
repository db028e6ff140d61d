"""What an agent does: write, note, react, retry, cancel, assign, resolve, read, upload."""

import uuid
from typing import Any

from django.db import transaction
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _

from conversations.channels.base import Reaction, Text
from conversations.desk import thread
from conversations.desk.bubbles import bubble_of
from conversations.desk.forms import BadForm, UploadMissing, read_pk, read_uuid, read_version, required_uuid
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view
from conversations.desk.views.pages import header_context
from conversations.messaging import media, outbound, threads
from conversations.messaging.errors import SendRefused
from conversations.messaging.models import Attachment, Conversation, Message
from crm.foundation.errors import Conflict
from crm.staff.models import Team, User

FILES_MAX = 10
EMOJI_MAX = 32


@desk_view("GET", "POST")
def messages(request: DeskRequest, pk: int) -> HttpResponse:
    """GET: a page of bubbles (`before`, `after` or `ids`). POST: send a message."""
    chosen = conversation_or_404(request, pk)
    if request.method == "POST":
        return _send(request, chosen)
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


def _send(request: DeskRequest, chosen: Conversation) -> HttpResponse:
    client_id = required_uuid(request.POST, "client_id")
    reply_to = _quoted(chosen, request.POST.get("reply_to", ""))
    text = request.POST.get("text", "")
    contents = _contents(request, chosen, text)
    sent = []
    with transaction.atomic():
        for index, content in enumerate(contents):
            key = client_id if index == 0 else uuid.uuid5(client_id, str(index))
            sent.append(
                outbound.compose(
                    chosen, by=request.user, content=content, origin="agent", client_id=key,
                    reply_to=reply_to if index == 0 else None,
                )
            )  # fmt: skip
    return _bubbles(request, [message for message, _made in sent], 201 if sent[0][1] else 200)


def _contents(request: DeskRequest, chosen: Conversation, text: str) -> list[Any]:
    """Text alone, or each file with the text as the first one's caption; a text no file can carry goes on its own."""
    names = request.POST.getlist("attachment")[:FILES_MAX]
    ids = [found for found in map(read_uuid, names) if found]
    if not names:
        return [Text(text)]
    files = {file.pk: file for file in Attachment.objects.visible_to(request.user).filter(pk__in=ids)}
    if len(files) != len(names):
        raise UploadMissing(_("The file is no longer here. Attach it again."))
    ordered = [files[pk] for pk in ids]
    first, rest = ordered[0], [outbound.Upload(file) for file in ordered[1:]]
    if text.strip() and first.kind not in ("image", "video", "document"):
        return [outbound.Upload(first), *rest, Text(text)]
    return [outbound.Upload(first, text), *rest]


@desk_view("POST")
def note(request: DeskRequest, pk: int) -> HttpResponse:
    """A private note."""
    chosen = conversation_or_404(request, pk)
    client_id = required_uuid(request.POST, "client_id")
    message, made = outbound.note(chosen, by=request.user, text=request.POST.get("text", ""), client_id=client_id)
    return _bubbles(request, [message], 201 if made else 200)


@desk_view("POST")
def react(request: DeskRequest, pk: int) -> HttpResponse:
    """React to a message; an empty emoji takes the reaction back."""
    chosen = conversation_or_404(request, pk)
    target = _quoted(chosen, request.POST.get("message", ""))
    if target is None or not target.external_id:
        raise BadForm(_("This message cannot be reacted to yet."))
    emoji = request.POST.get("emoji", "")[:EMOJI_MAX]
    outbound.compose(chosen, by=request.user, content=Reaction(target.external_id, emoji), origin="agent")
    return _bubbles(request, [target])


@desk_view("POST")
def retry(request: DeskRequest, client_id: uuid.UUID) -> HttpResponse:
    """Send a failed message again."""
    return _bubbles(request, [outbound.retry(_own_message(request, client_id))])


@desk_view("POST")
def cancel(request: DeskRequest, client_id: uuid.UUID) -> HttpResponse:
    """Take back a message that has not left."""
    return _bubbles(request, [outbound.cancel(_own_message(request, client_id))])


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


@desk_view("POST")
def typing(request: DeskRequest, pk: int) -> HttpResponse:
    """The agent types an answer."""
    threads.note_typing(conversation_or_404(request, pk))
    return HttpResponse(status=204)


@desk_view("POST")
def upload(request: DeskRequest) -> HttpResponse:
    """Keep a file for sending."""
    pk, file = read_pk(request.POST.get("conversation", "")), request.FILES.get("file")
    if pk is None or file is None:
        raise BadForm(_("The page sent an incomplete request. Reload it and try again."))
    chosen = conversation_or_404(request, pk)
    try:
        attachment = media.store_upload(
            chosen, file, name=file.name or "", size=file.size or 0, claimed=file.content_type or "", by=request.user
        )
    except SendRefused as refusal:
        return JsonResponse({"code": refusal.code, "detail": str(refusal)}, status=422)
    return JsonResponse(
        {"id": attachment.pk, "kind": attachment.kind, "name": attachment.filename, "size": attachment.size},
        status=201,
    )


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


def _quoted(chosen: Conversation, text: str) -> Message | None:
    if not text:
        return None
    client_id = read_uuid(text)
    return get_object_or_404(Message, conversation=chosen, client_id=client_id) if client_id else None


def _own_message(request: DeskRequest, client_id: uuid.UUID) -> Message:
    found = Message.objects.visible_to(request.user).filter(client_id=client_id, direction="out").first()
    if found is None:
        raise Http404
    return found


def _bubbles(request: DeskRequest, sent: list[Message], status_code: int = 200) -> HttpResponse:
    if len(sent) == 1:
        return render(request, "inbox/_message.html", {"message": bubble_of(sent[0])}, status=status_code)
    items = [{"type": "message", "message": bubble_of(message)} for message in sent]
    return render(request, "inbox/_messages.html", {"items": items}, status=status_code)
