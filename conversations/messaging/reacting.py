"""Our reactions that did not leave: the chip goes back to what the person really sees."""

from conversations.messaging import events
from conversations.messaging.models import Message, Reaction
from conversations.messaging.summary import US

GONE = (Message.Status.FAILED, Message.Status.CANCELLED)


def withdraw(message: Message) -> None:
    """A reaction of ours failed or was cancelled: its target shows the one before it again, or none. The conversation
    must be locked.
    """
    if message.kind != "reaction" or message.status not in GONE:
        return
    target_id, emoji = message.payload.get("message_id"), message.payload.get("emoji")
    chip = Reaction.objects.filter(
        message__inbox=message.inbox_id, message__external_id=target_id, actor=US, emoji=emoji
    ).first()
    if chip is None:  # something newer stands there
        return
    ours = Message.objects.filter(
        conversation=message.conversation_id, direction="out", kind="reaction", payload__message_id=target_id
    )
    standing = ours.exclude(status__in=GONE).exclude(pk=message.pk).order_by("-sort_at", "-pk").first()
    if standing is not None and standing.pk > message.pk:
        return
    chip.emoji = standing.payload.get("emoji", "") if standing is not None else ""
    chip.save(update_fields=["emoji"])
    target = Message.objects.select_for_update(of=("self",), no_key=True).get(pk=chip.message_id)
    target.version += 1
    target.save(update_fields=["version"])
    target.conversation = message.conversation
    events.announce_message(target, "message.updated")
