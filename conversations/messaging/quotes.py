"""Which message a message quotes: known by its wamid, or by the core of a wamid wrapped for another phone."""

from collections.abc import Sequence

from conversations.messaging import wamids
from conversations.messaging.models import Conversation, Message, MessageQuerySet
from crm.foundation.rows import update_rows

SEARCH = 1000


def find(conversation: Conversation, external_id: str) -> Message | None:
    """The message with this wamid in the conversation, or with the same core among its newest ones."""
    messages = Message.objects.filter(conversation=conversation)
    exact = messages.filter(external_id=external_id).first()
    core = wamids.core(external_id)
    if exact is not None or not core:
        return exact
    newest = messages.exclude(external_id=None).order_by("-pk").values_list("pk", "external_id")[:SEARCH]
    match = next((pk for pk, candidate in newest if wamids.core(candidate or "") == core), None)
    return messages.filter(pk=match).first() if match else None


def link(messages: Sequence[Message]) -> None:
    """Find what these new messages quote, and let messages that quote them, and came first, find them."""
    conversations = {message.conversation_id for message in messages}
    quoting = [message for message in messages if message.quoted_external_id]
    exact: dict[tuple[int, str | None], int] = {}
    if quoting:
        quoted = Message.objects.filter(
            conversation__in=conversations, external_id__in={message.quoted_external_id for message in quoting}
        )
        exact = {(row[0], row[1]): row[2] for row in quoted.values_list("conversation", "external_id", "pk")}
    for message in quoting:
        message.reply_to_id = exact.get((message.conversation_id, message.quoted_external_id))
        if message.reply_to_id is None:
            message.reply_to = find(message.conversation, message.quoted_external_id)
    update_rows([message for message in quoting if message.reply_to_id], ["reply_to"])
    _let_find(messages)


def _let_find(messages: Sequence[Message]) -> None:
    by_id = {(message.conversation_id, message.external_id): message for message in messages}
    by_core = {(message.conversation_id, wamids.core(message.external_id or "")): message for message in messages}
    waiting = Message.objects.filter(conversation__in={message.conversation_id for message in messages}, reply_to=None)
    found = []
    waiting = waiting.exclude(quoted_external_id="").only("pk", "conversation", "quoted_external_id")
    for row in waiting.order_by("-pk")[:SEARCH]:
        core = wamids.core(row.quoted_external_id)
        quoted = by_id.get((row.conversation_id, row.quoted_external_id))
        quoted = quoted or (by_core.get((row.conversation_id, core)) if core else None)
        if quoted is not None and quoted.pk != row.pk:
            row.reply_to = quoted
            found.append(row)
    update_rows(found, ["reply_to"])


def link_all(conversation: Conversation) -> None:
    """Try again all quotes of a conversation that has received messages of another one."""
    for message in _waiting(conversation):
        message.reply_to = find(conversation, message.quoted_external_id)
        if message.reply_to is not None:
            message.save(update_fields=["reply_to"])


def _waiting(conversation: Conversation) -> MessageQuerySet:
    return Message.objects.filter(conversation=conversation, reply_to=None).exclude(quoted_external_id="")
