"""Mentions: `@name` in a note tells that colleague, if they can see the conversation."""

import re
import uuid
from collections.abc import Iterable

from django.db.models import Q

from conversations.live import publish
from conversations.messaging import outbound
from conversations.messaging.models import Conversation, Message
from conversations.notices.models import Notice
from crm.foundation import clock
from crm.foundation.retrying import in_transaction
from crm.foundation.search import fold, words_of
from crm.staff.models import Membership, Role, User

MOST = 50


def audience(conversation: Conversation) -> list[User]:
    """Active people of the desk who can see the conversation, by name; one query."""
    members = Membership.objects.filter(team__inboxes=conversation.inbox_id).values("user")
    sees = Q(role=Role.MANAGER) | Q(role=Role.AGENT, pk__in=members)
    if conversation.assignee_id:
        sees |= Q(role=Role.RESTRICTED, pk=conversation.assignee_id)
    elif conversation.team_id:
        in_team = Membership.objects.filter(team=conversation.team_id).values("user")
        sees |= Q(role=Role.RESTRICTED, pk__in=in_team)
    return list(User.objects.filter(sees, is_active=True).order_by("name", "pk"))


def candidates(conversation: Conversation, user: User, text: str, limit: int = 8) -> list[User]:
    """Whom `user` may mean by what they have typed after the @: every word begins one of the name's."""
    wanted = words_of(text)
    found = []
    for person in audience(conversation):
        parts = fold(person.name).split()
        if person.pk != user.pk and all(any(part.startswith(word) for part in parts) for word in wanted):
            found.append(person)
    return found[:limit]


def mentioned(text: str, people: Iterable[User]) -> list[User]:
    """Those whose name stands in the text after an @; of two names that fit the longer one counts."""
    named = sorted((person for person in people if person.name), key=lambda person: -len(person.name))
    found: list[User] = []
    for place in re.finditer(r"(?<!\w)@", text):
        rest = text[place.end() :].casefold()
        hit = next((one for one in named if _begins(rest, one.name.casefold())), None)
        if hit is not None:
            found += [one for one in named if one.name == hit.name and one not in found]
    return found[:MOST]


@in_transaction
def note(
    conversation: Conversation,
    *,
    by: User,
    text: str,
    client_id: uuid.UUID | None = None,
    origin: str = Message.Author.AGENT,
) -> tuple[Message, bool]:
    """Add a private note and tell those it mentions; raises EmptyMessage, TextTooLong."""
    people = [person for person in mentioned(text, audience(conversation)) if person.pk != by.pk] if "@" in text else []
    named = {"mentions": list(dict.fromkeys(person.name for person in people))} if people else None
    message, made = outbound.note(conversation, by=by, text=text, client_id=client_id, payload=named, origin=origin)
    if made:
        Notice.objects.bulk_create(
            [Notice(user=person, conversation=conversation, message=message) for person in people],
            ignore_conflicts=True,
        )
        for person in people:
            publish.hint([f"u.{person.pk}"], "mention", c=conversation.pk, m=str(message.client_id))
    return message, made


def mark_read(user: User, conversation: Conversation) -> int:
    """The user has seen what they were told of this conversation; returns how many notices that were."""
    unread = Notice.objects.filter(user=user, conversation=conversation, read_at=None)
    return unread.update(read_at=clock.now())


def _begins(text: str, name: str) -> bool:
    return text.startswith(name) and not text[len(name) : len(name) + 1].isalnum()
