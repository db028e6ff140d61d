"""Finds people who are there twice: a drain that looks once at each new phone, e-mail and account, and again later."""

import datetime as dt
import itertools
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Model, QuerySet
from django.utils.translation import gettext as _

from crm.audit import log
from crm.contacts.models import ChannelIdentity, ContactPoint, IdentityValue
from crm.foundation import clock
from crm.foundation.retrying import in_transaction
from crm.merging import likeness
from crm.merging.errors import CannotMerge
from crm.merging.models import DuplicatePair, DuplicateSearch
from crm.staff.models import User

MANY = 8  # people with one number or address: a switchboard, not a person
ROUND_SECONDS = 5.0
SWEEP = dt.timedelta(minutes=5)
Rows = DuplicateSearch.Rows

type _Holders = dict[tuple[str, str], set[int]]


def drain() -> bool:
    """Look through what is new, for a few seconds; True if there is more."""
    ends = time.monotonic() + ROUND_SECONDS
    more = True
    while more and time.monotonic() < ends:
        steps = [_step(rows) for rows in Rows.values]
        more = any(steps)
    return more


@in_transaction
def dismiss(pair: DuplicatePair, *, by: User) -> DuplicatePair:
    """They are two people; the pair is not proposed again. Raises CannotMerge if it is gone."""
    row = DuplicatePair.objects.select_for_update(of=("self",)).filter(pk=pair.pk).first()
    if row is None:
        raise CannotMerge(_("One of these contacts is no longer there."))
    if row.state == DuplicatePair.State.OPEN:
        row.state, row.decided_at, row.decided_by = DuplicatePair.State.DISMISSED, clock.now(), by
        row.save(update_fields=["state", "decided_at", "decided_by"])
        log.record("dismissed", row, by=by, changes={"state": [DuplicatePair.State.OPEN.value, row.state.value]})
    return row


@in_transaction
def propose(contacts: Iterable[tuple[int, int]]) -> int:
    """Put pairs of contacts for which something speaks into the queue, with what speaks for them; how many are new.
    Those a manager has dismissed stay so.
    """
    pairs = {(min(pair), max(pair)) for pair in contacts if pair[0] != pair[1]}
    facts = likeness.facts_of({pk for pair in pairs for pk in pair})
    firsts, seconds = {first for first, _second in pairs}, {second for _first, second in pairs}
    stored = DuplicatePair.objects.filter(first__in=firsts, second__in=seconds)
    known = {(row.first_id, row.second_id): row for row in stored}
    fresh = []
    for first, second in sorted(pairs):
        if first not in facts or second not in facts:
            continue
        found = likeness.evidence(facts[first], facts[second])
        score = likeness.score(found, facts[first].contact, facts[second].contact)
        row = known.get((first, second))
        if not score or (row is not None and (row.state != DuplicatePair.State.OPEN or row.evidence == found)):
            continue
        if row is None:
            fresh.append(DuplicatePair(first_id=first, second_id=second, evidence=found, score=score))
        else:
            row.evidence, row.score = found, score
            row.save(update_fields=["evidence", "score"])
    DuplicatePair.objects.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh)


@in_transaction
def _step(rows: str) -> bool:
    """The next few rows of a kind; False if there are none, or another process is at it."""
    place = _place(rows)
    if place is None:
        return False
    at_once = 50 if connection.vendor == "sqlite" else 400
    model: type[Model] = ContactPoint if rows == Rows.POINTS else ChannelIdentity
    batch: list[Any] = list(model._base_manager.filter(pk__gt=place.last_pk).order_by("pk")[:at_once])
    if not batch:
        if place.swept_pk < place.last_pk and clock.real() - place.swept_at > SWEEP:
            place.last_pk, place.swept_pk, place.swept_at = place.swept_pk, place.last_pk, clock.real()
            place.save()
        return False
    propose(_pairs(_sharing(batch)))
    place.last_pk = batch[-1].pk
    place.save(update_fields=["last_pk"])
    return True


def _place(rows: str) -> DuplicateSearch | None:
    """How far the search is, locked; None if another process has it."""
    found = DuplicateSearch.objects.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    place = found.filter(rows=rows).first()
    if place is None:
        with transaction.atomic():
            DuplicateSearch.objects.bulk_create([DuplicateSearch(rows=rows)], ignore_conflicts=True)
        place = found.filter(rows=rows).first()
    return place


def _sharing(batch: Iterable[ContactPoint | ChannelIdentity]) -> _Holders:
    """Who has what one of these rows says, by kind and canonical value."""
    holders: _Holders = defaultdict(set)
    numbers: set[str] = set()
    emails: set[str] = set()
    user_ids: set[str] = set()
    for row in batch:
        if isinstance(row, ChannelIdentity):
            numbers.add(row.match_key or "")
            user_ids.add(row.user_id or "")
        elif row.until is None:
            (numbers if row.kind == ContactPoint.Kind.PHONE else emails).add(row.match_key)
    points = ContactPoint.objects.filter(until=None)
    for kind, keys in ((ContactPoint.Kind.PHONE, numbers), (ContactPoint.Kind.EMAIL, emails)):
        _add(holders, str(kind), "match_key", "contact_id", points.filter(kind=kind, match_key__in=keys - {""}))
    accounts = ChannelIdentity.objects.all()
    _add(holders, likeness.PHONE, "match_key", "contact_id", accounts.filter(match_key__in=numbers - {""}))
    _add(holders, likeness.USER_ID, "user_id", "contact_id", accounts.filter(user_id__in=user_ids - {""}))
    former = IdentityValue.objects.filter(field=IdentityValue.Field.USER_ID, match_key__in=user_ids - {""})
    _add(holders, likeness.USER_ID, "match_key", "identity__contact_id", former)
    return holders


def _add(holders: _Holders, kind: str, key: str, contact: str, rows: "QuerySet[Any]") -> None:
    counts = rows.order_by().values(key).annotate(people=Count(contact))
    few = [row[key] for row in counts if row["people"] <= MANY]
    for value, pk in rows.filter(**{f"{key}__in": few}).values_list(key, contact):
        holders[kind, value].add(pk)


def _pairs(holders: _Holders) -> set[tuple[int, int]]:
    groups = [sorted(people) for people in holders.values() if 1 < len(people) <= MANY]
    return {pair for people in groups for pair in itertools.combinations(people, 2)}
