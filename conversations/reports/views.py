"""The managers' overview: cards that lead to the lists they count, messages by day, agents, and what needs somebody."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations.channels.whatsapp import codes
from conversations.inboxes.findings import BAD, WARN, done_of, has_stopped_templates
from conversations.inboxes.models import Inbox
from conversations.inboxes.views import findings_of, with_set_up
from conversations.ingest.models import WebhookEvent
from conversations.messaging import fence
from conversations.messaging.models import Conversation, Message, SendFence
from conversations.reports import figures, sets
from conversations.reports.period import CHOICES, PARAMETER, Period
from crm.audit.keyset import MOST, bounded_count, counted
from crm.foundation import clock
from crm.privacy import requests
from crm.privacy.models import PrivacyRequest
from crm.staff.models import ApiToken

TOKENS_SOON = dt.timedelta(days=14)
LABELS_MOST = 15


@dataclass(frozen=True)
class Card:
    """A number with its name, and the list that has as many rows."""

    key: str
    name: str
    value: str
    url: str = ""
    more: str = ""
    is_alarm: bool = False


@dataclass(frozen=True)
class Need:
    """Something that somebody has to see to."""

    sentence: str
    url: str
    state: str = WARN


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the overview shows (Unfold's DASHBOARD_CALLBACK), of what the reader may see."""
    period = Period.of(request.GET.get(PARAMETER))
    sees: dict[type[Model], bool] = {
        model: _may_see(request, model)
        for model in (Conversation, Message, Inbox, WebhookEvent, ApiToken, PrivacyRequest)
    }
    context |= {"period": period, "periods": _periods(period), "may_see": any(sees.values())}
    answers = figures.answers_of(period) if sees[Message] else figures.Answers()
    inboxes = _set_ups() if sees[Inbox] else []
    cards = _conversation_cards() if sees[Conversation] else []
    if sees[Message]:
        cards += _message_cards(period, answers)
        days = figures.days_of(period)
        context |= {"days": days, "bars": _bars(days), "sums": _sums(days)}
    return context | {
        "cards": cards,
        "agents": _agents(answers) if sees[Conversation] else [],
        "needs": _needs(inboxes, sees, period),
        "set_ups": [one for one in inboxes if one["done"] < one["total"]],
    }


def _may_see(request: HttpRequest, model: type[Model]) -> bool:
    model_admin = admin.site._registry.get(model)
    return model_admin is not None and model_admin.has_view_permission(request)


def _periods(period: Period) -> list[tuple[str, str, bool]]:
    return [(str(words), f"?{urlencode({PARAMETER: key})}", key == period.key) for key, words in CHOICES.items()]


def _conversation_cards() -> list[Card]:
    minutes = int(sets.goal().total_seconds() // 60)
    more = {"overdue": _("more than %(time)s") % {"time": duration(minutes * 60)}}
    cards = []
    for key in ("open", "overdue", "unassigned", "closing"):
        number = figures.count_conversations(key)
        url = _list("conversation", **{sets.PARAMETER: key})
        title = str(sets.CONVERSATIONS[key].title)
        cards.append(Card(key, title, counted(number), url, more.get(key, ""), key == "overdue" and number > 0))
    return cards


def _message_cards(period: Period, answers: figures.Answers) -> list[Card]:
    words, same_days = str(CHOICES[period.key]), {PARAMETER: period.key}
    number = min(len(answers.now), MOST + 1)
    cards = [
        Card(
            "answers",
            _("First answer, median"),
            duration(figures.percentile(answers.now, 0.5)),
            _list("message", **{sets.PARAMETER: "answers"}, **same_days),
            _compared(answers, period, counted(number)),
        )
    ]
    for key in ("failed", "unknown", "charged"):
        named = sets.MESSAGES[key]
        number = figures.count_messages(key, period)
        url = _list("message", **{sets.PARAMETER: key}, **(same_days if named.is_of_period else {}))
        is_alarm = key == "unknown" and number > 0
        more = words if named.is_of_period else ""
        if key == "charged":
            more += " · " + _("messages, not money: Meta's prices are not known here")
        cards.append(Card(key, str(named.title), counted(number), url, more, is_alarm))
    return cards


def _compared(answers: figures.Answers, period: Period, number: str) -> str:
    """Of how many answers the median is, and what it was before."""
    today, yesterday = figures.percentile(answers.today, 0.5), figures.percentile(answers.yesterday, 0.5)
    before = _("today %(today)s, yesterday %(yesterday)s") % {
        "today": duration(today), "yesterday": duration(yesterday)
    }  # fmt: skip
    if period.days > 1:
        earlier = duration(figures.percentile(answers.before, 0.5))
        before += " · " + _("the %(days)s days before: %(time)s") % {"days": period.days, "time": earlier}
    if answers.cut_at is not None:
        day = date_format(timezone.localtime(answers.cut_at), "SHORT_DATETIME_FORMAT")
        before += " · " + _("only answers since %(day)s: there are too many for more") % {"day": day}
    return _("of %(number)s answers") % {"number": number} + " · " + before


def _bars(days: list[figures.Day]) -> list[dict[str, Any]]:
    """Each day's bars as shares of the highest, with a label where there is room."""
    most = max((max(day.inbound, day.outbound) for day in days), default=0) or 1
    step = -(-len(days) // LABELS_MOST)
    return [
        {
            "day": day,
            "inbound": round(100 * day.inbound / most, 1),
            "outbound": round(100 * day.outbound / most, 1),
            "label": date_format(day.date, "j/n") if (len(days) - 1 - place) % step == 0 else "",
        }
        for place, day in enumerate(days)
    ]


def _sums(days: list[figures.Day]) -> dict[str, str]:
    return {
        "inbound": number_format(sum(day.inbound for day in days), force_grouping=True),
        "outbound": number_format(sum(day.outbound for day in days), force_grouping=True),
    }


def _agents(answers: figures.Answers) -> list[dict[str, Any]]:
    return [
        {
            "row": row,
            "median": duration(row.median),
            "p90": duration(row.p90),
            "url": _list("conversation", assignee__id__exact=row.user.pk, **{sets.PARAMETER: "open"}),
        }
        for row in figures.agents_of(answers)
    ]


def _set_ups() -> list[dict[str, Any]]:
    """Each number with what its set-up page finds."""
    rows = []
    for inbox in with_set_up(Inbox.objects.order_by("name", "pk")):
        found = findings_of(inbox)
        url = reverse("admin:conversations_inbox_setup", args=[inbox.pk])
        rows.append({"inbox": inbox, "found": found, "done": done_of(found), "total": len(found), "url": url})
    return rows


def _needs(inboxes: list[dict[str, Any]], sees: dict[type[Model], bool], period: Period) -> list[Need]:
    needs: list[Need] = []
    if sees[Message]:
        needs += _needs_of_messages(period)
    if sees[WebhookEvent]:
        number = bounded_count(WebhookEvent.objects.filter(state=WebhookEvent.State.QUARANTINED))
        if number:
            words = ngettext("%(number)s webhook was set aside.", "%(number)s webhooks were set aside.", number)
            url = _list("webhookevent", state__exact=WebhookEvent.State.QUARANTINED)
            needs.append(Need(words % {"number": counted(number)}, url))
    number = bounded_count(requests.pressing()) if sees[PrivacyRequest] else 0
    if number:
        words = ngettext(
            "%(number)s request about data must be answered soon.",
            "%(number)s requests about data must be answered soon.",
            number,
        )
        needs.append(Need(words % {"number": counted(number)}, reverse("admin:crm_privacyrequest_changelist"), BAD))
    for one in inboxes:
        inbox: Inbox = one["inbox"]
        if inbox.circuit_code and codes.kind_of_text(inbox.circuit_code) == codes.CIRCUIT:
            needs.append(Need(f"{inbox.name}: {codes.sentence(inbox.circuit_code)}", one["url"], BAD))
            continue
        warned = {"quality", "templates"} if has_stopped_templates(inbox) else {"quality"}
        wrong = [part for part in one["found"] if part.state == BAD or (part.key in warned and part.state == WARN)]
        needs += [Need(f"{inbox.name} · {part.title}: {part.sentence}", one["url"], part.state) for part in wrong]
    if sees[ApiToken]:
        soon = clock.real() + TOKENS_SOON
        ending: Any = ApiToken.objects.filter(revoked_at=None, expires_at__gt=clock.real(), expires_at__lte=soon)
        for token in ending.order_by("expires_at")[:5]:
            day = date_format(token.expires_at, "SHORT_DATE_FORMAT")
            words = _("The API token “%(name)s” ends on %(day)s.") % {"name": token.name or token.prefix, "day": day}
            needs.append(Need(words, reverse("admin:crm_apitoken_changelist")))
    return sorted(needs, key=lambda need: need.state != BAD)


def _needs_of_messages(period: Period) -> list[Need]:
    needs = []
    standing = fence.current()
    if standing is not None:
        words = _("Sending is stopped: %(reason)s.") % {"reason": SendFence.Reason(standing.reason).label}
        needs.append(Need(words, _list("sendfence"), BAD))
    number = figures.count_messages("unknown", period)
    if number:
        words = ngettext(
            "Nobody knows whether %(number)s message arrived.",
            "Nobody knows whether %(number)s messages arrived.",
            number,
        )
        needs.append(Need(words % {"number": counted(number)}, _list("message", **{sets.PARAMETER: "unknown"})))
    return needs


def _list(model: str, **query: Any) -> str:
    address = reverse(f"admin:conversations_{model}_changelist")
    return f"{address}?{urlencode(query)}" if query else address


def duration(seconds: int | None) -> str:
    """A time span for reading: "40 s", "12 min", "3 h 5 min", "2 d"; a dash for none."""
    if seconds is None:
        return "—"
    if seconds < 60:
        return _("%(number)d s") % {"number": seconds}
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("%(number)d min") % {"number": minutes}
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        whole = _("%(number)d h") % {"number": hours}
        return f"{whole} {_('%(number)d min') % {'number': minutes}}" if minutes else whole
    return _("%(number)d d") % {"number": round(hours / 24)}
