"""The register of what people ask about their data, with its clock of one month (GDPR article 12(3))."""

import datetime as dt

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from crm.audit import log
from crm.consent import ledger
from crm.consent.models import ConsentEvent, Purpose, State
from crm.contacts.models import Contact
from crm.foundation import clock, work
from crm.foundation.errors import Refusal
from crm.foundation.retrying import in_transaction
from crm.privacy import holds
from crm.privacy.models import PrivacyRequest
from crm.privacy.person import pseudonym, pseudonyms
from crm.staff.models import User

Kind = PrivacyRequest.Kind
Status = PrivacyRequest.State
DRAIN = "privacy"
ANSWER_WITHIN = dt.timedelta(days=30)
EXTENSION = dt.timedelta(days=60)
LONGEST = dt.timedelta(days=90)
WARN_BEFORE = dt.timedelta(days=10)
OPEN = (Status.OPEN, Status.RUNNING)


class NotNow(Refusal):
    """The request is past this step."""

    code = "not_now"


@in_transaction
def record(
    contact: Contact,
    kind: str,
    *,
    by: User | None,
    verified_by: str,
    reason: str = "",
    asked_at: dt.datetime | None = None,
) -> PrivacyRequest:
    """Note that a person asked, and how staff know that it was them. Nothing else happens yet."""
    asked = min(asked_at or clock.now(), clock.now())
    row = PrivacyRequest.objects.create(
        kind=Kind(kind), contact=contact, subject=pseudonym(contact.pk), verified_by=verified_by, reason=reason,
        asked_at=asked, due_at=asked + ANSWER_WITHIN, by=by,
    )  # fmt: skip
    log.record("created", row, by=by, changes={"kind": [None, row.kind]})
    return row


@in_transaction
def start(row: PrivacyRequest, *, by: User | None) -> PrivacyRequest:
    """Do what was asked: a copy and an erasure in the background, the others now. Starting twice is starting once.
    Raises Held, GoneAlready, NotNow.
    """
    if row.contact_id is not None:  # before the request, as the erasure itself: so that there is one of a person
        Contact.objects.select_for_update(no_key=True).filter(pk=row.contact_id).first()
    locked = _locked(row)
    if locked.state == Status.RUNNING:
        return _same(row, locked)
    if locked.state != Status.OPEN or locked.contact is None:
        raise NotNow(_("This request has been answered already."))
    if locked.kind == Kind.RECTIFICATION:
        raise NotNow(_("Correct the person's data, then say that it is done."))
    holds.refuse_while_erased(locked.contact.pk)
    if locked.kind == Kind.ERASURE:
        holds.check(locked.contact.pk)
        if locked.contact.privacy_requests.filter(kind=Kind.ERASURE, state=Status.RUNNING).exists():
            raise holds.GoneAlready(_("This person is being erased already."))
    then = Status.RUNNING if locked.kind in (Kind.ACCESS, Kind.ERASURE) else Status.DONE
    _tell("started", locked, then, by)
    if then == Status.RUNNING:
        locked.state = then
        locked.save(update_fields=["state"])
        work.ring(DRAIN)
        return _same(row, locked)
    if locked.kind == Kind.RESTRICTION and by is not None:
        holds.restrict(locked.contact, by=by)
    elif locked.kind == Kind.OBJECTION:
        for purpose in (Purpose.MARKETING, Purpose.PROFILING):
            ledger.record(
                locked.contact, purpose=purpose, state=State.WITHDRAWN, source=ConsentEvent.Source.AGENT, by=by,
                evidence={"request": locked.pk},
            )  # fmt: skip
    return _same(row, _end(locked, Status.DONE))


@in_transaction
def finish(row: PrivacyRequest, *, by: User) -> PrivacyRequest:
    """It has been answered by hand (a correction, a copy handed over). Raises NotNow."""
    locked = _open(row)
    _tell("finished", locked, Status.DONE, by)
    return _same(row, _end(locked, Status.DONE))


@in_transaction
def refuse(row: PrivacyRequest, *, by: User, reason: str) -> PrivacyRequest:
    """It is not done; the person is told why (GDPR article 12(4)). Raises NotNow."""
    locked = _open(row)
    locked.reason = reason
    _tell("refused", locked, Status.REFUSED, by)
    return _same(row, _end(locked, Status.REFUSED))


def answer_by_erasure(rows: QuerySet[PrivacyRequest]) -> None:
    """What these asked for an erasure in force has done (another erasure), or made impossible (a copy that is being
    made): whoever works on one loses it.
    """
    answered = Q(kind=Kind.ERASURE, state__in=OPEN) | Q(kind=Kind.ACCESS, state=Status.RUNNING)
    for row in rows.filter(answered, sealed=None):
        act, then, result = "finished", Status.DONE, row.result
        if row.kind == Kind.ACCESS:
            act, then, result = "refused", Status.REFUSED, {"problem": _("This person is no longer there.")}
        _tell(act, row, then, None)
        PrivacyRequest.objects.filter(pk=row.pk).update(
            state=then, result=result, finished_at=clock.now(), lease_token="", lease_until=None
        )


@in_transaction
def extend(row: PrivacyRequest, *, by: User) -> PrivacyRequest:
    """Two further months for what is complex; once. Raises NotNow."""
    locked = _open(row)
    later = locked.due_at + EXTENSION
    if later - locked.asked_at > LONGEST:
        raise NotNow(_("It has been extended already: three months are the longest."))
    log.record("extended", locked, by=by, changes={"due_at": [locked.due_at.isoformat(), later.isoformat()]})
    locked.due_at = later
    locked.save(update_fields=["due_at"])
    return _same(row, locked)


def of(contact: int) -> QuerySet[PrivacyRequest]:
    """The requests of a contact, also of one that is no longer there."""
    return PrivacyRequest.objects.filter(subject__in=pseudonyms(contact))


def pressing() -> QuerySet[PrivacyRequest]:
    """Those whose time is nearly over, or over: from day 20 on."""
    return PrivacyRequest.objects.filter(state__in=OPEN, due_at__lt=clock.now() + WARN_BEFORE)


def _locked(row: PrivacyRequest) -> PrivacyRequest:
    return PrivacyRequest.objects.select_for_update(of=("self",)).select_related("contact").get(pk=row.pk)


def _open(row: PrivacyRequest) -> PrivacyRequest:
    locked = _locked(row)
    if locked.state != Status.OPEN:
        raise NotNow(_("This request has been answered already."))
    return locked


def _tell(act: str, row: PrivacyRequest, then: Status, by: User | None) -> None:
    log.record(act, row, by=by, changes={"state": [str(row.state), then.value]})


def _end(row: PrivacyRequest, state: str) -> PrivacyRequest:
    row.state, row.finished_at = state, clock.now()
    row.save(update_fields=["state", "finished_at", "reason"])
    return row


def _same(row: PrivacyRequest, locked: PrivacyRequest) -> PrivacyRequest:
    row.refresh_from_db()
    return locked
