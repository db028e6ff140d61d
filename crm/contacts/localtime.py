"""What time it is where a contact lives, as far as the country of their number tells."""

import datetime as dt
import functools
import importlib.resources
import zoneinfo
from collections import defaultdict

import phonenumbers

_SPREAD = dt.timedelta(hours=1)


def zone_of(phone: str | None) -> zoneinfo.ZoneInfo | None:
    """The time zone of most people in the number's country, None where the country's zones differ by more than an
    hour or the number is of no country. Source: zone.tab of the tz database, which begins with the most populous zone.
    """
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(phone or ""))
    except phonenumbers.NumberParseException:
        return None
    zones = [zoneinfo.ZoneInfo(name) for name in _zones().get(region or "", ())]
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
