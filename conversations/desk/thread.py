"""A thread's items: bubbles, system lines, day chips and the unread divider, in pages."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, Value
from django.utils import timezone

from conversations.desk.bubbles import Bubble, bubbles_of
from conversations.desk.happenings import happening
from conversations.messaging.models import Conversation, ConversationEvent, Message
from crm.staff.models import Membership, Role, Team, User

PAGE = 30
EVENTS_MAX = 100


@dataclass(frozen=True)
class Page:
    """Items oldest first, and the cursors of the pages before and after ("" where there is none); `at`: the client id
    of the message it was opened for.
    """

    items: list[dict[str, Any]]
    before: str
    after: str
    at: str = ""


def opening(conversation: Conversation, unread: int, at: uuid.UUID | None = None) -> Page:
    """What a thread shows first: the surroundings of message `at` if it is here, else its end."""
    found = around(conversation, at) if at else None
    return found or latest(conversation, unread)


def latest(conversation: Conversation, unread: int = 0) -> Page:
    """The newest page, with the unread divider; reaches back to the first unread message, at most three pages."""
    size = min(max(PAGE, unread + 10), 3 * PAGE)
    found = bubbles_of(_bubbles(conversation).order_by("-sort_at", "-pk")[: size + 1])
    return _page(conversation, list(reversed(found)), size, unread=unread, is_newest=True)


def before(conversation: Conversation, cursor: str) -> Page | None:
    """The page of older messages; None for a cursor that is none."""
    anchor = _anchor(cursor)
    if anchor is None:
        return None
    at, pk = anchor
    older = _bubbles(conversation).filter(Q(sort_at__lt=at) | Q(sort_at=at, pk__lt=pk), sort_at__lte=at)
    found = bubbles_of(older.order_by("-sort_at", "-pk")[: PAGE + 1])
    return _page(conversation, list(reversed(found)), PAGE)


def around(conversation: Conversation, client_id: uuid.UUID) -> Page | None:
    """A page with this message in its middle; None if it is not in this thread."""
    rows = _bubbles(conversation)
    anchor = rows.filter(client_id=client_id).values_list("sort_at", "pk").first()
    if anchor is None:
        return None
    at, pk = anchor
    older = rows.filter(Q(sort_at__lt=at) | Q(sort_at=at, pk__lte=pk), sort_at__lte=at)
    newer = rows.filter(Q(sort_at__gt=at) | Q(sort_at=at, pk__gt=pk), sort_at__gte=at)
    above = list(older.order_by("-sort_at", "-pk").values_list("pk", flat=True)[: PAGE // 2 + 1])
    below = list(newer.in_thread_order().values_list("pk", flat=True)[: PAGE // 2 + 1])
    shown = [*above[: PAGE // 2], *below[: PAGE // 2]]
    found = bubbles_of(rows.filter(pk__in=shown).in_thread_order())
    if not found:  # deleted at this very moment
        return None
    more_above, more_below = len(above) > PAGE // 2, len(below) > PAGE // 2
    since = found[0].at if more_above else None
    items = _with_events(conversation, found, since=since, is_newest=not more_below)
    before_, after_ = found[0].sort_key if more_above else "", found[-1].sort_key if more_below else ""
    return Page(items, before_, after_, str(client_id))


def after(conversation: Conversation, cursor: str) -> Page | None:
    """What came after a message, oldest first, at most three pages; None for a cursor that is none."""
    anchor = _anchor(cursor)
    if anchor is None:
        return None
    at, pk = anchor
    newer = _bubbles(conversation).filter(Q(sort_at__gt=at) | Q(sort_at=at, pk__gt=pk), sort_at__gte=at)
    found = bubbles_of(newer.in_thread_order()[: 3 * PAGE + 1])
    more = len(found) > 3 * PAGE
    found = found[: 3 * PAGE]
    items = _with_events(conversation, found, since=at, is_newest=not more)
    return Page(items, "", found[-1].sort_key if found and more else "")


def some(conversation: Conversation, client_ids: list[str]) -> Page:
    """Just these bubbles."""
    found = bubbles_of(_bubbles(conversation).filter(client_id__in=client_ids).in_thread_order())
    return Page([{"type": "message", "message": bubble} for bubble in found], "", "")


def assignable(conversation: Conversation) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Agents who could take this conversation, and teams; one query for both."""
    members = Membership.objects.filter(team__inboxes=conversation.inbox_id).values("user")
    agents = (
        User.objects.filter(Q(role__in=[Role.MANAGER, Role.RESTRICTED]) | Q(pk__in=members), is_active=True)
        .exclude(role=Role.INTEGRATOR)
        .annotate(sort=Value(0))
        .values_list("sort", "pk", "name")
        .order_by()
    )
    teams = Team.objects.annotate(sort=Value(1)).values_list("sort", "pk", "name").order_by()
    everybody = sorted(agents.union(teams, all=True), key=lambda row: (row[0], row[2].casefold()))
    return (
        [{"id": pk, "name": name} for sort, pk, name in everybody if sort == 0],
        [{"id": pk, "name": name} for sort, pk, name in everybody if sort == 1],
    )


def _bubbles(conversation: Conversation) -> Any:
    return Message.objects.filter(conversation=conversation).bubbles()


def _anchor(cursor: str) -> tuple[dt.datetime, int] | None:
    """The exact place of a sort key: of its message, or of its milliseconds if that is gone."""
    milliseconds, _dot, pk = cursor.partition(".")
    if not (milliseconds.isascii() and milliseconds.isdigit() and pk.isascii() and pk.isdigit()):
        return None
    if len(milliseconds) > 14 or len(pk) > 18:
        return None
    at = Message.objects.filter(pk=int(pk)).values_list("sort_at", flat=True).first()
    return at or dt.datetime.fromtimestamp(int(milliseconds) / 1000, dt.UTC), int(pk)


def _page(
    conversation: Conversation, found: list[Bubble], size: int, *, unread: int = 0, is_newest: bool = False
) -> Page:
    more = len(found) > size
    found = found[-size:]
    since = found[0].at if more and found else None
    items = _with_events(conversation, found, since=since, is_newest=is_newest, unread=unread)
    return Page(items, found[0].sort_key if more else "", "")


def _with_events(
    conversation: Conversation,
    found: list[Bubble],
    *,
    since: dt.datetime | None,
    is_newest: bool,
    unread: int = 0,
) -> list[dict[str, Any]]:
    events = ConversationEvent.objects.filter(conversation=conversation).select_related("user")
    if since is not None:
        events = events.filter(created_at__gte=since)
    if not is_newest:
        events = events.filter(created_at__lte=found[-1].at) if found else events.none()
    lines: list[tuple[dt.datetime, int, dict[str, Any]]] = [
        (
            event.created_at,
            0,
            {"type": "event", "event": {"id": event.pk, "text": happening(event), "at": event.created_at}},
        )
        for event in events.order_by("-created_at", "-pk")[:EVENTS_MAX]
    ]
    rows = [(bubble.at, bubble.pk, {"type": "message", "message": bubble}) for bubble in found]
    merged = [item for _at, _pk, item in sorted(lines + rows, key=lambda row: row[:2])]
    return _with_dividers(merged, unread)


def _with_dividers(merged: list[dict[str, Any]], unread: int) -> list[dict[str, Any]]:
    inbound = [item for item in merged if item["type"] == "message" and _counts(item["message"])]
    first_unread = inbound[-min(unread, len(inbound))] if unread and inbound else None
    items: list[dict[str, Any]] = []
    day = None
    for item in merged:
        at = item["message"].at if item["type"] == "message" else item["event"]["at"]
        date = timezone.localtime(at).date()
        if date != day:
            items.append({"type": "day", "date": date})
            day = date
        if item is first_unread:
            items.append({"type": "unread", "count": unread})
        items.append(item)
    return items


def _counts(bubble: Bubble) -> bool:
    return bubble.direction == "in" and bubble.kind not in ("system", "request_welcome")
