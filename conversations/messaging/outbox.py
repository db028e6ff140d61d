"""The way out: claim queued messages, write an attempt, POST, settle. Nothing is ever sent twice by itself.

Two steps: `claimed` has a lease and falls back to `queued`; `sending` is committed just before the POST, and a lease
lost there becomes `unknown`, which only a status webhook or a person resolves.
"""

import asyncio
import datetime as dt
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q

from conversations.channels.base import Address, Channel, ChannelError, OutboundMessage
from conversations.channels.registry import channel_for
from conversations.inboxes.models import Inbox
from conversations.messaging import content, deliveries, events, previews
from conversations.messaging.models import Attachment, Attempt, Message
from crm.foundation import aio, clock
from crm.foundation.retrying import in_transaction

log = structlog.get_logger(__name__)

BATCH = 50
CLAIM_LEASE = dt.timedelta(seconds=60)
UPLOAD_LEASE = dt.timedelta(minutes=6)
SEND_LEASE = dt.timedelta(seconds=90)
MOST_RETRIES = 8
LONGEST_BACKOFF = 600
LONGEST_RETRY_AFTER = 3600
IN_FLIGHT = ("queued", "claimed", "sending")
PAIR_LIMIT = "131056"
NUMBER_LIMIT = ("130429", "80007", "4")


@dataclass
class Departure:
    """A message on its way: what it became, or what went wrong."""

    message: Message
    lease: uuid.UUID
    channel: Channel
    outbound: OutboundMessage | None = None
    attempt: Attempt | None = None
    external_id: str = ""
    error: ChannelError | None = None


def drain(*, with_files: bool | None = None) -> bool:
    """One round: recover lost leases, claim (only messages with, or without, files), deliver; True if there may be
    more. Files have a drain of their own: a slow upload holds up no text.
    """
    recover()
    messages = claim(BATCH, with_files=with_files)
    if messages:
        deliver(messages)
    return bool(messages)


@in_transaction
def claim(limit: int, *, with_files: bool | None = None) -> list[Message]:
    """Take up to `limit` messages, the first unsent one of each conversation, by (priority, id)."""
    now = clock.real()
    earlier = Message.objects.filter(
        conversation=OuterRef("conversation"), status__in=IN_FLIGHT, pk__lt=OuterRef("pk"), direction="out"
    )
    ready = Message.objects.filter(
        ~Exists(earlier),
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=now),
        status=Message.Status.QUEUED,
        inbox__in=Inbox.objects.sendable().values("pk"),
    )
    if with_files is not None:
        attached = Exists(Attachment.objects.filter(message=OuterRef("pk")))
        ready = ready.filter(attached if with_files else ~attached)
    chosen = list(
        ready.select_for_update(of=("self",), skip_locked=True)
        .order_by("priority", "pk")
        .values_list("pk", flat=True)[:limit]
    )
    lease = uuid.uuid4()
    Message.objects.filter(pk__in=chosen).update(
        status=Message.Status.CLAIMED, lease=lease, lease_until=now + CLAIM_LEASE
    )
    slow = Attachment.objects.filter(message__in=chosen).values_list("message", flat=True)
    Message.objects.filter(pk__in=list(slow)).update(lease_until=now + UPLOAD_LEASE)
    return list(
        Message.objects.filter(pk__in=chosen, lease=lease)
        .select_related(
            "inbox__account", "conversation__identity", "conversation__contact", "conversation__inbox", "author"
        )
        .prefetch_related("attachments")
        .order_by("priority", "pk")
    )


def deliver(messages: Sequence[Message]) -> None:
    """Send claimed messages, at most 50 at once; every outcome is committed by the calling thread."""
    departures = [_departure(message) for message in messages]
    for departure in departures:
        _prepare(departure)
    leaving = [departure for departure in departures if departure.error is None and _begun(departure)]
    aio.run(_send_all(leaving))
    for departure in departures:
        if departure.error is None and not departure.external_id:
            continue  # another worker has it
        try:
            _settle(departure)
        except Exception:  # its neighbours' outcomes must be kept; its own lease will run out
            log.exception("outcome not stored", message=departure.message.pk)


def recover() -> int:
    """Give back claims whose worker is gone, and mark sends whose outcome it took with it as unknown."""
    now = clock.real()
    Message.objects.filter(status=Message.Status.CLAIMED, lease_until__lt=now).update(
        status=Message.Status.QUEUED, lease=None, lease_until=None
    )
    lost = list(
        Message.objects.filter(status=Message.Status.SENDING, lease_until__lt=now).values_list("pk", flat=True)[:BATCH]
    )
    for pk in lost:
        _mark_unknown(pk)
    return len(lost)


def address_of(inbox: Inbox) -> Address:
    """Where and with what rights this inbox speaks."""
    return Address(inbox.account.base_url, inbox.account.auth, inbox.phone_number_id)


def _departure(message: Message) -> Departure:
    assert message.lease is not None
    identity = message.conversation.identity
    return Departure(message, message.lease, channel_for(identity.channel, address_of(message.inbox)))


def _prepare(departure: Departure) -> None:
    """Check what may have changed since the message was composed, and hand files to the provider."""
    message = departure.message
    if not message.conversation.window_is_open(clock.now()):
        departure.error = ChannelError("permanent", "window_closed")
        return
    try:
        departure.outbound = content.outbound(message, departure.channel)
    except ChannelError as error:
        departure.error = error
    except DatabaseError:
        raise
    except Exception as error:  # one message that cannot be put together must not hold the others
        log.exception("message cannot be put together", message=message.pk)
        departure.error = ChannelError("permanent", "bad_content", type(error).__name__)


def _begun(departure: Departure) -> bool:
    """Whether this message may leave now; if the database does not answer it stays claimed until its lease runs out."""
    try:
        return _begin(departure)
    except DatabaseError:
        log.exception("send not begun", message=departure.message.pk)
        return False


@in_transaction
def _begin(departure: Departure) -> bool:
    """Commit the attempt and `sending`, if the lease is still ours."""
    mine = Message.objects.filter(pk=departure.message.pk, status=Message.Status.CLAIMED, lease=departure.lease)
    if not mine.update(status=Message.Status.SENDING, lease_until=clock.real() + SEND_LEASE):
        return False
    assert departure.outbound is not None
    departure.attempt = Attempt.objects.create(message=departure.message, reference=departure.outbound.reference)
    return True


async def _send_all(departures: Sequence[Departure]) -> None:
    await asyncio.gather(*(_send(departure) for departure in departures))


async def _send(departure: Departure) -> None:
    assert departure.outbound is not None
    try:
        departure.external_id = await departure.channel.send(departure.outbound)
    except ChannelError as error:
        departure.error = error
    except Exception as error:  # whatever happened, the request may have left
        log.exception("send failed", message=departure.message.pk)
        departure.error = ChannelError("unknown", "unanswered", type(error).__name__)


@in_transaction
def _settle(departure: Departure) -> None:
    message = (
        Message.objects.select_for_update(of=("self",))
        .select_related("conversation__inbox", "conversation__contact", "author", "inbox")
        .get(pk=departure.message.pk)
    )
    if departure.external_id:
        _accept(message, departure)
    elif message.status in (Message.Status.CLAIMED, Message.Status.SENDING) and message.lease == departure.lease:
        _fail(message, departure)


def _accept(message: Message, departure: Departure) -> None:
    assert departure.attempt is not None
    try:
        with transaction.atomic():
            deliveries.settle(message, departure.attempt, departure.external_id)
    except IntegrityError:
        log.error("provider repeated a message id", message=message.pk)
        message.refresh_from_db()
        _change(message, Message.Status.UNKNOWN, "unanswered")
        return
    message.inbox.close_circuit()
    deliveries.apply_parked(message)


def _fail(message: Message, departure: Departure) -> None:
    error = departure.error
    assert error is not None
    outcome = {"unknown": Attempt.Outcome.UNKNOWN, "retry": Attempt.Outcome.RETRY}
    if departure.attempt is None and error.kind == "retry":  # the file could not be handed over
        departure.attempt = Attempt(message=message)
    if departure.attempt is not None:
        departure.attempt.outcome = outcome.get(error.kind, Attempt.Outcome.REFUSED)
        departure.attempt.error_code, departure.attempt.error_details = error.code, error.details
        departure.attempt.finished_at = clock.real()
        departure.attempt.save()
    if error.kind == "unknown":
        _change(message, Message.Status.UNKNOWN, error.code)
    elif error.kind == "circuit":
        message.inbox.open_circuit(error.code)
        _change(message, Message.Status.QUEUED, error.code)
    elif error.kind == "retry":
        _retry_later(message, error)
    else:
        message.failed_at = clock.now()
        _change(message, Message.Status.FAILED, error.code, error.details)


def _retry_later(message: Message, error: ChannelError) -> None:
    """Back off: 4^n seconds for the pair limit (Meta's advice), else 5·2^n, at most ten minutes, with jitter."""
    tried = message.attempts.filter(outcome=Attempt.Outcome.RETRY)
    tries = tried.count()
    if tries > MOST_RETRIES:
        tried.update(outcome=Attempt.Outcome.REFUSED)  # an agent's retry starts to count anew
        message.failed_at = clock.now()
        _change(message, Message.Status.FAILED, "gave_up" if error.code == "not_sent" else error.code, error.details)
        return
    wait = 4.0**tries if error.code == PAIR_LIMIT else 5.0 * 2 ** max(tries - 1, 0)
    asked = min(error.retry_after or 0, LONGEST_RETRY_AFTER)
    wait = max(min(wait, LONGEST_BACKOFF) * random.uniform(0.8, 1.2), asked)
    if error.code in NUMBER_LIMIT:
        message.inbox.open_circuit(error.code, seconds=int(asked or 2))
    message.next_attempt_at = clock.real() + dt.timedelta(seconds=wait)
    _change(message, Message.Status.QUEUED, error.code)


def _change(message: Message, status: Message.Status, code: str, details: str = "") -> None:
    message.status, message.error_code, message.error_details = status, code, details
    message.lease = message.lease_until = None
    message.version += 1
    message.save()
    previews.refresh(message)
    events.announce_status(message)


@in_transaction
def _mark_unknown(pk: int) -> None:
    message = (
        Message.objects.select_for_update(of=("self",))
        .select_related("conversation__inbox", "conversation__contact", "author", "inbox")
        .get(pk=pk)
    )
    if message.status == Message.Status.SENDING and message.lease_until and message.lease_until < clock.real():
        message.attempts.filter(outcome=Attempt.Outcome.SENDING).update(
            outcome=Attempt.Outcome.UNKNOWN, finished_at=clock.real()
        )
        _change(message, Message.Status.UNKNOWN, "unanswered")
