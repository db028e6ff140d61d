"""Who calls the API and whether their token's scopes allow it."""

from typing import Any

from django.utils import translation
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request
from rest_framework.views import APIView

from crm.staff import tokens
from crm.staff.models import ApiToken, User


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer vt_…`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return (user, token), None without a Bearer header; raises AuthenticationFailed for a bad one."""
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = tokens.find(text.strip())
        if token is None:
            raise exceptions.AuthenticationFailed()
        translation.activate(token.user.language)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return "Bearer"


class HasScope(permissions.BasePermission):
    """Reading needs the scope `read`, everything else `write`. Without a token nothing is allowed."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Compare the method with the token's scopes."""
        token: Any = request.auth
        needed = "read" if request.method in permissions.SAFE_METHODS else "write"
        return isinstance(token, ApiToken) and needed in token.scopes


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """OpenAPI's words for a Bearer token."""
        return {"type": "http", "scheme": "bearer"}
