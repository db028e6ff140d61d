"""Files that could not be fetched, asked for again because somebody wants them now."""

import datetime as dt

from django.utils.translation import gettext as _

from conversations.messaging import deliveries, errors, events
from conversations.messaging.media import KEPT_BY_PROVIDER
from conversations.messaging.models import Attachment, Message
from crm.foundation import clock, work
from crm.foundation.retrying import in_transaction


def may_ask_again(attachment: Attachment, now: dt.datetime) -> bool:
    """Whether asking may help: it waits for its next try, or was given up while the provider may still keep it."""
    if attachment.state == Attachment.State.PENDING:
        return attachment.attempts_count > 0
    return attachment.state == Attachment.State.EXPIRED and now - attachment.created_at < KEPT_BY_PROVIDER


@in_transaction
def ask_again(attachment: Attachment) -> Message:
    """Put the file at the head of the queue; returns its message. Raises NotRetryable."""
    message = deliveries.locked_message(pk=attachment.message_id)
    row = Attachment.objects.select_for_update().get(pk=attachment.pk)
    if message is None or not may_ask_again(row, clock.now()):
        raise errors.NotRetryable(_("This file cannot be asked for again. Ask the person to send it once more."))
    now = clock.real()
    if row.state == Attachment.State.PENDING and row.next_attempt_at is not None and row.next_attempt_at <= now:
        return message  # its turn has come
    row.state, row.next_attempt_at = Attachment.State.PENDING, now
    row.save(update_fields=["state", "next_attempt_at"])
    message.version += 1
    message.save(update_fields=["version"])
    events.announce_message(message, "message.updated")
    work.ring("media")
    return message
