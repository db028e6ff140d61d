"""One item of a webhook: whose it is, and how it is applied when it is applied alone."""

import datetime as dt
from dataclasses import dataclass

from conversations.channels.base import (
    EditUpdate,
    IdentityChange,
    InboundMessage,
    OtherUpdate,
    PreferenceUpdate,
    ReactionUpdate,
    RevokeUpdate,
    StatusUpdate,
    Unparsed,
    Update,
)
from conversations.channels.registry import WHATSAPP
from conversations.inboxes.models import Inbox
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.messaging import consenting, deliveries, inbound, system, threads
from conversations.messaging.inbound import Arrival
from conversations.messaging.models import Message
from conversations.messaging.summary import SILENT_KINDS
from crm.contacts import identities
from crm.contacts.models import ChannelIdentity
from crm.contacts.sightings import Sighting
from crm.foundation import clock

CLOCKS_DIFFER = dt.timedelta(hours=1)
Outcome = EventItem.Outcome


class Quarantine(Exception):
    """This item must not be applied; the reason is for a manager."""


@dataclass(frozen=True)
class Landing:
    """Where an item landed; `asks`: it is a new message in which the person says something to us."""

    outcome: str
    message: Message | None = None
    reason: str = ""
    asks: bool = False


@dataclass
class Item:
    """An update with its place among the `count` of its event, and where it landed; `inbox` and `person` once found."""

    event: WebhookEvent
    position: int
    count: int
    update: Update
    landing: Landing | None = None
    inbox: Inbox | None = None
    person: ChannelIdentity | None = None

    @property
    def row(self) -> EventItem:
        """What is stored of it once it has landed."""
        assert self.landing is not None
        return EventItem(
            event=self.event,
            position=self.position,
            kind=kind_of(self.update),
            outcome=self.landing.outcome,
            message=self.landing.message,
            reason=self.landing.reason[:300],
        )


Inboxes = dict[str, Inbox]
"""The numbers of the accounts that signed, by phone_number_id."""


def inboxes_of(signer_ids: list[int]) -> Inboxes:
    """The numbers an event may speak of."""
    rows = Inbox.objects.filter(account__in=signer_ids).select_related("account")
    return {inbox.phone_number_id: inbox for inbox in rows}


def inbox_of(update: Update, inboxes: Inboxes) -> Inbox:
    """The number it came to; raises Quarantine unless its id and its WABA both belong to an account that signed."""
    inbox = inboxes.get(update.phone_number_id)
    if inbox is None:
        raise Quarantine("phone_number_id is unknown or belongs to an account that did not sign")
    if update.waba_id != inbox.account.waba_id:
        raise Quarantine("the entry's WABA is not the one of the phone_number_id")
    return inbox


def apply(update: Update, inboxes: Inboxes) -> Landing:
    """Hand one item to the feature that knows it; raises Quarantine."""
    match update:
        case Unparsed(reason=reason):
            raise Quarantine(reason)
        case OtherUpdate():
            return Landing(Outcome.STORED)
        case IdentityChange():
            return _change_identity(update, inboxes)
        case PreferenceUpdate():
            return _note_preference(update, inboxes)
    inbox = inbox_of(update, inboxes)
    match update:
        case InboundMessage():
            return _record(inbox, update)
        case StatusUpdate():
            if update.person.address and update.person.user_id:
                _join_if_known(inbox, update)
            message = deliveries.apply(inbox, update)
        case ReactionUpdate():
            message = deliveries.apply(
                inbox, update, deliveries.US if update.is_echo else str(_sender(inbox, update).pk)
            )
        case EditUpdate() | RevokeUpdate():
            message = deliveries.apply(inbox, update)
        case _:
            raise Quarantine(f"no place for {type(update).__name__}")
    return Landing(Outcome.APPLIED if message else Outcome.PARKED, message)


def landing_of(arrival: Arrival) -> Landing:
    """Where a message landed."""
    outcome = Outcome.RECORDED if arrival.is_new else Outcome.KNOWN
    return Landing(outcome, arrival.message, asks=arrival.is_new and arrival.speaks)


def sighting_of(update: InboundMessage | ReactionUpdate | StatusUpdate | PreferenceUpdate) -> Sighting:
    """The person an update speaks of."""
    person = update.person
    return Sighting(_at(update), person.user_id, person.address, person.profile_name, person.username)


def kind_of(update: Update) -> str:
    """What an item is, for managers: at most 60 characters."""
    match update:
        case InboundMessage(kind=kind) | OtherUpdate(kind=kind):
            return kind[:60]
        case StatusUpdate(status=status):
            return f"status:{status}"
        case PreferenceUpdate():
            return "user_preferences"
    return type(update).__name__.removesuffix("Update").lower()


def is_dormant(update: InboundMessage) -> bool:
    """Whether a message alone puts its conversation in no queue."""
    return update.is_history or update.kind in SILENT_KINDS


def _record(inbox: Inbox, update: InboundMessage) -> Landing:
    sender = _sender(inbox, update)
    identity = sender
    if update.group_id:
        identity = identities.resolve(
            f"{WHATSAPP}{identities.GROUP_SUFFIX}", scope=inbox.account.scope, user_id=update.group_id, at=_at(update)
        )
    conversation = threads.find_or_open(inbox, identity, is_dormant=is_dormant(update))
    arrival = Arrival(conversation, update, sender if update.group_id else None)
    inbound.record([arrival], inbound.find_known([arrival.key]))
    return landing_of(arrival)


def _sender(inbox: Inbox, update: InboundMessage | ReactionUpdate | StatusUpdate | PreferenceUpdate) -> ChannelIdentity:
    seen = sighting_of(update)
    return identities.resolve(
        WHATSAPP,
        scope=inbox.account.scope,
        at=seen.at,
        user_id=seen.user_id,
        address=seen.address,
        profile_name=seen.profile_name,
        username=seen.username,
    )


def _join_if_known(inbox: Inbox, update: StatusUpdate) -> None:
    """A status may be the first webhook that says which number and which user id belong together."""
    if identities.are_known(WHATSAPP, inbox.account.scope, [sighting_of(update).ids]):
        _sender(inbox, update)


def _note_preference(update: PreferenceUpdate, inboxes: Inboxes) -> Landing:
    inbox = inbox_of(update, inboxes)
    seen = _sender(inbox, update)
    consenting.note_preference(inbox, seen, is_stop=update.is_stop, details=update.details, at=_at(update))
    return Landing(Outcome.APPLIED)


def _change_identity(update: IdentityChange, inboxes: Inboxes) -> Landing:
    if update.phone_number_id:
        inbox = inbox_of(update, inboxes)
    else:
        of_waba = [one for one in inboxes.values() if one.account.waba_id == update.waba_id]
        if not of_waba:
            raise Quarantine("the entry's WABA belongs to no account that signed")
        inbox = of_waba[0]
    if update.at is None or update.at > clock.now() + CLOCKS_DIFFER:
        raise Quarantine("a change of number or id without a usable time")
    identity = identities.change(
        WHATSAPP, scope=inbox.account.scope, field=update.field, old=update.old, new=update.new, at=update.at
    )
    system.note_change(inbox, identity, update.field, at=update.at)
    return Landing(Outcome.APPLIED)


def _at(update: Update) -> dt.datetime:
    return inbound.sort_time(update.at, clock.now())
