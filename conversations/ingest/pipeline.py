"""The main road, top to bottom: stored webhooks become messages, statuses, changes; first many together, and what
cannot go together alone, each item on its own savepoint.

What cannot be understood is quarantined with its bytes and can be replayed; nothing is raised at the provider.
"""

import contextlib
import datetime as dt
import itertools
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import structlog
from cryptography.fernet import InvalidToken
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Count, F, IntegerField, Min, Q
from django.db.models.functions import Greatest, Least, Length

from conversations.channels.whatsapp.parse import parse
from conversations.ingest import items, together
from conversations.ingest.items import Item, Landing, Outcome, Quarantine
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.ingest.passing import PASSING, passes
from conversations.ingest.reading import Unreadable, load
from conversations.live import publish
from conversations.messaging import inbound
from conversations.messaging.models import Message
from crm.foundation import clock, work
from crm.foundation.retrying import in_transaction

log = structlog.get_logger(__name__)

State = WebhookEvent.State
# Items of one transaction: on SQLite everybody waits for it.
TOGETHER = {"postgresql": 200, "sqlite": 40}
BYTES_AT_ONCE = 8 * 1024 * 1024
LEASE = dt.timedelta(seconds=30)
WAIT = dt.timedelta(seconds=2)
BLAMELESS_FOR = dt.timedelta(days=1)
# An event that was there when two rounds broke down is tried alone from then on, and given up after five such tries.
ALONE_FROM = 3
MOST_ATTEMPTS = 8
CLAIMING = 0x56454E54  # the key of PostgreSQL's advisory lock


class LeaseLost(Exception):
    """Somebody else has taken the event over."""


def drain() -> bool:
    """Claim and process some events; True if there may be more."""
    events = claim(TOGETHER[connection.vendor])
    process(events)
    return bool(events)


@in_transaction
def claim(limit: int) -> list[WebhookEvent]:
    """Take up to `limit` pending events, oldest first, for half a minute; none of a person whose earlier events another
    worker is processing.
    """
    if connection.vendor == "postgresql":  # one claims at a time, so that it sees the lanes that others took
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIMING])
    now = clock.real()
    taken = WebhookEvent.objects.filter(state=State.PENDING, lease_until__gt=now).exclude(lane=0)
    free = WebhookEvent.objects.filter(state=State.PENDING).exclude(lease_until__gt=now)
    free = free.exclude(lane__in=taken.values("lane")).select_for_update(skip_locked=True).order_by("pk")
    sizes = free.annotate(size=Length("sealed_body")).values_list("pk", "size")[:limit]
    return _lease(next(_slices(sizes), []), now)


def _slices(sizes: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
    """Ids with the sizes of their bodies, in parts of BYTES_AT_ONCE: only the last of a part may go beyond."""
    part: list[int] = []
    held = 0
    for pk, size in sizes:
        part.append(pk)
        held += size
        if held >= BYTES_AT_ONCE:
            yield part
            part, held = [], 0
    if part:
        yield part


def _lease(pks: Sequence[int], now: dt.datetime) -> list[WebhookEvent]:
    """Make these (locked) events ours; tries are counted before anything is tried."""
    token = uuid.uuid4()
    tries = Least(F("attempts_count") + 1, Greatest(F("attempts_count"), ALONE_FROM), output_field=IntegerField())
    WebhookEvent.objects.filter(pk__in=pks).update(lease=token, lease_until=now + LEASE, attempts_count=tries)
    return list(WebhookEvent.objects.filter(pk__in=pks).order_by("pk"))


def process(events: Sequence[WebhookEvent]) -> None:
    """Apply events; an event that fails for a passing reason stays pending, one that never succeeds is quarantined."""
    rest = {event.pk: event for event in events}
    alone = {event.pk: event for event in events if event.attempts_count >= ALONE_FROM}
    found = [item for event in events if event.pk not in alone for item in _read_safely(event)]
    leased_at = clock.real()
    for chunk in itertools.batched(found, TOGETHER[connection.vendor]):
        if _is_time_to_go(rest):
            return
        leased_at = _hold(rest, leased_at)
        try:
            _land_together(chunk)
        except Exception as error:  # noqa: BLE001 (whatever it was, alone it costs one item)
            if passes(error):
                _put_back([item.event for item in chunk], error)
                for item in chunk:
                    rest.pop(item.event.pk, None)  # not to be held any longer
                continue
            log.info("items did not land together", count=len(chunk), **_where(error))
            _forget(chunk)
        respond(chunk)
        alone |= {item.event.pk: item.event for item in chunk if item.landing is None}
    for pk, event in sorted(alone.items()):
        if _is_time_to_go(rest):
            return
        leased_at = _hold(rest, leased_at)
        _process_alone(event)
        rest.pop(pk, None)


def _is_time_to_go(rest: Mapping[int, WebhookEvent]) -> bool:
    """Whether the process is asked to end: then what is left of a claim is given back, and its try with it."""
    if not work.is_stopping():
        return False
    for pk, event in rest.items():
        ours = WebhookEvent.objects.filter(pk=pk, lease=event.lease, state=State.PENDING)
        ours.update(lease=None, lease_until=None, attempts_count=max(event.attempts_count - 1, 0))
    return True


def _hold(rest: Mapping[int, WebhookEvent], leased_at: dt.datetime) -> dt.datetime:
    """Keep what is left of a long round; returns when it was last leased."""
    now = clock.real()
    if now - leased_at < LEASE / 3:
        return leased_at
    for lease in {event.lease for event in rest.values()}:
        WebhookEvent.objects.filter(pk__in=list(rest), lease=lease, state=State.PENDING).update(lease_until=now + LEASE)
    return now


def respond(landed: Iterable[Item]) -> None:
    """After the commit: whoever answers by itself hears what people have just written, unless that is long ago."""
    for item in landed:
        message = item.landing.message if item.landing and item.landing.asks else None
        if message is not None and not inbound.is_late(message):
            for _receiver, result in inbound.message_arrived.send_robust(Message, message=message):
                if isinstance(result, Exception):
                    log.error("message not answered", message=message.pk, **_where(result))


def replay(pks: Iterable[int], note: Callable[[list[int]], object] = lambda taken: None) -> int:
    """Process quarantined events again, here and now, some megabytes at a time; what is already known stays as it is.
    Returns how many were quarantined; `note` hears which, in the transaction that takes them.
    """
    rows = WebhookEvent.objects.filter(pk__in=list(pks), state=State.QUARANTINED).order_by("pk")
    count = 0
    for part in _slices(list(rows.annotate(size=Length("sealed_body")).values_list("pk", "size"))):
        events = _claim_quarantined(part, note)
        process(events)
        count += len(events)
    return count


@in_transaction
def _claim_quarantined(pks: Iterable[int], note: Callable[[list[int]], object]) -> list[WebhookEvent]:
    events = _reopen(pks)
    if events:
        note(events)
    return _lease(events, clock.real())


@in_transaction
def release(pks: Iterable[int]) -> list[int]:
    """Give quarantined events back to the background work, which begins with them; returns which were quarantined."""
    events = _reopen(pks)
    if events:
        work.ring("pipeline")
    return events


def _reopen(pks: Iterable[int]) -> list[int]:
    rows = WebhookEvent.objects.filter(pk__in=list(pks), state=State.QUARANTINED)
    events = list(rows.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True))
    EventItem.objects.filter(event__in=events, outcome=Outcome.QUARANTINED).delete()
    WebhookEvent.objects.filter(pk__in=events).update(
        state=State.PENDING, attempts_count=0, lease=None, lease_until=None
    )
    return events


def _read_safely(event: WebhookEvent) -> list[Item]:
    try:
        return _read(event) or []
    except PASSING as error:
        _put_back([event], error)
        return []


def _read(event: WebhookEvent) -> list[Item] | None:
    """The items of an event; None if it was quarantined as unreadable."""
    try:
        updates = list(parse(load(event.body)))
        return [Item(event, position, len(updates), update) for position, update in enumerate(updates)]
    except Unreadable as error:
        _quarantine(event, str(error))
    except InvalidToken:
        _quarantine(event, "sealed with an encryption key that is no longer configured")
    except Exception as error:  # noqa: BLE001 (a bug of ours: the bytes wait for its repair)
        log.error("webhook not read", webhook=event.pk, **_where(error))
        _quarantine(event, f"{type(error).__name__} while reading")
    return None


@in_transaction
def _land_together(chunk: Sequence[Item]) -> None:
    _forget(chunk)
    mine = _still_ours([item.event for item in chunk])
    known = EventItem.objects.filter(event__in=mine, position__in={item.position for item in chunk})
    done = set(known.values_list("event", "position"))
    todo = [item for item in chunk if item.event.pk in mine and (item.event.pk, item.position) not in done]
    signers = {tuple(item.event.signer_ids) for item in todo}
    inboxes = {ids: items.inboxes_of(list(ids)) for ids in signers}
    with publish.together():
        together.land(todo, {item.event.pk: inboxes[tuple(item.event.signer_ids)] for item in todo})
    EventItem.objects.bulk_create(item.row for item in todo if item.landing)
    _conclude(item for item in chunk if item.event.pk in mine and item.position == item.count - 1)


def _forget(chunk: Iterable[Item]) -> None:
    """What a transaction that failed had found."""
    for item in chunk:
        item.landing = item.inbox = item.person = None


def _still_ours(events: Iterable[WebhookEvent]) -> dict[int, WebhookEvent]:
    """The events, locked, whose lease nobody has taken over."""
    by_pk = {event.pk: event for event in events}
    rows = WebhookEvent.objects.select_for_update(no_key=True).filter(pk__in=by_pk, state=State.PENDING)
    leases = dict(rows.order_by("pk").values_list("pk", "lease"))
    return {pk: event for pk, event in by_pk.items() if pk in leases and leases[pk] == event.lease}


def _conclude(last: Iterable[Item]) -> None:
    """Close the events, one item of each given, of which every item has landed."""
    counts = {item.event.pk: item.count for item in last}
    landed = EventItem.objects.filter(event__in=counts).values("event").annotate(
        count=Count("pk"), bad=Min("reason", filter=Q(outcome=Outcome.QUARANTINED))
    )  # fmt: skip
    whole = {row["event"]: row["bad"] for row in landed if row["count"] == counts[row["event"]]}
    now = clock.real()
    rest = {"processed_at": now, "lease": None, "lease_until": None, "attempts_count": 0}
    good = [pk for pk, bad in whole.items() if bad is None]
    WebhookEvent.objects.filter(pk__in=good).update(state=State.PROCESSED, reason="", **rest)
    for pk, bad in whole.items():
        if bad is not None:
            WebhookEvent.objects.filter(pk=pk).update(state=State.QUARANTINED, reason=bad[:200], **rest)


def _process_alone(event: WebhookEvent) -> None:
    try:
        if event.attempts_count >= MOST_ATTEMPTS:
            _quarantine(event, "given up after repeated crashes")
            return
        suspect = event.attempts_count >= ALONE_FROM
        _renew(event, **({"attempts_count": F("attempts_count") + 1} if suspect else {}))
        found = _read(event) or []
        done = set(event.items.values_list("position", flat=True))
        inboxes = items.inboxes_of(event.signer_ids)
        _land_each([item for item in found if item.position not in done], inboxes)
        _conclude(found[:1])
    except LeaseLost:
        log.info("event taken over", webhook=event.pk)
    except PASSING as error:
        _put_back([event], error, is_alone=True)


def _land_each(todo: Iterable[Item], inboxes: items.Inboxes) -> None:
    """Land items one by one. One that the database does not take just now holds up no neighbour: its error is raised
    at the end. After two in a row the database is asked by renewing the lease: if it does not take that either, it is
    away, and the rest is spared.
    """
    left: Exception | None = None
    was_taken = True
    for item in todo:
        try:
            _land_or_set_aside(item, inboxes)
        except PASSING as error:
            if not was_taken:
                _renew(item.event)
            left, was_taken = error, False
            continue
        was_taken = True
        respond([item])
    if left is not None:
        raise left


def _land_or_set_aside(item: Item, inboxes: items.Inboxes) -> None:
    try:
        _land_alone(item, lambda: items.apply(item.update, inboxes))
    except LeaseLost:
        raise
    except Quarantine as reason:
        why = str(reason)
    except Exception as error:
        if passes(error):
            raise
        log.error("item quarantined", webhook=item.event.pk, position=item.position, **_where(error))
        why = f"{type(error).__name__} while {items.kind_of(item.update)}"
    else:
        return
    _land_alone(item, lambda: Landing(Outcome.QUARANTINED, reason=why))


@in_transaction
def _land_alone(item: Item, apply: Callable[[], Landing]) -> None:
    _renew(item.event)
    with publish.together():
        item.landing = apply()
    item.row.save()


def _renew(event: WebhookEvent, **more: Any) -> None:
    """The event is ours for another half minute; raises LeaseLost if it is no longer."""
    ours = WebhookEvent.objects.filter(pk=event.pk, lease=event.lease, state=State.PENDING)
    if not ours.update(lease_until=clock.real() + LEASE, **more):
        raise LeaseLost


def _put_back(events: Iterable[WebhookEvent], error: Exception, *, is_alone: bool = False) -> None:
    """Try again soon, and the later the longer it goes on. A try that an event was alone in was not its fault, unless
    that has gone on for a day.
    """
    by_pk = {event.pk: event for event in events}
    log.warning("events wait for the database", count=len(by_pk), error=type(error).__name__)
    with contextlib.suppress(DatabaseError, InterfaceError):
        for pk, event in by_pk.items():
            now = clock.real()
            age = now - event.received_at
            more = {"attempts_count": event.attempts_count} if is_alone and age < BLAMELESS_FOR else {}
            until = now + min(max(WAIT, age / 8), LEASE)
            WebhookEvent.objects.filter(pk=pk, lease=event.lease).update(lease_until=until, **more)


def _where(error: Exception) -> dict[str, str]:
    """What went wrong and where, without the message: a database's quotes names and numbers."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = ([one for one in frames if "site-packages" not in one.filename] or frames)[-1]
    return {"error": type(error).__name__, "at": f"{PurePath(frame.filename).name}:{frame.lineno}"}


def _quarantine(event: WebhookEvent, reason: str) -> None:
    log.warning("event quarantined", webhook=event.pk, reason=reason)
    WebhookEvent.objects.filter(pk=event.pk, lease=event.lease).update(
        state=State.QUARANTINED, reason=reason[:200], processed_at=clock.real(), lease=None, lease_until=None
    )
