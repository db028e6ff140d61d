"""Handing out files: checked at each access, never run in our origin."""

import re
import uuid

from django.db.models.fields.files import FieldFile
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header

from conversations.desk import media_list as pictures
from conversations.desk.forms import read_uuid
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view, not_seen
from conversations.desk.views import sending
from conversations.messaging import refetching
from conversations.messaging.models import Attachment

_INLINE = re.compile(r"image/(jpeg|png|webp|gif)|(audio|video)/[a-z0-9.+-]{1,60}")
_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{0,15})")


@desk_view("GET")
def attachment(request: DeskRequest, pk: uuid.UUID) -> HttpResponse:
    """The file of an attachment one may see; pictures, sound and film inline, everything else as a download. With
    `rendition` the form of a sound that every browser plays; with `download` never inline.
    """
    visible = Attachment.objects.visible_to(request.user).exclude(message__revoked_at__isnull=False)
    found = visible.filter(pk=pk).first()
    if found is None:
        raise not_seen(request, Attachment, pk=pk)
    if found.state != Attachment.State.STORED:
        raise Http404
    is_rendition = "rendition" in request.GET and bool(found.rendition)
    mime_type = "audio/mp4" if is_rendition else found.mime_type.partition(";")[0].strip().lower()
    inline = _INLINE.fullmatch(mime_type) is not None
    as_file = not inline or "download" in request.GET
    try:
        response = _part(found.rendition if is_rendition else found.file, request.headers.get("Range", ""))
    except (OSError, ValueError) as error:  # gone from the disk, or never there
        raise Http404 from error
    response["Content-Type"] = mime_type if inline else "application/octet-stream"
    disposition = content_disposition_header(as_file, found.filename or found.kind)
    if disposition:
        response["Content-Disposition"] = disposition
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Accept-Ranges"] = "bytes"
    return response


@desk_view("GET")
def media_list(request: DeskRequest, pk: int) -> HttpResponse:
    """Photos and videos of a conversation: the viewer `around` one of them (the newest), or more `before` or `after`
    one.
    """
    chosen = conversation_or_404(request, pk)
    asked = next((name for name in ("before", "after", "around") if name in request.GET), "")
    wanted = read_uuid(request.GET[asked]) if asked else pictures.newest(chosen)
    look = {"before": pictures.before, "after": pictures.after}.get(asked, pictures.around)
    strip = look(chosen, wanted) if wanted else None
    if strip is None:
        raise Http404
    context = {"strip": strip, "at": str(wanted), "is_whole": look is pictures.around}
    return render(request, "inbox/_viewer.html", context)


@desk_view("POST")
def ask_again(request: DeskRequest, pk: uuid.UUID) -> HttpResponse:
    """Ask the provider for a file once more."""
    visible = Attachment.objects.visible_to(request.user)
    found = visible.filter(message__isnull=False, message__revoked_at=None, pk=pk).first()
    if found is None:
        raise not_seen(request, Attachment, pk=pk)
    return sending.bubbles(request, [refetching.ask_again(found)])


def _part(stored: FieldFile, wanted: str) -> HttpResponse:
    """The whole file, or the one range a player asks for."""
    with stored.open("rb") as file:
        match, size = _RANGE.fullmatch(wanted), stored.size
        start = int(match[1]) if match else size
        end = min(int(match[2] or size) if match else 0, size - 1)
        if start > end:  # no range, or none that this file has
            return HttpResponse(file.read())
        file.seek(start)
        response = HttpResponse(file.read(end - start + 1), status=206)
        response["Content-Range"] = f"bytes {start}-{end}/{size}"
        return response
