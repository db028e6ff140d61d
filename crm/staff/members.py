"""Who belongs to the staff: the rules of roles, and the end of sessions whose rights have changed."""

from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils.translation import gettext as _

from crm.audit import log
from crm.foundation.errors import Refusal
from crm.staff.models import Role, User
from crm.staff.signin_models import Invitation, StaffSession

ACCESS = ("role", "is_active", "email")


class NotYourself(Refusal):
    """One's own role and right to be here are for somebody else to change."""

    code = "not_yourself"
    http_status = 422


class LastManager(Refusal):
    """Somebody must be left who may change all this."""

    code = "last_manager"
    http_status = 422


def lock_managers() -> list[int]:
    """The keys of all active managers, locked: two who demote each other come one after the other."""
    managers = User.objects.select_for_update(no_key=True).filter(role=Role.MANAGER, is_active=True).order_by("pk")
    return list(managers.values_list("pk", flat=True))


def check(user: User, *, role: str, is_active: bool, by: User, managers: list[int]) -> None:
    """Raises NotYourself or LastManager if `by` may not give `user` this role and state."""
    is_changed = role != user.role or is_active != user.is_active
    if is_changed and user.pk == by.pk:
        raise NotYourself(_("You cannot change your own role or lock yourself out. Ask another manager."))
    stays = role == Role.MANAGER and is_active
    if is_changed and not stays and user.pk in managers and len(managers) < 2:
        raise LastManager(_("This is the last manager. Make somebody else a manager first."))


def sign_out(user: User, *, but: str = "") -> int:
    """End every session of a user, except the one with the key `but`; returns how many there were."""
    rows = StaffSession.objects.filter(user=user).exclude(session_key=but)
    ended, _kinds = Session.objects.filter(pk__in=list(rows.values_list("session_key", flat=True))).delete()
    rows.delete()
    return ended


@transaction.atomic
def access_changed(user: User, changed: set[str], *, by: User) -> None:
    """Role, address or state of a user are others now: they sign in again (unless they changed it), and by no link or
    account at the provider that was made for what they were before.
    """
    Invitation.objects.filter(user=user, used_at=None).delete()
    if "email" in changed:
        unlink(user)
    if user.pk != by.pk:
        sign_out(user)


@transaction.atomic
def unlink(user: User) -> int:
    """End single sign-on of a user until the provider vouches for their address again; how many links there were."""
    links = SocialAccount.objects.filter(user=user)
    number = links.count()
    if number:
        links.delete()
        log.record("sso_unlinked", user)
    return number


def is_linked(user: User) -> bool:
    """Whether a user has signed in by the company's provider."""
    return bool(SocialAccount.objects.filter(user=user).exists())
