"""What people type for the fields of a contact: read as it is kept, or refused with a sentence."""

import functools
import importlib.resources
import re
import zoneinfo
from collections.abc import Callable
from typing import Any

from babel import Locale
from django.utils import translation
from django.utils.translation import gettext as _

from crm.contacts import masking, points
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import Contact, LifecycleStage
from crm.contacts.phones import not_a_number, number
from crm.foundation.search import fold
from crm.foundation.text import clean_text
from crm.staff.models import User

TEXT_MAX = 200
EXTERNAL_ID_MAX = 100
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{2}|[0-9]{3}))?")


def read(field: str, text: str) -> Any:
    """What a person typed for a field of a contact, as it is kept; raises InvalidValue."""
    text = " ".join(clean_text(text).split())
    reader = _READERS.get(field)
    if reader is not None:
        return reader(text)
    return line(text, TEXT_MAX)


def name(text: str) -> str:
    """What a person is called; raises InvalidValue for what `masking` shows instead of a number or an address."""
    if masking.DOTS in text:
        raise InvalidValue(_("This name stands for a hidden one. Leave it as it is, or write another."))
    return line(text, TEXT_MAX)


def phone(text: str) -> str | None:
    """A number in any spelling as E.164, None for none; raises InvalidValue."""
    found = number(text) if text else None
    if text and found is None:
        raise InvalidValue(not_a_number())
    return found


def kind(text: str) -> str:
    """A person or an employee: groups come from WhatsApp only. Raises InvalidValue."""
    if text not in (Contact.Kind.PERSON, Contact.Kind.EMPLOYEE):
        raise InvalidValue(_("A contact can be made a person or an employee; groups stay groups."))
    return text


def country(text: str) -> str:
    """A country's two letters (ISO 3166-1), "" for none; raises InvalidValue."""
    code = text.upper()
    if code and code not in _codes():
        raise InvalidValue(_("This is not a country code. Write its two letters, such as ES or CO."))
    return code


def countries() -> dict[str, str]:
    """Every country's two letters with its name in the active language, by name. Source: Unicode CLDR."""
    return _countries(translation.get_language() or "es")


@functools.cache
def _countries(language: str) -> dict[str, str]:
    names = Locale.parse(language, sep="-").territories
    return dict(sorted(((code, names[code]) for code in _codes()), key=lambda row: fold(row[1])))


@functools.cache
def _codes() -> frozenset[str]:
    """ISO 3166-1, of the tz database."""
    table = importlib.resources.files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    return frozenset(row.partition("\t")[0] for row in table.splitlines() if row and not row.startswith("#"))


def time_zone(text: str) -> str:
    """A zone of the tz database, "" for none; raises InvalidValue."""
    if text and text not in zoneinfo.available_timezones():
        raise InvalidValue(_("Unknown time zone. Use a name such as America/Bogota."))
    return text


def stage(text: str) -> LifecycleStage | None:
    """A lifecycle stage by its id or its name, None for none; raises InvalidValue."""
    if not text:
        return None
    known = list(LifecycleStage.objects.all())
    wanted = text.casefold()
    found = [one for one in known if one.name.casefold() == wanted] or [one for one in known if str(one.pk) == text]
    if not found:
        raise InvalidValue(_("There is no stage “%(name)s”.") % {"name": text[:50]})
    return found[0]


def owner(text: str) -> User | None:
    """An active user by id or e-mail address, None for none; raises InvalidValue."""
    if not text:
        return None
    is_key = text.isascii() and text.isdigit() and len(text) < 19
    wanted = {"pk": int(text)} if is_key else {"email": text.lower()}
    found = User.objects.filter(is_active=True, **wanted).first()
    if found is None:
        raise InvalidValue(_("There is no such user. Choose somebody who works here."))
    return found


def external_id(text: str) -> str | None:
    """The id of another system, None for none; raises InvalidValue."""
    return line(text, EXTERNAL_ID_MAX) or None


def email(text: str) -> str | None:
    """An e-mail address, None for none; raises InvalidValue."""
    return points.email(text) if text else None


def language(text: str) -> str:
    """A language code as BCP 47 writes it ("es", "pt-BR"), "" for none; raises InvalidValue."""
    found = _LANGUAGE.fullmatch(text)
    if text and not found:
        raise InvalidValue(_("This is not a language code. Write one such as es, en or pt-BR."))
    if not found:
        return ""
    code, region = found.groups()
    return f"{code.lower()}-{region.upper()}" if region else code.lower()


def language_name(code: str) -> str:
    """The name of a language, in the active one; the code where Django does not know it."""
    try:
        return str(translation.get_language_info(code.lower())["name_translated"]).capitalize()
    except KeyError:
        return code


def line(text: str, most: int) -> str:
    """One line of at most so many characters; raises InvalidValue."""
    text = " ".join(clean_text(text).split())
    if len(text) > most:
        raise InvalidValue(_("This is too long: %(most)d characters at most.") % {"most": most})
    return text


_READERS: dict[str, Callable[[str], Any]] = {
    "name": name,
    "kind": kind,
    "phone": phone,
    "language": language,
    "country": country,
    "time_zone": time_zone,
    "stage": stage,
    "owner": owner,
    "external_id": external_id,
    "email": email,
}
