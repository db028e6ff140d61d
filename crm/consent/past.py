"""What consent adds to a contact's timeline: each word of the person, with its proof."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from crm.consent.models import ConsentEvent, State
from crm.contacts.models import Contact
from crm.contacts.timeline import Entry, Kind
from crm.staff.models import User


def sentence(event: ConsentEvent) -> str:
    """What happened, in the active language: "Marketing withdrawn"."""
    purpose = event.get_purpose_display()
    if event.state == State.GRANTED:
        return _("Consent given: %(purpose)s") % {"purpose": purpose}
    return _("Consent withdrawn: %(purpose)s") % {"purpose": purpose}


def proof(event: ConsentEvent) -> str:
    """How we know: the source, and what was said or shown."""
    said = event.evidence.get("reason") if event.source == ConsentEvent.Source.AGENT else event.evidence.get("text")
    parts = [event.get_source_display(), str(said or "")[:200], event.wording[:200]]
    return " · ".join(part for part in parts if part)


def _events(contact: Contact, user: User) -> QuerySet[ConsentEvent]:
    return ConsentEvent.objects.filter(contact=contact).select_related("by")


def _entries(events: Sequence[ConsentEvent]) -> list[Entry]:
    return [
        Entry(sentence(event), event.by.name if event.by else "", proof(event), icon="megaphone") for event in events
    ]


CONSENTS = Kind("consent", "consents", "at", _events, _entries)
