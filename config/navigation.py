"""The administration's menu, theme and search, for who is asking."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from unfold.dataclasses import SearchResult

from config.administration import NAVIGATION
from crm.contacts.models import Contact
from crm.staff.models import User

FOUND = 10
ACCOUNT_PAGES = ("account", "desk:settings")  # the first that there is


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu's groups with what this user may see of them."""
    groups = []
    for title, entries in NAVIGATION:
        items = [item for entry in entries if (item := _item(request, *entry))]
        if items:
            groups.append({"title": title, "separator": bool(title), "items": items})
    return groups


def theme(request: HttpRequest) -> str | None:
    """The theme the user has chosen, as the inbox has it; None: like the system."""
    wanted = getattr(request.user, "theme", User.Theme.SYSTEM)
    return None if wanted == User.Theme.SYSTEM else wanted


def environment(request: HttpRequest) -> list[str] | None:
    """The label beside the page's title: that this is a demo, or what the installation calls itself."""
    if settings.DEMO:
        return [_("Demo"), "warning"]
    return [settings.ENVIRONMENT_LABEL, "info"] if settings.ENVIRONMENT_LABEL else None


def account(request: HttpRequest) -> list[dict[str, str]]:
    """What the user's own menu holds besides theme, language and the way to the inbox."""
    for name in ACCOUNT_PAGES:
        try:
            return [{"title": _("My settings"), "link": reverse(name)}]
        except NoReverseMatch:
            continue
    return []


def search(request: HttpRequest, words: str) -> list[SearchResult]:
    """Contacts for the command bar, in one bounded query."""
    model_admin = admin.site._registry.get(Contact)
    if model_admin is None or not model_admin.has_view_permission(request) or len(words) < 2:
        return []
    user: Any = request.user
    return [
        SearchResult(
            title=contact.title,
            description=Contact._meta.verbose_name,  # lazy: found again, it is in the language of then
            link=reverse("admin:crm_contact_change", args=[contact.pk]),
            icon="person",
        )
        for contact in Contact.objects.visible_to(user).search(words).order_by("-pk")[:FOUND]
    ]


def _item(request: HttpRequest, icon: str, target: str, title: Any) -> dict[str, Any] | None:
    page = target.partition(":")[2]
    if not page or page.count("_") > 1:  # a model's list, or a page of its own
        try:
            model = apps.get_model(".".join(page.split("_")[:2]) if page else target)
        except LookupError:
            return None
        model_admin = admin.site._registry.get(model)
        if model_admin is None or not model_admin.has_view_permission(request):
            return None
        if not page:
            title = title or model._meta.verbose_name_plural
            target = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    link, words = reverse(target), str(title)
    item = {"title": words[:1].upper() + words[1:], "icon": icon, "link": link}
    return item | {"active": request.path == link} if page else item
