"""A stored message as the channel's currency; files are handed to the provider on the way."""

import datetime as dt
import uuid

from conversations.channels.base import (
    Channel,
    ChannelError,
    Contacts,
    Location,
    Media,
    MessageContent,
    OutboundMessage,
    Person,
    Reaction,
    Text,
)
from conversations.messaging.models import Attachment, Message
from crm.foundation import aio, clock

# Meta keeps an uploaded file for 30 days; a day less is safe.
HANDED_OVER_FOR = dt.timedelta(days=29)


def outbound(message: Message, channel: Channel) -> OutboundMessage:
    """What to send for a message of ours, with a fresh reference; raises ChannelError if its file cannot be handed
    over.
    """
    identity = message.conversation.identity
    return OutboundMessage(
        person=Person(address=identity.wa_id or "", user_id=identity.user_id or ""),
        content=_content(message, channel),
        reference=str(uuid.uuid4()),
        quoted_id=message.quoted_external_id,
    )


def _content(message: Message, channel: Channel) -> MessageContent:
    payload = message.payload
    match message.kind:
        case "text":
            return Text(message.text)
        case "location":
            return Location(
                payload["latitude"], payload["longitude"], payload.get("name", ""), payload.get("address", "")
            )
        case "contacts":
            return Contacts(payload["contacts"])
        case "reaction":
            return Reaction(payload["message_id"], payload["emoji"])
    attachment = next(iter(message.attachments.all()), None)
    if attachment is None:
        raise ChannelError("permanent", "file_missing")
    return Media(message.kind, _handed_over(attachment, channel), message.text, attachment.filename)


def _handed_over(attachment: Attachment, channel: Channel) -> str:
    """The provider's media id, uploading the file if it has none or an old one."""
    now = clock.real()
    if attachment.external_id and attachment.handed_over_at and now - attachment.handed_over_at < HANDED_OVER_FOR:
        return attachment.external_id
    try:
        with attachment.file.open("rb") as file:
            data = file.read()
    except (OSError, ValueError) as error:
        raise ChannelError("permanent", "file_missing", type(error).__name__) from error
    media_id = aio.run(channel.upload(data, mime_type=attachment.mime_type, filename=attachment.filename))
    attachment.external_id, attachment.handed_over_at = media_id, now
    attachment.save(update_fields=["external_id", "handed_over_at"])
    return media_id
