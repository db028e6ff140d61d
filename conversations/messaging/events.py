"""What happened, for the timeline and for the browsers: the one place that writes events and hints of conversations."""

from collections.abc import Iterable
from typing import Any

from conversations.live import publish
from conversations.messaging.models import Conversation, ConversationEvent, Message
from crm.staff.models import User


def groups_of(conversation: Conversation, *more: str) -> list[str]:
    """Who hears of a conversation: its inbox, its assignee, its team, and `more` (those it just left)."""
    groups = [f"inbox.{conversation.inbox_id}", *more]
    if conversation.assignee_id:
        groups.append(f"u.{conversation.assignee_id}")
    if conversation.team_id:
        groups.append(f"team.{conversation.team_id}")
    return groups


def record(
    conversation: Conversation,
    kind: str,
    *,
    by: User | None = None,
    what: Iterable[str] = (),
    also: Iterable[str] = (),
    **data: Any,
) -> ConversationEvent:
    """Append a fact to the timeline and tell the browsers (`what` changed; `also`: groups it just left)."""
    event = ConversationEvent.objects.create(conversation=conversation, kind=kind, user=by, data=data)
    announce(conversation, "conversation.updated", what=[*what, "events"], also=also)
    return event


def announce(conversation: Conversation, kind: str, *, also: Iterable[str] = (), **payload: Any) -> None:
    """Hint that a conversation changed, with what a list needs to know whether it cares."""
    facts: dict[str, Any] = {
        "c": conversation.pk,
        "ver": conversation.version,
        "inbox": conversation.inbox_id,
        "assignee": conversation.assignee_id,
        "team": conversation.team_id,
        "status": conversation.status,
    }
    publish.hint(groups_of(conversation, *also), kind, **(facts | payload))


def announce_message(message: Message, kind: str = "message.created", **payload: Any) -> None:
    """Hint that a message was created or changed; `ver` is the message's version."""
    facts: dict[str, Any] = {"m": str(message.client_id), "dir": message.direction, "ver": message.version}
    announce(message.conversation, kind, **(facts | payload))


def announce_status(message: Message) -> None:
    """Hint that a message's status climbed."""
    announce_message(message, "message.status", s=message.status)


def announce_read(conversation: Conversation, user: User, upto: int) -> None:
    """Hint to a user's other devices that they have read up to `upto`."""
    publish.hint([f"u.{user.pk}"], "read", c=conversation.pk, user=user.pk, upto=upto)


def announce_pin(conversation: Conversation, user: User) -> None:
    """Hint to a user's own devices that they pinned or unpinned a conversation."""
    publish.hint([f"u.{user.pk}"], "conversation.updated", c=conversation.pk, ver=conversation.version, what=["pin"])
