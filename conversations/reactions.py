"""What the app does when others announce something, on one screen: signal receivers, registrations, drains."""

import datetime as dt
import functools
from typing import Any

from django.db import connection
from django.db.models import Q
from django.db.models.signals import post_migrate
from django.dispatch import receiver
from django.utils.translation import gettext_lazy

from conversations.desk import past, saved_views
from conversations.desk import personal as personal_at_the_desk
from conversations.ingest import housekeeping, pipeline, retention
from conversations.ingest import personal as personal_in_webhooks
from conversations.messaging import (
    aging,
    division,
    events,
    fence,
    media,
    numbers,
    outbox,
    personal,
    receipts,
    schedule,
    segment_fields,
    snoozing,
    sound,
    threads,
)
from conversations.messaging.models import Conversation
from crm.consent.ledger import consent_changed
from crm.contacts import timeline, visibility
from crm.contacts.identities import identities_joined, identity_divided
from crm.contacts.models import ChannelIdentity, Contact, Tag
from crm.contacts.profile import contact_changed
from crm.contacts.tagging import tags_merged
from crm.foundation import work
from crm.staff import roles
from crm.staff.models import User


@receiver(identities_joined)
def join_conversations(kept: ChannelIdentity, dropped: ChannelIdentity, **_: Any) -> None:
    """Two accounts turned out to be one person's: their conversations flow together."""
    threads.join_conversations(kept, dropped)


@receiver(identity_divided)
def divide_conversations(kept: ChannelIdentity, heir: ChannelIdentity, since: dt.datetime, **_: Any) -> None:
    """What was taken for one person was two, one after the other: each gets their own conversations."""
    division.divide(kept, heir, since)


@receiver(tags_merged)
def ask_for_the_other_tag(kept: Tag, dropped: Tag, **_: Any) -> None:
    """Saved views name tags by their ids."""
    saved_views.retag(dropped.pk, kept.pk)


@receiver(contact_changed)
def tell_about_the_contact(contact: Contact, **_: Any) -> None:
    """Browsers that show a conversation of this contact fetch its new name."""
    for conversation in contact.conversations.all():
        events.announce(conversation, "conversation.updated", what=["contact"])


@receiver(consent_changed)
def tell_about_consent(**said: Any) -> None:
    """Browsers that show a conversation of these contacts fetch where they stand."""
    contacts = {event.contact_id for event in said["events"]}
    for conversation in Conversation.objects.filter(contact__in=contacts):
        events.announce(conversation, "conversation.updated", what=["contact"])


@receiver(post_migrate)
def write_the_roles(sender: Any, **_: Any) -> None:
    """Once the permissions of all apps are there (this is the last of them), the groups get theirs, and members."""
    if sender.label != "conversations" or User._meta.db_table not in connection.introspection.table_names():
        return  # the latter: all was taken back
    roles.write_groups()
    roles.join_groups()


def contacts_of_visible_conversations(user: User) -> Q:
    """An agent sees the people of the conversations they see."""
    return Q(pk__in=Conversation.objects.visible_to(user).values("contact_id"))


visibility.register(contacts_of_visible_conversations)
timeline.register(*past.CONVERSATIONS, group="conversations", label=gettext_lazy("Conversations"))
timeline.register(*past.NOTES)
segment_fields.add()
personal.add()
personal_in_webhooks.add()
personal_at_the_desk.add()
retention.add()
aging.add()
work.before_first_round(fence.check_at_start)
work.register("pipeline", pipeline.drain)
work.register("outbox", functools.partial(outbox.drain, with_files=False))
work.register("outbox_files", functools.partial(outbox.drain, with_files=True))
work.register("media", media.drain)
work.register("receipts", receipts.drain)
work.register("schedule", schedule.drain)
work.register("sound", sound.drain)
work.register("snoozing", snoozing.drain)
work.register("housekeeping", housekeeping.drain)
work.register("numbers", numbers.drain)
