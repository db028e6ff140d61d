"""The fence: while one is up nothing leaves the house. Messages are kept and wait until a manager lifts it."""

import datetime as dt
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, Exists, Min, OuterRef, Q

from conversations.live import publish
from conversations.messaging import events, previews, reacting
from conversations.messaging.models import Conversation, Message, MessageQuerySet, SendFence
from crm.audit import log as audit
from crm.foundation import clock, work
from crm.foundation.retrying import in_transaction
from crm.foundation.rows import update_rows
from crm.staff.models import Role, User

log = structlog.get_logger(__name__)

BATCH = 100
NOT_BEGUN = ("queued", "claimed")
IN_FLIGHT = (*NOT_BEGUN, "sending")

_unchecked = False


@dataclass(frozen=True)
class Waiting:
    """How many messages wait to leave, and since when the oldest does."""

    count: int
    since: dt.datetime | None


def is_up() -> bool:
    """Whether sending is stopped: one query on a tiny table."""
    if _unchecked:
        check_at_start()
    return SendFence.objects.filter(lifted_at=None).exists()


def current() -> SendFence | None:
    """The fence that is up, the first one if there are several."""
    return SendFence.objects.filter(lifted_at=None).order_by("pk").first()


def raise_(reason: str) -> SendFence:
    """Stop all sending, unless it is stopped already; messages that are on their way just now may still leave."""
    standing = current()
    return standing if standing is not None else _raise(reason)


def lift(by: User | None, *, cancel_waiting: bool = False) -> int:
    """Let messages leave again, after cancelling all that wait if asked; returns how many were cancelled.

    The fence stays up until the last one is cancelled: whoever is interrupted here starts again, and nothing has left.
    """
    cancelled = _cancel_all() if cancel_waiting else 0
    lifted = _lift(by, cancelled)
    log.info("sending goes on", by=by.pk if by else None, fences=lifted, cancelled=cancelled)
    return cancelled


def waiting() -> Waiting:
    """The messages that would leave if the fence were lifted now."""
    found = _waiting().aggregate(count=Count("pk"), since=Min("created_at"))
    return Waiting(found["count"], found["since"])


def check_at_start() -> None:
    """Stop sending if the oldest queued message has waited for more than OUTBOX_STALE_HOURS; called once by each
    process that may send, before it does. If the database does not answer, `is_up` asks again.
    """
    global _unchecked
    _unchecked = True
    try:
        if settings.OUTBOX_STALE_HOURS and current() is None and _is_stale(settings.OUTBOX_STALE_HOURS):
            _raise(SendFence.Reason.STALE)
    except DatabaseError as error:
        log.warning("age of the queue not known", error=type(error).__name__)
        return
    _unchecked = False


def _is_stale(hours: float) -> bool:
    """Whether a message that could have left long ago is still here. What a running system holds back on purpose does
    not count: a retry with its time, what comes after it, a number whose circuit was open lately; nor what a manager
    has let go on lately.
    """
    limit = dt.timedelta(hours=hours)
    if SendFence.objects.filter(lifted_at__gt=clock.real() - limit).exists():
        return False
    earlier = Message.objects.filter(
        conversation=OuterRef("conversation"), status__in=IN_FLIGHT, pk__lt=OuterRef("pk"), direction="out"
    )
    held = Q(inbox__circuit_until__gt=clock.real() - limit)
    due = Q(next_attempt_at=None) | Q(next_attempt_at__lte=clock.real() - limit)
    return _waiting().filter(~Exists(earlier), ~held, due, created_at__lt=clock.now() - limit).exists()


def _waiting() -> MessageQuerySet:
    """Also what a worker holds: while it uploads a file the message may still be kept."""
    return Message.objects.filter(status__in=NOT_BEGUN, direction=Message.Direction.OUTBOUND)


@in_transaction
def _raise(reason: str) -> SendFence:
    fence = SendFence.objects.create(reason=reason)
    audit.record("sending_stopped", fence, changes={"reason": [None, reason]})
    _tell_everybody()
    log.warning("sending stopped", reason=reason, fence=fence.pk)
    return fence


@in_transaction
def _lift(by: User | None, cancelled: int) -> int:
    standing = current()
    lifted = SendFence.objects.filter(lifted_at=None).update(lifted_at=clock.real(), lifted_by=by)
    if lifted:
        audit.record("sending_resumed", standing, by=by, changes={"cancelled": [None, cancelled]})
        _tell_everybody()
        work.ring("outbox")
        work.ring("outbox_files")
    return lifted


def _tell_everybody() -> None:
    users = User.objects.filter(is_active=True).exclude(role=Role.INTEGRATOR).values_list("pk", flat=True)
    publish.hint([f"u.{pk}" for pk in users], "fence")


def _cancel_all() -> int:
    """Cancel what waits now; what is written meanwhile stays."""
    newest = _waiting().order_by("-pk").values_list("pk", flat=True).first() or 0
    count = last = 0
    while True:
        chosen = list(
            _waiting().filter(pk__gt=last, pk__lte=newest).order_by("pk").values_list("pk", flat=True)[:BATCH]
        )
        if not chosen:
            return count
        count += _cancel(chosen)
        last = chosen[-1]


@in_transaction
def _cancel(chosen: list[int]) -> int:
    """One batch; conversations are locked before their messages, as everywhere."""
    touched = Message.objects.filter(pk__in=chosen).values("conversation")
    list(Conversation.objects.select_for_update(no_key=True).filter(pk__in=touched).order_by("pk").values_list("pk"))
    rows = _waiting().select_for_update(of=("self",), no_key=True).filter(pk__in=chosen).order_by("pk")
    messages = list(rows.select_related("conversation", "author"))
    for message in messages:
        message.status, message.cancelled_at = Message.Status.CANCELLED, clock.now()
        message.next_attempt_at = message.lease = message.lease_until = None
        message.version += 1
        previews.refresh(message)
        events.announce_status(message)
    update_rows(messages, ["status", "cancelled_at", "next_attempt_at", "lease", "lease_until", "version"])
    for message in messages:
        reacting.withdraw(message)
    return len(messages)
