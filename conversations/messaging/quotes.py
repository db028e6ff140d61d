"""Which message a message quotes: known by its wamid, or by the core of a wamid wrapped for another phone."""

from conversations.messaging import wamids
from conversations.messaging.models import Conversation, Message, MessageQuerySet

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


def link(message: Message) -> None:
    """Find what this message quotes, and let messages that quote it, and came first, find it."""
    if message.quoted_external_id:
        message.reply_to = find(message.conversation, message.quoted_external_id)
        if message.reply_to is not None:
            message.save(update_fields=["reply_to"])
    core = wamids.core(message.external_id or "")
    found = [
        pk
        for pk, quoted in _waiting(message.conversation).exclude(pk=message.pk).values_list("pk", "quoted_external_id")
        if quoted == message.external_id or (core and wamids.core(quoted) == core)
    ]
    Message.objects.filter(pk__in=found).update(reply_to=message)


def link_all(conversation: Conversation) -> None:
    """Try again all quotes of a conversation that has received messages of another one."""
    for message in _waiting(conversation):
        message.reply_to = find(conversation, message.quoted_external_id)
        if message.reply_to is not None:
            message.save(update_fields=["reply_to"])


def _waiting(conversation: Conversation) -> MessageQuerySet:
    return Message.objects.filter(conversation=conversation, reply_to=None).exclude(quoted_external_id="")
