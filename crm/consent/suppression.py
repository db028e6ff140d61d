"""Whom never to write to: keyed hashes of addresses, which outlive merge, import, erasure and restore."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from crm.consent import beside
from crm.consent.models import Suppression
from crm.contacts import phones
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint
from crm.foundation.digests import digest, digests

WHATSAPP = "whatsapp"
USE = "suppression"


@dataclass(frozen=True)
class Address:
    """An address in its canonical form: a number (`phones.match_key`) or a user id."""

    channel: str
    kind: str
    value: str

    @property
    def text(self) -> str:
        """What is hashed."""
        return f"{self.channel}\n{self.kind}\n{self.value}"


def number(value: str, channel: str = WHATSAPP) -> Address | None:
    """The address of a number in any spelling; None for what is none."""
    digits = phones.digits_of(value)
    return Address(channel, "number", phones.match_key(digits)) if digits else None


def user_id(value: str, channel: str = WHATSAPP) -> Address | None:
    """The address of a business-scoped user id."""
    return Address(channel, "user_id", value) if value else None


def addresses_of(contact: Contact, channel: str = WHATSAPP) -> set[Address]:
    """Every address a contact has now on a channel; two queries."""
    return addresses_of_all([contact], channel)


def addresses_of_all(contacts: Collection[Contact], channel: str = WHATSAPP) -> set[Address]:
    """Those of all of them; two queries."""
    found = {number(contact.phone or "", channel) for contact in contacts}
    accounts = ChannelIdentity.objects.filter(contact__in=contacts, channel=channel)
    for wa_id, own in accounts.values_list("wa_id", "user_id"):
        found |= {number(wa_id or "", channel), user_id(own or "", channel)}
    points = ContactPoint.objects.filter(contact__in=contacts, kind=ContactPoint.Kind.PHONE, until=None)
    found |= {number(value, channel) for value in points.values_list("value", flat=True)}
    return {address for address in found if address is not None}


def put(addresses: Iterable[Address], purpose: str, *, reason: str) -> None:
    """Put addresses on the list; those on it stay as they are."""
    known = found(addresses, purpose)
    fresh = [
        Suppression(channel=one.channel, purpose=purpose, digest=digest(one.text, use=USE), reason=reason)
        for one in set(addresses) - known.keys()
    ]
    Suppression.objects.bulk_create(fresh, ignore_conflicts=True)
    beside.note(fresh, beside.PUT)


def lift(addresses: Iterable[Address], purpose: str) -> None:
    """Take addresses off the list: their owner wants to be written to again."""
    drop(Suppression.objects.filter(purpose=purpose, digest__in=list(_by_digest(addresses))))


def drop(rows: Iterable[Suppression]) -> None:
    """Take these rows off the list."""
    gone = list(rows)
    if gone:
        Suppression.objects.filter(pk__in=[row.pk for row in gone]).delete()
        beside.note(gone, beside.LIFTED)


def found(addresses: Iterable[Address], purpose: str = "") -> dict[Address, list[Suppression]]:
    """Which of these addresses are on the list (for one purpose, or any), with their rows; one query."""
    wanted = _by_digest(addresses)
    rows = Suppression.objects.filter(digest__in=list(wanted)) if wanted else Suppression.objects.none()
    if purpose:
        rows = rows.filter(purpose=purpose)
    listed: dict[Address, list[Suppression]] = defaultdict(list)
    for row in rows:
        if wanted[row.digest].channel == row.channel:
            listed[wanted[row.digest]].append(row)
    return dict(listed)


def _by_digest(addresses: Iterable[Address]) -> dict[str, Address]:
    """By the digests under every key of the ring."""
    return {one: address for address in set(addresses) for one in digests(address.text, use=USE)}


def are_suppressed(numbers: Sequence[str], purpose: str, channel: str = WHATSAPP) -> set[str]:
    """Which of these numbers, in any spelling, are on the list: for audiences and imports."""
    given = {value: number(value, channel) for value in numbers}
    listed = found([address for address in given.values() if address is not None], purpose)
    return {value for value, address in given.items() if address in listed}
