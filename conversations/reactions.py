"""Every signal receiver of the app, on one screen: what lower features announce and higher ones do about it."""

from typing import Any

from django.dispatch import receiver

from conversations.messaging import threads
from crm.contacts.identities import identities_joined
from crm.contacts.models import ChannelIdentity


@receiver(identities_joined)
def join_conversations(kept: ChannelIdentity, dropped: ChannelIdentity, **_: Any) -> None:
    """Two accounts turned out to be one person's: their conversations flow together."""
    threads.join_conversations(kept, dropped)
