"""Of each request: language and time zone (the user's own, else the cookie's language, else Spanish), who acts, and the
administration's content policy.
"""

import ipaddress
import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from crm.audit import log
from crm.audit.models import AuditEntry
from crm.staff.viewer import seen_by

Handler = Callable[[HttpRequest], HttpResponse]


class PreferencesMiddleware:
    """Activates the signed-in user's language and time zone for this request."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Touch the session only where a page is asked for; the API brings its own user."""
        language = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
        zone = settings.TIME_ZONE
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            language, zone = request.user.language, request.user.time_zone
        if language not in dict(settings.LANGUAGES):
            language = settings.LANGUAGE_CODE
        with translation.override(language), timezone.override(zoneinfo.ZoneInfo(zone)):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or language)
        return response


class OriginMiddleware:
    """Says who acts in this request, for the audit log, and who looks; an API token says more later."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Touch the session only where there is a cookie of one."""
        source = AuditEntry.Source.DESK
        if request.path.startswith(settings.ADMIN_PATH):
            source = AuditEntry.Source.ADMIN
        elif request.path.startswith("/api/"):
            source = AuditEntry.Source.API
        user_id, name, who = None, "", None
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            user_id, name, who = request.user.pk, request.user.name, request.user
        with log.acting(log.Origin(source, user_id, name, ip=address_of(request))), seen_by(who):
            return self.get_response(request)


class AdministrationPolicyMiddleware:
    """Gives pages of the administration their own content policy (Unfold needs more than the inbox allows)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Set it on the way out; Django's middleware, outside of this one, writes the header."""
        response = self.get_response(request)
        if request.path.startswith(settings.ADMIN_PATH):
            response._csp_config = settings.ADMIN_CSP  # type: ignore[attr-defined]
        return response


def address_of(request: HttpRequest) -> str | None:
    """The peer's address; behind the one proxy we trust (BEHIND_PROXY), the last address that it noted."""
    if settings.BEHIND_PROXY:
        noted = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        if noted:
            return _valid(noted)
    return _valid(request.META.get("REMOTE_ADDR", ""))


def block_of(request: HttpRequest) -> str:
    """Where a request comes from, as it is counted: an IPv4 address, or the network that IPv6 gives to one customer."""
    address = address_of(request)
    if address is None or ":" not in address:
        return address or "nowhere"
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def _valid(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
