"""Which conversations a list shows: the view, filters, search and order of the URL, and pages of 40."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db.models import Case, CharField, F, IntegerField, Max, OuterRef, Q, StringAgg, Subquery, Value, When
from django.db.models.functions import Cast, Coalesce
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from conversations.messaging.conversation_models import CLOSING
from conversations.messaging.models import Conversation, ConversationPin
from conversations.notices.models import Notice
from crm.foundation import clock
from crm.staff.models import User

PAGE = 40
PINS = 100
COUNTED = 999
TAGS = 5
VIEWS = ("mine", "unassigned", "all", "mentions", "waiting", "closing", "snoozed", "resolved")
COUNTED_VIEWS = VIEWS[:-1]
PINNED_VIEWS = ("mine", "unassigned", "all")
STATUSES = ("open", "snoozed", "resolved", "all")
# Views of one status; in the others it may be chosen, and is "open" if nothing is said.
STATUS_OF = {"waiting": "open", "closing": "open", "snoozed": "snoozed", "resolved": "resolved"}
PRIORITIES = tuple(map(str, Conversation.Priority.values))
WINDOWS = ("open", "closing", "closed", "never")
SORTS = ("recent", "waiting", "closing", "priority", "oldest", "created")
SORT_OF = {"waiting": "waiting", "closing": "closing", "snoozed": "waking", "mentions": "mentioned"}
ICONS = {
    "mine": "user-check", "unassigned": "inbox", "all": "layers", "mentions": "at-sign", "waiting": "hourglass",
    "closing": "timer", "snoozed": "alarm-clock", "resolved": "circle-check",
}  # fmt: skip
OPEN = Q(status=Conversation.Status.OPEN)
FAR = dt.datetime(2255, 1, 1, tzinfo=dt.UTC)  # where those without a time stand
ABOVE = 10**14  # pinned rows: more than any other rank
FIRST_DAY, LAST_DAY = dt.date(2009, 1, 1), dt.date(2199, 12, 31)


class UpTo(Subquery):
    """How many rows a queryset has, counted no further than `most`."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"

    def __init__(self, queryset: Any, most: int) -> None:
        super().__init__(queryset.order_by().values("pk")[:most], output_field=IntegerField())


class Key(NamedTuple):
    """One thing a list is ordered by: a column or annotation, falling or rising."""

    name: str
    falls: bool = False

    @property
    def ordering(self) -> str:
        """As `order_by` wants it."""
        return f"-{self.name}" if self.falls else self.name

    def read(self, text: str) -> Any:
        """A value of this key out of a cursor; raises ValueError, OverflowError."""
        if self.name in ("pk", "priority"):
            return int(text)
        when = dt.datetime.fromisoformat(text.replace(" ", "+"))
        if when.tzinfo is None:
            raise ValueError
        return when.astimezone(dt.UTC)


@dataclass(frozen=True)
class ViewQuery:
    """The part of the URL that says what the list shows."""

    view: str = "mine"
    status: str = "open"
    search: str = ""
    assignee: str = ""  # "me", "none" or a key
    team: str = ""  # "none" or a key
    inbox: str = ""
    segment: str = ""
    tags: tuple[str, ...] = ()  # keys: all of them
    unread: bool = False
    waiting: bool = False
    window: str = ""
    priorities: tuple[str, ...] = ()  # any of them
    since: dt.date | None = None
    until: dt.date | None = None
    sort: str = "recent"

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> "ViewQuery":
        """Read a query string; unknown values fall back to the default."""
        view = _one_of(query, "view", VIEWS) or "mine"
        return cls(
            view=view,
            status=STATUS_OF.get(view) or _one_of(query, "status", STATUSES) or default_status(view),
            search=str(query.get("q", "")).replace("\x00", "").strip()[:100],
            assignee=_key(query, "assignee", "me", "none"),
            team=_key(query, "team", "none"),
            inbox=_key(query, "inbox"),
            segment=_key(query, "segment"),
            tags=_keys(query, "tag")[:TAGS],
            unread=query.get("unread") == "1",
            waiting=query.get("waiting") == "1",
            window=_one_of(query, "window", WINDOWS),
            priorities=tuple(part for part in _keys(query, "priority") if part in PRIORITIES),
            since=_day(query, "since"),
            until=_day(query, "until"),
            sort=_one_of(query, "sort", SORTS) or SORT_OF.get(view, "recent"),
        )

    @property
    def encoded(self) -> str:
        """The one query string that leads here again; what goes without saying is left out."""
        return urlencode({name: value for name, value in self._parts() if value}, safe=",")

    def _parts(self) -> Iterable[tuple[str, str]]:
        yield "view", self.view
        yield "status", self.status if self.status != default_status(self.view) else ""
        yield "q", self.search
        yield from (("assignee", self.assignee), ("team", self.team), ("inbox", self.inbox))
        yield "segment", self.segment
        yield "tag", ",".join(self.tags)
        yield from (("unread", "1" * self.unread), ("waiting", "1" * self.waiting), ("window", self.window))
        yield "priority", ",".join(self.priorities)
        yield "since", self.since.isoformat() if self.since else ""
        yield "until", self.until.isoformat() if self.until else ""
        yield "sort", self.sort if self.sort != SORT_OF.get(self.view, "recent") else ""

    def found(self, user: User) -> Any:
        """The visible conversations of this view, in no order."""
        rows = self._narrowed(self._viewed(Conversation.objects.visible_to(user), user), user)
        if self.unread:
            rows = rows.with_unread(user).filter(unread__gt=0)
        if self.segment:
            rows = rows.of_segment(int(self.segment))
        return rows.search(self.search) if self.search else rows

    def _viewed(self, rows: Any, user: User) -> Any:
        now = clock.now()
        match self.view:
            case "mine":
                rows = rows.mine(user)
            case "unassigned":
                rows = rows.unassigned()
            case "mentions":
                rows = rows.filter(pk__in=Notice.objects.filter(user=user).values("conversation"))
            case "waiting":
                rows = rows.filter(waiting_since__isnull=False)
            case "closing":
                rows = rows.filter(window_expires_at__gt=now, window_expires_at__lte=now + CLOSING)
        if self.status != "all":
            return rows.filter(status=self.status)
        return rows if self.search else rows.listed()

    def _narrowed(self, rows: Any, user: User) -> Any:
        now, wanted = clock.now(), Q()
        for column, value in (("assignee", self.assignee), ("team", self.team), ("inbox", self.inbox)):
            if value:
                wanted &= Q(**{column: {"me": user.pk, "none": None}.get(value, value)})
        for tag in self.tags:
            wanted &= Q(pk__in=Conversation.tags.through.objects.filter(tag_id=int(tag)).values("conversation"))
        if self.priorities:
            wanted &= Q(priority__in=self.priorities)
        if self.waiting:
            wanted &= Q(waiting_since__isnull=False)
        match self.window:
            case "open":
                wanted &= Q(window_expires_at__gt=now)
            case "closing":
                wanted &= Q(window_expires_at__gt=now, window_expires_at__lte=now + CLOSING)
            case "closed":
                wanted &= Q(window_expires_at__lte=now)
            case "never":
                wanted &= Q(window_expires_at=None)
        if self.since:
            wanted &= Q(last_activity_at__gte=_midnight(self.since))
        if self.until:
            wanted &= Q(last_activity_at__lt=_midnight(self.until + dt.timedelta(days=1)))
        return rows.filter(wanted)

    def conversations(self, user: User) -> Any:
        """The visible conversations of this view, as list rows, in its order."""
        rows = self.found(user).for_rows(user)
        match self.sort:
            case "waiting" | "priority":
                rows = rows.annotate(place=self._waited)
            case "closing":
                rows = rows.annotate(place=self._closes)
            case "waking":
                rows = rows.annotate(place=Coalesce("snoozed_until", Value(FAR)))
            case "mentioned":
                mine = Notice.objects.filter(user=user, conversation=OuterRef("pk")).order_by().values("conversation")
                rows = rows.annotate(place=Subquery(mine.annotate(newest=Max("created_at")).values("newest")))
        return rows.order_by(*(key.ordering for key in self._keys))

    @property
    def _waited(self) -> Any:
        return F("waiting_since") if self.view == "waiting" else Coalesce("waiting_since", Value(FAR))

    @property
    def _closes(self) -> Any:
        if self.view == "closing":
            return F("window_expires_at")
        left = When(window_expires_at__gt=clock.now(), then="window_expires_at")
        return Case(left, default=Value(FAR))

    @property
    def _keys(self) -> tuple[Key, ...]:
        match self.sort:
            case "oldest":
                return Key("last_activity_at"), Key("pk")
            case "created":
                return (Key("pk", falls=True),)
            case "waiting" | "closing" | "waking":
                return Key("place"), Key("pk")
            case "priority":
                return Key("priority", falls=True), Key("place"), Key("pk")
            case "mentioned":
                return Key("place", falls=True), Key("pk", falls=True)
        return Key("last_activity_at", falls=True), Key("pk", falls=True)

    def rank(self, row: Conversation) -> tuple[int, int]:
        """Where a row of `conversations` stands: the greater pair is further up."""
        above = ABOVE if self.has_pins and getattr(row, "is_pinned", False) else 0
        tie = row.pk if self._keys[-1].falls else -row.pk
        if self.sort == "created":
            return above, tie
        at = _milliseconds(getattr(row, "place", None) or row.last_activity_at)
        match self.sort:
            case "priority":
                return above + row.priority * 10**13 - at, tie
            case "oldest" | "waiting" | "closing" | "waking":
                return above - at, tie
        return above + at, tie

    @property
    def has_pins(self) -> bool:
        """Whether what this agent has pinned comes first."""
        return self.view in PINNED_VIEWS and not self.search

    def page(self, user: User, cursor: str = "", pins: str | None = "") -> tuple[list[Conversation], str]:
        """One page after `cursor`, and the next cursor ("" at the end); `pins` (see `pins_of`) come on the first."""
        rows, keys, pinned = self.conversations(user), self._keys, []
        after = _read_cursor(keys, cursor)
        if self.has_pins and pins:
            above = [int(pk) for pk in pins.split(",")[:PINS]]
            pinned = list(rows.filter(pk__in=above)) if after is None else []
            rows = rows.exclude(pk__in=above)
        if after is not None:
            first, value = keys[0], after[0]  # the bound is where the index is entered
            rows = rows.filter(_below(keys, after), **{f"{first.name}__{'lte' if first.falls else 'gte'}": value})
        found = list(rows[: PAGE + 1])
        more = found[PAGE - 1] if len(found) > PAGE else None
        return pinned + found[:PAGE], "~".join(_written(more, key) for key in keys) if more else ""


def default_status(view: str) -> str:
    """The status that a view shows if none is chosen."""
    return STATUS_OF.get(view) or ("all" if view == "mentions" else "open")


def _one_of(query: Mapping[str, Any], name: str, values: Iterable[str]) -> str:
    value = query.get(name, "")
    return value if value in tuple(values) else ""


def _key(query: Mapping[str, Any], name: str, *words: str) -> str:
    value = str(query.get(name, ""))
    return value if value in words or (value.isascii() and value.isdigit() and len(value) <= 15) else ""


def _keys(query: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Keys from "1,2" or from a name given several times, sorted, each once."""
    texts = query.getlist(name) if isinstance(query, QueryDict) else [str(query.get(name, ""))]
    parts = {part for text in texts[:50] for part in text[:200].split(",")}
    return tuple(sorted((str(int(p)) for p in parts if p.isascii() and p.isdigit() and len(p) <= 15), key=int))


def _day(query: Mapping[str, Any], name: str) -> dt.date | None:
    try:
        day = dt.date.fromisoformat(str(query.get(name, "")))
    except ValueError:
        return None
    return day if FIRST_DAY <= day <= LAST_DAY else None


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), timezone.get_current_timezone())


def _milliseconds(at: dt.datetime) -> int:
    return int(at.timestamp() * 1000)


def _written(row: Conversation, key: Key) -> str:
    value = getattr(row, key.name)
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)


def _read_cursor(keys: tuple[Key, ...], cursor: str) -> list[Any] | None:
    parts = cursor[:200].split("~")
    try:
        values = [key.read(part) for key, part in zip(keys, parts, strict=True)]
    except (ValueError, OverflowError):
        return None
    return values if abs(values[-1]) < 2**63 else None


def _below(keys: tuple[Key, ...], after: list[Any]) -> Q:
    """Rows that come after these values of their keys."""
    condition = Q()
    equal: dict[str, Any] = {}
    for key, value in zip(keys, after, strict=True):
        condition |= Q(**equal, **{f"{key.name}__{'lt' if key.falls else 'gt'}": value})
        equal[key.name] = value
    return condition


def counters(user: User) -> dict[str, Any]:
    """What counts each view, as expressions for `ask`."""
    views = {key: ViewQuery.of({"view": key}).found(user) for key in COUNTED_VIEWS}
    unseen = Notice.objects.filter(user=user, read_at=None).values("conversation")
    views["mentions"] = Conversation.objects.visible_to(user).filter(pk__in=unseen)
    return {f"n_{key}": UpTo(rows, COUNTED + 1) for key, rows in views.items()}


def pins_of(user: User) -> Subquery:
    """The keys of what an agent has pinned, as an expression for `ask`."""
    pins = ConversationPin.objects.filter(user=user).order_by().values("user")
    keys = StringAgg(Cast("conversation_id", CharField()), delimiter=Value(","))
    return Subquery(pins.annotate(keys=keys).values("keys"))


def ask(user: User, wanted: dict[str, Any]) -> dict[str, Any]:
    """The values of several expressions in one query."""
    values: dict[str, Any] = dict(User.objects.filter(pk=user.pk).values(**wanted).get())
    return values


def view_labels() -> dict[str, str]:
    """The views' names in the active language."""
    return {
        "mine": _("Mine"), "unassigned": _("Unassigned"), "all": _("All"), "mentions": _("Mentions"),
        "waiting": _("Waiting"), "closing": _("Window closing"), "snoozed": _("All snoozed"),
        "resolved": _("All resolved"),
    }  # fmt: skip


def views_of(values: dict[str, Any], current: ViewQuery) -> list[dict[str, Any]]:
    """The views with their counts ("999+" above that)."""
    labels = view_labels()
    return [
        {
            "key": key,
            "label": labels[key],
            "icon": ICONS[key],
            "count": counted(values.get(f"n_{key}"), COUNTED),
            "query": f"view={key}",
            "url": f"{reverse('desk:inbox')}?view={key}",
            "is_current": key == current.view,
        }
        for key in VIEWS
    ]


def counted(count: int | None, most: int) -> int | str:
    """A count as it is shown."""
    if count is None:
        return ""
    return count if count <= most else f"{most}+"


def views_for(user: User, current: ViewQuery) -> list[dict[str, Any]]:
    """The views with their counts, in one query."""
    return views_of(ask(user, counters(user)), current)
