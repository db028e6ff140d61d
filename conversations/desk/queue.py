"""Which conversations a list shows: the view, filters and search of the URL, and pages of 40."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import IntegerField, Q, Subquery
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from conversations.messaging.models import Conversation
from crm.staff.models import User

PAGE = 40
COUNTED = 999
VIEWS = ("mine", "unassigned", "all")
STATUSES = ("open", "resolved", "all")
OPEN = Q(status=Conversation.Status.OPEN)


class UpTo(Subquery):
    """How many rows a queryset has, counted no further than `most`."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"

    def __init__(self, queryset: Any, most: int) -> None:
        super().__init__(queryset.order_by().values("pk")[:most], output_field=IntegerField())


@dataclass(frozen=True)
class ViewQuery:
    """The part of the URL that says what the list shows."""

    view: str = "mine"
    status: str = "open"
    search: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> "ViewQuery":
        """Read a query string; unknown values fall back to the default."""
        view, status = query.get("view", ""), query.get("status", "")
        return cls(
            view if view in VIEWS else "mine",
            status if status in STATUSES else "open",
            query.get("q", "").replace("\x00", "").strip()[:100],
        )

    @property
    def encoded(self) -> str:
        """The query string that leads here again."""
        return urlencode({"view": self.view, "status": self.status} | ({"q": self.search} if self.search else {}))

    def conversations(self, user: User) -> Any:
        """The visible conversations of this view, as list rows, newest activity first."""
        rows = Conversation.objects.visible_to(user)
        if self.view == "mine":
            rows = rows.mine(user)
        elif self.view == "unassigned":
            rows = rows.unassigned()
        if self.status != "all":
            rows = rows.filter(status=self.status)
        elif not self.search:
            rows = rows.listed()
        if self.search:
            rows = rows.search(self.search)
        return rows.for_rows(user).order_by("-last_activity_at", "-pk")

    def page(self, user: User, cursor: str = "") -> tuple[list[Conversation], str]:
        """One page after `cursor` and the cursor of the next ("" at the end)."""
        rows = self.conversations(user)
        after = _read_cursor(cursor)
        if after is not None:
            at, pk = after
            below = Q(last_activity_at__lt=at) | Q(last_activity_at=at, pk__lt=pk)
            rows = rows.filter(below, last_activity_at__lte=at)  # the bound is where the index is entered
        found = list(rows[: PAGE + 1])
        more = found[PAGE - 1] if len(found) > PAGE else None
        return found[:PAGE], f"{more.last_activity_at.isoformat()}~{more.pk}" if more else ""


def _read_cursor(cursor: str) -> tuple[dt.datetime, int] | None:
    at, _sep, pk = cursor.partition("~")
    try:
        when = dt.datetime.fromisoformat(at.replace(" ", "+"))
        return (when.astimezone(dt.UTC), int(pk)) if when.tzinfo else None
    except (ValueError, OverflowError):
        return None


def views_for(user: User, current: ViewQuery) -> list[dict[str, Any]]:
    """The views with their counts of open conversations ("999+" above that), in one query."""
    visible = Conversation.objects.visible_to(user).filter(OPEN)
    views = {"mine": visible.mine(user), "unassigned": visible.unassigned(), "all": visible}
    counted = [UpTo(views[key], COUNTED + 1) for key in VIEWS]
    counts: tuple[int, ...] = User.objects.filter(pk=user.pk).values_list(*counted).get()
    labels = {"mine": _("Mine"), "unassigned": _("Unassigned"), "all": _("All")}
    return [
        {
            "key": key,
            "label": labels[key],
            "count": count if count <= COUNTED else f"{COUNTED}+",
            "url": f"{reverse('desk:inbox')}?{urlencode({'view': key, 'status': current.status})}",
            "is_current": key == current.view,
        }
        for key, count in zip(VIEWS, counts, strict=True)
    ]
