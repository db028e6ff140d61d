"""Supervision: a manager sees the inbox exactly as one agent sees it, and can change nothing meanwhile."""

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from conversations.live import publish
from crm.audit import log
from crm.foundation.errors import Refusal
from crm.staff.models import Role, User

SESSION_NAME = "viewing_as"
OF_THE_VIEWER = ("language", "time_zone", "theme", "preferences")


class OnlyLooking(Refusal):
    """Somebody tried to change something while seeing the inbox as somebody else."""

    code = "viewing_as"
    http_status = 422

    def __init__(self) -> None:
        super().__init__(_("You are seeing the inbox as somebody else: nothing can be changed. Stop first."))


def allowed(viewer: User, seen: User | None) -> User | None:
    """`seen` if this viewer may see the inbox as they do; None otherwise."""
    if seen is None or seen.pk == viewer.pk or not viewer.has_perm("crm.look_as_others") or not viewer.may_use_desk:
        return None
    return seen if seen.may_use_desk else None


def candidates(viewer: User) -> QuerySet[User]:
    """Whose inbox this viewer may look at."""
    if not viewer.has_perm("crm.look_as_others"):
        return User.objects.none()
    return User.objects.filter(is_active=True).exclude(role=Role.INTEGRATOR).exclude(pk=viewer.pk)


def seen_by(request: HttpRequest) -> User | None:
    """Whose inbox this session looks at, with the viewer's own language, time zone and looks; None for one's own."""
    pk = request.session.get(SESSION_NAME)
    if not pk or not isinstance(request.user, User):
        return None
    seen = allowed(request.user, User.objects.filter(pk=pk).first())
    if seen is not None:
        for name in OF_THE_VIEWER:
            setattr(seen, name, getattr(request.user, name))
    return seen


def start(request: HttpRequest, seen: User) -> None:
    """From now on this session sees what `seen` sees, which is written down; its other tabs load anew."""
    log.record("looked_as", seen)
    request.session[SESSION_NAME] = str(seen.pk)
    _tell_tabs(request)


def stop(request: HttpRequest) -> None:
    """The session is its own again."""
    request.session.pop(SESSION_NAME, None)
    _tell_tabs(request)


def _tell_tabs(request: HttpRequest) -> None:
    """All tabs of this person load anew, once the session says what they will find."""
    request.session.save()
    publish.publish([([f"seat.{request.user.pk}"], {"v": publish.PROTOCOL, "t": "seat"})])
