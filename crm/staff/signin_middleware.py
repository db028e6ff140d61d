"""Of each request by somebody signed in: whether a second factor is still missing, and that the session is in use."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from crm.staff import secondfactor, sessions
from crm.staff.account_views import too_many
from crm.staff.lockout import TooManyTries

# What stays open to who still has to set up a second factor; the API has tokens and no sessions.
OPEN = ("/accounts/", "/i18n/", "/static/", "/api/", "/manifest.webmanifest", "/sw.js")


class SignInMiddleware:
    """Leads managers without a second factor to the page where they set one up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Touch the session only where there is a cookie of one."""
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            if not request.path.startswith(OPEN) and secondfactor.lacks(request.user, request.session):
                return redirect("mfa_index")
            sessions.touch(request)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Tried too often, on whatever page."""
        return too_many(request, exception.wait) if isinstance(exception, TooManyTries) else None
