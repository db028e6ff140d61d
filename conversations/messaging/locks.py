"""Locking in the one order that knows no deadlock: the conversation, then its message."""

from conversations.messaging.models import Conversation, Message


def lock_message(pk: int) -> Message:
    """The message as it is now, locked for this transaction after its conversation."""
    conversation = Message.objects.values_list("conversation", flat=True).get(pk=pk)
    list(Conversation.objects.select_for_update(no_key=True).filter(pk=conversation).values_list("pk"))
    rows = Message.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("conversation__inbox", "conversation__contact", "author", "inbox").get(pk=pk)
