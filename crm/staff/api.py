"""Who calls the API and whether their token's scopes allow it."""

import datetime as dt
from typing import TYPE_CHECKING, Any, cast

from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

from crm.staff import tokens
from crm.staff.models import ApiToken, User

if TYPE_CHECKING:  # rest_framework.views reads its settings, which name this module
    from rest_framework.views import APIView


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer vt_…`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return (user, token), None without a Bearer header; raises AuthenticationFailed for a bad one."""
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
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return "Bearer"


class HasScope(permissions.BasePermission):
    """Reading needs the scope `read`, everything else `write`. Without a token nothing is allowed."""

    message = gettext_lazy("This token's scopes do not allow this. Use a token with the scope read or write.")

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Compare the method with the token's scopes."""
        token: Any = request.auth
        needed = "read" if request.method in permissions.SAFE_METHODS else "write"
        return isinstance(token, ApiToken) and needed in token.scopes


class ManagersWrite(permissions.BasePermission):
    """Everybody reads; what the whole business shares is changed by managers and integrators."""

    message = gettext_lazy("Only managers and integrators may change this. Use a token of one of them.")

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Look at the role of the token's user."""
        return request.method in permissions.SAFE_METHODS or user_of(request).sees_everything


def user_of(request: Request) -> User:
    """Whose token this is; call it behind HasScope."""
    return cast(User, request.user)


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """OpenAPI's words for a Bearer token."""
        return {"type": "http", "scheme": "bearer"}
