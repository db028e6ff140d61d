"""Whom to forget again after a backup was restored: keyed hashes of those erased, in the database and beside it.

A backup made before an erasure knows neither that nor anything of it: so the hashes also stand in a file of their own,
which is kept apart from the backups.
"""

import datetime as dt
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from django.conf import settings

from crm.consent import suppression
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint
from crm.foundation.digests import digests
from crm.foundation.retrying import in_transaction
from crm.privacy.models import ErasedSubject, PrivacyRequest
from crm.privacy.person import ERASED, key_text
from crm.privacy.requests import record, start

FILE = "erased.txt"
AT_ONCE = 500

type Hashes = dict[str, dt.datetime]


def path() -> Path:
    """Where this machine writes them: one line each, the hash and when."""
    return settings.DATA_DIR / FILE


def append(hashes: Hashes) -> None:
    """Write them to this machine's file, whole lines, on disk before this returns."""
    _write(path(), "a", hashes)


def write(file: Path, hashes: Hashes) -> int:
    """Write them to a file; how many."""
    _write(file, "w", hashes)
    return len(hashes)


def all_known(files: Iterable[Path] = ()) -> Hashes:
    """Those of the database, of this machine's file, and of others; the newest of each."""
    found: Hashes = {}
    for hashes in (in_database(), *(in_file(file) for file in (path(), *files))):
        for one, at in hashes.items():
            found[one] = max(at, found.get(one, at))
    return found


def in_database() -> Hashes:
    """Those the database knows."""
    return dict(ErasedSubject.objects.values_list("digest", "erased_at"))


def in_file(file: Path) -> Hashes:
    """Those of a file; the newest of each. A line cut short is no line."""
    found: Hashes = {}
    for line in file.read_text("ascii", "replace").splitlines() if file.exists() else ():
        one, _space, when = line.partition(" ")
        try:
            at = dt.datetime.fromisoformat(when)
        except ValueError:
            continue
        if len(one) == 64 and at.tzinfo is not None:
            found[one] = max(at, found.get(one, at))
    return found


def come_back(hashes: Mapping[str, dt.datetime]) -> list[int]:
    """The contacts there are although they were erased: known by then, with one of these addresses or keys."""
    if not hashes:
        return []
    found, last = [], 0
    known = (
        Contact.objects.filter(created_at__lte=max(hashes.values())).order_by("pk").only("pk", "phone", "created_at")
    )
    while rows := list(known.filter(pk__gt=last)[:AT_ONCE]):
        last = rows[-1].pk
        texts = _texts(rows)
        found += [row.pk for row in rows if _was_erased(row, texts[row.pk], hashes)]
    return found


@in_transaction
def erase_again(pk: int) -> PrivacyRequest | None:
    """Have the background erase a contact that a backup has brought back."""
    contact = Contact.objects.filter(pk=pk).first()
    if contact is None:
        return None
    row = record(contact, PrivacyRequest.Kind.ERASURE, by=None, verified_by="erased before", reason="restored backup")
    return start(row, by=None)


def _texts(rows: Sequence[Contact]) -> dict[int, set[str]]:
    """What was hashed of each of these, as `suppression.addresses_of` finds it; two queries."""
    keys = [row.pk for row in rows]
    found: dict[int, set[suppression.Address | None]] = {row.pk: {suppression.number(row.phone or "")} for row in rows}
    accounts = ChannelIdentity.objects.filter(contact__in=keys)
    for pk, channel, wa_id, user_id in accounts.values_list("contact_id", "channel", "wa_id", "user_id"):
        found[pk] |= {suppression.number(wa_id or "", channel), suppression.user_id(user_id or "", channel)}
    points = ContactPoint.objects.filter(contact__in=keys, kind=ContactPoint.Kind.PHONE, until=None)
    for pk, value in points.values_list("contact_id", "value"):
        found[pk].add(suppression.number(value))
    return {pk: {one.text for one in addresses if one} | {key_text(pk)} for pk, addresses in found.items()}


def _was_erased(contact: Contact, texts: Iterable[str], hashes: Mapping[str, dt.datetime]) -> bool:
    at = [hashes[one] for text in texts for one in digests(text, use=ERASED) if one in hashes]
    return any(contact.created_at <= moment for moment in at)


def _write(file: Path, mode: str, hashes: Mapping[str, dt.datetime]) -> None:
    lines = "".join(f"{one} {at.isoformat()}\n" for one, at in hashes.items())
    with file.open(mode, encoding="ascii") as stream:
        stream.write(lines)
        stream.flush()
        os.fsync(stream.fileno())
