"""Erasing a person (GDPR article 17), in three parts that survive the end of a process.

First, in one transaction: nobody can be found or written to by them any more, and a message that comes now makes a new
person. Then their rows and every copy, batch by batch. Last the contact itself, and the certificate. Who it was is
known sealed to the request until then, and afterwards to nobody.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection, models, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from crm.audit import keeping, log
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock
from crm.foundation.retrying import in_transaction
from crm.privacy import audit_trail, holds, remembered, requests, rules
from crm.privacy.lease import advance
from crm.privacy.models import ErasedSubject, PrivacyRequest
from crm.privacy.person import Person

FIRST_BATCH, LEAST, MOST = 20, 5, 500
BATCH_SECONDS = 0.02
STAYS = {
    "crm.auditentry": gettext_lazy("That and when staff did something, under a pseudonym and without values"),
    "crm.suppression": gettext_lazy("That an address is never to be written to, as a keyed hash"),
    "crm.erasedsubject": gettext_lazy("That somebody was erased, as a keyed hash: so a restored backup forgets them"),
}
_TOTALS = "erased"
_PLACES = "looked"


def steps(row: PrivacyRequest) -> Iterator[None]:
    """What the drain does: each step is a transaction of its own. Raises Held before anything has gone."""
    if row.sealed is None and row.contact_id is None:  # another erasure of the same person came first
        requests.answer_by_erasure(PrivacyRequest.objects.filter(pk=row.pk))
        return
    person = Person.unsealed(bytes(row.sealed)) if row.sealed else _seal(row)
    yield
    for sweep in rules.sweeps():
        yield from _sweep(row, sweep, person)
    for rule in rules.all_rules():
        yield from _erase(row, rule, person)
    _finish(row, person)
    _flush()


@in_transaction
def _seal(row: PrivacyRequest) -> Person:
    """From here on nobody can stop it."""
    contact = Contact.objects.select_for_update().get(pk=row.contact_id or 0)
    holds.check(contact.pk)
    requests.answer_by_erasure(PrivacyRequest.objects.filter(contact=contact).exclude(pk=row.pk))
    person = Person.of(contact)
    now = clock.now()
    known = set(ErasedSubject.objects.filter(digest__in=person.digests()).values_list("digest", flat=True))
    fresh = [one for one in person.digests() if one not in known]
    ErasedSubject.objects.bulk_create(ErasedSubject(digest=one, request=row, erased_at=now) for one in fresh)
    ErasedSubject.objects.filter(digest__in=known).update(erased_at=now, request=row)
    rules.stop_at_once(person)
    row.sealed, row.result = person.sealed(), {_TOTALS: {}, _PLACES: {}}
    for rule in rules.all_rules():
        if rule.at_once:
            _take_all(row, rule, person)
    _strip(contact)
    advance(row, sealed=row.sealed, result=row.result)
    log.record("erasure_begun", row, by=row.by)
    transaction.on_commit(lambda: remembered.append(dict.fromkeys(person.digests(), now)))
    return person


def _strip(contact: Contact) -> None:
    """Take off what the person can be found by and recognized."""
    ChannelIdentity.objects.filter(contact=contact).update(
        wa_id=None, match_key=None, user_id=None, username="", profile_name="", profile_at=None
    )
    Contact.objects.filter(pk=contact.pk).update(
        name="", phone=None, company="", language="", attributes={}, country="", time_zone="", external_id=None,
        search_text="", restricted_at=contact.restricted_at or clock.now(), version=models.F("version") + 1,
    )  # fmt: skip


def _sweep(row: PrivacyRequest, sweep: rules.Sweep, person: Person) -> Iterator[None]:
    while True:
        known = {one.pk: (sweep.reads(one, person),) for one in _next(row, sweep, person)} if sweep.reads else {}
        if not _look(row, sweep, person, known):
            return
        yield


def _next(row: PrivacyRequest, sweep: rules.Sweep, person: Person) -> list[Any]:
    """Some rows of a store, from where the last look ended."""
    _ready(row)
    found: QuerySet[Any] = sweep.rows(person).order_by("pk")
    last = row.result[_PLACES].get(sweep.name)
    return list((found if last is None else found.filter(pk__gt=last))[: sweep.at_once])


@in_transaction
def _look(row: PrivacyRequest, sweep: rules.Sweep, person: Person, known: Mapping[Any, tuple[Any, ...]]) -> bool:
    """Take what is theirs out of the next rows (`known`: what their files say); whether there may be more."""
    chosen = _next(row, sweep, person)
    if not chosen:
        return False
    taken = sum(sweep.take(one, person, *known.get(one.pk, ())) for one in chosen)
    _count(row, sweep.model, taken)
    places = row.result[_PLACES] | {sweep.name: chosen[-1].pk}
    advance(row, result=row.result | {_PLACES: places})
    return len(chosen) == sweep.at_once


def _erase(row: PrivacyRequest, rule: rules.Rule, person: Person) -> Iterator[None]:
    """A table, in batches whose size follows the time they take. The contact itself goes with `_finish`."""
    size = FIRST_BATCH
    while rule.model is not Contact:
        began = time.monotonic()
        if not _batch(row, rule, person, size):
            return
        slow = time.monotonic() - began > BATCH_SECONDS
        size = max(size // 2, LEAST) if slow else min(size * 2, MOST)
        yield


@in_transaction
def _batch(row: PrivacyRequest, rule: rules.Rule, person: Person, size: int) -> int:
    _ready(row)
    chosen = rule.some(person, size)
    if chosen:
        _take(row, rule, chosen, person)
        advance(row, result=row.result)
    return len(chosen)


def _take_all(row: PrivacyRequest, rule: rules.Rule, person: Person) -> None:
    while chosen := rule.some(person, MOST):
        _take(row, rule, chosen, person)


def _take(row: PrivacyRequest, rule: rules.Rule, chosen: Sequence[Any], person: Person) -> None:
    if isinstance(chosen[0], PrivacyRequest):
        _scrub(chosen, person)
    pks = [one.pk for one in chosen]
    keeping.forget(rule.model, [*pks, *person.absorbed] if rule.model is Contact else pks, person.pseudonym)
    if rule.model is Contact:
        audit_trail.forget_among_others(person)
    _count(row, rule.model, len(pks))
    rule.erase(chosen)


def _scrub(requests: Sequence[Any], person: Person) -> None:
    """What staff wrote about the person's requests, without them in it."""
    for one in requests:
        PrivacyRequest.objects.filter(pk=one.pk).update(
            verified_by=person.scrubbed(one.verified_by)[:200], reason=person.scrubbed(one.reason)[:500]
        )


def _count(row: PrivacyRequest, model: type[models.Model], number: int) -> None:
    if number:
        totals, name = dict(row.result[_TOTALS]), model._meta.label_lower
        row.result = row.result | {_TOTALS: totals | {name: totals.get(name, 0) + number}}


@in_transaction
def _finish(row: PrivacyRequest, person: Person) -> None:
    """What came in between goes too, then the contact; nothing tells any more who it was."""
    _ready(row)
    for rule in rules.all_rules():
        _take_all(row, rule, person)
    erased = dict(ErasedSubject.objects.filter(request=row).values_list("digest", "erased_at"))
    remembered.append(erased)  # again, and before anybody is told: what was lost of the first time is there now
    kept = {**rules.what_stays(), **{name: str(why) for name, why in STAYS.items()}}
    certificate = {_TOTALS: row.result[_TOTALS], "kept": kept, "subject": person.pseudonym}
    advance(
        row, state=PrivacyRequest.State.DONE, finished_at=clock.now(), sealed=None, result=certificate, lease_token="",
        lease_until=None,
    )  # fmt: skip
    changes = {"state": [PrivacyRequest.State.RUNNING.value, PrivacyRequest.State.DONE.value]}
    log.record("erased", row, by=row.by, changes=changes)


def _ready(row: PrivacyRequest) -> None:
    """A transaction that failed has counted, too; and SQLite overwrites what this connection deletes from now on."""
    row.refresh_from_db(fields=["result"])
    row.result = {_TOTALS: {}, _PLACES: {}} | row.result
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete=ON")


def _flush() -> None:
    """SQLite's journal still holds pages as they were."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
