"""Read marks and the typing indicator: one call at Meta, best effort, only for inboxes that send them."""

import asyncio

from conversations.channels.registry import WHATSAPP, channel_for
from conversations.graphapi.errors import GraphError
from conversations.messaging.models import Conversation
from conversations.messaging.outbox import address_of
from crm.foundation import aio

BATCH = 50


def drain() -> bool:
    """Send what is asked for; a call that fails is not repeated, the next one marks everything before it."""
    asked = list(
        Conversation.objects.exclude(receipt_external_id="").select_related("inbox__account").order_by("pk")[:BATCH]
    )
    for conversation in asked:
        Conversation.objects.filter(pk=conversation.pk, receipt_external_id=conversation.receipt_external_id).update(
            receipt_external_id="", receipt_is_typing=False
        )
    if asked:
        aio.run(_send(asked))
    return bool(asked)


async def _send(conversations: list[Conversation]) -> None:
    await asyncio.gather(*(_mark(conversation) for conversation in conversations))


async def _mark(conversation: Conversation) -> None:
    channel = channel_for(WHATSAPP, address_of(conversation.inbox))
    try:
        await channel.mark_read(conversation.receipt_external_id, typing=conversation.receipt_is_typing)
    except GraphError:
        return
