"""The filters of the list in words: chips of those in use, and what the dialog offers."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.db.models import Q, Subquery
from django.utils import formats
from django.utils.translation import gettext as _

from conversations.desk.queue import SORT_OF, STATUS_OF, ViewQuery, default_status
from conversations.inboxes.models import Inbox
from conversations.messaging.models import Conversation
from crm.contacts.models import Tag
from crm.segments.models import Segment
from crm.staff.models import Membership, Role, Team, User

OFFERED = 300


def names(query: ViewQuery, user: User) -> dict[str, Any]:
    """The names of what the filters speak of, as expressions for `queue.ask`."""
    wanted: dict[str, Any] = {}
    for name, value, rows in (
        ("assignee", query.assignee, User.objects.all()),
        ("team", query.team, Team.objects.all()),
        ("inbox", query.inbox, Inbox.objects.visible_to(user)),
        ("segment", query.segment, Segment.objects.all()),
    ):
        if value.isascii() and value.isdigit():
            wanted[f"f_{name}"] = Subquery(rows.filter(pk=value).order_by().values("name")[:1])
    for tag in query.tags:
        wanted[f"f_tag_{tag}"] = Subquery(Tag.objects.filter(pk=tag).order_by().values("name")[:1])
    return wanted


def chips(query: ViewQuery, values: dict[str, Any]) -> list[dict[str, str]]:
    """The filters in use, each with the query that is left without it."""
    return [{"label": label, "query": replace(query, **without).encoded} for label, without in _in_use(query, values)]


def _in_use(query: ViewQuery, values: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    gone = _("(deleted)")
    if query.status != default_status(query.view):
        yield status_words()[query.status], {"status": default_status(query.view)}
    if query.assignee:
        yield _assignee(query.assignee, values.get("f_assignee") or gone), {"assignee": ""}
    if query.team:
        team = values.get("f_team") or gone
        yield (_("No team") if query.team == "none" else _("Team: %(name)s") % {"name": team}), {"team": ""}
    if query.inbox:
        yield _("Number: %(name)s") % {"name": values.get("f_inbox") or gone}, {"inbox": ""}
    if query.segment:
        yield _("Segment: %(name)s") % {"name": values.get("f_segment") or gone}, {"segment": ""}
    for tag in query.tags:
        left = tuple(other for other in query.tags if other != tag)
        yield _("Tag: %(name)s") % {"name": values.get(f"f_tag_{tag}") or gone}, {"tags": left}
    if query.window:
        yield window_words()[query.window], {"window": ""}
    for priority in query.priorities:
        left = tuple(other for other in query.priorities if other != priority)
        yield str(Conversation.Priority(int(priority)).label), {"priorities": left}
    if query.since:
        yield _("Since %(day)s") % {"day": formats.date_format(query.since, "SHORT_DATE_FORMAT")}, {"since": None}
    if query.until:
        yield _("Until %(day)s") % {"day": formats.date_format(query.until, "SHORT_DATE_FORMAT")}, {"until": None}


def _assignee(value: str, name: str) -> str:
    if value == "me":
        return _("Assigned to me")
    return _("Unassigned") if value == "none" else _("Assigned to %(name)s") % {"name": name}


def status_words() -> dict[str, str]:
    """Status in words."""
    return {
        "open": _("Open only"),
        "snoozed": _("Snoozed only"),
        "resolved": _("Resolved only"),
        "all": _("Any status"),
    }


def window_words() -> dict[str, str]:
    """State of the reply window in words."""
    return {
        "open": _("Window open"),
        "closing": _("Window closing"),
        "closed": _("Window closed"),
        "never": _("Has not written yet"),
    }


def sort_words() -> dict[str, str]:
    """Orders of the list in words."""
    return {
        "recent": _("Most recent"),
        "waiting": _("Waiting longest"),
        "closing": _("Window closing soonest"),
        "priority": _("Priority"),
        "oldest": _("Oldest activity"),
        "created": _("Newest conversation"),
    }


def view_sort_words() -> dict[str, str]:
    """Orders that only one view has."""
    return {"waking": _("Waking soonest"), "mentioned": _("Newest mention")}


def dialog(query: ViewQuery, user: User) -> dict[str, Any]:
    """What the filter dialog offers, with what is chosen."""
    segments = Segment.objects.values_list("pk", "name")[:OFFERED]
    return people_and_places(user) | {
        "segments": [(str(pk), name) for pk, name in segments],
        "query": query,
        "chosen_sort": query.sort if query.sort != SORT_OF.get(query.view, "recent") else "",
        "status_choices": [] if query.view in STATUS_OF else status_words().items(),
        "window_choices": window_words().items(),
        "priorities": [(str(value), label) for value, label in reversed(Conversation.Priority.choices)],
    }


def people_and_places(user: User) -> dict[str, Any]:
    """Agents, teams, numbers and tags that this user may choose from: names of colleagues, but no number that is not
    theirs.
    """
    agents = User.objects.filter(is_active=True).exclude(role=Role.INTEGRATOR).exclude(pk=user.pk)
    if user.role == Role.RESTRICTED:
        agents = agents.none()
    elif not user.sees_everything:
        of_theirs = Membership.objects.filter(team__inboxes__in=Inbox.objects.visible_to(user).values("pk"))
        agents = agents.filter(Q(role=Role.MANAGER) | Q(pk__in=of_theirs.values("user")))
    inboxes = Inbox.objects.visible_to(user).values_list("pk", "name")[:OFFERED]
    tags = Tag.objects.values_list("pk", "name", "colour")[:OFFERED]
    return {
        "agents": [(str(pk), name) for pk, name in agents.values_list("pk", "name")[:OFFERED]],
        "teams": [(str(pk), name) for pk, name in Team.objects.values_list("pk", "name")[:OFFERED]],
        "inboxes": [(str(pk), name) for pk, name in inboxes],
        "tags": [(str(pk), name, colour) for pk, name, colour in tags],
    }
