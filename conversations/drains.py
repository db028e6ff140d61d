"""The app's background work, one drain per kind of waiting row, and who may see a contact."""

from django.db.models import Q

from conversations.ingest import housekeeping, pipeline
from conversations.messaging import media, outbox, receipts
from conversations.messaging.models import Conversation
from crm.contacts import visibility
from crm.foundation import work
from crm.staff.models import User


def contacts_of_visible_conversations(user: User) -> Q:
    """An agent sees the people of the conversations they see."""
    return Q(pk__in=Conversation.objects.visible_to(user).values("contact_id"))


visibility.register(contacts_of_visible_conversations)
work.register("pipeline", pipeline.drain)
work.register("outbox", outbox.drain)
work.register("media", media.drain)
work.register("receipts", receipts.drain)
work.register("housekeeping", housekeeping.drain)
