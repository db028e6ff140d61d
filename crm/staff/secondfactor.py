"""The second step of signing in: who needs one, how its secrets are kept, and what a change of it ends."""

from typing import Any

import structlog
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.audit import log
from crm.foundation.secrets import InvalidToken, key_ring
from crm.staff import letters, lockout, members
from crm.staff.models import User

logger = structlog.get_logger(__name__)

SESSION_NAME = "second_factor"
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
CODE_SECONDS = 120  # longer than a code lives, clocks that go wrong included


def is_required_of(user: Any) -> bool:
    """Whether this user's role needs a second factor: who may enter the administration."""
    return bool(settings.MANAGERS_NEED_SECOND_FACTOR and user.is_staff)


def lacks(user: Any, session: Any) -> bool:
    """Whether this session is by a user who needs a second factor, and has not shown one."""
    return is_required_of(user) and not session.get(SESSION_NAME)


def passed(request: HttpRequest) -> None:
    """This session has shown a second factor, or has just set one up."""
    request.session[SESSION_NAME] = True


def factors_of(user: User) -> int:
    """How many second factors a user has; codes to recover with do not count."""
    return Authenticator.objects.filter(user=user, type__in=FACTORS).count()


def changed(request: HttpRequest, user: User, authenticator: Authenticator, action: str) -> None:
    """A factor of one's own has come or gone: write it down and end all other sessions, or neither."""
    if request.user.pk == user.pk and authenticator.type in FACTORS and action == "second_factor_added":
        passed(request)
    with transaction.atomic():
        log.record(action, user, changes={"factor": [None, str(authenticator.type)]})
        members.sign_out(user, but=request.session.session_key or "")
        if authenticator.type in FACTORS and action == "second_factor_removed":
            letters.post(user, "factor_removed")


@transaction.atomic
def remove_all(user: User) -> int:
    """Take every factor off a user who has lost them, and sign them out; returns how many there were."""
    number = factors_of(user)
    Authenticator.objects.filter(user=user).delete()
    members.sign_out(user)
    log.record("second_factor_removed", user, changes={"factor": [number, 0]})
    if number:
        letters.post(user, "factor_removed")
    return number


def check_code(user: User, code: str) -> Authenticator | None:
    """The authenticator that this code is of, once: a code opens one door. Raises TooManyTries before it looks."""
    tries = [(lockout.CODES, f"code {user.pk}"), (lockout.CODES_OF_AN_HOUR, f"code {user.pk}")]
    lockout.count(*tries)
    code = "".join(code.split())
    for authenticator in Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.WEBAUTHN):
        if _fits(authenticator, code):
            if not lockout.is_first("code used", f"{user.pk} {code}", CODE_SECONDS):
                break
            lockout.forget(tries)
            authenticator.user = user
            return authenticator
    log.record("sign_in_failed", user, changes={"way": [None, "code"]})
    return None


def codes_left(authenticator: Authenticator) -> int:
    """How many of somebody's recovery codes are unused; none if nobody can read them any more."""
    try:
        return len(authenticator.wrap().get_unused_codes())
    except InvalidToken:
        return 0


def _fits(authenticator: Authenticator, code: str) -> bool:
    try:
        return bool(authenticator.wrap().validate_code(code))
    except InvalidToken:  # fails closed
        logger.error("second factor unreadable: its encryption key is not configured", user=authenticator.user_id)
        return False


class MfaAdapter(DefaultMFAAdapter):
    """What allauth asks us about second factors."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": gettext_lazy("Your role needs a second factor. Add another one first."),
        "incorrect_code": gettext_lazy("That did not work. Try again."),
    }

    def encrypt(self, text: str) -> str:
        """With the installation's keys."""
        return key_ring().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """With the installation's keys."""
        return key_ring().decrypt(encrypted_text.encode()).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Who needs a factor keeps one."""
        return not is_required_of(authenticator.user) or factors_of(authenticator.user) > 1

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        """What a passkey is called unless its owner calls it something."""
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return _("Passkey %(number)d") % {"number": number}

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The product at this host."""
        return {"id": context.request.get_host().partition(":")[0], "name": "Ventanilla"}


def may_remove(authenticator: Authenticator) -> bool:
    """Whether its owner may go without it."""
    return MfaAdapter().can_delete_authenticator(authenticator)
