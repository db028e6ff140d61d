"""The dashboard's numbers, each read from the rows themselves in few queries."""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.core.cache import cache
from django.db.models import Case, Count, IntegerField, Q, Value, When

from conversations.live import seats
from conversations.messaging.models import Conversation, Message
from conversations.reports.period import Period
from conversations.reports.sets import CONVERSATIONS, MESSAGES
from crm.audit.keyset import bounded_count
from crm.staff.models import Role, User

ANSWERS_READ = 50_000
AGENTS_SHOWN = 100
DAYS_KEPT_SECONDS = 60


@dataclass(frozen=True)
class Day:
    """Messages of one day."""

    date: dt.date
    inbound: int
    outbound: int


@dataclass
class Answers:
    """For how many seconds people waited for agents' answers: of the period, of the one before, by day and agent."""

    now: list[int] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    today: list[int] = field(default_factory=list)
    yesterday: list[int] = field(default_factory=list)
    by_agent: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    # There were more than could be read: only those from here on count.
    cut_at: dt.datetime | None = None


@dataclass(frozen=True)
class AgentRow:
    """One agent now, and how they answered in the period."""

    user: User
    is_online: bool
    open: int
    waiting: int
    answers: int
    median: int | None
    p90: int | None


def count_conversations(key: str) -> int:
    """How many conversations of a named set there are, counted no further than the lists count."""
    return bounded_count(Conversation.objects.filter(CONVERSATIONS[key].condition()))


def count_messages(key: str, period: Period) -> int:
    """How many messages of a named set there are, of the period where that matters."""
    named = MESSAGES[key]
    rows = Message.objects.filter(named.condition())
    return bounded_count(rows.filter(created_at__gte=period.since) if named.is_of_period else rows)


def days_of(period: Period) -> list[Day]:
    """Messages in and out on each day, as they were at most DAYS_KEPT_SECONDS ago: all of the period are read."""
    key = f"reports.days:{period.days}:{period.today}:{period.since.isoformat()}:{period.zone}".replace(" ", "_")
    found: list[Day] | None = cache.get(key)
    if found is None:
        found = _count_days(period)
        cache.set(key, found, DAYS_KEPT_SECONDS)
    return found


def _count_days(period: Period) -> list[Day]:
    starts = [period.midnight(day) for day in period.dates]
    # From the newest down: the first that fits is the day.
    branches = [When(created_at__gte=start, then=Value(place)) for place, start in reversed(list(enumerate(starts)))]
    place = Case(*branches, default=Value(-1), output_field=IntegerField())
    rows = (
        Message.objects.bubbles()
        .filter(created_at__gte=period.since, direction__in=["in", "out"])
        .annotate(place=place)
        .order_by()
        .values("place")
        .annotate(inbound=Count("pk", filter=Q(direction="in")), outbound=Count("pk", filter=Q(direction="out")))
    )
    found = {row["place"]: row for row in rows}
    empty = {"inbound": 0, "outbound": 0}
    return [
        Day(day, found.get(place, empty)["inbound"], found.get(place, empty)["outbound"])
        for place, day in enumerate(period.dates)
    ]


def answers_of(period: Period) -> Answers:
    """How long people waited for answers, of the newest ANSWERS_READ at most; one query."""
    today = period.midnight(period.today)
    yesterday = period.midnight(period.today - dt.timedelta(days=1))
    since = min(period.before, yesterday)
    rows = Message.objects.filter(answered_after__isnull=False, created_at__gte=since).order_by("-pk")
    answers = Answers()
    found: Any = list(rows.values_list("author_id", "created_at", "answered_after")[: ANSWERS_READ + 1])
    if len(found) > ANSWERS_READ:
        answers.cut_at = found.pop()[1]
    for author, at, seconds in found:
        if at >= period.since:
            answers.now.append(seconds)
            answers.by_agent[author].append(seconds)
        elif at >= period.before:
            answers.before.append(seconds)
        if at >= today:
            answers.today.append(seconds)
        elif at >= yesterday:
            answers.yesterday.append(seconds)
    return answers


def agents_of(answers: Answers) -> list[AgentRow]:
    """Everybody of the desk, those who are here first; three queries."""
    here = seats.present()
    opened = Conversation.objects.filter(status=Conversation.Status.OPEN, assignee__isnull=False)
    waiting = Count("pk", filter=Q(waiting_since__isnull=False))
    rows_by_agent: Any = opened.order_by().values("assignee").annotate(open=Count("pk"), waiting=waiting)
    counts: dict[int, dict[str, Any]] = {row["assignee"]: row for row in rows_by_agent}
    users = User.objects.filter(is_active=True).exclude(role=Role.INTEGRATOR).order_by("name", "pk")
    rows = [_agent(user, user.pk in here, counts.get(user.pk, {}), answers) for user in users]
    rows.sort(key=lambda row: (not row.is_online, -row.open, -row.answers))
    return rows[:AGENTS_SHOWN]


def _agent(user: User, is_online: bool, counts: dict[str, Any], answers: Answers) -> AgentRow:
    seconds = answers.by_agent.get(user.pk, [])
    return AgentRow(
        user=user,
        is_online=is_online,
        open=counts.get("open", 0),
        waiting=counts.get("waiting", 0),
        answers=len(seconds),
        median=percentile(seconds, 0.5),
        p90=percentile(seconds, 0.9),
    )


def percentile(values: Iterable[int], share: float) -> int | None:
    """The smallest value that at least this share of the values does not exceed; None of no values."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None
