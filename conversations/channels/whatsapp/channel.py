"""WhatsApp as a channel: our dataclasses to Graph's JSON, Graph's errors to our kinds."""

from typing import IO, Any

from django.conf import settings

from conversations.channels.base import (
    Address,
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
from conversations.channels.whatsapp import codes
from conversations.graphapi.client import GraphClient, MediaInfo
from conversations.graphapi.errors import NotSent, Refused, Unanswered
from crm.foundation import aio
from crm.foundation.text import clean_text

TOO_MANY_REQUESTS = 429


class WhatsAppChannel:
    """Speaks for one WhatsApp number."""

    def __init__(self, address: Address) -> None:
        self.address = address

    async def send(self, message: OutboundMessage) -> str:
        """POST the message, return its wamid; raises ChannelError."""
        client = await self._client()
        try:
            return await client.send(body_of(message))
        except Refused as error:
            raise _refusal(error) from error
        except NotSent as error:
            raise ChannelError("retry", "not_sent", str(error)) from error
        except Unanswered as error:
            raise ChannelError("unknown", "unanswered", str(error)) from error

    async def upload(self, content: IO[bytes], *, mime_type: str, filename: str) -> str:
        """Upload media; nothing has reached the customer yet, so every failure but a refusal may be retried."""
        client = await self._client()
        try:
            return await client.upload(content, mime_type=mime_type, filename=filename)
        except Refused as error:
            raise _refusal(error) from error
        except (NotSent, Unanswered) as error:
            raise ChannelError("retry", "upload_failed", str(error)) from error

    async def media_info(self, media_id: str) -> MediaInfo:
        """Where the bytes of `media_id` are for the next five minutes; raises GraphError."""
        return await (await self._client()).media_info(media_id)

    async def download(self, url: str, *, limit: int) -> bytes:
        """The bytes; raises GraphError."""
        return await (await self._client()).download(url, limit=limit)

    async def mark_read(self, external_id: str, *, typing: bool) -> None:
        """Blue ticks (and the typing indicator) at the customer's; raises GraphError."""
        await (await self._client()).mark_read(external_id, typing=typing)

    async def _client(self) -> GraphClient:
        return GraphClient(
            await aio.session(),
            base_url=self.address.base_url,
            version=settings.GRAPH_VERSION,
            auth=self.address.auth,
            phone_number_id=self.address.phone_number_id,
        )


def _refusal(error: Refused) -> ChannelError:
    kind, details = codes.kind_of(error.code, error.http_status), clean_text(error.details)
    return ChannelError(
        kind, str(error.code), details, error.retry_after, is_rate_limit=error.http_status == TOO_MANY_REQUESTS
    )


def body_of(message: OutboundMessage) -> dict[str, Any]:
    """The JSON of POST /{phone}/messages; a phone number goes into `to`, a business-scoped user id into `recipient`."""
    body: dict[str, Any] = {"messaging_product": "whatsapp", "recipient_type": "individual"}
    body |= _recipient(message.person) | _content(message.content)
    if message.quoted_id and not isinstance(message.content, Reaction):
        body["context"] = {"message_id": message.quoted_id}
    body["biz_opaque_callback_data"] = message.reference
    return body


def _recipient(person: Person) -> dict[str, str]:
    return {"to": person.address} if person.address else {"recipient": person.user_id}


def _content(content: MessageContent) -> dict[str, Any]:
    match content:
        case Text(body):
            return {"type": "text", "text": {"body": body, "preview_url": False}}
        case Media(kind, media_id, caption, filename):
            part: dict[str, Any] = {"id": media_id}
            if caption and kind in ("image", "video", "document"):
                part["caption"] = caption
            if kind == "document" and filename:
                part["filename"] = filename
            if kind == "voice":
                return {"type": "audio", "audio": part | {"voice": True}}
            return {"type": kind, kind: part}
        case Location(latitude, longitude, name, address):
            place: dict[str, Any] = {"latitude": latitude, "longitude": longitude}
            if name:
                place["name"] = name
            if address:
                place["address"] = address
            return {"type": "location", "location": place}
        case Contacts(cards):
            return {"type": "contacts", "contacts": cards}
        case Reaction(target_id, emoji):
            return {"type": "reaction", "reaction": {"message_id": target_id, "emoji": emoji}}
        case Template(name, language, components):
            template: dict[str, Any] = {"name": name, "language": {"code": language}}
            if components:
                template["components"] = components
            return {"type": "template", "template": template}
        case Buttons(body, buttons):
            replies = [{"type": "reply", "reply": {"id": key, "title": title}} for key, title in buttons]
            return {
                "type": "interactive",
                "interactive": {"type": "button", "body": {"text": body}, "action": {"buttons": replies}},
            }
