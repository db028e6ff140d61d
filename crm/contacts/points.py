"""The phones and e-mail addresses of a contact, with those they had before; `Contact.phone` is the primary phone.

Whoever writes `Contact.phone` calls `keep` (`keep_many` for fresh rows) in the same transaction, and nothing else keeps
the two in step.
"""

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from crm.contacts import addresses, phones
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import Contact, ContactPoint, IdentityValue
from crm.foundation import clock
from crm.foundation.text import clean_text
from crm.staff.models import User

PHONE, EMAIL = ContactPoint.Kind.PHONE, ContactPoint.Kind.EMAIL
MOST = 20  # of one contact at a time
LABEL_MAX = 50
_is_email = EmailValidator()
_SPACE = re.compile(r"\s")


def read(kind: str, text: str) -> str:
    """A number as E.164 or an address, as it is kept; raises InvalidValue with a sentence."""
    text = " ".join(clean_text(text).split())
    if kind == EMAIL:
        return email(text)
    found = phones.number(text)
    if found is None:
        raise InvalidValue(phones.not_a_number(), field="phone")
    return found


def email(text: str) -> str:
    """An e-mail address as it was written; raises InvalidValue."""
    try:
        _is_email(text)
    except ValidationError as error:
        raise InvalidValue(_("This is not an e-mail address."), field="email") from error
    if len(text) > 254 or _SPACE.search(text):
        raise InvalidValue(_("This is not an e-mail address."), field="email")
    return text


def too_many() -> str:
    """What to say to who adds one beyond MOST."""
    return _("This contact has too many of them: %(most)d at most.") % {"most": MOST}


def key_of(kind: str, value: str) -> str:
    """The form in which two spellings of the same number or address meet."""
    return value.casefold() if kind == EMAIL else phones.match_key(value)


def current(contact: Contact) -> QuerySet[ContactPoint]:
    """Those the contact has now, the primary ones first."""
    return contact.points.filter(until=None).order_by("kind", "-is_primary", "pk")


def primary(contact: Contact) -> dict[str, str | None]:
    """The phone and the e-mail address that come first, by kind; one query."""
    mine = contact.points.filter(kind=EMAIL, until=None, is_primary=True)
    return {"phone": contact.phone, "email": mine.values_list("value", flat=True).first()}


def matching(kind: str, values: Iterable[str]) -> QuerySet[ContactPoint]:
    """The present points of any contact with one of these numbers or addresses, in any spelling."""
    keys = {key_of(kind, value) for value in values}
    return ContactPoint.objects.filter(kind=kind, match_key__in=keys, until=None)


def keep(contact: Contact, *, by: User | None = None, at: dt.datetime | None = None) -> None:
    """Make the points agree with `contact.phone`, which has been written: it is the primary one, the primary one before
    is over since `at`. An emptied phone gives its place to the next; the contact is saved then.
    """
    at = at or clock.now()
    mine = {point.match_key: point for point in contact.points.filter(kind=PHONE, until=None).order_by("pk")}
    before = next((point for point in mine.values() if point.is_primary), None)
    if contact.phone is None:
        if before is not None:
            _end(before, at)
        following = next((point for point in mine.values() if point is not before), None)
        if following is not None and before is not None:
            _promote(following)
            contact.phone = following.value
            contact.save(update_fields=["phone"])
        return
    wanted = mine.get(phones.match_key(contact.phone))
    if before is not None and before is not wanted:
        _end(before, at)
    if wanted is None:
        fresh_point(contact, by=by, at=at).save()
        addresses.tell([addresses.Given(contact, contact.phone)])
    elif not wanted.is_primary or wanted.value != contact.phone:
        wanted.value = contact.phone
        _promote(wanted)


def keep_many(contacts: Iterable[Contact]) -> None:
    """The primary points of contacts that have just been made; one statement."""
    fresh = ContactPoint.objects.bulk_create([fresh_point(contact) for contact in contacts if contact.phone])
    addresses.tell(addresses.Given(point.contact, point.value) for point in fresh)


def fresh_point(contact: Contact, *, by: User | None = None, at: dt.datetime | None = None) -> ContactPoint:
    """The primary point of a contact's phone, not saved."""
    number = contact.phone or ""
    return ContactPoint(
        contact=contact,
        kind=PHONE,
        value=number,
        match_key=phones.match_key(number),
        is_primary=True,
        added_by=by,
        added_at=at or clock.now(),
    )


def put(
    contact: Contact, kind: str, value: str, *, by: User | None, label: str = "", is_primary: bool = False
) -> tuple[ContactPoint, bool]:
    """Give a (locked) contact a number or address as `read` returns it; one it has already is only labelled and put
    first. Returns it and whether anything changed; raises InvalidValue beyond MOST. `profile` records the change.
    """
    mine = list(contact.points.filter(kind=kind, until=None))
    found = next((point for point in mine if point.match_key == key_of(kind, value)), None)
    is_primary = is_primary or not any(point.is_primary for point in mine)
    if found is None and len(mine) >= MOST:
        raise InvalidValue(too_many(), field=kind)
    is_new = found is None
    point = found or ContactPoint(contact=contact, kind=kind, value=value, match_key=key_of(kind, value), added_by=by)
    label = " ".join(clean_text(label).split())[:LABEL_MAX]
    if not is_new and (point.is_primary or not is_primary) and (not label or label == point.label):
        return point, False
    point.label = label or point.label
    if is_primary and not point.is_primary:
        contact.points.filter(kind=kind, until=None, is_primary=True).update(is_primary=False)
        point.is_primary = True
    point.save()
    _follow(contact, point)
    if is_new and kind == PHONE:
        addresses.tell([addresses.Given(contact, value)])
    return point, True


def set_email(contact: Contact, value: str | None, *, by: User | None) -> tuple[str | None, str | None]:
    """Put an address in the place of the primary one, which is over; None: without one, the next takes its place.
    Returns the primary one before and now; the contact is locked.
    """
    before = contact.points.filter(kind=EMAIL, until=None, is_primary=True).first()
    if before is not None and value is not None and before.match_key == key_of(EMAIL, value):
        if before.value != value:
            old, before.value = before.value, value
            before.save(update_fields=["value"])
            return old, value
        return value, value
    if before is not None and value is None:
        before.contact = contact
        end(before)
    elif value is not None:
        if before is not None:
            _end(before, clock.now())
        put(contact, EMAIL, value, by=by, is_primary=True)
    return (before.value if before else None), primary(contact)["email"]


def end(point: ContactPoint, *, at: dt.datetime | None = None) -> None:
    """It is no longer its contact's (locked); the next of its kind becomes primary. It stays as history."""
    contact, was_primary = point.contact, point.is_primary
    _end(point, at or clock.now())
    if not was_primary:
        return
    following = contact.points.filter(kind=point.kind, until=None).order_by("pk").first()
    if following is not None:
        _promote(following)
    if point.kind == PHONE:
        contact.phone = following.value if following else None
        contact.save(update_fields=["phone"])


def end_former(contact: Contact) -> None:
    """Further numbers that only WhatsApp gave, and that by its news are no account of the contact's any more, are over;
    whatever order the news came in.
    """
    present = contact.identities.values_list("match_key", flat=True)
    records = IdentityValue.objects.filter(identity__contact=contact, field=IdentityValue.Field.WA_ID)
    former = dict(records.exclude(match_key__in=[key for key in present if key]).values_list("match_key", "until"))
    given = contact.points.filter(kind=PHONE, until=None, is_primary=False, added_by=None)
    for point in given.filter(match_key__in=former):
        _end(point, former[point.match_key])


def note(contact: Contact, number: str) -> None:
    """A further number that WhatsApp gave, of somebody with several accounts; one they have already is left alone."""
    if not contact.points.filter(kind=PHONE, match_key=phones.match_key(number), until=None).exists():
        ContactPoint(contact=contact, kind=PHONE, value=number, match_key=phones.match_key(number)).save()
        addresses.tell([addresses.Given(contact, number)])


def as_state(contact: Contact) -> list[dict[str, Any]]:
    """What the audit log and the API say of the present points."""
    return [
        {"kind": point.kind, "value": point.value, "label": point.label, "is_primary": point.is_primary}
        for point in current(contact)
    ]


def _follow(contact: Contact, point: ContactPoint) -> None:
    """The primary phone is the one lists show."""
    if point.kind == PHONE and point.is_primary and contact.phone != point.value:
        contact.phone = point.value
        contact.save(update_fields=["phone"])


def _promote(point: ContactPoint) -> None:
    point.is_primary = True
    point.save(update_fields=["is_primary", "value"])


def _end(point: ContactPoint, at: dt.datetime) -> None:
    point.until, point.is_primary = max(at, point.added_at), False
    point.save(update_fields=["until", "is_primary"])
