"""The main road, top to bottom: stored webhooks become messages, statuses, changes; first many together, and what
cannot go together alone, each item on its own savepoint.

What cannot be understood is quarantined with its bytes and can be replayed; nothing is raised at the provider.
"""

import contextlib
import datetime as dt
import itertools
import traceback
import uuid
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

import structlog
from cryptography.fernet import InvalidToken
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Count, F, IntegerField, Min, Q
from django.db.models.functions import Greatest, Least

from conversations.channels.whatsapp.parse import parse
from conversations.ingest import items, together
from conversations.ingest.items import Item, Landing, Outcome, Quarantine
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.ingest.reading import Unreadable, load
from conversations.live import publish
from conversations.messaging import inbound
from conversations.messaging.models import Message
from crm.foundation import clock
from crm.foundation.retrying import in_transaction

log = structlog.get_logger(__name__)

State = WebhookEvent.State
# Items of one transaction: on SQLite everybody waits for it.
TOGETHER = {"postgresql": 200, "sqlite": 40}
ALONE_AT_ONCE = 10
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
    free = free.exclude(lane__in=taken.values("lane"))
    return _lease(free.select_for_update(skip_locked=True).order_by("pk")[:limit], now)


def _lease(rows: Iterable[WebhookEvent], now: dt.datetime) -> list[WebhookEvent]:
    """Make these (locked) events ours; tries are counted before anything is tried."""
    events, token = list(rows), uuid.uuid4()
    pks = [event.pk for event in events]
    tries = Least(F("attempts_count") + 1, Greatest(F("attempts_count"), ALONE_FROM), output_field=IntegerField())
    WebhookEvent.objects.filter(pk__in=pks).update(lease=token, lease_until=now + LEASE, attempts_count=tries)
    for event in events:
        event.lease = token
        event.attempts_count += event.attempts_count < ALONE_FROM
    return events


def process(events: Sequence[WebhookEvent]) -> None:
    """Apply events; an event that fails for a passing reason stays pending, one that never succeeds is quarantined."""
    work: list[Item] = []
    for event in events:
        if event.attempts_count < ALONE_FROM and (found := _read(event)) is not None:
            work += found
    alone = {event.pk: event for event in events if event.attempts_count >= ALONE_FROM}
    for chunk in itertools.batched(work, TOGETHER[connection.vendor]):
        try:
            _land_together(chunk)
        except (OperationalError, InterfaceError) as error:
            _put_back([item.event for item in chunk], error)
            continue
        except Exception as error:  # noqa: BLE001 (whatever it was, alone it costs one item)
            log.info("items did not land together", count=len(chunk), **_where(error))
            _forget(chunk)
        respond([item.landing.message for item in chunk if item.landing and item.landing.is_new])
        alone |= {item.event.pk: item.event for item in chunk if item.landing is None}
    for _pk, event in sorted(alone.items()):
        _process_alone(event)


def respond(messages: Iterable[Message | None]) -> None:
    """After the commit: whoever answers by itself hears of new messages, unless they are too late to be answered."""
    for message in messages:
        if message is not None and not inbound.is_late(message):
            inbound.message_arrived.send(Message, message=message)


def replay(pks: Iterable[int]) -> int:
    """Process quarantined events again; what is already known stays as it is. Returns how many were quarantined."""
    events = _claim_quarantined(pks)
    process(events)
    return len(events)


@in_transaction
def _claim_quarantined(pks: Iterable[int]) -> list[WebhookEvent]:
    rows = WebhookEvent.objects.filter(pk__in=list(pks), state=State.QUARANTINED)
    events = list(rows.select_for_update(skip_locked=True).order_by("pk"))
    EventItem.objects.filter(event__in=events, outcome=Outcome.QUARANTINED).delete()
    for event in events:
        event.attempts_count, event.state = 0, State.PENDING
    WebhookEvent.objects.filter(pk__in=[event.pk for event in events]).update(state=State.PENDING, attempts_count=0)
    return _lease(events, clock.real())


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
    done = set(EventItem.objects.filter(event__in=mine).values_list("event", "position"))
    work = [item for item in chunk if item.event.pk in mine and (item.event.pk, item.position) not in done]
    signers = {tuple(item.event.signer_ids) for item in work}
    inboxes = {ids: items.inboxes_of(list(ids)) for ids in signers}
    with publish.together():
        together.land(work, {item.event.pk: inboxes[tuple(item.event.signer_ids)] for item in work})
    EventItem.objects.bulk_create(item.row for item in work if item.landing)
    _conclude({item.event.pk: item for item in chunk if item.event.pk in mine}.values())


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
        work = _read(event) or ()
        done = set(event.items.values_list("position", flat=True))
        inboxes = items.inboxes_of(event.signer_ids)
        for chunk in itertools.batched([item for item in work if item.position not in done], ALONE_AT_ONCE):
            _land_alone(event, chunk, inboxes)
            respond([item.landing.message for item in chunk if item.landing and item.landing.is_new])
        _conclude(work[:1])
    except LeaseLost:
        log.info("event taken over", webhook=event.pk)
    except (DatabaseError, InterfaceError) as error:
        _put_back([event], error, is_alone=True)


@in_transaction
def _land_alone(event: WebhookEvent, chunk: Sequence[Item], inboxes: items.Inboxes) -> None:
    _renew(event)
    for item in chunk:
        try:
            with transaction.atomic(), publish.together():
                item.landing = items.apply(item.update, inboxes)
        except (OperationalError, InterfaceError):
            raise
        except Quarantine as reason:
            item.landing = Landing(Outcome.QUARANTINED, reason=str(reason))
        except Exception as error:  # noqa: BLE001 (whatever it was, one item costs one item)
            log.error("item quarantined", webhook=event.pk, position=item.position, **_where(error))
            what = f"{type(error).__name__} while {items.kind_of(item.update)}"
            item.landing = Landing(Outcome.QUARANTINED, reason=what)
    EventItem.objects.bulk_create(item.row for item in chunk)


def _renew(event: WebhookEvent, **more: Any) -> None:
    """The event is ours for another half minute; raises LeaseLost if it is no longer."""
    ours = WebhookEvent.objects.filter(pk=event.pk, lease=event.lease, state=State.PENDING)
    if not ours.update(lease_until=clock.real() + LEASE, **more):
        raise LeaseLost


def _put_back(events: Iterable[WebhookEvent], error: Exception, *, is_alone: bool = False) -> None:
    """Try again soon. A try that an event was alone in was not its fault, unless that has gone on for a day."""
    by_pk = {event.pk: event for event in events}
    log.warning("events wait for the database", count=len(by_pk), error=type(error).__name__)
    with contextlib.suppress(DatabaseError, InterfaceError):
        for pk, event in by_pk.items():
            blameless = is_alone and clock.real() - event.received_at < BLAMELESS_FOR
            more = {"attempts_count": event.attempts_count} if blameless else {}
            WebhookEvent.objects.filter(pk=pk, lease=event.lease).update(lease_until=clock.real() + WAIT, **more)


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
