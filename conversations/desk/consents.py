"""What a person allowed, for the panel: where they stand for each purpose, since when, and how we know."""

import datetime as dt
from dataclasses import dataclass

from django.utils.translation import gettext as _

from crm.consent import past
from crm.consent.models import Consent, Purpose, State
from crm.contacts.models import Contact

REASON_LONGEST = 300


@dataclass(frozen=True)
class Standing:
    """One purpose; `state` is "" for somebody who has said nothing of it."""

    purpose: str
    label: str
    state: str
    word: str
    since: dt.datetime | None
    proof: str
    by: str
    error: str = ""
    reason: str = ""

    @property
    def is_granted(self) -> bool:
        """Whether they said yes."""
        return self.state == State.GRANTED

    @property
    def is_withdrawn(self) -> bool:
        """Whether they said no."""
        return self.state == State.WITHDRAWN


def standings_of(contact: Contact, *, purpose: str = "", error: str = "", reason: str = "") -> list[Standing]:
    """Every purpose in its order; `error` and the `reason` that was written go to `purpose`. One query."""
    said = {row.purpose: row for row in Consent.objects.filter(contact=contact).select_related("event__by")}
    return [_standing(one, said.get(one), *((error, reason) if one == purpose else ("", ""))) for one in Purpose.values]


def _standing(purpose: str, said: Consent | None, error: str, reason: str) -> Standing:
    label = str(Purpose(purpose).label)
    if said is None:
        return Standing(purpose, label, "", _("Nothing said"), None, "", "", error, reason)
    by = said.event.by.name if said.event.by else ""
    word = str(State(said.state).label)
    return Standing(purpose, label, said.state, word, said.since, past.proof(said.event), by, error, reason)
