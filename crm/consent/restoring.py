"""After a restore: nobody who has said no since the backup was made is written to again."""

from collections.abc import Iterable
from pathlib import Path

from crm.consent import beside, ledger
from crm.consent.models import Suppression
from crm.contacts.addresses import Given
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint
from crm.foundation.retrying import in_transaction

AT_ONCE = 500


def bring_back(files: Iterable[Path] = ()) -> int:
    """Put those on the list whom this machine's file (and these) still have on it, and note a withdrawal for contacts
    who have such an address; how many came back. What was lifted since the backup stays as the backup has it: the word
    that lifted it is lost.
    """
    wanted = beside.listed(files)
    known = set(Suppression.objects.values_list("channel", "purpose", "digest"))
    fresh = [row for place, row in wanted.items() if place not in known]
    Suppression.objects.bulk_create(fresh, batch_size=AT_ONCE, ignore_conflicts=True)
    if wanted:  # also where an earlier try ended in between
        _withdraw_all()
    return len(fresh)


def _withdraw_all() -> None:
    last = 0
    while rows := list(Contact.objects.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        last = rows[-1].pk
        _withdraw(rows)


@in_transaction
def _withdraw(contacts: list[Contact]) -> None:
    """As when they are given their addresses."""
    by_key = {one.pk: one for one in contacts}
    given = [Given(one, one.phone) for one in contacts if one.phone]
    accounts = ChannelIdentity.objects.filter(contact__in=contacts).values_list("contact", "wa_id", "user_id")
    given += [Given(by_key[pk], number or "", own or "") for pk, number, own in accounts if number or own]
    points = ContactPoint.objects.filter(contact__in=contacts, kind=ContactPoint.Kind.PHONE, until=None)
    given += [Given(by_key[pk], value) for pk, value in points.values_list("contact", "value")]
    if given:
        ledger.note_addresses(given)
