"""A stored message as the channel's currency, and its file on the way to the provider."""

import datetime as dt
import uuid
from typing import IO

from conversations.channels.base import (
    Buttons,
    ChannelError,
    Contacts,
    Location,
    Media,
    MessageContent,
    OutboundMessage,
    Person,
    Reaction,
    Template,
    Text,
)
from conversations.messaging.models import Attachment, Message
from crm.foundation import clock

# Meta keeps an uploaded file for 30 days; a day less is safe.
HANDED_OVER_FOR = dt.timedelta(days=29)
WITHOUT_FILE = ("text", "location", "contacts", "reaction", "template", "buttons")


def outbound(message: Message) -> OutboundMessage:
    """What to send for a message of ours whose file, if it has one, is with the provider; with a fresh reference.
    Raises ChannelError.
    """
    identity = message.conversation.identity
    return OutboundMessage(
        person=Person(address=identity.wa_id or "", user_id=identity.user_id or ""),
        content=_content(message),
        reference=str(uuid.uuid4()),
        quoted_id=message.quoted_external_id,
    )


def to_hand_over(message: Message) -> Attachment | None:
    """The file the provider must have before this message can leave; None if it has it, or there is none."""
    if message.kind in WITHOUT_FILE:
        return None
    attachment = next(iter(message.attachments.all()), None)
    if attachment is None or not attachment.external_id or not attachment.handed_over_at:
        return attachment
    return attachment if clock.real() - attachment.handed_over_at >= HANDED_OVER_FOR else None


def open_file(attachment: Attachment) -> IO[bytes]:
    """The bytes, to be read while they are sent; raises ChannelError if they are gone."""
    try:
        file = attachment.file.storage.open(attachment.file.name or "", "rb").file
    except (OSError, ValueError) as error:
        raise ChannelError("permanent", "file_missing", type(error).__name__) from error
    assert file is not None
    return file


def note_handed_over(attachment: Attachment, media_id: str) -> None:
    """The provider has the file under `media_id`."""
    attachment.external_id, attachment.handed_over_at = media_id, clock.real()
    attachment.save(update_fields=["external_id", "handed_over_at"])


def _content(message: Message) -> MessageContent:
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
        case "template":
            return Template(payload["name"], payload["language"], payload["components"])
        case "buttons":
            return Buttons(message.text, tuple((one["id"], one["title"]) for one in payload["buttons"]))
    attachment = next(iter(message.attachments.all()), None)
    if attachment is None:
        raise ChannelError("permanent", "file_missing")
    return Media(message.kind, attachment.external_id, message.text, attachment.filename)
