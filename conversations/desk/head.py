"""What the head of a thread offers: moments to snooze until, tags to choose from; and those moments in words."""

import datetime as dt
from dataclasses import dataclass

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from conversations.messaging.models import Conversation
from conversations.messaging.snoozing import LONGEST
from crm.contacts.models import Tag
from crm.foundation import clock
from crm.foundation.search import fold

MORNING = dt.time(9)
LATER_HOURS = 3
QUARTER = 15
TAGS_OFFERED = 60
FIELD = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True)
class Choice:
    """A moment to snooze until: what the form sends, its words, and the exact time."""

    key: str
    value: str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class TagChoice:
    """A tag, and whether the conversation has it."""

    pk: int
    name: str
    colour: int
    is_on: bool


def moments() -> dict[str, dt.datetime]:
    """When "later" (a quarter of an hour, three hours on), "tomorrow" and "monday" (at nine) are, in the active time
    zone.
    """
    now = timezone.localtime(clock.now())
    return {
        "later": _quarter_after(now + dt.timedelta(hours=LATER_HOURS)),
        "tomorrow": _morning(now.date() + dt.timedelta(days=1)),
        "monday": _morning(now.date() + dt.timedelta(days=7 - now.weekday())),
    }


def snooze_choices() -> list[Choice]:
    """Until they write, later today, tomorrow and Monday at nine, in the active time zone."""
    at, today = moments(), timezone.localtime(clock.now()).date()
    choices = [Choice("reply", "reply", _("Until they write"))]
    if at["later"].date() == today:
        choices.append(_choice("later", _("Later today"), at["later"], "TIME_FORMAT"))
    choices.append(_choice("tomorrow", _("Tomorrow"), at["tomorrow"], "TIME_FORMAT"))
    if at["monday"] != at["tomorrow"]:
        choices.append(_choice("monday", _("Next Monday"), at["monday"], "MONTH_DAY_FORMAT", "TIME_FORMAT"))
    return choices


def snooze_limits() -> dict[str, str]:
    """The first and the last moment one may pick, and the one proposed, as `datetime-local` fields have them."""
    now = timezone.localtime(clock.now())
    tomorrow = _morning(now.date() + dt.timedelta(days=1))
    moments = {"first": now, "last": now + LONGEST, "proposed": tomorrow}
    return {name: moment.strftime(FIELD) for name, moment in moments.items()}


def moment_text(at: dt.datetime) -> str:
    """A moment to come in the reader's words and zone: "14:05", "tomorrow 09:00", "Monday 09:00", "4 May, 09:00"."""
    local, today = timezone.localtime(at), timezone.localtime(clock.now()).date()
    days, time = (local.date() - today).days, formats.time_format(local, "TIME_FORMAT")
    if days == 0:
        return time
    if days == 1:
        return _("tomorrow %(time)s") % {"time": time}
    if 1 < days < 7:
        return f"{formats.date_format(local, 'l')} {time}"
    near = local.year == today.year
    return f"{formats.date_format(local, 'MONTH_DAY_FORMAT' if near else 'DATE_FORMAT')}, {time}"


def tag_choices(conversation: Conversation, wanted: str) -> list[TagChoice]:
    """The tags whose name contains `wanted`, accents and case aside; the conversation's own first."""
    own = set(conversation.conversation_tags.values_list("tag_id", flat=True))
    text = fold(wanted.strip())
    found = [
        TagChoice(pk, name, colour, pk in own)
        for pk, name, colour in Tag.objects.values_list("pk", "name", "colour").order_by()
        if text in fold(name)
    ]
    found.sort(key=lambda tag: (not tag.is_on, not fold(tag.name).startswith(text), fold(tag.name)))
    return found[:TAGS_OFFERED]


def _choice(key: str, label: str, at: dt.datetime, *looks: str) -> Choice:
    return Choice(key, at.isoformat(), label, ", ".join(formats.date_format(at, look) for look in looks))


def _morning(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, MORNING, timezone.get_current_timezone())


def _quarter_after(at: dt.datetime) -> dt.datetime:
    past = dt.timedelta(minutes=at.minute % QUARTER, seconds=at.second, microseconds=at.microsecond)
    return at - past + dt.timedelta(minutes=QUARTER) if past else at
