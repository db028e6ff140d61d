"""Handing out files: checked at each access, never run in our origin."""

import re
import uuid

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.http import content_disposition_header

from conversations.desk.gate import DeskRequest, desk_view
from conversations.messaging.models import Attachment

_INLINE = re.compile(r"image/(jpeg|png|webp|gif)|(audio|video)/[a-z0-9.+-]{1,60}")
_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{0,15})")


@desk_view("GET")
def attachment(request: DeskRequest, pk: uuid.UUID) -> HttpResponse:
    """The file of an attachment one may see; pictures, sound and film inline, everything else as a download."""
    found = get_object_or_404(
        Attachment.objects.visible_to(request.user).exclude(message__revoked_at__isnull=False), pk=pk
    )
    if found.state != Attachment.State.STORED:
        raise Http404
    mime_type = found.mime_type.partition(";")[0].strip().lower()
    inline = _INLINE.fullmatch(mime_type) is not None
    try:
        response = _part(found, request.headers.get("Range", ""))
    except (OSError, ValueError) as error:  # gone from the disk, or never there
        raise Http404 from error
    response["Content-Type"] = mime_type if inline else "application/octet-stream"
    disposition = content_disposition_header(not inline, found.filename or found.kind)
    if disposition:
        response["Content-Disposition"] = disposition
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Accept-Ranges"] = "bytes"
    return response


def _part(found: Attachment, wanted: str) -> HttpResponse:
    """The whole file, or the one range a player asks for."""
    with found.file.open("rb") as file:
        match = _RANGE.fullmatch(wanted)
        start = int(match[1]) if match else found.size
        end = min(int(match[2] or found.size) if match else 0, found.size - 1)
        if start > end:  # no range, or none that this file has
            return HttpResponse(file.read())
        file.seek(start)
        response = HttpResponse(file.read(end - start + 1), status=206)
        response["Content-Range"] = f"bytes {start}-{end}/{found.size}"
        return response
