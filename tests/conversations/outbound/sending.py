"""Short words for the tests of the way out."""

import datetime as dt

from conversations.channels.base import Text
from conversations.messaging import departures, outbound, outbox
from conversations.messaging.models import Conversation, Message
from crm.foundation import clock


def say(conversation, text="Hello", **options):
    """Queue a text."""
    content = options.pop("content", None) or Text(text)
    options = {"by": None, "origin": "api"} | options
    return outbound.compose(conversation, content=content, **options)[0]


def again(message):
    """The message as it is now."""
    return Message.objects.select_related("inbox", "conversation__inbox").get(pk=message.pk)


def send(*messages):
    """One round of the outbox; the messages as they are then (one: itself, several: a list)."""
    outbox.drain()
    fresh = [again(message) for message in messages]
    return fresh[0] if len(fresh) == 1 else fresh


def make_due(message):
    """Let the wait before the next try be over."""
    Message.objects.filter(pk=message.pk).update(next_attempt_at=clock.real() - dt.timedelta(seconds=1))
    Conversation.objects.filter(pk=message.conversation_id).update(next_send_at=None)


def begun(*messages):
    """Claimed messages on their way, their POST about to leave."""
    leaving = [departures.Departure(message, message.lease) for message in messages]
    for departure in leaving:
        departures.prepare(departure)
    return departures.begin(leaving)


def let_lease_expire(message):
    Message.objects.filter(pk=message.pk).update(lease_until=clock.real() - dt.timedelta(seconds=1))


def seconds_until(moment):
    return (moment - clock.real()).total_seconds()
