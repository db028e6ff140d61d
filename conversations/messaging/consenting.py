"""Consent on the way out and back: whether a template may go to a person, and what WhatsApp tells of their wishes.

Only what the business starts is asked about: answers inside the service window always leave.
"""

import datetime as dt

from django.utils.translation import gettext as _

from conversations.inboxes.models import Inbox
from conversations.messaging.errors import ConsentMissing
from conversations.messaging.models import Message
from crm.consent import ledger
from crm.consent.models import ConsentEvent, Purpose, State
from crm.contacts.models import ChannelIdentity, Contact

STOPPED_AT_WHATSAPP = "131050"


def check(contact: Contact, *, purpose: str, origin: str) -> None:
    """Raise ConsentMissing unless a template for this purpose may go to the person now. `origin`: who sends."""
    if not _may(contact.pk, purpose, origin):
        raise ConsentMissing(
            _(
                "This person has not agreed to be written to for this, or has stopped it. If it is not marketing, say "
                "what it is for."
            )
        )


def may_leave(message: Message) -> bool:
    """The same, of a template about to be sent: much may have happened since it was written."""
    return _may(message.conversation.contact_id, message.payload.get("purpose", ""), message.author_kind)


def note_preference(inbox: Inbox, identity: ChannelIdentity, *, is_stop: bool, details: str, at: dt.datetime) -> None:
    """A person stopped, or allowed again, marketing messages in WhatsApp's own settings."""
    ledger.record(
        identity.contact,
        purpose=Purpose.MARKETING,
        state=State.WITHDRAWN if is_stop else State.GRANTED,
        source=ConsentEvent.Source.WHATSAPP,
        identity=identity,
        evidence={"phone_number_id": inbox.phone_number_id, "text": details},
        at=at,
    )


def note_refusal(message: Message) -> None:
    """WhatsApp did not deliver a message because the person has stopped marketing; of any other it notes nothing."""
    if message.status != Message.Status.FAILED or message.error_code != STOPPED_AT_WHATSAPP:
        return
    ledger.record(
        message.conversation.contact,
        purpose=Purpose.MARKETING,
        state=State.WITHDRAWN,
        source=ConsentEvent.Source.PROVIDER,
        identity=message.conversation.identity,
        evidence={"message": message.pk, "code": int(STOPPED_AT_WHATSAPP)},
        at=message.failed_at,
    )


def _may(contact: int, purpose: str, origin: str) -> bool:
    """A template that does not say what it is for is marketing if a campaign sends it; else it may go to everybody who
    has not stopped marketing.
    """
    if not purpose and origin == Message.Author.CAMPAIGN:
        purpose = Purpose.MARKETING
    wanted = ledger.allowed(purpose) if purpose else ledger.not_refused(Purpose.MARKETING)
    return Contact.objects.filter(wanted, pk=contact).exists()
