"""A rule as a sentence, in the active language."""

import datetime as dt
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.segments import rules
from crm.segments.fields import Catalogue
from crm.segments.rules import Condition, Group

SHOWN = 5


def of(rule: Any, catalogue: Catalogue | None = None) -> str:
    """The whole sentence; raises BrokenRule."""
    catalogue = catalogue or Catalogue()
    group = rules.read(rule, catalogue)
    if not group.parts:
        return _("All contacts.")
    return _("Contacts for whom: %(rule)s.") % {"rule": _group(group, catalogue, is_inner=False)}


def _group(group: Group, catalogue: Catalogue, *, is_inner: bool) -> str:
    parts = [
        _group(part, catalogue, is_inner=True) if isinstance(part, Group) else _condition(part, catalogue)
        for part in group.parts
    ]
    text = _joined(parts, _("%(before)s and %(last)s") if group.mode == "all" else _("%(before)s or %(last)s"))
    return f"({text})" if is_inner and len(parts) > 1 else text


def _joined(parts: list[str], two: str) -> str:
    text = parts[0]
    for part in parts[1:]:
        text = two % {"before": text, "last": part}
    return text


def _condition(condition: Condition, catalogue: Catalogue) -> str:
    words = {"field": condition.field.label, "value": _value(condition, catalogue)}
    return str(condition.operator.sentence) % words


def _value(condition: Condition, catalogue: Catalogue) -> str:
    value = condition.value
    match condition.operator.asks:
        case "text":
            return _("“%(text)s”") % {"text": value}
        case "number":
            return _number(value)
        case "numbers":
            return _("%(before)s and %(last)s") % {"before": _number(value[0]), "last": _number(value[1])}
        case "day":
            return _day(value)
        case "days":
            return _("%(before)s and %(last)s") % {"before": _day(value[0]), "last": _day(value[1])}
        case "count":
            return ngettext("%(number)d day", "%(number)d days", value) % {"number": value}
        case "yes_no":
            return _("yes") if value else _("no")
        case "choices":
            return _choices(condition, catalogue)
    return ""


def _choices(condition: Condition, catalogue: Catalogue) -> str:
    labels = catalogue.choices(condition.field)
    names = [str(labels[one]) for one in condition.value[:SHOWN]]
    more = len(condition.value) - SHOWN
    if more > 0:
        return _("%(names)s and %(number)d more") % {"names": ", ".join(names), "number": more}
    head, last = ", ".join(names[:-1]), names[-1]
    if not head:
        return last
    is_both = condition.operator.name == "all"
    return (_("%(before)s and %(last)s") if is_both else _("%(before)s or %(last)s")) % {"before": head, "last": last}


def _number(value: float) -> str:
    return number_format(value, use_l10n=True, force_grouping=True)


def _day(value: str) -> str:
    return date_format(dt.date.fromisoformat(value), "SHORT_DATE_FORMAT")
