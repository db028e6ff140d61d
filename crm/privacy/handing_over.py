"""Handing a person's copy to who may fetch it: in time, logged, never shown in a browser's origin."""

from django.http import Http404, HttpResponse

from crm.audit import log
from crm.foundation import clock
from crm.privacy import accesses
from crm.privacy.models import PrivacyRequest
from crm.staff.models import User


def download(row: PrivacyRequest, user: User) -> HttpResponse:
    """The ZIP; raises Http404 if there is none, or its time is over."""
    if not row.file or row.expires_at is None or row.expires_at <= clock.now():
        raise Http404
    try:
        with row.file.open("rb") as file:
            response = HttpResponse(file.read(), content_type="application/zip")
    except (OSError, ValueError) as error:
        raise Http404 from error
    log.record("downloaded", row, by=user)
    accesses.note(user, row.contact_id, accesses.What.COPY, detail=f"request {row.pk}")
    response["Content-Disposition"] = f'attachment; filename="data-{row.pk}.zip"'
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response
