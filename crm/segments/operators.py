"""What a rule can say of a field, by its type: how the value is read, kept and asked for."""

import calendar
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.contacts import attributes
from crm.contacts.models import CustomAttribute
from crm.foundation import clock
from crm.foundation.errors import Refusal
from crm.foundation.text import clean_text
from crm.segments.fields import Choices, Field, Type

TEXT_MAX = 200
VALUES_MAX = 100
DAYS_MAX = 36500

# What the value is, and so what the builder asks for.
type Asks = Literal["nothing", "text", "number", "numbers", "day", "days", "count", "choices", "yes_no"]


class InvalidValue(Refusal):
    """A rule cannot have this value."""

    code = "invalid"
    http_status = 422


@dataclass(frozen=True)
class Operator:
    """One thing to say: `sentence` has %(field)s and %(value)s; `condition` is true or not where there is a value."""

    name: str
    label: Any
    sentence: Any
    asks: Asks
    condition: Callable[[Field, Any], Q]


def of(field: Field) -> dict[str, Operator]:
    """The operators of a field, in the order in which they are offered."""
    found = _BY_TYPE[field.type]
    return found if field.is_set is not None else {name: one for name, one in found.items() if one not in _EMPTINESS}


def read(operator: Operator, raw: Any, choices: Callable[[], Choices]) -> Any:
    """The value as a rule keeps it; raises InvalidValue with a sentence."""
    match operator.asks:
        case "nothing":
            return None
        case "text":
            return _text(raw)
        case "number":
            return _number(raw)
        case "numbers" | "days":
            return _pair(raw, _number if operator.asks == "numbers" else _day)
        case "day":
            return _day(raw)
        case "count":
            return _count(raw)
        case "yes_no":
            return _yes_no(raw)
        case "choices":
            return _chosen(raw, choices())


def _text(raw: Any) -> str:
    text = " ".join(clean_text(raw).split())
    if not text:
        raise InvalidValue(_("Write a text."))
    if len(text) > TEXT_MAX:
        raise InvalidValue(_("This is too long: %(most)d characters at most.") % {"most": TEXT_MAX})
    return text


def _typed(kind: str, raw: Any, missing: str) -> Any:
    try:
        value = attributes.read(CustomAttribute(type=kind), raw)
    except attributes.InvalidValue as error:
        raise InvalidValue(str(error)) from error
    if value is None:
        raise InvalidValue(missing)
    return value


def _number(raw: Any) -> int | float:
    number: int | float = _typed("number", raw, _("Write a number."))
    return number


def _day(raw: Any) -> str:
    day: str = _typed("date", raw, _("Choose a day."))
    return day


def _yes_no(raw: Any) -> bool:
    answer: bool = _typed("yes_no", raw, _("Choose yes or no."))
    return answer


def _count(raw: Any) -> int:
    number = _number(raw)
    if number != int(number) or not 0 <= number <= DAYS_MAX:
        raise InvalidValue(_("Write a whole number of days, such as 30."))
    return int(number)


def _pair(raw: Any, one: Callable[[Any], Any]) -> list[Any]:
    if not isinstance(raw, list) or len(raw) != 2:
        raise InvalidValue(_("Write where it begins and where it ends."))
    first, last = one(raw[0]), one(raw[1])
    if first > last:
        raise InvalidValue(_("The first value is greater than the last."))
    return [first, last]


def _chosen(raw: Any, choices: Choices) -> list[Any]:
    wanted = raw if isinstance(raw, list) else [raw]
    if not wanted or wanted in ([None], [""]):
        raise InvalidValue(_("Choose at least one."))
    if len(wanted) > VALUES_MAX:
        raise InvalidValue(_("These are too many: %(most)d at most.") % {"most": VALUES_MAX})
    known = {str(value): value for value in choices}
    found = []
    for one in wanted:
        text = str(one) if isinstance(one, str | int) and not isinstance(one, bool) else ""
        if text not in known:
            shown = clean_text(text)[:50]
            raise InvalidValue(_("“%(value)s” cannot be chosen (any more). Choose again.") % {"value": shown})
        found.append(known[text])
    return list(dict.fromkeys(found))


# Conditions


def _is_set(field: Field, _value: Any = None) -> Q:
    return field.is_set() if field.is_set else Q()


def _but(field: Field, condition: Q) -> Q:
    """Those that do not fit, and those without a value."""
    return ~condition if field.is_set is None else ~field.is_set() | ~condition


def _plain(lookup: str) -> Callable[[Field, Any], Q]:
    return lambda field, value: field.lookup(lookup, value)


def _not(lookup: str) -> Callable[[Field, Any], Q]:
    return lambda field, value: _but(field, field.lookup(lookup, value))


def _all_of(field: Field, values: list[Any]) -> Q:
    condition = Q()
    for value in values:
        condition &= field.lookup("in", [value])
    return condition


def _between(field: Field, pair: list[Any]) -> Q:
    return field.lookup("gte", pair[0]) & field.lookup("lte", pair[1])


def _since(field: Field, day: dt.date) -> Q:
    """From the beginning of this day on, in the business's time zone."""
    if field.type == Type.DAY:
        return field.lookup("gte", day.isoformat())
    return field.lookup("gte", dt.datetime.combine(day, dt.time(), timezone.get_default_timezone()))


def _within(field: Field, first: dt.date, last: dt.date) -> Q:
    return _since(field, first) & ~_since(field, last + dt.timedelta(days=1))


def _days_ago(field: Field, days: int) -> Q:
    """Since then: for times to the second, for days from midnight."""
    if field.type == Type.MOMENT:
        return field.lookup("gte", clock.now() - dt.timedelta(days=days))
    return _since(field, today() - dt.timedelta(days=days))


def today() -> dt.date:
    """The day in the business's time zone."""
    return timezone.localdate(clock.now(), timezone.get_default_timezone())


def _before(field: Field, day: str) -> Q:
    return _is_set(field) & ~_since(field, dt.date.fromisoformat(day))


def _after(field: Field, day: str) -> Q:
    return _since(field, dt.date.fromisoformat(day) + dt.timedelta(days=1))


def _on(field: Field, day: str) -> Q:
    return _within(field, dt.date.fromisoformat(day), dt.date.fromisoformat(day))


def _from_to(field: Field, days: list[str]) -> Q:
    return _within(field, *map(dt.date.fromisoformat, days))


def _past(field: Field, days: int) -> Q:
    since = _days_ago(field, days)
    return since & ~_since(field, today() + dt.timedelta(days=1)) if field.type == Type.DAY else since


def _older(field: Field, days: int) -> Q:
    return _is_set(field) & ~_days_ago(field, days)


def _next(field: Field, days: int) -> Q:
    return _within(field, today(), today() + dt.timedelta(days=days))


def _yearly(field: Field, days: int) -> Q:
    """Its day and month from today on, in whatever year; of the 29th of February in other years on the 28th."""
    first = today()
    coming = [first + dt.timedelta(days=number) for number in range(min(days, 366) + 1)]
    found = {f"{day:%m-%d}" for day in coming}
    found |= {"02-29" for day in coming if (day.month, day.day) == (2, 28) and not calendar.isleap(day.year)}
    return field.lookup("regex", f"-({'|'.join(sorted(found))})$")


def _named(*operators: Operator) -> dict[str, Operator]:
    return {operator.name: operator for operator in operators}


_EMPTINESS = (
    Operator(
        "set", gettext_lazy("has a value"), gettext_lazy("%(field)s has a value"), "nothing", _is_set
    ),
    Operator(
        "empty",
        gettext_lazy("has no value"),
        gettext_lazy("%(field)s has no value"),
        "nothing",
        lambda field, _value: ~_is_set(field),
    ),
)  # fmt: skip

_IS, _IS_NOT = gettext_lazy("%(field)s is %(value)s"), gettext_lazy("%(field)s is not %(value)s")

_TEXT = _named(
    Operator("is", gettext_lazy("is"), _IS, "text", _plain("iexact")),
    Operator("is_not", gettext_lazy("is not"), _IS_NOT, "text", _not("iexact")),
    Operator("contains", gettext_lazy("contains"), gettext_lazy("%(field)s contains %(value)s"), "text",
             _plain("icontains")),
    Operator("contains_not", gettext_lazy("does not contain"), gettext_lazy("%(field)s does not contain %(value)s"),
             "text", _not("icontains")),
    Operator("starts", gettext_lazy("begins with"), gettext_lazy("%(field)s begins with %(value)s"), "text",
             _plain("istartswith")),
    *_EMPTINESS,
)  # fmt: skip

_NUMBER = _named(
    Operator("eq", "=", "%(field)s = %(value)s", "number", _plain("exact")),
    Operator("ne", "≠", "%(field)s ≠ %(value)s", "number", _not("exact")),
    Operator("lt", "<", "%(field)s < %(value)s", "number", _plain("lt")),
    Operator("lte", "≤", "%(field)s ≤ %(value)s", "number", _plain("lte")),
    Operator("gt", ">", "%(field)s > %(value)s", "number", _plain("gt")),
    Operator("gte", "≥", "%(field)s ≥ %(value)s", "number", _plain("gte")),
    Operator("between", gettext_lazy("is between"), gettext_lazy("%(field)s is between %(value)s"), "numbers",
             _between),
    *_EMPTINESS,
)  # fmt: skip

_CHOICE = _named(
    Operator("any", gettext_lazy("is one of"), _IS, "choices", _plain("in")),
    Operator("none", gettext_lazy("is none of"), _IS_NOT, "choices", _not("in")),
    *_EMPTINESS,
)

_SET = _named(
    Operator("any", gettext_lazy("any of"), gettext_lazy("%(field)s: any of %(value)s"), "choices", _plain("in")),
    Operator("all", gettext_lazy("all of"), gettext_lazy("%(field)s: all of %(value)s"), "choices", _all_of),
    Operator("none", gettext_lazy("none of"), gettext_lazy("%(field)s: none of %(value)s"), "choices",
             lambda field, values: ~field.lookup("in", values)),
    *_EMPTINESS,
)  # fmt: skip

_YES_NO = _named(
    Operator("is", gettext_lazy("is"), gettext_lazy("%(field)s: %(value)s"), "yes_no", _plain("exact")),
    *_EMPTINESS,
)

_MOMENT = _named(
    Operator("past", gettext_lazy("in the last … days"), gettext_lazy("%(field)s in the last %(value)s"), "count",
             _past),
    Operator("older", gettext_lazy("more than … days ago"), gettext_lazy("%(field)s more than %(value)s ago"), "count",
             _older),
    Operator("before", gettext_lazy("before"), gettext_lazy("%(field)s before %(value)s"), "day", _before),
    Operator("on", gettext_lazy("on"), gettext_lazy("%(field)s on %(value)s"), "day", _on),
    Operator("after", gettext_lazy("after"), gettext_lazy("%(field)s after %(value)s"), "day", _after),
    Operator("between", gettext_lazy("is between"), gettext_lazy("%(field)s is between %(value)s"), "days", _from_to),
    *_EMPTINESS,
)  # fmt: skip

_DAY = _named(
    Operator("next", gettext_lazy("in the next … days"), gettext_lazy("%(field)s in the next %(value)s"), "count",
             _next),
    Operator("yearly", gettext_lazy("yearly, next … days"),
             gettext_lazy("%(field)s in the next %(value)s, whatever the year"), "count", _yearly),
) | _MOMENT  # fmt: skip

_BY_TYPE: dict[Type, dict[str, Operator]] = {
    Type.TEXT: _TEXT,
    Type.NUMBER: _NUMBER,
    Type.DAY: _DAY,
    Type.MOMENT: _MOMENT,
    Type.CHOICE: _CHOICE,
    Type.SET: _SET,
    Type.YES_NO: _YES_NO,
}
