"""Language and time zone of each request: the user's own, else the cookie's language, else Spanish."""

import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation


class PreferencesMiddleware:
    """Activates the signed-in user's language and time zone for this request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
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
