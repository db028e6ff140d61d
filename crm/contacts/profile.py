"""What staff write about a contact: name, kind, phone, tags."""

from collections.abc import Iterable
from typing import Any

import phonenumbers
from django.dispatch import Signal

from crm.contacts import phones
from crm.contacts.models import Contact, ContactTag, Tag
from crm.foundation.retrying import in_transaction
from crm.staff.models import User

contact_changed = Signal()
"""Sent inside the transaction with `contact`: whoever shows it may say so."""


@in_transaction
def write(contact: Contact, *, by: User, tags: Iterable[str] | None = None, **values: Any) -> Contact:
    """Create or change a contact: `values` of name, kind, phone (E.164); `tags`: all its tags by name.

    A written name stays when WhatsApp reports another; an emptied one gives way to it again.
    """
    row = Contact.objects.select_for_update().get(pk=contact.pk) if contact.pk else contact
    for name, value in values.items():
        setattr(row, name, value)
    if "name" in values:
        row.is_name_confirmed = bool(row.name)
    row.refresh_search_text()
    row.save(update_fields=[*values, "is_name_confirmed", "search_text"] if row.pk else None)
    if tags is not None:
        _set_tags(row, tags, by)
    contact_changed.send(Contact, contact=row)
    return row


def number(text: str) -> str | None:
    """The E.164 form of a number in any spelling; without + or 00 only if valid, so that no local number passes."""
    digits = phones.digits_of(text)
    if text.strip().startswith("+") or digits.startswith("00"):
        return phones.e164(digits.removeprefix("00"))
    found = phones.e164(digits)
    return found if found and phonenumbers.is_valid_number(phonenumbers.parse(found)) else None


def find_tag(name: str) -> Tag | None:
    """The tag of this name, whatever its case; compared here because SQLite folds ASCII only."""
    return _tags_by_name().get(name.casefold())


def _tags_by_name() -> dict[str, Tag]:
    return {tag.name.casefold(): tag for tag in Tag.objects.all()}


def _set_tags(contact: Contact, names: Iterable[str], by: User) -> None:
    known = _tags_by_name()
    wanted: dict[int, Tag] = {}
    for name in names:
        tag = known.get(name.casefold())
        if tag is None:
            tag = known[name.casefold()] = Tag.objects.create(name=name)
        wanted[tag.pk] = tag
    contact.contact_tags.exclude(tag__in=wanted).delete()
    missing = wanted.keys() - set(contact.contact_tags.values_list("tag_id", flat=True))
    ContactTag.objects.bulk_create([ContactTag(contact=contact, tag_id=pk, added_by=by) for pk in missing])
