"""How much work waits and since when, read from the rows themselves; every query is answered by a partial index."""

import datetime as dt
from dataclasses import dataclass, field

from django.db.models import Count, Min

from conversations.inboxes.models import Inbox
from conversations.ingest.models import WebhookEvent
from conversations.messaging import fence
from conversations.messaging.models import Attachment, Attempt, Message, ParkedUpdate
from crm.foundation import clock

RECENTLY = dt.timedelta(minutes=5)
COUNTED = 100_000  # a longer queue is that long: counting on would cost more than it tells
IN_FLIGHT = ("queued", "claimed", "sending")


@dataclass(frozen=True)
class Queue:
    """How many rows wait, and how many seconds the oldest has."""

    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Figures:
    """One reading."""

    webhooks: Queue = field(default_factory=Queue)
    quarantined: int = 0
    parked: int = 0
    media_pending: int = 0
    outbox: dict[str, Queue] = field(default_factory=dict)  # by status
    unknown: int = 0
    sends: dict[str, int] = field(default_factory=dict)  # by outcome, of the last five minutes
    circuits: dict[int, bool] = field(default_factory=dict)  # by inbox: whether its circuit is open
    fence_is_up: bool = False


def webhooks_waiting() -> Queue:
    """Stored webhooks that are not processed yet."""
    pending = WebhookEvent.objects.filter(state=WebhookEvent.State.PENDING)
    oldest = pending.order_by("pk").values_list("received_at", flat=True).first()
    return Queue(pending.values("pk")[:COUNTED].count(), _age(oldest))


def read() -> Figures:
    """All figures of the database, about ten short queries; raises database errors."""
    attempts = Attempt.objects.filter(started_at__gte=clock.real() - RECENTLY)
    return Figures(
        webhooks=webhooks_waiting(),
        quarantined=WebhookEvent.objects.filter(state=WebhookEvent.State.QUARANTINED).values("pk")[:COUNTED].count(),
        parked=ParkedUpdate.objects.filter(applied_at=None).values("pk")[:COUNTED].count(),
        media_pending=Attachment.objects.filter(state=Attachment.State.PENDING, message__isnull=False).count(),
        outbox=_outbox(),
        unknown=Message.objects.filter(status=Message.Status.UNKNOWN).values("pk")[:COUNTED].count(),
        sends=dict(attempts.values_list("outcome").annotate(count=Count("pk")).order_by()),
        circuits={pk: bool(code) for pk, code in Inbox.objects.values_list("pk", "circuit_code")},
        fence_is_up=fence.current() is not None,
    )


def _outbox() -> dict[str, Queue]:
    rows = Message.objects.filter(status__in=IN_FLIGHT).values_list("status").order_by()
    found = {
        status: Queue(count, _age(oldest))
        for status, count, oldest in rows.annotate(count=Count("pk"), oldest=Min("created_at"))
    }
    return {status: found.get(status, Queue()) for status in IN_FLIGHT}


def _age(since: dt.datetime | None) -> float:
    return max((clock.real() - since).total_seconds(), 0.0) if since else 0.0
