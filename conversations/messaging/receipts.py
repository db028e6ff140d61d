"""Read marks and the typing indicator: one call at Meta, best effort, only for inboxes that send them."""

import asyncio

from conversations.channels.registry import WHATSAPP, channel_for
from conversations.graphapi.errors import GraphError
from conversations.inboxes.models import Inbox
from conversations.messaging import fence
from conversations.messaging.departures import address_of
from conversations.messaging.models import Conversation
from crm.foundation import aio
from crm.foundation.retrying import in_transaction

BATCH = 50


def drain() -> bool:
    """Send what is asked for; a call that fails is not repeated, the next one marks everything before it. Nothing
    leaves while the fence is up or the number cannot send.
    """
    asked = [] if fence.is_up() else _claim()
    if asked:
        aio.run(_send(asked))
    return bool(asked)


@in_transaction
def _claim() -> list[Conversation]:
    """Each asked for once, also with several workers."""
    waiting = Conversation.objects.exclude(receipt_external_id="").filter(
        inbox__in=Inbox.objects.sendable().values("pk")
    )
    locked = waiting.select_for_update(of=("self",), skip_locked=True, no_key=True)
    asked = list(locked.select_related("inbox__account").order_by("pk")[:BATCH])
    Conversation.objects.filter(pk__in=[one.pk for one in asked]).update(
        receipt_external_id="", receipt_is_typing=False
    )
    return asked


async def _send(conversations: list[Conversation]) -> None:
    await asyncio.gather(*(_mark(conversation) for conversation in conversations))


async def _mark(conversation: Conversation) -> None:
    channel = channel_for(WHATSAPP, address_of(conversation.inbox))
    try:
        await channel.mark_read(conversation.receipt_external_id, typing=conversation.receipt_is_typing)
    except GraphError:
        return
