"""The way out: claim queued messages, write an attempt, POST, settle. Nothing is ever sent twice by itself.

Two steps: `claimed` has a lease and falls back to `queued`; `sending` is committed just before the POST, and a lease
lost there becomes `unknown`, which only a status webhook or a person resolves. POSTs are carried by the background
loop, up to 50 at once; the drain's thread claims more as they come back and stores what has become of them.
"""

import threading
import time
from collections.abc import Sequence

from conversations.messaging import claiming, content, portfolio, settling
from conversations.messaging.departures import Departure, Flight, address_of, begin, prepare
from conversations.messaging.models import Message
from conversations.messaging.rates import BOT
from crm.foundation import clock, work

__all__ = ["address_of", "claim", "deliver", "drain", "recover"]

IN_FLIGHT = 50
# Programs and campaigns whose POSTs stall must not hold the answers of people.
BULK_IN_FLIGHT = 40
FILES_IN_FLIGHT = 4
ROUND_SECONDS = 8.0
# A round ends when nothing has left or come back for so long; what is still out is met again by the next one.
QUIET_SECONDS = 1.0
PULSE_SECONDS = 0.05
# How often the queue is looked into while something is out and nothing was found.
IDLE_SECONDS = 0.1
STOP_SECONDS = 1.5
RECOVERED_AT_ONCE = 50

_parked: dict[bool | None, list[Flight]] = {}
_lock = threading.Lock()


def drain(*, with_files: bool | None = None) -> bool:
    """One round of at most ten seconds: store what has come back since the last one, recover lost leases, then claim
    (only messages with, or without, files), send and settle as long as there is something; True if there may be more.
    Files have a drain of their own: a slow upload holds up no text.
    """
    flight = _resume(with_files)
    try:
        landed, is_stored = _land(flight, 0) if len(flight) else (0, True)
        if not is_stored:
            return False  # what is known of these sends must not become unknown
        recover()
        if not with_files:
            portfolio.release()
        return _fly(flight, with_files) or landed > 0
    finally:
        if len(flight):
            _park(flight, with_files)


def claim(limit: int, *, with_files: bool | None = None) -> list[Message]:
    """Take up to `limit` messages, the first unsent one of each conversation, by (priority, id)."""
    return [departure.message for departure in claiming.take(limit, with_files=with_files)]


def deliver(messages: Sequence[Message]) -> None:
    """Send claimed messages and wait until all have come back; every outcome is committed by the calling thread."""
    flight = Flight()
    _depart(flight, [Departure(message, message.lease) for message in messages if message.lease])
    while flight.out:
        _land(flight, PULSE_SECONDS)


def recover() -> int:
    """Give back claims whose worker is gone, and mark sends whose outcome it took with it as unknown."""
    now = clock.real()
    Message.objects.filter(status=Message.Status.CLAIMED, lease_until__lt=now).update(
        status=Message.Status.QUEUED, lease=None, lease_until=None
    )
    lost = Message.objects.filter(status=Message.Status.SENDING, lease_until__lt=now)
    keys = list(lost.values_list("pk", flat=True)[:RECOVERED_AT_ONCE])
    for pk in keys:
        settling.mark_unknown(pk)
    return len(keys)


def _fly(flight: Flight, with_files: bool | None) -> bool:
    worked = len(flight) > 0
    moved = started = time.monotonic()
    look_at = 0.0
    stop_at = started + ROUND_SECONDS + QUIET_SECONDS
    while (now := time.monotonic()) < stop_at:
        if look_at and work.answer("outbox_files" if with_files else "outbox"):
            look_at = 0.0
        if work.is_stopping():
            stop_at = min(stop_at, now + STOP_SECONDS)
        elif now >= look_at and now - started < ROUND_SECONDS and (free := _free(flight, with_files)):
            taken = claiming.take(free, bulk=_free_for_bulk(flight), with_files=with_files)
            if taken:
                _depart(flight, taken)
                worked, moved = True, now
                continue
            look_at = now + IDLE_SECONDS
        if not len(flight):
            return worked
        was_full = not (_free(flight, with_files) and _free_for_bulk(flight))
        landed, is_stored = _land(flight, PULSE_SECONDS)
        if not is_stored:
            return False  # the database is away: a pause
        if landed:
            moved = time.monotonic()
            look_at = 0.0 if was_full or not len(flight) else look_at
        elif now - moved > QUIET_SECONDS:
            return True
    return True


def _free(flight: Flight, with_files: bool | None) -> int:
    return max((FILES_IN_FLIGHT if with_files else IN_FLIGHT) - len(flight), 0)


def _free_for_bulk(flight: Flight) -> int:
    return max(BULK_IN_FLIGHT - sum(one.message.priority > BOT for one in flight.out), 0)


def _depart(flight: Flight, departures: Sequence[Departure]) -> None:
    """Put them together and send them off; what cannot leave is settled at once."""
    for departure in departures:
        prepare(departure)
    flight.launch([departure for departure in departures if departure.file is not None])
    flight.launch(begin([departure for departure in departures if departure.outbound is not None]))
    flight.put_back(settling.settle([departure for departure in departures if departure.error is not None]))


def _land(flight: Flight, within: float) -> tuple[int, bool]:
    """Store what has come back, and send off messages whose file has been handed over; how many came back, and
    whether the database has taken it.
    """
    landed = flight.landed(within)
    waiting = [departure for departure in landed if departure.media_id and departure.outbound is None]
    left = settling.settle([departure for departure in landed if departure not in waiting])
    flight.put_back(left)
    for departure in waiting:
        assert departure.attachment is not None
        content.note_handed_over(departure.attachment, departure.media_id)
    _depart(flight, waiting)
    return len(landed), not left


def _resume(with_files: bool | None) -> Flight:
    """What the last round of this kind has left in the air, or nothing."""
    with _lock:
        parked = _parked.get(with_files)
        return parked.pop() if parked else Flight()


def _park(flight: Flight, with_files: bool | None) -> None:
    with _lock:
        _parked.setdefault(with_files, []).append(flight)
