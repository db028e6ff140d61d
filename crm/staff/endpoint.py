"""What every address of the API is made of: who calls, what the token's scopes and the user's role allow, repeatable
POSTs, conditional writes.
"""

import datetime as dt
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.http import Http404
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request
from rest_framework.response import Response

from crm.audit import denials, log
from crm.audit.models import AuditEntry
from crm.staff import idempotency, preconditions, throttles, tokens
from crm.staff.middleware import address_of
from crm.staff.models import ApiToken, User
from crm.staff.viewer import set_viewer

if TYPE_CHECKING:  # rest_framework.views reads its settings, which name this module
    from rest_framework.views import APIView

VERBS = {"POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer vt_…`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return (user, token), None without a Bearer header; raises AuthenticationFailed for a bad one, TooOften."""
        throttles.check_address(request)
        kind, _space, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = tokens.find(text.strip())
        if token is None:
            raise exceptions.AuthenticationFailed(
                _("This token is unknown, revoked or expired. Ask a manager for a new one.")
            )
        translation.activate(token.user.language)
        timezone.activate(dt.UTC)  # every time in the API is UTC; the middleware restores both
        throttles.check_token(token)
        who = token.user
        who.token_hides_addresses = tokens.hides_addresses(token)
        set_viewer(who)
        log.set_origin(log.Origin(AuditEntry.Source.API, who.pk, who.name, token.prefix, address_of(request)))
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return "Bearer"


class HasToken(permissions.BasePermission):
    """Any good token; without one nothing is allowed."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Only tokens count: a browser's session opens nothing here."""
        return isinstance(request.auth, ApiToken)


class MayUse(permissions.BasePermission):
    """The one check of an address: a scope of the token for its resource, and the permission of the user's role."""

    message: str

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Nothing is allowed without a token, nor at an address that does not say what it is about."""
        token: Any = request.auth
        if not isinstance(token, ApiToken) or not isinstance(view, Endpoint):
            return False
        verb = "read" if request.method in permissions.SAFE_METHODS else "write"
        resource = view.resource_now()
        if not tokens.opens(token, resource, verb):
            sentence = _("This token's scopes do not allow this. Use a token with the scope %(scope)s or %(narrow)s.")
            self.message = sentence % {"scope": verb, "narrow": f"{resource}:{verb}"}
            return False
        if not hasattr(view, (request.method or "").lower()):
            return True  # to be told that there is no such method
        self.message = _("The role of this token's user does not allow this. Use a token of somebody else.")
        return token.user.has_perm(view.permission_now())


class Endpoint:
    """Base of every view of the API, before DRF's own.

    `resource` is what scopes are about. The permission asked for is the model's own (view, add, change, delete by
    method; change for POSTs to one thing) unless `needs` names another by action or method.
    """

    resource: ClassVar[str] = ""
    resources: ClassVar[Mapping[str, str]] = {}
    needs: ClassVar[Mapping[str, str]] = {}
    has_etag: ClassVar[bool] = True

    def resource_now(self) -> str:
        """What the scopes of this request are about."""
        return self.resources.get(getattr(self, "action", None) or "", self.resource)

    def permission_now(self) -> str:
        """The permission this request needs."""
        view: Any = self
        action = getattr(view, "action", None) or ""
        method = "GET" if view.request.method in permissions.SAFE_METHODS else view.request.method
        known = self.needs.get(action) or self.needs.get(method)
        if known:
            return known
        verb = VERBS.get(method, "view")
        if method == "POST" and getattr(view, "detail", False):
            verb = "change"
        options = view.queryset.model._meta
        return f"{options.app_label}.{verb}_{options.model_name}"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After the checks, wrap the handler: once per Idempotency-Key, only in the state that If-Match names."""
        view: Any = self
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        name = (request.method or "").lower()
        handler = getattr(view, name, None)
        if handler is None or request.method in permissions.SAFE_METHODS:
            return
        if "If-Match" in request.headers and self._is_one_thing():
            handler = functools.partial(preconditions.guarded, handler, self._as_it_stands, self.lock)
        if idempotency.HEADER in request.headers and request.method == "POST":
            token = cast(ApiToken, request.auth)
            handler = functools.partial(_once, handler, token)
        setattr(view, name, handler)

    def handle_exception(self, error: Exception) -> Any:
        """What was asked for and not shown is recorded, if there is such a thing."""
        if isinstance(error, Http404 | exceptions.NotFound):
            self._note_what_was_missed()
        return super().handle_exception(error)  # type: ignore[misc]

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Kept by nobody on the way; with an ETag where it shows one thing, 304 if the caller has it."""
        answer = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        answer.headers.setdefault("Cache-Control", "no-store")
        if isinstance(answer, Response) and answer.status_code in (200, 201) and self._shows_itself(answer.data):
            etag = preconditions.etag_of(answer.data)
            answer.headers["ETag"] = etag
            seen = request.headers.get("If-None-Match", "")
            if request.method in permissions.SAFE_METHODS and seen and preconditions.matches(seen, etag):
                answer.status_code, answer.data = 304, None
        return answer

    def lock(self) -> None:
        """Nobody else changes the thing of this address until the end of the transaction."""
        view: Any = self
        rows = view.queryset.model._base_manager.select_for_update(no_key=True)
        rows.filter(pk=view.kwargs[view.lookup_url_kwarg or view.lookup_field]).first()

    def _note_what_was_missed(self) -> None:
        """The thing of this address, and what it belongs to."""
        view: Any = self
        own: Any = view.queryset.model
        for name, value in view.kwargs.items():
            model = own if name == "pk" else own._meta.get_field(name).related_model
            key = "pk" if model else name  # what is no relation is a column of its own, such as another system's id
            denials.missed(view.request._request, model or own, **{key: value})

    def _is_one_thing(self) -> bool:
        return self.has_etag and bool(getattr(self, "detail", False))

    def _shows_itself(self, data: Any) -> bool:
        is_own = getattr(self, "action", None) not in self.resources
        return self.has_etag and is_own and isinstance(data, Mapping) and "id" in data

    def _as_it_stands(self) -> Any:
        view: Any = self
        return view.get_serializer(view.get_object()).data


def _once(handler: idempotency.Handler, token: ApiToken, request: Request, *args: Any, **kwargs: Any) -> Any:
    return idempotency.once(handler, request, token, *args, **kwargs)


def user_of(request: Request) -> User:
    """Whose token this is; call it behind a permission."""
    return cast(User, request.user)


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """OpenAPI's words for a Bearer token."""
        return {"type": "http", "scheme": "bearer", "description": "A token: `vt_…`."}
