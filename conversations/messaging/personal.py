"""What becomes of conversations and messages in a person's copy of their data and when they are erased."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from catalog.products.models import Product
from conversations.inboxes.models import AppSecret, Inbox, NumberCheck, WhatsAppAccount
from conversations.live.models import LiveHint, Seat
from conversations.messaging import media_store, summary
from conversations.messaging.models import (
    Attachment,
    Attempt,
    Conversation,
    ConversationEvent,
    ConversationPin,
    ConversationRead,
    ConversationTag,
    MediaAttempt,
    Message,
    ParkedUpdate,
    PortfolioUse,
    Reaction,
    ScheduledMessage,
    SendFence,
)
from crm.contacts.models import Contact
from crm.foundation import clock
from crm.privacy import processing, rules
from crm.privacy.person import Person
from crm.privacy.processing import Recipient

OF_MESSAGE = ("message__conversation__contact", "message__sender__contact")
HOW_WE_WORK = "how staff and the product work, not what is known of the person"
_WORK = frozenset({"priority", "lease", "lease_until", "next_attempt_at", "version", "client_id"})


def add() -> None:
    """Tell the rules of privacy what these tables need."""
    rules.at_once(stop_sending)
    processing.add_recipients(_whatsapp)
    rules.add(
        rules.linked(
            Conversation, "contact", section=_("Conversations"),
            without=frozenset({"identity", "version", "receipt_external_id", "receipt_is_typing", "next_send_at"}),
        ),
        rules.linked(
            Message, "conversation__contact", "sender__contact", section=_("Messages"), without=_WORK, erase=_messages
        ),
        rules.linked(
            Attachment, "conversation__contact", "message__sender__contact", section=_("Files in conversations"),
            files=("file",), erase=_with_bytes,
            without=frozenset({"rendition", "attempts_count", "next_attempt_at", "sound_tries", "sound_lease_until"}),
        ),
        rules.Rule(model=Reaction, ways=_reactions, section=_("Reactions")),
        rules.linked(ConversationEvent, "conversation__contact", section=_("What happened in conversations")),
        rules.linked(ConversationTag, "conversation__contact", section=_("Tags of conversations")),
        rules.linked(ScheduledMessage, "conversation__contact", section=_("Messages planned for later")),
        rules.linked(ConversationRead, "conversation__contact", why_not=HOW_WE_WORK),
        rules.linked(ConversationPin, "conversation__contact", why_not=HOW_WE_WORK),
        rules.linked(Attempt, *OF_MESSAGE, why_not="technical notes on sending; what became of it is with the message"),
        rules.linked(PortfolioUse, "identity__contact", why_not="a count of WhatsApp's limits, kept for two days"),
        rules.Sweep(
            model=ParkedUpdate, rows=lambda person: ParkedUpdate.objects.all(), take=_drop_parked,
            why_not="news of messages that are not there",
        ),
    )  # fmt: skip
    rules.impersonal(AppSecret, Inbox, NumberCheck, SendFence, WhatsAppAccount, because="the business's own numbers")
    rules.impersonal(Product, because="what the business sells")
    rules.impersonal(LiveHint, MediaAttempt, Seat, because="ids and times, no text")


def _whatsapp() -> list[Recipient]:
    """As long as a number of ours is connected."""
    if not WhatsAppAccount.objects.exists():
        return []
    return [Recipient("WhatsApp (Meta Platforms Ireland Ltd.)", str(_("Carries the messages")), "IE")]


def stop_sending(person: Person) -> None:
    """What waits to be sent to somebody who is being erased does not leave."""
    now = clock.now()
    waiting = (Message.Status.QUEUED, Message.Status.CLAIMED)
    Message.objects.filter(conversation__contact=person.pk, status__in=waiting).update(
        status=Message.Status.CANCELLED, cancelled_at=now, lease=None, lease_until=None
    )
    ScheduledMessage.objects.filter(conversation__contact=person.pk, state=ScheduledMessage.State.WAITING).update(
        state=ScheduledMessage.State.CANCELLED, settled_at=now
    )


def _reactions(person: Person) -> list[QuerySet[Reaction]]:
    """Those to their messages, and theirs to others'."""
    theirs = Reaction.objects.filter(actor__in=[str(pk) for pk in person.identities])
    return [*(Reaction.objects.filter(**{path: person.pk}) for path in OF_MESSAGE), theirs]


def _messages(rows: Sequence[Any]) -> None:
    """Where they wrote in a group, the group's preview shows what is there now."""
    rules.delete(rows)
    groups = Conversation.objects.filter(pk__in={row.conversation_id for row in rows}, contact__kind=Contact.Kind.GROUP)
    for conversation in groups.select_for_update(of=("self",)).order_by("pk"):
        summary.show_newest(conversation)
        conversation.save()


def _with_bytes(rows: Sequence[Any]) -> None:
    """The rows now, the bytes once that is certain."""
    rules.delete(rows)
    for row in rows:
        transaction.on_commit(lambda gone=row: media_store.delete_files(gone))  # type: ignore[misc]


def _drop_parked(row: ParkedUpdate, person: Person) -> bool:
    if not any(word in text for text in _texts(row.payload) for word in person.strong):
        return False
    row.delete()
    return True


def _texts(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for one in value.values() for text in _texts(one)]
        case list():
            return [text for one in value for text in _texts(one)]
    return []
