"""Of each request by somebody signed in: whether a second factor is still missing, and that the session is in use."""

from collections.abc import Callable

from allauth.account.adapter import get_adapter
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.http import urlencode
from django.utils.translation import gettext as _

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
        """Tried too often, on whatever page; or to show again who one is, before allauth keeps what was sent."""
        if isinstance(exception, TooManyTries):
            return too_many(request, exception.wait)
        return _ask_again(request) if isinstance(exception, ReauthenticationRequired) else None


def _ask_again(request: HttpRequest) -> HttpResponse:
    """To the proof and back to the page. A form is filled in again: allauth would keep it whole in the session, a new
    password in clear included.
    """
    if request.method == "POST":
        messages.error(request, _("Show first who you are, then do it again: nothing has been saved yet."))
    ways = get_adapter().get_reauthentication_methods(request.user)
    where = ways[0]["url"] if ways else resolve_url(settings.LOGIN_URL)
    return redirect(f"{where}?{urlencode({'next': request.get_full_path()})}")
