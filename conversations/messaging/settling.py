"""What became of departures, written by the thread that sent them: accepted ones together, the others one by one."""

import datetime as dt
import random
from collections.abc import Sequence

import structlog
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.utils.translation import gettext as _

from conversations.channels.base import ChannelError
from conversations.live import publish
from conversations.messaging import consenting, deliveries, events, previews, reacting
from conversations.messaging.departures import Departure
from conversations.messaging.errors import NotRetryable
from conversations.messaging.models import Attempt, Conversation, Message
from conversations.messaging.rates import PAIR_TOLERANCE
from crm.foundation import clock
from crm.foundation.retrying import in_transaction
from crm.foundation.rows import update_rows

log = structlog.get_logger(__name__)

MOST_RETRIES = 8
LONGEST_BACKOFF = 600
LONGEST_RETRY_AFTER = 3600
PAIR_LIMIT = "131056"
NUMBER_LIMIT = ("130429", "80007", "4")
PAUSE_SECONDS = 2
NEXT_PROBE_SECONDS = 5
DATABASE_AWAY = (OperationalError, InterfaceError)
# Who hears of a conversation, and how it is announced.
HEARD_BY = ("version", "status", "assignee_id", "team_id")
ACCEPTED_FIELDS = (
    "status", "external_id", "accepted_at", "error_code", "error_details", "lease", "lease_until", "version",
)  # fmt: skip


def settle(departures: Sequence[Departure]) -> list[Departure]:
    """Commit every outcome; returns those that could not be stored because the database does not answer."""
    accepted = [departure for departure in departures if departure.external_id]
    others = [departure for departure in departures if not departure.external_id]
    if len(accepted) > 1:
        try:
            _accept_together(accepted)
            accepted = []
        except Exception as error:  # noqa: BLE001 (one by one shows which of them it is)
            log.warning("outcomes not stored together", messages=len(accepted), error=type(error).__name__)
    left = []
    for departure in [*accepted, *others]:
        try:
            _settle_one(departure)
        except DATABASE_AWAY:
            left.append(departure)
        except Exception:  # its neighbours' outcomes must be kept; its own lease will run out
            log.exception("outcome not stored", message=departure.message.pk)
    return left


@in_transaction
def mark_unknown(pk: int) -> None:
    """The worker that sent this message has lost its lease: only a status or a person knows what became of it."""
    message = deliveries.locked_message(pk=pk)
    if message is None:
        return
    if message.status == Message.Status.SENDING and message.lease_until and message.lease_until < clock.real():
        message.attempts.filter(outcome=Attempt.Outcome.SENDING).update(
            outcome=Attempt.Outcome.UNKNOWN, finished_at=clock.real()
        )
        _change(message, Message.Status.UNKNOWN, "unanswered")


@in_transaction
def settle_by_hand(message: Message, *, arrived: bool) -> Message:
    """Somebody has found out what became of a message that nobody could confirm; raises NotRetryable for any other."""
    row = deliveries.locked_message(pk=message.pk)
    if row is None or row.status != Message.Status.UNKNOWN:
        raise NotRetryable(_("This message is not in doubt any more."))
    outcome = Attempt.Outcome.ACCEPTED if arrived else Attempt.Outcome.REFUSED
    row.attempts.filter(outcome=Attempt.Outcome.UNKNOWN).update(outcome=outcome, finished_at=clock.real())
    if arrived:
        row.delivered_at = clock.now()
        _change(row, Message.Status.DELIVERED, "")
    else:
        row.failed_at = clock.now()
        _change(row, Message.Status.FAILED, "not_arrived")
    return row


@in_transaction
def _accept_together(departures: Sequence[Departure]) -> None:
    """As `deliveries.settle` does it for one; raises if one of them needs a closer look."""
    _lock_fresh([departure.message for departure in departures])
    attempts, settled, now = [], [], clock.real()
    for departure in departures:
        attempt, message = departure.attempt, departure.message
        assert attempt is not None
        attempt.outcome, attempt.external_id = Attempt.Outcome.ACCEPTED, departure.external_id
        attempt.finished_at = now
        attempts.append(attempt)
        if message.external_id is None and message.status in (Message.Status.SENDING, Message.Status.UNKNOWN):
            _note_accepted(message, departure.external_id)
            settled.append(message)
    update_rows(attempts, ["outcome", "external_id", "finished_at"])
    update_rows(settled, ACCEPTED_FIELDS)
    shown = [message.conversation_id for message in settled if message.conversation.last_message_id == message.pk]
    if shown:
        Conversation.objects.filter(pk__in=shown).update(last_status=Message.Status.ACCEPTED)
    with publish.together():
        for message in settled:
            events.announce_status(message)
        deliveries.apply_parked(*settled)  # statuses may have been faster than the answer
    for departure in departures:
        _end_probe(departure)


def _lock_fresh(messages: Sequence[Message]) -> None:
    """Lock the messages, after their conversations, and read again what others may have changed meanwhile; raises
    KeyError if one is gone or has moved to another conversation.
    """
    keys = {message.conversation_id for message in messages}
    places = Conversation.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
    fresh_places = {row["pk"]: row for row in places.values("pk", *HEARD_BY, *previews.FIELDS)}
    rows = Message.objects.select_for_update(no_key=True).filter(pk__in=[message.pk for message in messages])
    found = rows.order_by("pk").values("pk", "conversation_id", "external_id", "status", "version")
    fresh = {(row["pk"], row["conversation_id"]): row for row in found}
    for message in messages:
        for name, value in fresh_places[message.conversation_id].items():
            setattr(message.conversation, name, value)
        for name, value in fresh[message.pk, message.conversation_id].items():
            setattr(message, name, value)


def _note_accepted(message: Message, external_id: str) -> None:
    message.external_id, message.status = external_id, Message.Status.ACCEPTED
    message.accepted_at = clock.now()
    message.error_code = message.error_details = ""
    message.lease = message.lease_until = None
    message.version += 1


@in_transaction
def _settle_one(departure: Departure) -> None:
    message = deliveries.locked_message(pk=departure.message.pk)
    if message is None:
        return
    if departure.external_id:
        _accept(message, departure)
    elif _decides(message, departure):
        _fail(message, departure)


def _decides(message: Message, departure: Departure) -> bool:
    """Whether a departure that was not accepted says what becomes of its message: it holds the lease, or the message
    is in doubt because of this very attempt, whose outcome is known now.
    """
    if message.status in (Message.Status.CLAIMED, Message.Status.SENDING):
        return message.lease == departure.lease
    if message.status != Message.Status.UNKNOWN or departure.attempt is None or departure.error is None:
        return False
    newest = message.attempts.order_by("-pk").values_list("pk", flat=True).first()
    return departure.error.kind != "unknown" and newest == departure.attempt.pk


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
    _end_probe(departure)
    deliveries.apply_parked(message)


def _fail(message: Message, departure: Departure) -> None:
    error = departure.error or ChannelError("unknown", "unanswered")
    outcome = {"unknown": Attempt.Outcome.UNKNOWN, "retry": Attempt.Outcome.RETRY}
    if departure.attempt is None and error.kind == "retry":  # the file could not be handed over
        departure.attempt = Attempt(message=message)
    if departure.attempt is not None:
        departure.attempt.outcome = outcome.get(error.kind, Attempt.Outcome.REFUSED)
        departure.attempt.error_code, departure.attempt.error_details = error.code, error.details
        departure.attempt.finished_at = clock.real()
        departure.attempt.save()
    _end_probe(departure, error)
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
        consenting.note_refusal(message)


def _end_probe(departure: Departure, error: ChannelError | None = None) -> None:
    """A message that Graph took, or refused for what it is, shows that the number works again."""
    if not departure.is_probe:
        return
    inbox = departure.message.inbox
    is_proof = error is None or error.kind in ("permanent", "opt_out")
    if is_proof and departure.attempt is not None:
        inbox.close_circuit()
    else:
        inbox.end_probe(seconds=0 if is_proof else NEXT_PROBE_SECONDS)


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
    message.next_attempt_at = clock.real() + dt.timedelta(seconds=wait)
    if error.code in NUMBER_LIMIT or (error.is_rate_limit and error.code != PAIR_LIMIT):
        message.inbox.open_circuit(error.code, seconds=int(asked) or PAUSE_SECONDS)
    if error.code == PAIR_LIMIT:  # the burst is used up, whatever we counted: from then on one every six seconds
        Conversation.objects.filter(pk=message.conversation_id).update(
            next_send_at=message.next_attempt_at + PAIR_TOLERANCE
        )
    _change(message, Message.Status.QUEUED, error.code)


def _change(message: Message, status: Message.Status, code: str, details: str = "") -> None:
    message.status, message.error_code, message.error_details = status, code, details
    message.lease = message.lease_until = None
    message.version += 1
    message.save()
    previews.refresh(message)
    events.announce_status(message)
    reacting.withdraw(message)
