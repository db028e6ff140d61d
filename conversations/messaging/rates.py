"""How fast messages may leave: the timetable of a number, and the pace towards one person. Both are columns that all
workers book in (GCRA); here is the arithmetic.

A number's messages leave one by one, 1/rate apart. People's and bots' answers may be up to HORIZON early, so what
leaves in any one second is at most the rate and a fifth of it. A campaign's message takes 1.25 turns: it leaves the
other fifth free.
"""

import datetime as dt
from collections.abc import Iterable

AGENT, BOT, API, CAMPAIGN = range(4)
CAMPAIGN_SHARE = 0.8
# Turns are booked at most this far ahead: `sending` is committed that long before its POST, and no longer.
HORIZON = dt.timedelta(milliseconds=200)
# Meta lets one number send a person a message every six seconds, or up to 45 at once, paid back by waiting.
PAIR_INTERVAL = dt.timedelta(seconds=6)
PAIR_BURST = 45
PAIR_TOLERANCE = (PAIR_BURST - 1) * PAIR_INTERVAL


class Timetable:
    """The turns of one number from `now` on; booking moves `next_at`, which the caller stores."""

    def __init__(self, per_second: int, next_at: dt.datetime | None, now: dt.datetime) -> None:
        self.turn = dt.timedelta(seconds=1) / per_second
        self.now = now
        self.next_at = max(next_at or now, now)

    def has_room(self, priority: int) -> bool:
        """Whether booking is worth while: for those that are paced, half of the horizon is free again."""
        if priority <= BOT:
            return self.next_at <= self.now + 2 * HORIZON
        return self.next_at <= self.now + HORIZON / 2

    def book(self, priority: int) -> dt.datetime | None:
        """When the next message of this priority may leave; None if that is further away than HORIZON."""
        leaves_at = max(self.now, self.next_at - HORIZON if priority <= BOT else self.next_at)
        if leaves_at > self.now + HORIZON:
            return None
        self.next_at += self.turn / CAMPAIGN_SHARE if priority >= CAMPAIGN else self.turn
        return leaves_at

    def fitting(self, priorities: Iterable[int]) -> int:
        """How many messages, in this order, could be booked; books nothing."""
        next_at, count = self.next_at, 0
        for priority in priorities:
            if self.book(priority) is None:
                break
            count += 1
        self.next_at = next_at
        return count
