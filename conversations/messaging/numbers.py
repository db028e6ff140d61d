"""What Meta says of our numbers is kept, and asked again by itself so that it does not grow old."""

import datetime as dt
import time
from typing import Any

from django.db import transaction
from django.db.models import Model, Q

from conversations.channels.whatsapp import limits
from conversations.graphapi.client import MESSAGING_LIMIT
from conversations.inboxes import checkup
from conversations.inboxes.models import Inbox, NumberCheck, WhatsAppAccount
from crm.audit import log
from crm.foundation import clock

NOT_AGAIN = dt.timedelta(seconds=5)
EVERY = dt.timedelta(days=1)
AFTER_TROUBLE = dt.timedelta(hours=1)  # where a part was not answered
LOOK_SECONDS = 300.0

_next_look = float("-inf")


def drain() -> bool:
    """Ask about one number that was asked about before, if the answer is a day old; look every LOOK_SECONDS."""
    global _next_look
    if time.monotonic() < _next_look:
        return False
    check = _due()
    if check is None:
        _next_look = time.monotonic() + LOOK_SECONDS
        return False
    # Of several workers one asks. If it dies, the next round is in an hour, or a day.
    if NumberCheck.objects.filter(pk=check.pk, asked_at=check.asked_at).update(asked_at=clock.real()):
        ask_meta(check.inbox)
    return True


def _due() -> NumberCheck | None:
    now = clock.real()
    is_old = Q(asked_at__lte=now - EVERY) | (Q(asked_at__lte=now - AFTER_TROUBLE) & ~Q(problems={}))
    return NumberCheck.objects.filter(is_old).select_related("inbox__account").order_by("asked_at", "pk").first()


def ask_meta(inbox: Inbox) -> NumberCheck:
    """Ask Graph, unless that was done a moment ago, and keep what concerns sending: number, throughput, limit. What
    that changes of what somebody entered is recorded with it.
    """
    known = getattr(inbox, "number_check", None)
    if known is not None and clock.real() - known.asked_at < NOT_AGAIN:
        return known
    check = checkup.ask(inbox)
    with transaction.atomic():
        if "number" in check.answers:
            told = limits.number_columns(check.answers["number"])
            _keep(Inbox, inbox.pk, {name: value for name, value in told.items() if value})
        if check.answers.get("limit", {}).get(MESSAGING_LIMIT):
            people = limits.people_per_day(check.answers["limit"][MESSAGING_LIMIT])
            _keep(WhatsAppAccount, inbox.account_id, {"messaging_limit": people})
    return check


def _keep(model: type[Model], pk: int, values: dict[str, Any]) -> None:
    row = model._base_manager.select_for_update(no_key=True).get(pk=pk)
    before = log.snapshot(row)
    for name, value in values.items():
        setattr(row, name, value)
    if log.changed(row, before):
        row.save(update_fields=list(values))
