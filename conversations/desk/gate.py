"""The door of every desk view: signed in, allowed here, and refusals turned into words."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from conversations.desk import viewing
from conversations.messaging.errors import SendRefused
from conversations.messaging.models import Conversation
from crm.audit import denials
from crm.foundation.errors import Refusal
from crm.privacy.models import AccessLogEntry
from crm.staff.models import User
from crm.staff.viewer import seen_by

View = Callable[..., HttpResponse]

WHO_LOOKED = tuple(f'{verb} "{AccessLogEntry._meta.db_table}" '.upper() for verb in ("INSERT INTO", "UPDATE"))


class DeskRequest(HttpRequest):
    """A request that has passed the gate; `viewer` is the manager who sees the inbox as `user` does, if one does."""

    user: User
    viewer: User | None


def desk_view(*methods: str, as_oneself: bool = False) -> Callable[[View], View]:
    """Allow these methods to signed-in users of the desk; a refusal becomes 422 (composer) or its own status, with
    X-Error. A manager who looks on as somebody else sees what they see (unless `as_oneself`) and changes nothing.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.may_use_desk:  # type: ignore[union-attr]
                raise PermissionDenied
            request.viewer = None  # type: ignore[attr-defined]
            seen = None if as_oneself else viewing.seen_by(request)
            try:
                return view(request, *args, **kwargs) if seen is None else _look(view, request, seen, *args, **kwargs)
            except Refusal as refusal:
                return refuse(request, refusal)

        return require_http_methods(methods)(never_cache(login_required(gate)))

    return decorate


def _look(view: View, request: HttpRequest, seen: User, *args: Any, **kwargs: Any) -> HttpResponse:
    """What `seen` would get, from a database that is only read, but for who looked. No transaction: SQLite's would hold
    up all writers.
    """
    if request.method not in ("GET", "HEAD"):
        raise viewing.OnlyLooking
    request.viewer, request.user = request.user, seen  # type: ignore[attr-defined]
    with connection.execute_wrapper(_only_read), seen_by(seen):
        return view(request, *args, **kwargs)


def _only_read(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    if not sql.lstrip(" (\n").upper().startswith(("SELECT", *WHO_LOOKED)):
        raise viewing.OnlyLooking
    return execute(sql, params, many, context)


def refuse(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The sentence of a refusal, with its code in X-Error."""
    status = 422 if isinstance(refusal, SendRefused) else refusal.http_status
    response = render(request, "inbox/_composer_error.html", {"error": str(refusal)}, status=status)
    response["X-Error"] = refusal.code
    return response


def conversation_or_404(request: DeskRequest, pk: int) -> Conversation:
    """The conversation as a list row, if this user may see it; else it is recorded that they asked for it."""
    found = shown(request, pk)
    if found is None:
        raise not_seen(request, Conversation, pk=pk)
    return found


def shown(request: DeskRequest, pk: int) -> Conversation | None:
    """The conversation as a list row, None if this user may not see it."""
    row = Conversation.objects.visible_to(request.user).for_rows(request.user).filter(pk=pk)
    return row.select_related("inbox__account", "contact", "identity", "assignee", "team").first()


def not_seen(request: HttpRequest, model: type[Model], **key: Any) -> Http404:
    """What to raise where this user sees no row of this `key`; if there is one, it is recorded that they asked."""
    denials.missed(request, model, **key)
    return Http404()
