"""Where somebody is signed in: noted at sign-in, seen now and then, ended one by one or all at once."""

import datetime as dt
import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import cast

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from crm.audit import log
from crm.foundation import clock
from crm.staff import members
from crm.staff.middleware import address_of
from crm.staff.models import User
from crm.staff.signin_models import StaffSession

SEEN_EVERY = 600.0  # seconds between two notes of one session's use
REMEMBERED = 5000
BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip
_seen: OrderedDict[str, float] = OrderedDict()


@dataclass(frozen=True)
class Place:
    """One entry of the list of one's sessions."""

    pk: int
    browser: str
    ip: str
    since: dt.datetime
    seen: dt.datetime
    is_this: bool


def begin(request: HttpRequest, user: User) -> None:
    """Note a session that has just begun."""
    key = request.session.session_key
    if not key:
        request.session.save()
        key = request.session.session_key or ""
    details = {
        "user": user,
        "ip": address_of(request),
        "browser": request.META.get("HTTP_USER_AGENT", "").replace("\x00", "")[:200],
        "last_seen_at": clock.real(),
    }
    StaffSession.objects.update_or_create(session_key=key, defaults=details)
    _remember(key)


def touch(request: HttpRequest) -> None:
    """Note that a session is in use, every ten minutes at most."""
    key = request.session.session_key or ""
    if time.monotonic() - _seen.get(key, float("-inf")) > SEEN_EVERY:
        _remember(key)
        mine = StaffSession.objects.filter(session_key=key)
        if not mine.update(last_seen_at=clock.real(), ip=address_of(request)):
            begin(request, cast(User, request.user))  # made by a release that did not note them


def moved(old_key: str, new_key: str) -> None:
    """A session has got another key."""
    StaffSession.objects.filter(session_key=old_key).update(session_key=new_key)
    _remember(new_key)


def forget(session_key: str) -> None:
    """A session has ended."""
    StaffSession.objects.filter(session_key=session_key).delete()


def places(user: User, this: str) -> list[Place]:
    """Where a user is signed in, this session first, then as they were last seen."""
    rows = {row.session_key: row for row in StaffSession.objects.filter(user=user)}
    live = Session.objects.filter(pk__in=rows, expire_date__gt=clock.real()).values_list("pk", flat=True)
    found = [
        Place(row.pk, describe(row.browser), row.ip or "", row.created_at, row.last_seen_at, key == this)
        for key, row in rows.items()
        if key in set(live)
    ]
    return sorted(found, key=lambda place: (not place.is_this, -place.seen.timestamp()))


@transaction.atomic
def end(user: User, pk: int) -> bool:
    """End one session of a user; False if it is not theirs or has ended already."""
    row = StaffSession.objects.filter(user=user, pk=pk).first()
    if row is None:
        return False
    Session.objects.filter(pk=row.session_key).delete()
    row.delete()
    log.record("session_ended", user, changes={"browser": [describe(row.browser), None]})
    return True


@transaction.atomic
def end_others(user: User, this: str) -> int:
    """End all sessions of a user but this one; returns how many there were."""
    number = members.sign_out(user, but=this)
    log.record("signed_out_everywhere", user, changes={"sessions": [number, 0]})
    return number


def describe(agent: str) -> str:
    """A User-Agent header in words ("Firefox, Windows")."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if re.search(rf"\b{mark}", agent)), "")
    return ", ".join(part for part in (browser, system) if part) or _("Unknown browser")


def kept() -> dt.timedelta:
    """How long a note of a session may be of use after it was last seen."""
    return dt.timedelta(seconds=settings.SESSION_COOKIE_AGE + SEEN_EVERY)


def _remember(key: str) -> None:
    _seen[key] = time.monotonic()
    _seen.move_to_end(key)
    while len(_seen) > REMEMBERED:
        _seen.popitem(last=False)
