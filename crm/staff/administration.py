"""The managers' administration: its site, and who may enter."""

import functools
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite


class AdministrationConfig(AdminConfig):
    """Django's admin with our site instead of its own."""

    default_site = "crm.staff.administration.AdministrationSite"


class AdministrationSite(UnfoldAdminSite):
    """For managers; everybody signs in at the one sign-in page."""

    site_title = site_header = "Ventanilla"
    index_title = _("Overview")
    empty_value_display = "—"

    def has_permission(self, request: HttpRequest) -> bool:
        """Whose role carries it: managers."""
        return request.user.has_perm("crm.use_administration")

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What every page knows; the choice of a language comes back to the page."""
        return {**super().each_context(request), "redirect_to": request.get_full_path()}

    def admin_view(self, view: Callable[..., HttpResponseBase], cacheable: bool = False) -> Callable[..., Any]:
        """Who is signed in and may not enter is told so, and not sent to sign in again."""
        guarded: Callable[..., Any] = super().admin_view(view, cacheable)

        @functools.wraps(guarded)
        def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if request.user.is_authenticated and not self.has_permission(request) and not _is_sign_out(request):
                raise PermissionDenied
            return guarded(request, *args, **kwargs)

        return entered

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """To the one sign-in page, and back."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied
        target = request.GET.get("next") or reverse("admin:index")
        return HttpResponseRedirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': target})}")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Nobody changes a password here: that is done in one's account."""
        return HttpResponseRedirect(resolve_url("admin:index"))

    def password_change_done(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """As above; Django's page would be kept by caches."""
        return HttpResponseRedirect(resolve_url("admin:index"))


def _is_sign_out(request: HttpRequest) -> bool:
    return request.path == reverse("admin:logout")
