"""Whom a batch of webhooks speaks of, looked up together: people known as they were, and people never seen before.

Anything in between (a new number, a completed row, two rows that are one) is left to `identities.resolve`.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from crm.contacts import addresses, identities, phones, points
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint, IdentityValue
from crm.foundation.rows import update_rows


@dataclass(frozen=True)
class Sighting:
    """A person in a webhook: `user_id` and/or `address`, the profile as told, and when."""

    at: dt.datetime
    user_id: str = ""
    address: str = ""
    profile_name: str = ""
    username: str = ""

    @property
    def ids(self) -> tuple[str, str]:
        """User id and number, as they are stored."""
        user_id, address = identities.clean(self.user_id, self.address)
        return user_id, phones.match_key(address) if address else ""


@dataclass
class _Rows:
    """What the database knows of the ids of some sightings: accounts and their contacts, locked."""

    by_user: dict[str, ChannelIdentity] = field(default_factory=dict)
    by_key: dict[str, ChannelIdentity] = field(default_factory=dict)
    former: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, channel: str, scope: str, ids: Iterable[tuple[str, str]]) -> "_Rows":
        users, keys = ({one for one in column if one} for column in zip(*ids, strict=True))
        rows = cls()
        known = ChannelIdentity.objects.select_for_update(of=("self", "contact"), no_key=True).select_related("contact")
        known = known.filter(Q(scope=scope, user_id__in=users) | Q(match_key__in=keys), channel=channel)
        for row in known.order_by("contact", "pk"):
            if row.user_id and row.scope == scope:
                rows.by_user[row.user_id] = row
            if row.match_key:
                rows.by_key[row.match_key] = row
        former = IdentityValue.objects.filter(identity__channel=channel)
        former = former.filter(Q(field="user_id", match_key__in=users) | Q(field="wa_id", match_key__in=keys))
        rows.former = set(former.values_list("match_key", flat=True))
        return rows

    def find(self, user_id: str, key: str) -> tuple[ChannelIdentity | None, bool]:
        """The row these ids mean beyond doubt, or None and whether they are new."""
        if not (user_id or key) or user_id in self.former or key in self.former:
            return None, False
        found = {id(row): row for row in (self.by_user.get(user_id), self.by_key.get(key)) if row is not None}
        if not found:
            return None, True
        [row, *others] = found.values()
        is_plain = not others and (not user_id or row.user_id == user_id) and (not key or row.match_key == key)
        return (row if is_plain else None), False


def resolve_plain(channel: str, *, scope: str, sightings: Sequence[Sighting]) -> list[ChannelIdentity | None]:
    """The account of each sighting, in its order, with what was seen noted; None where `identities.resolve` must
    look closer. Run inside a transaction; raises IntegrityError if somebody else makes the same person meanwhile.
    """
    if not sightings:
        return []
    ids = [sighting.ids for sighting in sightings]
    rows = _Rows.read(channel, scope, ids)
    found: dict[tuple[str, str], ChannelIdentity | None] = {}
    fresh: dict[tuple[str, str], ChannelIdentity] = {}
    shared = Counter(one for pair in set(ids) for one in pair if one)
    for pair, sighting in zip(ids, sightings, strict=True):
        if pair in found:
            continue
        found[pair], is_new = rows.find(*pair)
        if is_new and all(shared[one] == 1 for one in pair if one):
            fresh[pair] = found[pair] = identities.draft(channel, scope, sighting.at, *_as_given(sighting))
    for pair in _entered_by_staff(fresh):
        found[pair] = fresh.pop(pair) and None
    _note(zip(ids, sightings, strict=True), found, fresh)
    return [found[pair] for pair in ids]


def _as_given(sighting: Sighting) -> tuple[str, str]:
    return identities.clean(sighting.user_id, sighting.address)


def _entered_by_staff(fresh: dict[tuple[str, str], ChannelIdentity]) -> list[tuple[str, str]]:
    """Those whose number a contact without an account already has."""
    numbers = {pair: row.contact.phone for pair, row in fresh.items() if row.contact.phone}
    if not numbers:
        return []
    awaited = points.matching(ContactPoint.Kind.PHONE, numbers.values()).filter(contact__identities=None)
    taken = set(awaited.values_list("match_key", flat=True))
    return [pair for pair, phone in numbers.items() if phones.match_key(phone) in taken]


def _note(
    seen: Iterable[tuple[tuple[str, str], Sighting]],
    found: dict[tuple[str, str], ChannelIdentity | None],
    fresh: dict[tuple[str, str], ChannelIdentity],
) -> None:
    touched: dict[int, ChannelIdentity] = {}
    renamed: dict[int, ChannelIdentity] = {}
    for pair, sighting in seen:
        row = found[pair]
        if row is None:
            continue
        changed = identities.note_seen(
            row, sighting.at, sighting.profile_name, sighting.username, by_number=not sighting.user_id
        )
        if row.pk and changed:
            touched[row.pk] = row
            if "profile_name" in changed or "username" in changed:
                renamed[row.pk] = row
    _store(list(fresh.values()))
    update_rows(list(touched.values()), identities.SEEN)
    for _pk, row in sorted(renamed.items()):
        identities.refresh_contact(row)


def _store(fresh: list[ChannelIdentity]) -> None:
    for row in fresh:
        row.contact.name = row.profile_name
        row.contact.refresh_search_text(row)
    Contact.objects.bulk_create([row.contact for row in fresh])
    points.keep_many(row.contact for row in fresh)
    for row in fresh:
        row.contact = row.contact  # now that it has a key
    ChannelIdentity.objects.bulk_create(fresh)
    addresses.tell(addresses.Given(row.contact, user_id=row.user_id) for row in fresh if row.user_id)
