"""What the app does when others announce something, on one screen: signal receivers, registrations, drains."""

from typing import Any

from django.db.models import Q
from django.dispatch import receiver

from conversations.ingest import housekeeping, pipeline
from conversations.messaging import media, outbox, receipts, threads
from conversations.messaging.models import Conversation
from crm.contacts import visibility
from crm.contacts.identities import identities_joined
from crm.contacts.models import ChannelIdentity
from crm.foundation import work
from crm.staff.models import User


@receiver(identities_joined)
def join_conversations(kept: ChannelIdentity, dropped: ChannelIdentity, **_: Any) -> None:
    """Two accounts turned out to be one person's: their conversations flow together."""
    threads.join_conversations(kept, dropped)


def contacts_of_visible_conversations(user: User) -> Q:
    """An agent sees the people of the conversations they see."""
    return Q(pk__in=Conversation.objects.visible_to(user).values("contact_id"))


visibility.register(contacts_of_visible_conversations)
work.register("pipeline", pipeline.drain)
work.register("outbox", outbox.drain)
work.register("media", media.drain)
work.register("receipts", receipts.drain)
work.register("housekeeping", housekeeping.drain)
