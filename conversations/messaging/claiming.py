"""Which messages may leave now: in order, within every limit, each held by one worker (`claimed`, with a lease)."""

import datetime as dt
import uuid
from collections.abc import Sequence

from django.db.models import Exists, F, OuterRef, Q, Subquery

from conversations.inboxes.models import Inbox
from conversations.live import publish
from conversations.messaging import events, fence, portfolio
from conversations.messaging.departures import Departure
from conversations.messaging.models import Attachment, Conversation, Message, MessageQuerySet
from conversations.messaging.rates import BOT, CAMPAIGN, PAIR_INTERVAL, PAIR_TOLERANCE, Timetable
from crm.foundation import clock
from crm.foundation.retrying import in_transaction

CLAIM_LEASE = dt.timedelta(seconds=30)
UPLOAD_LEASE = dt.timedelta(minutes=6)
ON_ITS_WAY = ("claimed", "sending")
UNSENT = ("queued", *ON_ITS_WAY)


def take(limit: int, *, bulk: int | None = None, with_files: bool | None = None) -> list[Departure]:
    """Claim up to `limit` messages (at most `bulk` of them of programs and campaigns), the first unsent one of each
    conversation, by (priority, id). Nothing while the fence is up.
    """
    now, taken = clock.real(), list[Departure]()
    bulk = limit if bulk is None else bulk
    for inbox in _numbers_with_work(now, with_files):
        if len(taken) >= limit:
            break
        timetable = Timetable(inbox.sends_per_second, inbox.next_send_at, now)
        if not timetable.has_room(inbox.head):  # type: ignore[attr-defined]
            continue
        if not taken and fence.is_up():
            break
        more = _take_from(inbox.pk, limit - len(taken), bulk, with_files)
        bulk -= sum(departure.message.priority > BOT for departure in more)
        taken += more
    return taken


def _due(now: dt.datetime, with_files: bool | None) -> MessageQuerySet:
    due = Message.objects.filter(
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=now), status=Message.Status.QUEUED
    ).order_by("priority", "pk")
    if with_files is None:
        return due
    attached = Exists(Attachment.objects.filter(message=OuterRef("pk")))
    return due.filter(attached if with_files else ~attached)


def _numbers_with_work(now: dt.datetime, with_files: bool | None) -> list[Inbox]:
    """With `head`, the priority of their first message; people's and bots' answers first, among equals the number
    that has waited longest: none takes every place each time.
    """
    head = _due(now, with_files).filter(inbox=OuterRef("pk")).values("priority")[:1]
    waiting = Inbox.objects.sendable().annotate(head=Subquery(head)).exclude(head=None)
    return list(waiting.order_by("head", F("next_send_at").asc(nulls_first=True), "pk"))


@in_transaction
def _take_from(number: int, limit: int, bulk: int, with_files: bool | None) -> list[Departure]:
    """Claim from one number, whose row is locked: what it may send is shared exactly."""
    inbox: Inbox = Inbox.objects.select_for_update(of=("self",), no_key=True).select_related("account").get(pk=number)
    now = clock.real()
    if not inbox.is_sendable(now):
        return []
    is_probe = bool(inbox.circuit_code)
    timetable = Timetable(inbox.sends_per_second, inbox.next_send_at, now)
    messages = list(_ready(inbox, timetable, now, bulk, with_files)[: 1 if is_probe else limit])
    urgent = [message for message in messages if message.priority <= BOT]
    messages = messages[: len(urgent) + max(bulk, 0)]
    messages = messages[: timetable.fitting(message.priority for message in messages)]
    held = portfolio.admit(inbox.account, messages, now)
    if held:
        _hold([message for message in messages if message.pk in held], held)
        messages = [message for message in messages if message.pk not in held]
    departures = _claim(inbox, messages, timetable, now)
    if is_probe and departures:
        departures[0].is_probe = True
        inbox.begin_probe()
    return departures


def _ready(inbox: Inbox, timetable: Timetable, now: dt.datetime, bulk: int, with_files: bool | None) -> MessageQuerySet:
    """The number's messages that may leave now, to be locked with their conversations; never waits for a lock.

    One message of a conversation is on its way at a time, in the order of writing; but an answer does not wait for
    what a campaign has queued, and nothing waits for what the portfolio's limit holds back.
    """
    held = Q(error_code=portfolio.CODE, next_attempt_at__gt=now)
    before = Q(status=Message.Status.QUEUED, pk__lt=OuterRef("pk")) & (
        Q(priority__lt=CAMPAIGN) | Q(priority__lte=OuterRef("priority"))
    )
    others = Message.objects.filter(conversation=OuterRef("conversation"), direction="out", status__in=UNSENT)
    answers = others.filter(~held, status=Message.Status.QUEUED, priority__lt=CAMPAIGN)
    ready = _due(now, with_files).filter(
        ~Exists(others.filter(Q(status__in=ON_ITS_WAY) | (before & ~held))),
        Q(priority__lt=CAMPAIGN) | ~Exists(answers),
        Q(conversation__next_send_at=None) | Q(conversation__next_send_at__lte=now + PAIR_TOLERANCE),
        inbox=inbox,
    )
    if bulk <= 0 or not timetable.has_room(CAMPAIGN):
        ready = ready.filter(priority__lte=BOT)
    locked = ready.select_for_update(of=("self", "conversation"), skip_locked=True, no_key=True)
    related = locked.select_related("conversation__identity")
    return related if with_files is False else related.prefetch_related("attachments")


def _claim(inbox: Inbox, messages: Sequence[Message], timetable: Timetable, now: dt.datetime) -> list[Departure]:
    """Mark them ours, and book their turns with the number and with each person."""
    if not messages:
        return []
    lease = uuid.uuid4()
    departures = []
    for message in messages:
        message.inbox = message.conversation.inbox = inbox
        message.status, message.lease = Message.Status.CLAIMED, lease
        departures.append(Departure(message, lease, timetable.book(message.priority) or now))
    rows = Message.objects.filter(pk__in=[message.pk for message in messages])
    rows.update(status=Message.Status.CLAIMED, lease=lease, lease_until=now + CLAIM_LEASE)
    slow = [message.pk for message in messages if _has_file(message)]
    if slow:
        Message.objects.filter(pk__in=slow).update(lease_until=now + UPLOAD_LEASE)
    _book_pairs([message.conversation for message in messages], now)
    inbox.book(timetable.next_at)
    return departures


def _has_file(message: Message) -> bool:
    """Asks no database: the files are fetched with the messages, unless only those without were asked for."""
    return bool(getattr(message, "_prefetched_objects_cache", {}).get("attachments"))


def _book_pairs(conversations: Sequence[Conversation], now: dt.datetime) -> None:
    rested = [one.pk for one in conversations if one.next_send_at is None or one.next_send_at <= now]
    busy = [one.pk for one in conversations if one.pk not in set(rested)]
    Conversation.objects.filter(pk__in=rested).update(next_send_at=now + PAIR_INTERVAL)
    if busy:
        Conversation.objects.filter(pk__in=busy).update(next_send_at=F("next_send_at") + PAIR_INTERVAL)


def _hold(messages: Sequence[Message], until: dict[int, dt.datetime]) -> None:
    """They stay queued, and say why."""
    with publish.together():
        for message in messages:
            is_news = message.error_code != portfolio.CODE
            message.error_code, message.next_attempt_at = portfolio.CODE, until[message.pk]
            message.version += is_news
            message.save(update_fields=["error_code", "next_attempt_at", "version"])
            if is_news:
                events.announce_status(message)
