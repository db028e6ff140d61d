"""Meta's messaging limit: how many different people a portfolio may write to outside their windows in 24 hours."""

import datetime as dt
from collections.abc import Sequence
from itertools import groupby

from django.db.models import Q

from conversations.inboxes.models import WhatsAppAccount
from conversations.messaging.models import Message, PortfolioUse
from conversations.messaging.rates import CAMPAIGN
from crm.foundation import clock

PERIOD = dt.timedelta(hours=24)
CODE = "portfolio_limit"
# What campaigns leave for service: a tenth, and what an office writes by hand in a day where the limit is small.
RESERVED_SHARE, RESERVED_LEAST = 0.1, 25


def admit(account: WhatsAppAccount, messages: Sequence[Message], now: dt.datetime) -> dict[int, dt.datetime]:
    """Count the people these messages are for, in this order; returns when to ask again for those the limit holds back.

    Call in the transaction that claims them. Other workers wait: the accounts of the portfolio are locked.
    """
    counted = [message for message in messages if _is_counted(message)]
    if not counted:
        return {}
    limit = _lock_limit(account)
    if limit is None:
        return {}
    scope = account.scope
    uses = PortfolioUse.objects.filter(scope=scope)
    uses.filter(used_at__lte=now - PERIOD).delete()
    people = {message.conversation.identity_id for message in counted}
    known = set(uses.filter(identity__in=people).values_list("identity", flat=True))
    uses.filter(identity__in=known).update(used_at=now)  # Meta counts a day from the last message, not the first
    used, fresh, refused = uses.count(), [], []
    for message in counted:
        person = message.conversation.identity_id
        if person in known:
            continue
        if used >= allowance(limit, message.priority):
            refused.append(message)
            continue
        used += 1
        known.add(person)
        fresh.append(PortfolioUse(scope=scope, identity_id=person, used_at=now))
    PortfolioUse.objects.bulk_create(fresh)
    return _ends(account, refused, used, limit, now) if refused else {}


def release() -> int:
    """Let go at once what the limit holds for people who have written since: it does not count any more."""
    held = Message.objects.filter(status=Message.Status.QUEUED, error_code=CODE, next_attempt_at__gt=clock.real())
    if not held.exists():  # as nearly always: the question below may look at every conversation
        return 0
    return held.filter(conversation__window_expires_at__gt=clock.now()).update(next_attempt_at=None)


def allowance(limit: int, priority: int) -> int:
    """How many people messages of this priority may bring the count to."""
    if priority < CAMPAIGN:
        return limit
    return max(limit - max(int(limit * RESERVED_SHARE), RESERVED_LEAST), 0)


def _is_counted(message: Message) -> bool:
    return message.kind == "template" and not message.conversation.window_is_open(clock.now())


def _lock_limit(account: WhatsAppAccount) -> int | None:
    """The portfolio's limit, its accounts locked; None if Meta has told none."""
    scope = account.scope
    accounts = WhatsAppAccount.objects.filter(Q(portfolio_id=scope) | Q(portfolio_id="", waba_id=scope))
    locked = accounts.select_for_update(no_key=True).order_by("pk").values_list("messaging_limit", flat=True)
    return min((limit for limit in locked if limit is not None), default=None)


def _ends(
    account: WhatsAppAccount, refused: Sequence[Message], used: int, limit: int, now: dt.datetime
) -> dict[int, dt.datetime]:
    """Each held message waits for an end of its own, or thousands would ask again at every one; what is held of a
    lower priority stands behind it.
    """
    scope = account.scope
    held = Message.objects.filter(
        Q(inbox__account__portfolio_id=scope) | Q(inbox__account__portfolio_id="", inbox__account__waba_id=scope),
        status=Message.Status.QUEUED,
        error_code=CODE,
        next_attempt_at__gt=now,
    )
    rows = PortfolioUse.objects.filter(scope=scope).order_by("used_at", "pk").values_list("used_at", flat=True)
    found: dict[int, dt.datetime] = {}
    for priority, group in groupby(refused, key=lambda message: message.priority):
        keys = [message.pk for message in group]
        ahead = held.filter(priority__lte=priority).count() + len(found)
        first = max(used - allowance(limit, priority), 0) + ahead
        ends = [used_at + PERIOD for used_at in rows[first : first + len(keys)]]
        ends += [now + PERIOD] * (len(keys) - len(ends))
        found |= zip(keys, ends, strict=True)
    return found
