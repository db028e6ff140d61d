"""ETag, If-Match and If-None-Match: a caller says which state of a thing they mean."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpResponseBase
from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

from crm.foundation.errors import Refusal


class ChangedMeanwhile(Refusal):
    """It is no longer what the caller has read."""

    code = "precondition_failed"
    http_status = 412


def etag_of(data: Any) -> str:
    """A fingerprint of what an answer says."""
    text = json.dumps(data, cls=JSONEncoder, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def matches(header: str, etag: str) -> bool:
    """Whether an If-Match or If-None-Match names this state."""
    wanted = parse_etags(header)
    return "*" in wanted or etag in {one.removeprefix("W/") for one in wanted}


def guarded(
    handler: Callable[..., HttpResponseBase],
    current: Callable[[], Any],
    lock: Callable[[], None],
    request: Request,
    *args: Any,
    **kwargs: Any,
) -> HttpResponseBase:
    """What `handler` answers, if the thing is locked and still as If-Match says; raises ChangedMeanwhile."""
    with transaction.atomic():
        lock()
        if not matches(request.headers["If-Match"], etag_of(current())):
            raise ChangedMeanwhile(_("This has changed since you read it. Read it again and repeat your change."))
        return handler(request, *args, **kwargs)
