"""Whom to forget again after a backup was restored: keyed hashes of those erased, in the database and beside it.

A backup made before an erasure knows neither that nor anything of it: so the hashes also stand in a file of their own,
which is kept apart from the backups.
"""

import datetime as dt
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from django.conf import settings

from crm.consent import suppression
from crm.contacts.models import Contact
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


def append(hashes: Iterable[str], at: dt.datetime) -> None:
    """Write them to the file, whole lines, on disk before this returns."""
    lines = "".join(f"{one} {at.isoformat()}\n" for one in hashes)
    with path().open("a", encoding="ascii") as file:
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


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
    found, last = [], 0
    while rows := list(Contact.objects.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        last = rows[-1].pk
        found += [row.pk for row in rows if _was_erased(row, hashes)]
    return found


@in_transaction
def erase_again(pk: int) -> PrivacyRequest | None:
    """Have the background erase a contact that a backup has brought back."""
    contact = Contact.objects.filter(pk=pk).first()
    if contact is None:
        return None
    row = record(contact, PrivacyRequest.Kind.ERASURE, by=None, verified_by="erased before", reason="restored backup")
    return start(row, by=None)


def _was_erased(contact: Contact, hashes: Mapping[str, dt.datetime]) -> bool:
    texts = [key_text(contact.pk)]
    texts += [one.text for one in suppression.addresses_of(contact)]
    at = [hashes[one] for text in texts for one in digests(text, use=ERASED) if one in hashes]
    return any(contact.created_at <= moment for moment in at)
