"""The banner that says sending is stopped, and to managers what waits."""

from typing import Any

from conversations.messaging import fence
from crm.staff.models import User


def fence_of(user: User) -> dict[str, Any] | None:
    """What the banner shows this user; None while messages are sent. One query then, two for a manager if stopped."""
    standing = fence.current()
    if standing is None:
        return None
    return {
        "reason": standing.get_reason_display(),
        "raised_at": standing.raised_at,
        "waiting": fence.waiting() if user.is_manager else None,
    }
