"""Legal holds and restriction: why a person's data must stay for now, and that it is kept but not used."""

import datetime as dt
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from crm.audit import log
from crm.contacts.models import Contact
from crm.contacts.profile import contact_changed
from crm.foundation import clock
from crm.foundation.errors import Refusal
from crm.foundation.retrying import in_transaction
from crm.privacy.models import LegalHold, PrivacyRequest
from crm.staff.models import User


class Held(Refusal):
    """Erasing is not possible now: the data must stay for a reason of law."""

    code = "legal_hold"


class GoneAlready(Refusal):
    """The person is being erased."""

    code = "being_erased"


def active(at: dt.datetime | None = None) -> QuerySet[LegalHold]:
    """The holds in force."""
    today = (at or clock.now()).date()
    return LegalHold.objects.filter(Q(until=None) | Q(until__gte=today), lifted_at=None)


def held() -> "QuerySet[LegalHold, Any]":
    """The keys of contacts whose data must stay: for `exclude(contact__in=…)`."""
    return active().values("contact_id")


def check(contact: int) -> None:
    """Raise Held if this contact's data must stay."""
    hold = active().filter(contact=contact).first()
    if hold is None:
        return
    sentence = _("A legal hold keeps this person's data (“%(reason)s”). Lift it first.")
    if hold.until:
        sentence = _("A legal hold keeps this person's data until %(until)s (“%(reason)s”). Lift it first.")
    raise Held(sentence % {"reason": hold.reason, "until": f"{hold.until:%Y-%m-%d}" if hold.until else ""})


@in_transaction
def hold(contact: Contact, *, reason: str, by: User, until: dt.date | None = None) -> LegalHold:
    """Keep a person's data whatever comes. Raises GoneAlready."""
    locked = Contact.objects.select_for_update(no_key=True).filter(pk=contact.pk).first()
    if locked is None or is_being_erased(contact.pk):
        raise GoneAlready(_("This person is being erased already."))
    row = LegalHold.objects.create(contact=contact, reason=reason, until=until, set_by=by)
    told = {"hold": [None, row.pk]} | ({"until": [None, until.isoformat()]} if until else {})
    log.record("held", contact, by=by, changes=told)
    return row


@in_transaction
def lift(row: LegalHold, *, by: User) -> None:
    """The reason is gone. Lifting twice is lifting once."""
    if LegalHold.objects.filter(pk=row.pk, lifted_at=None).update(lifted_at=clock.now()):
        log.record("hold_lifted", row.contact, by=by, changes={"hold": [row.pk, None]})


@in_transaction
def restrict(contact: Contact, *, by: User, is_on: bool = True) -> bool:
    """Keep the person's data but do not use it (GDPR article 18), or use it again; whether that is a change."""
    locked = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    if (locked.restricted_at is not None) == is_on:
        return False
    contact.restricted_at = clock.now() if is_on else None
    Contact.objects.filter(pk=contact.pk).update(restricted_at=contact.restricted_at)
    before, after = {"restricted_at": locked.restricted_at}, {"restricted_at": contact.restricted_at}
    log.record("restricted" if is_on else "unrestricted", contact, by=by, changes=log.difference(before, after))
    contact_changed.send(Contact, contact=contact)
    return True


def refuse_while_erased(contact: int) -> None:
    """Raise GoneAlready for somebody whose erasure has begun: what is theirs must stay theirs until it is gone."""
    if is_being_erased(contact):
        raise GoneAlready(_("This person is being erased already."))


def is_being_erased(contact: int) -> bool:
    """Whether an erasure has begun that nobody can stop."""
    running = PrivacyRequest.objects.filter(contact=contact, kind="erasure", state="running")
    return running.exclude(sealed=None).exists()
