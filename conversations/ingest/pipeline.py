"""The main road, top to bottom: a stored webhook becomes messages, statuses, changes, each item on its own savepoint.

What cannot be understood is quarantined with its bytes and can be replayed; nothing is raised at the provider.
"""

import contextlib
import datetime as dt
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import structlog
from cryptography.fernet import InvalidToken
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import F

from conversations.channels.base import (
    EditUpdate,
    IdentityChange,
    InboundMessage,
    OtherUpdate,
    ReactionUpdate,
    RevokeUpdate,
    StatusUpdate,
    Unparsed,
    Update,
)
from conversations.channels.registry import WHATSAPP
from conversations.channels.whatsapp.parse import parse
from conversations.inboxes.models import Inbox
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.ingest.reading import Unreadable, load
from conversations.messaging import deliveries, inbound, system, threads
from conversations.messaging.models import Message
from crm.contacts import identities
from crm.contacts.models import ChannelIdentity
from crm.foundation import clock
from crm.foundation.retrying import in_transaction

log = structlog.get_logger(__name__)

BATCH = 20
CHUNK = 50
LEASE = dt.timedelta(seconds=30)
BLAMELESS_FOR = dt.timedelta(days=1)
MOST_ATTEMPTS = 5
CLOCKS_DIFFER = dt.timedelta(hours=1)
Outcome = EventItem.Outcome


class Quarantine(Exception):
    """This item must not be applied; the reason is for a manager."""


@dataclass(frozen=True)
class Landing:
    """Where an item landed."""

    outcome: str
    message: Message | None = None


def drain() -> bool:
    """Claim and process some events; True if there may be more."""
    events = claim(BATCH)
    process(events)
    return bool(events)


@in_transaction
def claim(limit: int) -> list[WebhookEvent]:
    """Take up to `limit` pending events, oldest first, for half a minute."""
    now = clock.real()
    pending = WebhookEvent.objects.filter(state=WebhookEvent.State.PENDING).exclude(lease_until__gt=now)
    events = list(pending.select_for_update(skip_locked=True).order_by("pk")[:limit])
    WebhookEvent.objects.filter(pk__in=[event.pk for event in events]).update(lease_until=now + LEASE)
    return events


def process(events: Sequence[WebhookEvent]) -> None:
    """Apply events; an event that fails for a passing reason stays pending, one that never succeeds is quarantined."""
    for event in events:
        try:
            if event.attempts_count >= MOST_ATTEMPTS:
                _quarantine(event, "given up after repeated crashes")
                continue
            _renew(event, attempts_count=F("attempts_count") + 1)  # counted before anything is tried
            _process(event)
        except (DatabaseError, InterfaceError) as error:
            log.warning("event waits for the database", webhook=event.pk, error=type(error).__name__)
            with contextlib.suppress(DatabaseError, InterfaceError):
                _wait_for_database(event)


def _renew(event: WebhookEvent, **more: Any) -> None:
    """The event is ours for another half minute."""
    WebhookEvent.objects.filter(pk=event.pk).update(lease_until=clock.real() + LEASE, **more)


def _wait_for_database(event: WebhookEvent) -> None:
    """Try again soon; that try was not the event's fault, unless it has gone on for a day."""
    more: dict[str, Any] = {}
    if clock.real() - event.received_at < BLAMELESS_FOR:
        more["attempts_count"] = event.attempts_count
    WebhookEvent.objects.filter(pk=event.pk).update(lease_until=clock.real() + dt.timedelta(seconds=2), **more)


def replay(events: Sequence[WebhookEvent]) -> None:
    """Process again what was quarantined; what is already known stays as it is."""
    for event in events:
        event.items.filter(outcome=Outcome.QUARANTINED).delete()
        event.attempts_count = 0
    process(events)


def _process(event: WebhookEvent) -> None:
    try:
        updates = list(parse(load(event.body)))
    except Unreadable as error:
        _quarantine(event, str(error))
        return
    except InvalidToken:
        _quarantine(event, "sealed with an encryption key that is no longer configured")
        return
    except Exception as error:  # noqa: BLE001 (a bug of ours: the bytes wait for its repair)
        log.error("webhook not read", webhook=event.pk, **_where(error))
        _quarantine(event, f"{type(error).__name__} while reading")
        return
    inboxes = _inboxes(event.signer_ids)
    done = set(event.items.values_list("position", flat=True))
    todo = [(position, update) for position, update in enumerate(updates) if position not in done]
    for start in range(0, len(todo), CHUNK):
        _process_chunk(event, todo[start : start + CHUNK], inboxes)
    bad = event.items.filter(outcome=Outcome.QUARANTINED)
    reason = bad.values_list("reason", flat=True).first()
    state = WebhookEvent.State.PROCESSED if reason is None else WebhookEvent.State.QUARANTINED
    WebhookEvent.objects.filter(pk=event.pk).update(
        state=state, reason=(reason or "")[:200], processed_at=clock.real(), lease_until=None, attempts_count=0
    )


@in_transaction
def _process_chunk(event: WebhookEvent, chunk: Sequence[tuple[int, Update]], inboxes: dict[str, Inbox]) -> None:
    items = []
    _renew(event)
    for position, update in chunk:
        item = EventItem(event=event, position=position, kind=_kind(update))
        try:
            with transaction.atomic():
                landing = _apply(update, inboxes, event.signer_ids)
            item.outcome, item.message = landing.outcome, landing.message
        except (OperationalError, InterfaceError):
            raise
        except Quarantine as reason:
            item.outcome, item.reason = Outcome.QUARANTINED, str(reason)[:300]
        except Exception as error:  # noqa: BLE001 (whatever it was, one item costs one item)
            log.error("item quarantined", webhook=event.pk, position=position, **_where(error))
            item.outcome, item.reason = Outcome.QUARANTINED, f"{type(error).__name__} while {item.kind}"[:300]
        items.append(item)
    EventItem.objects.bulk_create(items)


def _apply(update: Update, inboxes: dict[str, Inbox], signer_ids: list[int]) -> Landing:
    """One item: check that it is for an account that signed it, then hand it to the feature that knows it."""
    match update:
        case Unparsed(reason=reason):
            raise Quarantine(reason)
        case OtherUpdate():
            return Landing(Outcome.STORED)
        case IdentityChange():
            return _change_identity(update, inboxes)
    inbox = _inbox_of(update, inboxes)
    match update:
        case InboundMessage():
            return _record(inbox, update)
        case StatusUpdate():
            if update.person.address and update.person.user_id:
                _join_if_known(inbox, update)
            message = deliveries.apply(inbox, update)
        case ReactionUpdate():
            message = deliveries.apply(
                inbox, update, deliveries.US if update.is_echo else str(_sender(inbox, update).pk)
            )
        case EditUpdate() | RevokeUpdate():
            message = deliveries.apply(inbox, update)
        case _:
            raise Quarantine(f"no place for {type(update).__name__}")
    return Landing(Outcome.APPLIED if message else Outcome.PARKED, message)


def _inbox_of(update: Update, inboxes: dict[str, Inbox]) -> Inbox:
    """The number it came to; both its id and its WABA must belong to an account that signed."""
    inbox = inboxes.get(update.phone_number_id)
    if inbox is None:
        raise Quarantine("phone_number_id is unknown or belongs to an account that did not sign")
    if update.waba_id != inbox.account.waba_id:
        raise Quarantine("the entry's WABA is not the one of the phone_number_id")
    return inbox


def _record(inbox: Inbox, update: InboundMessage) -> Landing:
    sender = _sender(inbox, update)
    identity = sender
    if update.group_id:
        identity = identities.resolve(
            f"{WHATSAPP}{identities.GROUP_SUFFIX}", scope=inbox.account.scope, user_id=update.group_id, at=_at(update)
        )
    is_dormant = update.is_history or update.kind in inbound.SILENT_KINDS
    conversation = threads.find_or_open(inbox, identity, is_dormant=is_dormant)
    message = inbound.record(conversation, update, sender if update.group_id else None)
    if message is None:
        known = Message.objects.filter(inbox=inbox, external_id=update.external_id).first()
        return Landing(Outcome.KNOWN, known)
    return Landing(Outcome.RECORDED, message)


def _sender(inbox: Inbox, update: InboundMessage | ReactionUpdate) -> ChannelIdentity:
    person = update.person
    return identities.resolve(
        WHATSAPP,
        scope=inbox.account.scope,
        at=_at(update),
        user_id=person.user_id,
        address=person.address,
        profile_name=person.profile_name,
        username=person.username,
    )


def _join_if_known(inbox: Inbox, update: StatusUpdate) -> None:
    """A status may be the first webhook that says which number and which user id belong together."""
    person = update.person
    if ChannelIdentity.objects.filter(channel=WHATSAPP, user_id=person.user_id).exists() or (
        ChannelIdentity.objects.filter(channel=WHATSAPP, wa_id=person.address).exists()
    ):
        identities.resolve(
            WHATSAPP, scope=inbox.account.scope, at=_at(update), user_id=person.user_id, address=person.address
        )


def _change_identity(update: IdentityChange, inboxes: dict[str, Inbox]) -> Landing:
    if update.phone_number_id:
        inbox = _inbox_of(update, inboxes)
    else:
        of_waba = [one for one in inboxes.values() if one.account.waba_id == update.waba_id]
        if not of_waba:
            raise Quarantine("the entry's WABA belongs to no account that signed")
        inbox = of_waba[0]
    if update.at is None or update.at > clock.now() + CLOCKS_DIFFER:
        raise Quarantine("a change of number or id without a usable time")
    identity = identities.change(
        WHATSAPP, scope=inbox.account.scope, field=update.field, old=update.old, new=update.new, at=update.at
    )
    system.note_change(inbox, identity, update.field, at=update.at)
    return Landing(Outcome.APPLIED)


def _inboxes(signer_ids: list[int]) -> dict[str, Inbox]:
    rows = Inbox.objects.filter(account__in=signer_ids).select_related("account")
    return {inbox.phone_number_id: inbox for inbox in rows}


def _at(update: Update) -> dt.datetime:
    return inbound.sort_time(update.at, clock.now())


def _where(error: Exception) -> dict[str, str]:
    """What went wrong and where, without the message: a database's quotes names and numbers."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = ([one for one in frames if "site-packages" not in one.filename] or frames)[-1]
    return {"error": type(error).__name__, "at": f"{PurePath(frame.filename).name}:{frame.lineno}"}


def _kind(update: Update) -> str:
    match update:
        case InboundMessage(kind=kind) | OtherUpdate(kind=kind):
            return kind[:60]
        case StatusUpdate(status=status):
            return f"status:{status}"
    return type(update).__name__.removesuffix("Update").lower()


def _quarantine(event: WebhookEvent, reason: str) -> None:
    log.warning("event quarantined", webhook=event.pk, reason=reason)
    WebhookEvent.objects.filter(pk=event.pk).update(
        state=WebhookEvent.State.QUARANTINED, reason=reason[:200], processed_at=clock.real(), lease_until=None
    )
