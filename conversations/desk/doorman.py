"""Who opens a socket: all that come at the same moment are looked up together, with five queries in one thread.

After a restart hundreds of browsers come back at once; one by one, as Channels does it, they waited half a minute.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils.crypto import constant_time_compare

from conversations.desk import viewing
from conversations.desk.access import Access, access_of
from crm.foundation import clock
from crm.staff import secondfactor
from crm.staff.models import User

COOKIE_MAX = 8192


@dataclass(frozen=True)
class Visitor:
    """Whom the socket hears as, the session that says so, what is open to them; and who really sits there: themselves,
    or a manager looking on.
    """

    user_id: int
    name: str
    session_key: str
    access: Access
    seat_id: int
    seat: Access


class Doorman:
    """Gathers those who wait at the door while others are being looked up."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[Visitor | None], str] = {}
        self._task: asyncio.Task[None] | None = None

    async def admit(self, scope: dict[str, Any]) -> Visitor | None:
        """The visitor of this connection, by its session cookie; None if nobody is signed in. Raises the database's
        errors.
        """
        session_key = _session_key(scope)
        if not session_key:
            return None
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Visitor | None] = loop.create_future()
        self._waiting[answer] = session_key
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._task = asyncio.create_task(self._look_up())
        return await answer

    async def _look_up(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            try:
                known = await database_sync_to_async(_read)(list(set(waiting.values())))
            except Exception as error:  # noqa: BLE001 (those who wait get it, whatever it was)
                for answer in waiting:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for answer, session_key in waiting.items():
                if not answer.done():
                    answer.set_result(known.get(session_key))


def _session_key(scope: dict[str, Any]) -> str:
    cookies: SimpleCookie = SimpleCookie()
    for name, value in scope["headers"]:
        if name == b"cookie" and len(value) <= COOKIE_MAX:
            try:
                cookies.load(value.decode("latin-1"))
            except CookieError:
                return ""
    found = cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value.replace("\x00", "")[:100] if found else ""


def _read(session_keys: Sequence[str]) -> dict[str, Visitor]:
    """Visitors by session; the same checks as `django.contrib.auth.get_user`."""
    store = SessionStore()
    rows = Session.objects.filter(session_key__in=session_keys, expire_date__gt=clock.real())
    sessions = {row.session_key: store.decode(row.session_data) for row in rows}
    wanted = {data[name] for data in sessions.values() for name in (SESSION_KEY, viewing.SESSION_NAME) if name in data}
    users = {str(user.pk): user for user in User.objects.filter(pk__in=wanted, is_active=True)}
    access = access_of(users.values())
    visitors = {}
    for session_key, data in sessions.items():
        user = users.get(data.get(SESSION_KEY, ""))
        if user is not None and _is_of(data, user):
            seen = viewing.allowed(user, users.get(data.get(viewing.SESSION_NAME, ""))) or user
            visitors[session_key] = Visitor(
                seen.pk, seen.name, session_key, access[seen.pk], seat_id=user.pk, seat=access[user.pk]
            )
    return visitors


def _is_of(data: dict[str, Any], user: User) -> bool:
    """Whether the session was made with this user's present password, by a way to sign in that is still open, and with
    the second factor that their role may need.
    """
    if data.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS or secondfactor.lacks(user, data):
        return False
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(data.get(HASH_SESSION_KEY, ""), one) for one in hashes)


doorman = Doorman()
