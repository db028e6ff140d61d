"""The managers' administration: its site, and who may enter."""

from typing import Any

from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite


class AdministrationConfig(AdminConfig):
    """Django's admin with our site instead of its own."""

    default_site = "crm.staff.administration.AdministrationSite"


class AdministrationSite(UnfoldAdminSite):
    """For managers; everybody signs in at the one sign-in page."""

    site_title = site_header = "Ventanilla"
    index_title = _("Overview")
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Active managers only."""
        user: Any = request.user
        return bool(user.is_active and getattr(user, "is_manager", False))
