"""Preferences: the dialog, the page for browsers without scripts, and what either sends."""

import datetime as dt
import zoneinfo
from typing import Any

from django.conf import settings as project
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from conversations.desk import viewing
from conversations.desk.forms import BadForm
from conversations.desk.gate import DeskRequest, desk_view
from conversations.desk.settings import CHOICES, SWITCHES, Preferences
from conversations.live import publish
from crm.foundation import clock
from crm.staff.models import User

PAUSES = {"30": dt.timedelta(minutes=30), "60": dt.timedelta(hours=1), "240": dt.timedelta(hours=4)}
MORNING = dt.time(8)
LANGUAGE_COOKIE_SECONDS = 365 * 24 * 3600


@desk_view("GET", "POST")
def settings(request: DeskRequest) -> HttpResponse:
    """The form; what it sends is kept at once, and the user's other tabs follow."""
    if request.method == "POST":
        _keep(request.user, _wanted(request))
        return _answer(request)
    template = "inbox/_settings.html" if request.headers.get("HX-Request") else "inbox/_settings_page.html"
    return render(request, template, _context(request.user))


@desk_view("POST")
def preferences(request: DeskRequest) -> HttpResponse:
    """Language and theme of the user; unknown values change nothing."""
    known = {"language": dict(project.LANGUAGES), "theme": User.Theme.values}
    _keep(request.user, {name: value for name, value in request.POST.items() if value in known.get(name, ())})
    return _answer(request)


def _wanted(request: DeskRequest) -> dict[str, Any]:
    """What the form asks for; raises BadForm for what it does not offer. A whole form leaves out unticked boxes."""
    offered: dict[str, Any] = {
        "language": dict(project.LANGUAGES),
        "theme": User.Theme.values,
        "time_zone": zoneinfo.available_timezones(),
        "dnd": {"", *PAUSES, "tomorrow"},
        **CHOICES,
    }
    wanted: dict[str, Any] = {}
    for name, values in offered.items():
        value = request.POST.get(name)
        if value is not None:
            if value not in values:
                raise BadForm(_("That is not one of the choices. Reload the page and try again."))
            wanted[name] = value
    for name in SWITCHES:
        if name in request.POST or "whole" in request.POST:
            wanted[name] = request.POST.get(name) in ("1", "on")
    return wanted


def _keep(user: User, wanted: dict[str, Any]) -> None:
    fields = {name: wanted.pop(name) for name in ("language", "theme", "time_zone") if name in wanted}
    if "dnd" in wanted:
        until = _until(wanted.pop("dnd"), zoneinfo.ZoneInfo(user.time_zone))
        wanted["dnd_until"] = until.isoformat() if until else None
    for name, value in fields.items():
        setattr(user, name, value)
    user.preferences = Preferences.of(user).changed(wanted).stored
    user.save(update_fields=["preferences", *fields])
    hint = {"v": publish.PROTOCOL, "t": "preferences", "values": user.preferences, "theme": user.theme}
    publish.publish([([f"seat.{user.pk}"], hint)])


def _until(pause: str, zone: zoneinfo.ZoneInfo) -> dt.datetime | None:
    """When a chosen pause ends; "tomorrow" is eight in the morning where the user is."""
    now = clock.now()
    if pause == "tomorrow":
        day = now.astimezone(zone).date() + dt.timedelta(days=1)
        return dt.datetime.combine(day, MORNING, zone).astimezone(dt.UTC)
    return now + PAUSES[pause] if pause else None


def _answer(request: DeskRequest) -> HttpResponse:
    response: HttpResponse
    if request.headers.get("HX-Request"):
        response = JsonResponse({"values": Preferences.of(request.user).stored, "theme": request.user.theme})
    else:
        target = request.POST.get("next", "")
        safe = url_has_allowed_host_and_scheme(target, {request.get_host()})
        response = HttpResponseRedirect(target if safe else reverse("desk:inbox"))
    response.set_cookie(
        project.LANGUAGE_COOKIE_NAME, request.user.language, max_age=LANGUAGE_COOKIE_SECONDS, secure=project.HTTPS,
        httponly=True, samesite="Lax",
    )  # fmt: skip
    return response


def _context(user: User) -> dict[str, Any]:
    zones = {name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/")}
    preferences = Preferences.of(user)
    until = preferences.dnd_until
    return {
        "preferences": preferences,
        "dnd_until": timezone.localtime(until) if until else None,
        "zones": sorted(zones | {user.time_zone}),
        "people": viewing.candidates(user),
        "languages": project.LANGUAGES,
    }
