"""Writing: messages, notes, uploads; retry, cancel, undo; the strip above the composer."""

import datetime as dt
import uuid

from django.conf import settings
from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _

from conversations.desk import collision
from conversations.desk.bubbles import bubble_of
from conversations.desk.forms import BadForm, TooManyFiles, UploadMissing, read_pk, read_place, read_uuid, required_uuid
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view, not_seen
from conversations.desk.strip import composer_of
from conversations.messaging import media, outbound, threads
from conversations.messaging.errors import NotRetryable, SendRefused
from conversations.messaging.models import Attachment, Conversation, Message
from conversations.notices import mentions

FILES_MAX = 10


def send(request: DeskRequest, chosen: Conversation) -> HttpResponse:
    """Send a message: 201 (X-Hold: for how many seconds it can be undone), or 200 if this client_id is known. 409 if a
    colleague was faster, unless `force` says to send it anyway.
    """
    client_id = required_uuid(request.POST, "client_id")
    reply_to = quoted(chosen, request.POST.get("reply_to", ""))
    contents = _contents(request)
    hold, sent = dt.timedelta(seconds=settings.UNDO_SEND_SECONDS), []
    if request.POST.get("force") != "1":
        _check_collision(request, chosen, client_id)
    with transaction.atomic():
        for index, content in enumerate(contents):
            key = client_id if index == 0 else uuid.uuid5(client_id, str(index))
            sent.append(
                outbound.compose(
                    chosen, by=request.user, content=content, origin="agent", client_id=key, hold=hold,
                    reply_to=reply_to if index == 0 else None,
                )
            )  # fmt: skip
    response = bubbles(request, [message for message, _made in sent], 201 if sent[0][1] else 200)
    if sent[0][1] and hold:
        response["X-Hold"] = str(settings.UNDO_SEND_SECONDS)
    return response


def _contents(request: DeskRequest) -> list[outbound.Content]:
    """A place if the form has one, else words and files."""
    if place := request.POST.get("place", ""):
        return [read_place(place)]
    return outbound.contents_of(request.POST.get("text", ""), uploads_of(request))


def _check_collision(request: DeskRequest, chosen: Conversation, client_id: uuid.UUID) -> None:
    try:
        collision.check(chosen, request.user, request.POST.get("seen", ""))
    except collision.Collision:
        if not chosen.messages.filter(client_id=client_id).exists():  # a repetition is answered as the first time
            raise


def uploads_of(request: DeskRequest) -> list[Attachment]:
    """The files a form names, in its order; raises TooManyFiles, UploadMissing."""
    names = request.POST.getlist("attachment")
    if len(names) > FILES_MAX:
        raise TooManyFiles(
            _("At most %(limit)s files can be sent at once. Send the others in a second message.")
            % {"limit": FILES_MAX}
        )
    ids = [found for found in map(read_uuid, names) if found]
    if not names:
        return []
    files = {file.pk: file for file in Attachment.objects.visible_to(request.user).filter(pk__in=ids)}
    if len(files) != len(names):
        raise UploadMissing(_("The file is no longer here. Attach it again."))
    return [files[pk] for pk in ids]


@desk_view("POST")
def note(request: DeskRequest, pk: int) -> HttpResponse:
    """A private note."""
    chosen = conversation_or_404(request, pk)
    client_id = required_uuid(request.POST, "client_id")
    message, made = mentions.note(chosen, by=request.user, text=request.POST.get("text", ""), client_id=client_id)
    return bubbles(request, [message], 201 if made else 200)


@desk_view("POST")
def retry(request: DeskRequest, client_id: uuid.UUID) -> HttpResponse:
    """Send a failed message again."""
    return bubbles(request, [outbound.retry(_own_message(request, client_id))])


@desk_view("POST")
def cancel(request: DeskRequest, client_id: uuid.UUID) -> HttpResponse:
    """Take back a message that has not left."""
    return bubbles(request, [outbound.cancel(_own_message(request, client_id))])


@desk_view("POST")
def undo(request: DeskRequest, client_id: uuid.UUID) -> HttpResponse:
    """Make what one has just written unsaid, as long as nothing was tried with it."""
    found = _own_message(request, client_id)
    if found.author_id not in (None, request.user.pk):
        raise NotRetryable(_("Only who wrote this message can undo it. Cancel it instead."))
    outbound.undo(found)
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
            chosen, file, name=file.name or "", size=file.size or 0, claimed=file.content_type or "", by=request.user,
            is_voice=request.POST.get("voice") == "1",
        )  # fmt: skip
    except SendRefused as refusal:
        return JsonResponse({"code": refusal.code, "detail": str(refusal)}, status=422)
    return JsonResponse(
        {"id": attachment.pk, "kind": attachment.kind, "name": attachment.filename, "size": attachment.size},
        status=201,
    )


@desk_view("GET")
def composer(request: DeskRequest, pk: int) -> HttpResponse:
    """The strip above the composer."""
    chosen = conversation_or_404(request, pk)
    return render(request, "inbox/_composer_state.html", {"conversation": chosen, "composer": composer_of(chosen)})


def quoted(chosen: Conversation, text: str) -> Message | None:
    """The message of this conversation with this client id; None for nothing; raises Http404."""
    if not text:
        return None
    client_id = read_uuid(text)
    return get_object_or_404(Message, conversation=chosen, client_id=client_id) if client_id else None


def bubbles(request: DeskRequest, sent: list[Message], status_code: int = 200) -> HttpResponse:
    """Answer with the bubbles of these messages."""
    if len(sent) == 1:
        return render(request, "inbox/_message.html", {"message": bubble_of(sent[0])}, status=status_code)
    items = [{"type": "message", "message": bubble_of(message)} for message in sent]
    return render(request, "inbox/_messages.html", {"items": items}, status=status_code)


def _own_message(request: DeskRequest, client_id: uuid.UUID) -> Message:
    found = Message.objects.visible_to(request.user).filter(client_id=client_id, direction="out").first()
    if found is None:
        raise not_seen(request, Message, client_id=client_id)
    return found
