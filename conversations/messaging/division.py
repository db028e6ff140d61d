"""Parting what was taken for one person: news of a changed number came after messages of the number's next owner."""

import datetime as dt

from django.db.models import Max

from conversations.messaging import events, summary, threads
from conversations.messaging.models import Attachment, Conversation, ConversationRead, Message, ParkedUpdate, Reaction
from crm.contacts.models import ChannelIdentity


def divide(kept: ChannelIdentity, heir: ChannelIdentity, since: dt.datetime) -> None:
    """What `kept` seemed to write and get from `since` on was the heir's: it moves to conversations of their own."""
    for source in threads.locked().filter(identity=kept).order_by("pk"):
        _divide(source, heir, since)
    for contact in (kept.contact, heir.contact):
        contact.last_inbound_at = summary.spoken(Message.objects.filter(conversation__contact=contact)).aggregate(
            at=Max("sort_at")
        )["at"]
        contact.save(update_fields=["last_inbound_at"])
    Message.objects.filter(sender=kept, sort_at__gte=since).update(sender=heir)
    Reaction.objects.filter(actor=str(kept.pk), reacted_at__gte=since).update(actor=str(heir.pk))
    for parked in ParkedUpdate.objects.filter(kind="reaction", payload__actor=str(kept.pk), applied_at=None):
        at = parked.payload["at"]
        if at and dt.datetime.fromisoformat(at) >= since:
            parked.payload["actor"] = str(heir.pk)
            parked.save(update_fields=["payload"])


def _divide(source: Conversation, heir: ChannelIdentity, since: dt.datetime) -> None:
    moving = source.messages.exclude(direction=Message.Direction.NOTE).filter(sort_at__gte=since)
    if not moving.exists():
        return
    target = threads.find_or_open(source.inbox, heir)
    count = summary.moved_count(moving, source)
    moved = Message.objects.filter(pk__in=list(moving.values_list("pk", flat=True)))
    moved.filter(reply_to__conversation=source).exclude(reply_to__in=moved).update(reply_to=None)
    source.messages.filter(reply_to__in=moved).exclude(pk__in=moved).update(reply_to=None)
    moved.update(conversation=target)
    Attachment.objects.filter(message__in=moved).update(conversation=target)
    summary.rebuild(target, count)
    summary.rebuild(source, source.inbound_count - count)
    ConversationRead.objects.filter(conversation=source, inbound_upto__gt=source.inbound_count).update(
        inbound_upto=source.inbound_count
    )
    for conversation in (source, target):
        conversation.version += 1
        conversation.save()
        events.announce(conversation, "conversation.updated", what=["contact", "messages", "window"])
