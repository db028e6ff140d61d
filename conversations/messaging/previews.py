"""What a list shows of a conversation's newest message, kept on the conversation."""

from conversations.messaging.models import Conversation, Message

PREVIEW_MAX = 200
FIELDS = (
    "last_message_id",
    "last_sort_at",
    "last_preview",
    "last_kind",
    "last_direction",
    "last_status",
    "last_author_name",
)


def show(conversation: Conversation, message: Message, *, force: bool = False) -> bool:
    """Make `message` the preview if it is the newest (notes never are); saves nothing, True if something changed."""
    if message.direction == Message.Direction.NOTE:
        return False
    last = conversation.last_sort_at
    older = last is not None and (message.sort_at, message.pk) < (last, conversation.last_message_id or 0)
    if older and not force:
        return False
    conversation.last_message_id = message.pk
    conversation.last_sort_at = message.sort_at
    conversation.last_preview = " ".join(message.text[: 2 * PREVIEW_MAX].split())[:PREVIEW_MAX]
    conversation.last_kind = "revoked" if message.revoked_at else message.kind
    conversation.last_direction = message.direction
    conversation.last_status = message.status if message.direction == Message.Direction.OUTBOUND else ""
    conversation.last_author_name = message.author.name if message.author else ""
    return True


def refresh(message: Message) -> None:
    """After a change of `message` (status, edit, revocation): renew the preview if it shows this message."""
    conversation = message.conversation
    if conversation.last_message_id == message.pk:
        show(conversation, message, force=True)
        Conversation.objects.filter(pk=conversation.pk, last_message_id=message.pk).update(
            **{name: getattr(conversation, name) for name in FIELDS}
        )
