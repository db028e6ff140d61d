"""Attempts that were refused: what somebody asked for by id without seeing it, and acts without the right to them."""

import functools
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import structlog
from django.db import DatabaseError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from crm.audit import log
from crm.foundation import throttle
from crm.foundation.logs import without_links

MOST = 20  # entries of one user in a minute
MOST_A_DAY = 200  # and in a day; in each hour that has more, one entry says so
HOUR, DAY = 60 * 60, 24 * 60 * 60  # seconds
PATH_SHOWN = 200

logger = structlog.get_logger(__name__)


def missed(request: HttpRequest, model: type[Model], **key: Any) -> None:
    """Say that this user was not shown what `key` names. Whether it exists is looked up after the answer has left, so
    that neither its text nor its time tells.
    """
    asked = getattr(request, "_missed", [])
    request._missed = [*asked, (model, key)]  # type: ignore[attr-defined]


class DenialMiddleware:
    """Records what `missed` named and exists, and every 403, of people who are known."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Leave it to the end of the response."""
        response = self.get_response(request)
        who = log.origin()
        is_refused = response.status_code == 403 or hasattr(request, "_missed")
        # A manager who looks at the inbox as somebody else was not denied anything.
        if is_refused and who.user_id is not None and getattr(request, "viewer", None) is None:
            note = functools.partial(_note, request, who, is_forbidden=response.status_code == 403)
            response._resource_closers.append(note)  # type: ignore[attr-defined]
        return response


def _note(request: HttpRequest, who: log.Origin, *, is_forbidden: bool) -> None:
    try:
        subjects: list[Model | None] = [*_unseen(request)]
        for subject in subjects or ([None] if is_forbidden else []):
            if not _record(request, who, subject):
                return
    except DatabaseError as error:
        logger.warning("denied attempt not recorded", error=type(error).__name__)


def _record(request: HttpRequest, who: log.Origin, subject: Model | None) -> bool:
    """Record one, once an hour for the same thing, or that there were more; False when the share is used up."""
    asked = without_links(f"{request.method} {request.path}")[:PATH_SHOWN]
    what = f"{subject._meta.label_lower} {subject.pk}" if subject is not None else asked
    if throttle.wait_for(f"denied-same:{who.user_id}:{sha256(what.encode()).hexdigest()}", 1, HOUR):
        return True
    is_more = throttle.wait_for(f"denied:{who.user_id}", MOST) or throttle.wait_for(
        f"denied-day:{who.user_id}", MOST_A_DAY, DAY
    )
    if is_more and throttle.wait_for(f"denied-more:{who.user_id}", 1, HOUR):
        return False
    with log.acting(who):
        if is_more:
            log.record("denied", changes={"more": [None, True]})
        else:
            log.record("denied", subject, changes={"asked_for": [None, asked]})
    return not is_more


def _unseen(request: HttpRequest) -> Iterator[Model]:
    """Of what was missed, what there is and this user does not see."""
    for model, key in getattr(request, "_missed", ()):
        seen: Any = model._default_manager
        if hasattr(seen, "visible_to"):
            rows = model._base_manager.filter(**key).order_by("pk")
            yield from rows.exclude(pk__in=seen.visible_to(request.user).filter(**key).values("pk"))[:MOST]
