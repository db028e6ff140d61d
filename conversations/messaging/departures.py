"""A message on its way out: put together, begun (`sending` and its attempt committed), carried by the background
loop.
"""

import asyncio
import datetime as dt
import queue
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

import structlog
from django.db import DatabaseError

from conversations.channels.base import Address, Channel, ChannelError, OutboundMessage
from conversations.channels.registry import channel_for
from conversations.inboxes.models import Inbox
from conversations.messaging import consenting, content, fence
from conversations.messaging.models import Attachment, Attempt, Message
from crm.foundation import aio, clock
from crm.foundation.retrying import in_transaction

log = structlog.get_logger(__name__)

# A request takes at most 30 seconds; what lasts longer is a worker that is gone.
SEND_LEASE = dt.timedelta(seconds=45)
# A send begun longer ago does not leave any more: with its request it could outlast the lease.
LATEST = dt.timedelta(seconds=5)
# This many outcomes at once are worth a transaction before the pulse is over.
ENOUGH = 25


@dataclass(eq=False)
class Departure:
    """A claimed message: what it became, or what went wrong."""

    message: Message
    lease: uuid.UUID
    leaves_at: dt.datetime = field(default_factory=clock.real)
    is_probe: bool = False
    attachment: Attachment | None = None
    file: IO[bytes] | None = None
    media_id: str = ""
    outbound: OutboundMessage | None = None
    attempt: Attempt | None = None
    external_id: str = ""
    error: ChannelError | None = None

    @property
    def channel(self) -> Channel:
        """The channel of the message's inbox."""
        return channel_for(self.message.conversation.identity.channel, address_of(self.message.inbox))


def address_of(inbox: Inbox) -> Address:
    """Where and with what rights this inbox speaks."""
    return Address(inbox.account.base_url, inbox.account.auth, inbox.phone_number_id)


def prepare(departure: Departure) -> None:
    """Check what may have changed since the message was composed and put it together; or open the file the provider
    must have first.
    """
    message = departure.message
    if message.kind == "template" and not consenting.may_leave(message):
        departure.error = ChannelError("permanent", "consent_missing")
        return
    if message.kind != "template" and not message.conversation.window_is_open(clock.now()):
        departure.error = ChannelError("permanent", "window_closed")
        return
    try:
        if not departure.media_id:
            departure.attachment = content.to_hand_over(message)
        if departure.attachment is not None and not departure.media_id:
            departure.file = content.open_file(departure.attachment)
        else:
            departure.outbound = content.outbound(message)
    except ChannelError as error:
        departure.error = error
    except DatabaseError:
        raise
    except Exception as error:  # one message that cannot be put together must not hold the others
        log.exception("message cannot be put together", message=message.pk)
        departure.error = ChannelError("permanent", "bad_content", type(error).__name__)


def begin(departures: Sequence[Departure]) -> list[Departure]:
    """Those that may leave now: their attempt and `sending` are committed. If the fence has gone up since they were
    claimed they go back to the queue; if the database does not answer, they stay claimed until their lease runs out.
    """
    begun = []
    for lease in {departure.lease for departure in departures}:
        group = [departure for departure in departures if departure.lease == lease]
        try:
            begun += _begin(group, lease)
        except DatabaseError:
            log.exception("sends not begun", messages=len(group))
    return begun


@in_transaction
def _begin(group: list[Departure], lease: uuid.UUID) -> list[Departure]:
    """One transaction; the lease is the fencing token: a message another worker holds by now is left alone."""
    keys = [departure.message.pk for departure in group]
    mine = Message.objects.filter(pk__in=keys, status=Message.Status.CLAIMED, lease=lease)
    if fence.is_up():
        mine.update(status=Message.Status.QUEUED, lease=None, lease_until=None)
        return []
    until = clock.real() + SEND_LEASE
    if mine.update(status=Message.Status.SENDING, lease_until=until) != len(keys):
        ours = Message.objects.filter(pk__in=keys, status=Message.Status.SENDING, lease=lease, lease_until=until)
        still = set(ours.values_list("pk", flat=True))
        group = [departure for departure in group if departure.message.pk in still]
    attempts = []
    for departure in group:
        assert departure.outbound is not None
        departure.attempt = Attempt(message=departure.message, reference=departure.outbound.reference)
        attempts.append(departure.attempt)
    Attempt.objects.bulk_create(attempts)
    return group


class Flight:
    """What one thread has sent off and not yet got back: POSTs and uploads on the background loop."""

    def __init__(self) -> None:
        self.out: set[Departure] = set()
        self.unsettled: list[Departure] = []
        self._back: queue.SimpleQueue[Departure] = queue.SimpleQueue()

    def __len__(self) -> int:
        return len(self.out) + len(self.unsettled)

    def launch(self, departures: Sequence[Departure]) -> None:
        """Send them off; call only with what is begun, or has a file to hand over."""
        if departures:
            self.out.update(departures)
            asyncio.run_coroutine_threadsafe(self._carry_all(departures), aio.loop())

    def landed(self, within: float) -> list[Departure]:
        """Those that are back, and those put back; waits up to `within` seconds for enough of them."""
        landed, self.unsettled = self.unsettled, []
        end = time.monotonic() + within
        while len(landed) < min(len(self.out), ENOUGH):
            try:
                landed.append(self._back.get(timeout=max(end - time.monotonic(), 0)))
            except queue.Empty:
                break
        while not self._back.empty():
            landed.append(self._back.get())
        self.out.difference_update(landed)
        return landed

    def put_back(self, departures: Sequence[Departure]) -> None:
        """Their outcome could not be stored: `landed` returns them again."""
        self.unsettled += departures

    async def _carry_all(self, departures: Sequence[Departure]) -> None:
        await asyncio.gather(*(self._carry(departure) for departure in departures))

    async def _carry(self, departure: Departure) -> None:
        try:
            if departure.outbound is None:
                await _hand_over(departure)
            else:
                await asyncio.sleep((departure.leaves_at - clock.real()).total_seconds())
                departure.external_id = await _send(departure)
        except ChannelError as error:
            departure.error = error
        except Exception as error:  # whatever happened, the request may have left
            log.exception("send failed", message=departure.message.pk)
            departure.error = ChannelError("unknown", "unanswered", type(error).__name__)
        finally:
            self._back.put(departure)


async def _send(departure: Departure) -> str:
    """POST it, unless this process was stopped for so long that others may have taken the message for lost."""
    assert departure.attempt is not None
    assert departure.outbound is not None
    if clock.real() > departure.attempt.started_at + LATEST:
        raise ChannelError("retry", "not_sent", "too late")
    return await departure.channel.send(departure.outbound)


async def _hand_over(departure: Departure) -> None:
    attachment, file = departure.attachment, departure.file
    assert attachment is not None
    assert file is not None
    with file:
        departure.media_id = await departure.channel.upload(
            file, mime_type=attachment.mime_type, filename=attachment.filename
        )
    departure.file = None
