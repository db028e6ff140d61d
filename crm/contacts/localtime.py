"""What time it is where a contact lives: their own zone, else that of their country, else of their number's country."""

import datetime as dt
import functools
import importlib.resources
import zoneinfo
from collections import defaultdict

import phonenumbers

from crm.contacts.models import Contact

_SPREAD = dt.timedelta(hours=1)


def zone_for(contact: Contact) -> zoneinfo.ZoneInfo | None:
    """The contact's own zone, else that of their country, else of their number's; None where neither tells."""
    if contact.time_zone in zoneinfo.available_timezones():
        return zoneinfo.ZoneInfo(contact.time_zone)
    return _zone_of_country(contact.country) if contact.country else zone_of(contact.phone)


def region_of(phone: str | None) -> str:
    """The country of a number as two letters, "" for none."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone or "")) or ""
    except phonenumbers.NumberParseException:
        return ""


def zone_of(phone: str | None) -> zoneinfo.ZoneInfo | None:
    """The time zone of most people in the number's country, None where the country's zones differ by more than an
    hour or the number is of no country.
    """
    return _zone_of_country(region_of(phone))


def _zone_of_country(region: str) -> zoneinfo.ZoneInfo | None:
    """Source: zone.tab of the tz database, which begins with the most populous zone."""
    zones = [zoneinfo.ZoneInfo(name) for name in _zones().get(region, ())]
    offsets = [dt.datetime(2026, 1, 1, tzinfo=zone).utcoffset() or dt.timedelta() for zone in zones]
    return zones[0] if zones and max(offsets) - min(offsets) <= _SPREAD else None


@functools.cache
def _zones() -> dict[str, list[str]]:
    table = importlib.resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    found: dict[str, list[str]] = defaultdict(list)
    for line in table.splitlines():
        if not line.startswith("#"):
            country, _place, name, *_comment = line.split("\t")
            found[country].append(name)
    return dict(found)
