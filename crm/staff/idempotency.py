"""POST with an Idempotency-Key: done once, its answer kept for a day and given again to whoever asks the same again."""

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from typing import Any

import orjson
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from crm.foundation import clock
from crm.foundation.errors import Refusal
from crm.staff.models import ApiToken, StoredAnswer

HEADER = "Idempotency-Key"
KEPT = dt.timedelta(hours=24)
KEY_MAX = 255

type Handler = Callable[..., HttpResponseBase]


class KeyOfAnother(Refusal):
    """The key was used for something else."""

    code = "idempotency_key_reused"
    http_status = 422


class _NotDone(Exception):
    """The request was refused: what it had begun is undone, and nothing is kept."""

    def __init__(self, response: HttpResponseBase) -> None:
        self.response = response


def once(handler: Handler, request: Request, token: ApiToken, *args: Any, **kwargs: Any) -> HttpResponseBase:
    """What `handler` answers, in one transaction with the row that remembers it; a second request with the same key
    waits for the first. Raises KeyOfAnother. A refused request may be repeated with its key.
    """
    key = _key(request)
    fingerprint = _fingerprint(request)
    try:
        with transaction.atomic():
            row = _first(token, key, fingerprint)
            if row is None:
                return _again(token, key, fingerprint)
            response = handler(request, *args, **kwargs)
            if response.status_code >= 400 or not isinstance(response, Response):
                raise _NotDone(response)
            row.status = response.status_code
            row.body = json.loads(json.dumps(response.data, cls=JSONEncoder))
            row.save(update_fields=["status", "body"])
            return response
    except _NotDone as refused:
        return refused.response


def _first(token: ApiToken, key: str, fingerprint: str) -> StoredAnswer | None:
    """The new row of this key, None if there is one; blocks while another request with the key is at work."""
    StoredAnswer.objects.filter(token=token, key=key, created_at__lt=clock.real() - KEPT).delete()
    try:
        with transaction.atomic():
            return StoredAnswer.objects.create(token=token, key=key, fingerprint=fingerprint)
    except IntegrityError:
        return None


def _again(token: ApiToken, key: str, fingerprint: str) -> Response:
    row = StoredAnswer.objects.get(token=token, key=key)
    if row.fingerprint != fingerprint:
        raise KeyOfAnother(_("This Idempotency-Key was used for another request. Choose a new one for each request."))
    return Response(row.body, status=row.status, headers={"Idempotency-Replayed": "true"})


def _key(request: Request) -> str:
    key: str = request.headers[HEADER]
    if not (0 < len(key) <= KEY_MAX and key.isascii() and key.isprintable()):
        sentence = _("An Idempotency-Key has 1 to %(most)d printable ASCII characters.") % {"most": KEY_MAX}
        raise exceptions.ValidationError({HEADER: [sentence]})
    return key


def _fingerprint(request: Request) -> str:
    """SHA-256 of address and body; of JSON what it says, however it is written."""
    found = hashlib.sha256(f"{request.method} {request.path}\n".encode())
    if not request.FILES:
        found.update(orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS))
        return found.hexdigest()
    parts: Any = request.data
    for name, value in sorted(parts.items()):
        found.update(f"\n{name}:".encode())
        if isinstance(value, UploadedFile):
            found.update(f"{value.name} {value.size}\n".encode())
            for chunk in value.chunks():
                found.update(chunk)
            value.seek(0)
        else:
            found.update(str(value).encode())
    return found.hexdigest()
