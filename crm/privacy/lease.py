"""Whose turn a request is: a lease that its worker renews with every step."""

import datetime as dt
import uuid
from typing import Any

from django.db.models import Q

from crm.foundation import clock
from crm.foundation.retrying import in_transaction
from crm.privacy.models import PrivacyRequest

LEASE = dt.timedelta(minutes=1)


class Lost(Exception):
    """Somebody else has taken the request over."""


@in_transaction
def claim() -> PrivacyRequest | None:
    """The oldest request that is to be worked on and that nobody works on."""
    free = Q(lease_until=None) | Q(lease_until__lt=clock.real())
    waiting = PrivacyRequest.objects.filter(free, state=PrivacyRequest.State.RUNNING).order_by("pk")
    row = waiting.select_for_update(of=("self",), skip_locked=True).first()
    if row is not None:
        row.lease_token, row.lease_until = uuid.uuid4().hex, clock.real() + LEASE
        row.save(update_fields=["lease_token", "lease_until"])
    return row


def advance(row: PrivacyRequest, **values: Any) -> None:
    """Say how far it is, in the transaction of the step; raises Lost."""
    mine = PrivacyRequest.objects.filter(pk=row.pk, lease_token=row.lease_token, state=PrivacyRequest.State.RUNNING)
    if not mine.update(**{"lease_until": clock.real() + LEASE} | values):
        raise Lost
    for name, value in values.items():
        setattr(row, name, value)


def let_go(row: PrivacyRequest, **values: Any) -> None:
    """Anybody's turn again, or nobody's any more."""
    mine = PrivacyRequest.objects.filter(pk=row.pk, lease_token=row.lease_token)
    mine.update(**{"lease_token": "", "lease_until": None} | values)
