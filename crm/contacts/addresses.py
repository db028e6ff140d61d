"""News of addresses that contacts have been given: whoever keeps lists of addresses looks them up at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.dispatch import Signal

from crm.contacts.models import Contact

addresses_given = Signal()
"""Sent inside the transaction with `given`: the saved contacts' new addresses."""


@dataclass(frozen=True)
class Given:
    """What a contact has been given: a number in any spelling, a user id, or both; "" for none."""

    contact: Contact
    number: str = ""
    user_id: str = ""


def tell(given: Iterable[Given]) -> None:
    """Say so, if there is anything to say."""
    news = [one for one in given if one.number or one.user_id]
    if news:
        addresses_given.send(Contact, given=news)
