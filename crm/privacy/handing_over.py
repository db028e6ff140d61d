"""Handing a person's copy to who may fetch it: in time, logged, never shown in a browser's origin."""

from collections.abc import Iterator

from django.core.exceptions import PermissionDenied
from django.http import Http404

from crm.audit import log
from crm.contacts import masking
from crm.foundation import clock
from crm.foundation.streaming import Streamed
from crm.privacy import accesses
from crm.privacy.models import PrivacyRequest
from crm.staff.models import User

CHUNK = 256 * 1024


def download(row: PrivacyRequest, user: User) -> Streamed:
    """The ZIP; raises Http404 if there is none, or its time is over, PermissionDenied for who may not see addresses."""
    if masking.hides(user):
        raise PermissionDenied
    if not row.file or row.expires_at is None or row.expires_at <= clock.now():
        raise Http404
    try:
        size = row.file.size
    except (OSError, ValueError) as error:
        raise Http404 from error
    log.record("downloaded", row, by=user)
    accesses.note(user, row.contact_id, accesses.What.COPY, detail=f"request {row.pk}")
    response = Streamed(_pieces(row), content_type="application/zip")
    response["Content-Length"] = str(size)
    response["Content-Disposition"] = f'attachment; filename="data-{row.pk}.zip"'
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


def _pieces(row: PrivacyRequest) -> Iterator[bytes]:
    with row.file.open("rb") as file:
        yield from file.chunks(CHUNK)
