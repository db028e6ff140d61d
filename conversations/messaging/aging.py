"""How long messages and their files are kept: the classes of data that managers choose a time for."""

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from conversations.messaging import media_store, previews, summary
from conversations.messaging.models import Attachment, Conversation, Message
from crm.foundation import clock
from crm.privacy.retention import Rule, register

FILES_KEPT = dt.timedelta(days=180)


class Files(Rule):
    """The bytes go, the message says that there was a file."""

    def take(self, rows: QuerySet[Any]) -> None:
        """As if the provider had none any more."""
        for attachment in rows.select_for_update(of=("self",)):
            transaction.on_commit(lambda gone=attachment: media_store.delete_files(gone))  # type: ignore[misc]
        rows.update(state=Attachment.State.EXPIRED, file="", rendition="", peaks=[])


class Messages(Rule):
    """With their files, reactions and what we know of their sending."""

    def take(self, rows: QuerySet[Any]) -> None:
        """A conversation of which the newest goes has no preview any more."""
        for attachment in Attachment.objects.filter(message__in=rows):
            transaction.on_commit(lambda gone=attachment: media_store.delete_files(gone))  # type: ignore[misc]
        last = list(rows.values_list("pk", flat=True))
        rows.delete()
        for conversation in Conversation.objects.filter(last_message_id__in=last).select_for_update(of=("self",)):
            summary.show_newest(conversation)
            conversation.save(update_fields=previews.FIELDS)


RULES = (
    Files(
        gettext_noop("media"),
        lambda: Attachment.objects.filter(state=Attachment.State.STORED, message__isnull=False),
        "created_at",
        FILES_KEPT,
        clock.now,
        contact="conversation__contact",
    ),
    Messages(
        gettext_noop("messages"),
        Message.objects.all,
        "created_at",
        None,
        clock.now,
        in_order=True,
        contact="conversation__contact",
    ),
)


def add() -> None:
    """Tell the schedule."""
    register(*RULES)
