"""Saved views: a name for a query string of the list, of one agent or of a team."""

import dataclasses
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from conversations.desk.models import SavedView
from conversations.desk.queue import UpTo, ViewQuery, counted
from conversations.messaging.models import Conversation
from crm.audit import log
from crm.foundation.errors import Refusal
from crm.staff.models import Team, User

MOST = 50  # of one agent, or of a team
COUNTED_VIEWS = 20
COUNTED = 99
NAME_MAX = 60
QUERY_MAX = 1000
# Of these an index has all there are; the others may be everything that ever was.
INDEXED = (Conversation.Status.OPEN, Conversation.Status.SNOOZED)


class ViewRefused(Refusal):
    """A saved view that cannot be; the sentence says what to do."""

    code = "saved_view"
    http_status = 422


class NotYours(Refusal):
    """A team's view that somebody else made."""

    code = "not_yours"
    http_status = 403

    def __init__(self) -> None:
        super().__init__(_("Only a manager or whoever made this view can change it."))


def of(user: User) -> list[SavedView]:
    """Those this user sees, their own first."""
    found = SavedView.objects.visible_to(user).select_related("team")
    return sorted(found, key=lambda view: (view.team_id is not None, view.position, view.name.casefold(), view.pk))


def query_of(view: SavedView) -> ViewQuery:
    """What it shows; what is no longer known falls back as in any URL."""
    return ViewQuery.of(QueryDict(view.query))


def may_change(view: SavedView, user: User) -> bool:
    """Their own; those of a team also who may change what others made."""
    return view.owner_id == user.pk or (view.team_id is not None and user.has_perm("crm.moderate"))


def teams_of(user: User) -> Any:
    """The teams for which this user may save a view."""
    return Team.objects.all() if user.sees_everything else Team.objects.filter(memberships__user=user)


def save(user: User, name: str, query: ViewQuery, team: Team | None) -> SavedView:
    """Keep a view under a name; raises ViewRefused."""
    name = _checked(name)
    if len(query.encoded) > QUERY_MAX:
        raise ViewRefused(_("This view asks for too much. Choose fewer filters or a shorter search."))
    siblings = SavedView.objects.filter(team=team) if team else SavedView.objects.filter(team=None, owner=user)
    if siblings.count() >= MOST:
        raise ViewRefused(_("There are already %(most)d saved views. Delete one first.") % {"most": MOST})
    position = (siblings.aggregate(last=Max("position"))["last"] or 0) + 1
    view = SavedView(name=name, query=query.encoded, owner=user, team=team, position=min(position, 32000))
    with transaction.atomic():
        _store(view)
        if team is not None:
            log.created(view, by=user)
    return view


def retag(dropped: int, kept: int) -> None:
    """Two tags have become one: views that asked for the one ask for the other."""
    for view in SavedView.objects.select_for_update().filter(query__contains=str(dropped)):
        query = query_of(view)
        tags = tuple(dict.fromkeys(str(kept) if tag == str(dropped) else tag for tag in query.tags))
        if tags != query.tags:
            view.query = dataclasses.replace(query, tags=tags).encoded
            view.save(update_fields=["query"])


def rename(view: SavedView, name: str, *, by: User) -> None:
    """Give it another name; raises ViewRefused."""
    before = log.snapshot(view)
    view.name = _checked(name)
    with transaction.atomic():
        _store(view)
        if view.team_id is not None:
            log.changed(view, before, by=by)


@transaction.atomic
def delete(view: SavedView, *, by: User) -> None:
    """It is gone; that a team's was there is recorded. One's own views are nobody else's business."""
    if view.team_id is not None:
        log.deleted(view, by=by)
    view.delete()


def checked_name(view: SavedView, name: str) -> str:
    """A name that this view may have; raises ViewRefused."""
    name = _checked(name)
    siblings = {"team": view.team_id} if view.team_id else {"team": None, "owner": view.owner_id}
    if SavedView.objects.filter(**siblings, name=name).exclude(pk=view.pk).exists():
        raise _taken()
    return name


def counters(user: User, views: list[SavedView]) -> dict[str, Any]:
    """What counts the first of them, as expressions for `queue.ask`; only those of what is open or snoozed, no
    searches and segments.
    """
    queries = {view.pk: query_of(view) for view in views[:COUNTED_VIEWS]}
    plain = {pk: query for pk, query in queries.items() if not (query.search or query.segment)}
    counted_ones = {pk: query for pk, query in plain.items() if query.status in INDEXED}
    return {f"n_saved_{pk}": UpTo(query.found(user), COUNTED + 1) for pk, query in counted_ones.items()}


def shown(user: User, views: list[SavedView], values: dict[str, Any], current: ViewQuery) -> list[dict[str, Any]]:
    """As the list's head shows them."""
    return [
        {
            "key": f"saved-{view.pk}",
            "pk": view.pk,
            "label": view.name,
            "team": view.team,
            "icon": "users" if view.team_id else "bookmark",
            "count": counted(values.get(f"n_saved_{view.pk}"), COUNTED),
            "query": (encoded := query_of(view).encoded),
            "url": f"{reverse('desk:inbox')}?{encoded}",
            "is_current": encoded == current.encoded,
            "may_change": may_change(view, user),
        }
        for view in views
    ]


def _checked(name: str) -> str:
    name = " ".join(name.replace("\x00", "").split())
    if not name:
        raise ViewRefused(_("Give the view a name."))
    if len(name) > NAME_MAX:
        raise ViewRefused(_("The name is too long: %(most)d characters at most.") % {"most": NAME_MAX})
    return name


def _store(view: SavedView) -> None:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError:
        raise _taken() from None


def _taken() -> ViewRefused:
    return ViewRefused(_("There is already a view with this name. Choose another."))
