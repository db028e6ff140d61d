"""Signing in: how often one may try, which browsers are known, where one lands, and what is written down."""

import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.contrib import auth, messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.crypto import get_random_string, salted_hmac
from django.utils.translation import gettext as _

from crm.audit import log
from crm.staff import lockout, secondfactor
from crm.staff.lockout import Counted, TooManyTries
from crm.staff.middleware import address_of, block_of
from crm.staff.models import User

SIGNED_IN_AT = "signed_in_at"  # in the session: when somebody last proved who they are, seconds since 1970
REMEMBER = "remember"
KNOWN_COOKIE = "__Host-known" if settings.HTTPS else "known"
KNOWN_SECONDS = 365 * 24 * 3600
KNOWN_MOST = 5
NOTED = lockout.Limit("failures noted", 300, lockout.HOUR)


def check_password(request: HttpRequest, email: str, password: str) -> User | None:
    """The active user with this address and password. Raises TooManyTries before it looks."""
    tries = _tries(request, email)
    try:
        lockout.count(*tries)
    except TooManyTries:
        note(request, "sign_in_blocked", email)
        raise
    user: Any = auth.authenticate(request, username=email, password=password)
    if user is None:
        note(request, "sign_in_failed", email)
        return None
    lockout.forget(tries[:1])
    lockout.give_back(tries[1:])
    return user if isinstance(user, User) else None


def note(request: HttpRequest, action: str, email: str) -> None:
    """Record a failure: once in five minutes for an account and address, and not more than a log can bear, which is
    counted for each account by itself and for all addresses that are nobody's together.
    """
    where = address_of(request) or ""
    if not lockout.is_first(action, f"{email} {where}", lockout.FIVE_MINUTES):
        return
    user = User.objects.filter(email=email).first()
    try:
        lockout.count((NOTED, f"{action} {user.pk if user else 'nobody'}"))
    except TooManyTries:
        return
    log.record(action, user)


def proved(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Somebody came by a link that only they got: their wrong passwords are forgiven, and the browser is known."""
    lockout.forget(_tries(request, user.email)[:1])
    make_known(request, response, user)


def is_recent(request: HttpRequest) -> bool:
    """Whether the person has shown lately who they are, by signing in or by password, code or passkey."""
    at = request.session.get(SIGNED_IN_AT, 0)
    return 0 <= time.time() - at < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def ask_who_it_is(request: HttpRequest) -> None:
    """Raises ReauthenticationRequired, which leads to the proof and back, if that was too long ago."""
    if request.user.is_authenticated and is_reauthentication_required(request, app="crm.staff"):
        raise ReauthenticationRequired


def _tries(request: HttpRequest, email: str) -> list[Counted]:
    browser, who = _known(request)
    if _mark(email) in who:
        return [(lockout.OWN_BROWSER, f"{email} {browser}")]
    block = block_of(request)
    return [(lockout.PAIR, f"{email} {block}"), (lockout.STRANGERS, email), (lockout.ADDRESS, block)]


def _known(request: HttpRequest) -> tuple[str, list[str]]:
    """A browser's own name and who has signed in with it, by the cookie that we signed."""
    try:
        found = signing.loads(request.COOKIES.get(KNOWN_COOKIE, ""), salt=KNOWN_COOKIE, max_age=KNOWN_SECONDS)
        return str(found["browser"]), list(found["who"])
    except (signing.BadSignature, KeyError, TypeError):
        return get_random_string(16), []


def _mark(email: str) -> str:
    return salted_hmac("crm.staff.signin known", email, algorithm="sha256").hexdigest()[:16]


def make_known(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Give the browser the cookie that says that this person has signed in with it."""
    browser, who = _known(request)
    mark = _mark(user.email)
    kept = [mark, *(one for one in who if one != mark)][:KNOWN_MOST]
    response.set_cookie(
        KNOWN_COOKIE, signing.dumps({"browser": browser, "who": kept}, salt=KNOWN_COOKIE),
        max_age=KNOWN_SECONDS, secure=settings.HTTPS, httponly=True, samesite="Lax",
    )  # fmt: skip


class AccountAdapter(DefaultAccountAdapter):
    """What allauth asks us: nobody signs up, and everything about signing in goes through this module."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People are invited."""
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Managers land in the administration, agents in the inbox, integrators at their account."""
        user: Any = request.user
        if user.is_staff:
            return resolve_url("admin:index")
        return resolve_url(settings.LOGIN_REDIRECT_URL if user.may_use_desk else "account")

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """Only what an account's page shows; that one has signed in one sees."""
        if message_template is None or message_template.startswith("mfa/"):
            super().add_message(request, level, message_template, *args, **kwargs)

    def get_client_ip(self, request: HttpRequest) -> str:
        """As everywhere else."""
        return address_of(request) or ""

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Not right after signing in."""
        return not is_recent(self.request)

    def reauthenticate(self, user: Any, password: str) -> bool:
        """Whether this is the password of who is signed in. Raises TooManyTries."""
        tries = [(lockout.CODES, f"password {user.pk}")]
        lockout.count(*tries)
        if not user.check_password(password):
            log.record("sign_in_failed", user)
            return False
        lockout.forget(tries)
        return True

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """With our words."""
        words = {
            "reauthenticate": _("Use the password"),
            "mfa_reauthenticate": _("Use a code"),
            "mfa_reauthenticate:webauthn": _("Use a passkey"),
        }
        return [method | {"description": words[method["id"]]} for method in super().get_reauthentication_methods(user)]

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        """No words of its own for who is set inactive."""
        messages.error(request, _("You cannot sign in this way."))
        return HttpResponseRedirect(resolve_url(settings.LOGIN_URL))

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse:
        """One is in: remember the browser, write it down, forget the session when the browser closes unless asked."""
        records = get_authentication_records(request, user)
        ways = [record.get("type") or record["method"] for record in records]
        if any(record["method"] == "mfa" for record in records):
            secondfactor.passed(request)
        is_remembered = request.session.pop(REMEMBER, None) or request.POST.get("remember")
        request.session.set_expiry(settings.SESSION_COOKIE_AGE if is_remembered else 0)
        log.record("signed_in", user, by=user, changes={"way": [None, " + ".join(ways)]})
        response: HttpResponse = super().post_login(request, user, **kwargs)
        make_known(request, response, user)
        return response
