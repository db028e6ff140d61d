"""Custom attributes: what a value must look like by its type, how it is kept, and how one goes."""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection
from django.db.models import JSONField, Q
from django.db.models.fields.json import KeyTransform
from django.utils import formats
from django.utils.translation import gettext as _

from crm.audit import log
from crm.contacts.models import Contact, CustomAttribute, StaleSearch
from crm.foundation import work
from crm.foundation.errors import Refusal
from crm.foundation.retrying import in_transaction
from crm.foundation.text import clean_text

type Value = str | int | float | bool

TEXT_MAX = 500
MOST = 100
SEARCH = "search"  # the drain of `stale`
_NUMBER = re.compile(r"-?[0-9]{1,15}([.,][0-9]{1,6})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


class InvalidValue(Refusal):
    """A field of a contact cannot have this value; `field` in `extra` says which."""

    code = "invalid"
    http_status = 422


def read(attribute: CustomAttribute, raw: object) -> Value | None:
    """The value as it is kept (dates as ISO text), None for an empty one; raises InvalidValue with a sentence."""
    text = clean_text(raw).strip() if isinstance(raw, str) else raw
    if text is None or text == "":
        return None
    readers = {"number": _number, "date": _date, "yes_no": _yes_no, "text": _text}
    if attribute.type == CustomAttribute.Type.CHOICE:
        return _choice(attribute, text)
    return readers[attribute.type](text)


def merged(present: Mapping[str, Any], wanted: Mapping[str, object]) -> dict[str, Any]:
    """`present` with the `wanted` values read and put in, empty ones taken out; raises InvalidValue with `field`."""
    known = {attribute.key: attribute for attribute in CustomAttribute.objects.all()} if wanted else {}
    values = dict(present)
    for key, raw in wanted.items():
        if key not in known:
            raise InvalidValue(_("There is no custom attribute “%(key)s”.") % {"key": key[:50]}, field=key)
        try:
            value = read(known[key], raw)
        except InvalidValue as error:
            error.extra["field"] = key
            raise
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value
    return values


def lookup(key: str) -> Callable[[str, Any], Q]:
    """Lookups of a value in `Contact.attributes`. Not by keyword: a key may contain what Django takes for a path."""

    def of(name: str, value: Any) -> Q:
        of_key: Any = KeyTransform(key, "attributes", output_field=JSONField())
        return Q(of_key.get_lookup(name)(of_key, value))

    return of


def shown(value: Any) -> str:
    """A kept value for reading, in the active language; dates as the language writes them."""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, int | float):
        return formats.number_format(value, use_l10n=True)
    day = _day(value)
    return formats.date_format(day, "SHORT_DATE_FORMAT") if day else str(value)


@in_transaction
def remove(attribute: CustomAttribute) -> None:
    """Delete an attribute and its values; reads every contact, so it takes seconds where there are a million. Their
    words leave the search column soon after, in the background.
    """
    quote = connection.ops.quote_name
    table, stale = quote(Contact._meta.db_table), quote(StaleSearch._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            take = f"UPDATE {table} SET attributes = attributes - %s WHERE jsonb_exists(attributes, %s) RETURNING id"
            sql = f"WITH touched AS ({take}) INSERT INTO {stale} (contact_key) SELECT id FROM touched"
            cursor.execute(sql, [attribute.key, attribute.key])
        else:
            path = f'$."{attribute.key}"'  # a slug: nothing in it needs quoting
            having = f"{table} WHERE json_type(attributes, %s) NOT NULL"
            cursor.execute(f"INSERT INTO {stale} (contact_key) SELECT id FROM {having}", [path])
            sql = (
                f"UPDATE {table} SET attributes = json_remove(attributes, %s) WHERE json_type(attributes, %s) NOT NULL"
            )
            cursor.execute(sql, [path, path])
        touched = cursor.rowcount
    work.ring(SEARCH)
    log.deleted(attribute, **{Contact._meta.label_lower: touched})
    attribute.delete()


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise InvalidValue(_("Write a text."))
    if len(raw) > TEXT_MAX:
        raise InvalidValue(_("This is too long: %(most)d characters at most.") % {"most": TEXT_MAX})
    return raw


def _number(raw: object) -> int | float:
    if isinstance(raw, str) and _NUMBER.fullmatch(raw):
        raw = float(raw.replace(",", "."))
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not abs(raw) < 10**15:
        raise InvalidValue(_("This is not a number. Write it with digits, such as 12 or 12.5."))
    return int(raw) if raw == int(raw) else raw


def _date(raw: object) -> str:
    day = _day(raw)
    if day is None or not 1900 <= day.year <= 2200:
        raise InvalidValue(_("This is not a date. Write it as year-month-day, such as 2026-05-31."))
    return day.isoformat()


def _day(raw: object) -> dt.date | None:
    """The day of an ISO date; None for anything else, such as the 30th of February."""
    if not (isinstance(raw, str) and _DATE.fullmatch(raw)):
        return None
    try:
        return dt.date.fromisoformat(raw)
    except ValueError:
        return None


def _yes_no(raw: object) -> bool:
    found = _YES.get(raw.lower()) if isinstance(raw, str) else raw
    if not isinstance(found, bool):
        raise InvalidValue(_("Choose yes or no."))
    return found


def _choice(attribute: CustomAttribute, raw: object) -> str:
    if not isinstance(raw, str) or raw not in attribute.choices:
        raise InvalidValue(_("Choose one of: %(choices)s.") % {"choices": ", ".join(attribute.choices)})
    return raw
