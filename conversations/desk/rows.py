"""A conversation as a list row: localised preview, colours, chips."""

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from conversations.desk import kinds
from conversations.desk.queue import ViewQuery
from conversations.inboxes.models import Inbox
from conversations.messaging.models import Conversation
from crm.foundation import clock
from crm.staff.models import Team, User

COLOURS = 16
TAGS_SHOWN = 2


@dataclass(frozen=True)
class Row:
    """What `_row.html` and `_header.html` show of a conversation."""

    pk: int
    title: str
    initials: str
    colour: int
    contact: Any
    inbox: Inbox
    show_inbox: bool
    last_activity_at: dt.datetime
    preview: str
    preview_sender: str
    last_direction: str
    last_status: str
    unread: int
    waiting_since: dt.datetime | None
    status: str
    assignee: User | None
    team: Team | None
    window_state: str
    window_expires_at: dt.datetime | None
    version: int
    is_group: bool
    rank: tuple[int, int]
    tags: list[tuple[str, int]]
    priority: int
    priority_word: str
    is_pinned: bool
    snoozed_until: dt.datetime | None

    @property
    def assignee_initials(self) -> str:
        """Of whom it is assigned to."""
        return initials_of(self.assignee.name) if self.assignee else ""

    @property
    def assignee_colour(self) -> int:
        """Of their small avatar, always the same."""
        return self.assignee.pk % COLOURS if self.assignee else 0

    @property
    def shown_tags(self) -> list[tuple[str, int]]:
        """Those a list row has room for."""
        return self.tags[:TAGS_SHOWN]

    @property
    def more_tags(self) -> str:
        """The names of the others."""
        return ", ".join(name for name, _colour in self.tags[TAGS_SHOWN:])

    @property
    def more_tags_count(self) -> int:
        """How many others there are."""
        return len(self.tags[TAGS_SHOWN:])


def rows_of(conversations: Iterable[Conversation], user: User, query: ViewQuery, *, several: bool) -> list[Row]:
    """Rows for a list; `several`: its reader has more than one inbox, so they are worth naming."""
    show = several and not query.inbox
    return [
        row_of(conversation, user, show_inbox=show, rank=query.rank(conversation)) for conversation in conversations
    ]


def row_of(conversation: Conversation, user: User, *, show_inbox: bool = True, rank: tuple[int, int] = (0, 0)) -> Row:
    """One row; the conversation must come from `for_rows`."""
    now, contact = clock.now(), conversation.contact
    title = contact.title
    return Row(
        pk=conversation.pk,
        title=title,
        initials=initials_of(title),
        colour=colour_of(contact.pk),
        contact=contact,
        inbox=conversation.inbox,
        show_inbox=show_inbox,
        last_activity_at=conversation.last_activity_at,
        preview=kinds.preview(conversation.last_kind, conversation.last_preview),
        preview_sender=_sender(conversation, user),
        last_direction=conversation.last_direction,
        last_status=conversation.last_status,
        unread=getattr(conversation, "unread", 0),
        waiting_since=conversation.waiting_since if conversation.status != "resolved" else None,
        status=conversation.status,
        assignee=conversation.assignee,
        team=conversation.team,
        window_state=conversation.window_state(now),
        window_expires_at=conversation.window_expires_at,
        version=conversation.version,
        is_group=conversation.is_group,
        rank=rank,
        tags=conversation.tag_pairs,
        priority=conversation.priority,
        priority_word=str(conversation.get_priority_display()) if conversation.priority else "",
        is_pinned=getattr(conversation, "is_pinned", False),
        snoozed_until=conversation.snoozed_until,
    )


def colour_of(contact_pk: int) -> int:
    """The colour of a contact's avatar, always the same."""
    return hashlib.sha256(str(contact_pk).encode()).digest()[0] % COLOURS


def initials_of(title: str) -> str:
    """One or two letters for the avatar; "#" for a bare number."""
    words = [word for word in title.lstrip("~+").split() if word[0].isalpha()]
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "#"


def _sender(conversation: Conversation, user: User) -> str:
    if conversation.last_direction != "out":
        return ""
    return "you" if conversation.last_author_name == user.name else conversation.last_author_name
