"""How often passwords, codes and links may be tried. A try is counted before it is looked at, and given back if it was
right: who tries a thousand times at once gets no further. Rows, so that all processes count together.
"""

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.crypto import salted_hmac

from crm.foundation import clock
from crm.staff.signin_models import Tries

FIVE_MINUTES, HOUR = 300, 3600


@dataclass(frozen=True)
class Limit:
    """At most `most` tries in `seconds`, beginning with the first."""

    name: str
    most: int
    seconds: int


# Passwords. Who has signed in with a browser before is counted by that browser alone: nobody else can use it up.
OWN_BROWSER = Limit("own browser", 5, FIVE_MINUTES)
PAIR = Limit("account and address", 5, FIVE_MINUTES)
STRANGERS = Limit("account, from unknown browsers", 50, HOUR)
ADDRESS = Limit("address", 100, FIVE_MINUTES)
# Codes of the second step, and the password when it is asked again.
CODES = Limit("code", 10, FIVE_MINUTES)
CODES_OF_AN_HOUR = Limit("codes of an hour", 30, HOUR)
# Requests for a link to choose a new password.
MAILS = Limit("mail", 3, HOUR)
MAILS_OF_ADDRESS = Limit("mails of address", 30, HOUR)

type Counted = tuple[Limit, str]


class TooManyTries(Exception):
    """Nothing was looked at; `wait` says for how many seconds that stays so."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"wait {wait} s")
        self.wait = wait


def count(*what: Counted) -> None:
    """Count one more try of each; raises TooManyTries, and then none is counted."""
    now = clock.real()
    limits = {_key(limit, key): limit for limit, key in what}
    new = [Tries(key=key, ends_at=now + dt.timedelta(seconds=limits[key].seconds)) for key in sorted(limits)]
    with transaction.atomic():
        Tries.objects.bulk_create(new, ignore_conflicts=True)
        rows = list(Tries.objects.select_for_update().filter(key__in=limits).order_by("key"))
        for row in rows:
            if row.ends_at <= now:
                row.count, row.ends_at = 0, now + dt.timedelta(seconds=limits[row.key].seconds)
        waits = [(row.ends_at - now).total_seconds() for row in rows if row.count >= limits[row.key].most]
        if waits:
            raise TooManyTries(max(1, math.ceil(max(waits))))
        for row in rows:
            row.count += 1
        Tries.objects.bulk_update(rows, ["count", "ends_at"])


def give_back(what: Iterable[Counted]) -> None:
    """These tries were right."""
    keys = [_key(limit, key) for limit, key in what]
    Tries.objects.filter(key__in=keys).update(count=Greatest(F("count") - 1, 0))


def forget(what: Iterable[Counted]) -> None:
    """Start again from nothing: the right password forgives the wrong ones."""
    Tries.objects.filter(key__in=[_key(limit, key) for limit, key in what]).delete()


def is_first(name: str, key: str, seconds: int) -> bool:
    """Whether this is seen for the first time in so many seconds: a code opens once, a fact is recorded once."""
    try:
        count((Limit(name, 1, seconds), key))
    except TooManyTries:
        return False
    return True


def _key(limit: Limit, key: str) -> str:
    return salted_hmac(f"crm.staff.lockout {limit.name}", key, algorithm="sha256").hexdigest()
