"""The record of processing (GDPR article 30), made from the settings and tables as they are now; and the part of it
that a person's copy begins with.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm.consent.models import Purpose
from crm.contacts.models import CustomAttribute
from crm.privacy import retention, rules
from crm.privacy.models import Processor

# Where data may go without a basis of transfer: the EEA, and whom the Commission has found adequate (2026).
ADEQUATE = frozenset(
    (
        "AT",
        "BE",
        "BG",
        "HR",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HU",
        "IE",
        "IS",
        "IT",
        "LI",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "NO",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
        "AD",
        "AR",
        "BR",
        "CA",
        "CH",
        "FO",
        "GB",
        "GG",
        "IL",
        "IM",
        "JE",
        "JP",
        "KR",
        "NZ",
        "UY",
    )  # fmt: skip
)
RIGHTS = gettext_lazy(
    "You may ask us to correct or erase this data, to keep it without using it, or not to use it for marketing, and "
    "complain to your data protection authority."
)


@dataclass(frozen=True)
class Recipient:
    """Whom data goes to."""

    name: str
    purpose: str
    country: str
    basis: str = ""
    is_registered: bool = True

    @property
    def lacks_basis(self) -> bool:
        """Outside of where data may go freely, without a basis."""
        return self.country not in ADEQUATE and not self.basis


type Source = Callable[[], list[Recipient]]
_sources: list[Source] = []


def add_recipients(source: Source) -> None:
    """Have a feature that hands data to somebody say so, as long as it is in use."""
    _sources.append(source)


def recipients() -> list[Recipient]:
    """The register, and those in use that are missing in it."""
    found = [
        Recipient(one.name, one.purpose, one.country, one.transfer_basis) for one in Processor.objects.order_by("name")
    ]
    known = {one.name.casefold() for one in found}
    in_use = [one for source in _sources for one in source()]
    return found + [
        Recipient(one.name, one.purpose, one.country, one.basis, is_registered=False)
        for one in in_use
        if one.name.casefold() not in known
    ]


def purposes() -> list[tuple[str, str]]:
    """What data is used for, and on which legal basis."""
    consent = _("Consent (article 6(1)(a))")
    other = _("Contract or legitimate interest (article 6(1)(b), (f)), as long as the person does not object")
    return [(str(one.label), consent if one in settings.CONSENT_NEEDED_FOR else other) for one in Purpose]


def categories() -> list[str]:
    """Which data: the tables of a person's copy, and the business's own attributes."""
    own = [_("Attribute “%(name)s”") % {"name": one.label} for one in CustomAttribute.objects.all()]
    return [str(rule.section) for rule in rules.sections()] + own


def kept() -> list[tuple[str, str]]:
    """How long, by class of data."""
    found = []
    for rule in retention.schedule():
        limit = rule.limit
        found.append((rule.label, _("until the person is erased") if limit is None else span(limit)))
    return found


def span(limit: dt.timedelta) -> str:
    """A time in days or hours, in words."""
    if not limit:
        return _("Until its time is over")
    days = round(limit / dt.timedelta(days=1))
    if days:
        return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
    hours = max(round(limit / dt.timedelta(hours=1)), 1)
    return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}


def measures() -> list[tuple[str, bool]]:
    """What protects the data (article 32), and whether it is on."""
    return [
        (_("Connections are encrypted (HTTPS only)"), bool(settings.HTTPS)),
        (_("Managers sign in with a second factor"), bool(settings.MANAGERS_NEED_SECOND_FACTOR)),
        (_("Tokens, app secrets and raw webhooks are encrypted where they are stored"), bool(settings.ENCRYPTION_KEYS)),
        (_("Phones and e-mail addresses are masked for who does not need them"), True),
        (_("Who looked at whom is logged; what staff change is audited"), True),
        (_("Logs hold no names, numbers or texts"), True),
    ]


def record() -> dict[str, Any]:
    """All of article 30(1)."""
    return {
        "controller": settings.BUSINESS_NAME,
        "purposes": purposes(),
        "people": [_("People who write to the business, or whom it writes to"), _("Staff")],
        "categories": categories(),
        "recipients": recipients(),
        "kept": kept(),
        "measures": measures(),
        "left_out": rules.left_out(),
    }


def for_person() -> dict[str, Any]:
    """What article 15(1) wants told along with the copy."""
    return {
        "controller": settings.BUSINESS_NAME,
        "purposes": [{"purpose": name, "basis": basis} for name, basis in purposes()],
        "recipients": [
            {"name": one.name, "purpose": one.purpose, "country": one.country, "basis": one.basis}
            for one in recipients()
        ],
        "kept": [{"data": name, "for": words} for name, words in kept()],
        "source": _("You, by writing to us; staff; imports and systems of the business, where a row says so."),
        "automated_decisions": _("None: people answer you. A word such as STOP is understood by a list, not judged."),
        "rights": str(RIGHTS),
        "not_included": rules.left_out(),
    }


def days(count: int) -> dt.timedelta:
    """As a span."""
    return dt.timedelta(days=count)
