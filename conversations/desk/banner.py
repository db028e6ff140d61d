"""The banner that says sending is stopped, and to who may let it go what waits."""

from typing import Any

from django.utils.translation import gettext as _

from conversations.messaging import fence
from conversations.messaging.models import SendFence
from crm.staff.models import User

MAY_LIFT = "conversations.change_sendfence"


def fence_of(user: User) -> dict[str, Any] | None:
    """What the banner shows this user; None while messages are sent. One query then, two for who may lift it."""
    standing = fence.current()
    if standing is None:
        return None
    return {"text": _sentence(standing.reason), "waiting": fence.waiting() if user.has_perm(MAY_LIFT) else None}


def _sentence(reason: str) -> str:
    if reason == SendFence.Reason.RESTORED:
        return _("Sending is stopped: everything was restored from a backup. Messages are kept and wait.")
    if reason == SendFence.Reason.STALE:
        return _("Sending is stopped: old messages were waiting at the start. Messages are kept and wait.")
    return _("Sending is stopped by a manager. Messages are kept and wait.")
