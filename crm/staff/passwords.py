"""Passwords and the links with which one is chosen: after an invitation, or when it was forgotten."""

import datetime as dt
import hashlib
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from crm.audit import log
from crm.foundation import clock
from crm.staff import letters, lockout, members, sessions
from crm.staff.lockout import TooManyTries
from crm.staff.middleware import block_of
from crm.staff.models import ApiToken, User
from crm.staff.signin import note
from crm.staff.signin_models import Invitation

INVITATION_DAYS = 7


class InvitationTokens(PasswordResetTokenGenerator):
    """The secrets of invitations, for Django's view of a new password."""

    def make_token(self, user: Any) -> str:
        """A secret nobody else has; earlier ones no longer open anything."""
        raise NotImplementedError("Invitations are made by `invite`, which says who invites.")

    def check_token(self, user: Any, token: str | None) -> bool:
        """Whether this is a live invitation of this user."""
        return user is not None and user.is_active and _invitations(user, token or "").exists()


reset_tokens = PasswordResetTokenGenerator()
invitation_tokens = InvitationTokens()


@transaction.atomic
def invite(user: User, *, by: User, request: HttpRequest) -> str:
    """A link with which `user` chooses a password, once, within a week; the ones before it end. Also sent by mail."""
    Invitation.objects.filter(user=user, used_at=None).delete()
    text = secrets.token_urlsafe(32)
    ends = clock.real() + dt.timedelta(days=INVITATION_DAYS)
    Invitation.objects.create(user=user, made_by=by, digest=_digest(text), expires_at=ends)
    log.record("invited", user, changes={"role": [None, user.role]})
    link = _link(request, "account_invitation", user, text)
    letters.post(user, "invitation", link=link, by=by.name, days=INVITATION_DAYS)
    return link


@transaction.atomic
def accept(user: User, token: str, password: str) -> bool:
    """Use an invitation up; False if somebody else just did, or it has ended."""
    invitation = _invitations(user, token).select_for_update().first()
    if invitation is None:
        return False
    invitation.used_at = clock.real()
    invitation.save(update_fields=["used_at"])
    _set(user, password)
    members.sign_out(user)
    log.record("invitation_accepted", user, by=user)
    return True


def send_reset_link(request: HttpRequest, email: str) -> None:
    """Send a link to choose a new password, if there is such an account; it takes as long if there is none. Raises
    TooManyTries for an address that asks for many.
    """
    lockout.count((lockout.MAILS_OF_ADDRESS, block_of(request)))
    user = User.objects.filter(email=email, is_active=True).first()
    is_there = user is not None and user.has_usable_password()
    whose = user if user is not None else User(pk=0, email=email, language=translation.get_language() or "es")
    try:
        lockout.count((lockout.MAILS, email))
    except TooManyTries:
        is_there = False
    link = _link(request, "account_reset_password", whose, reset_tokens.make_token(whose))
    letters.post(whose, "reset", link=link, only_if=is_there)
    note(request, "reset_asked", email)


@transaction.atomic
def reset(user: User, password: str) -> None:
    """The new password of somebody who came by a link: every session ends."""
    _set(user, password)
    Invitation.objects.filter(user=user, used_at=None).delete()
    members.sign_out(user)
    log.record("password_reset", user, by=user)
    letters.post(user, "password_changed")


@transaction.atomic
def change(request: HttpRequest, user: User, password: str, *, revoke_tokens: bool) -> None:
    """One's own new password: all other sessions end, this one goes on under a new key."""
    _set(user, password)
    old_key = request.session.session_key or ""
    update_session_auth_hash(request, user)
    sessions.moved(old_key, request.session.session_key or "")
    members.sign_out(user, but=request.session.session_key or "")
    log.record("password_changed", user)
    letters.post(user, "password_changed")
    if revoke_tokens:
        for token in ApiToken.objects.filter(user=user, revoked_at=None).order_by("pk"):
            token.revoked_at = clock.real()
            token.save(update_fields=["revoked_at"])
            log.record("revoked", token)


def _set(user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])


def _invitations(user: User, token: str) -> Any:
    live = Invitation.objects.filter(used_at=None, expires_at__gt=clock.real())
    return live.filter(user=user, digest=_digest(token))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _link(request: HttpRequest, name: str, user: User, token: str) -> str:
    path = reverse(name, args=[urlsafe_base64_encode(force_bytes(user.pk)), token])
    return settings.PUBLIC_URL + path if settings.PUBLIC_URL and not settings.DEMO else request.build_absolute_uri(path)
