"""What a channel can do and the currency it trades in: frozen dataclasses, no database."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from conversations.graphapi.client import MediaInfo


@dataclass(frozen=True)
class Person:
    """Who wrote, as the channel knows them; at least one of `address` and `user_id`."""

    address: str = ""
    user_id: str = ""
    profile_name: str = ""
    username: str = ""


@dataclass(frozen=True)
class InboundAttachment:
    """Media of a message, still at the provider."""

    media_id: str
    mime_type: str = ""
    sha256: str = ""
    filename: str = ""


@dataclass(frozen=True, kw_only=True)
class Update:
    """One item of a webhook. `at` is the provider's time, None where it makes no sense."""

    phone_number_id: str = ""
    waba_id: str = ""
    at: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class InboundMessage(Update):
    """A message by a person; with `is_echo` by our own business's phone; with `is_history` from before we were here."""

    external_id: str
    person: Person
    kind: str
    text: str = ""
    content: dict[str, Any] = field(default_factory=dict)
    attachment: InboundAttachment | None = None
    quoted_id: str = ""
    is_forwarded: bool = False
    group_id: str = ""
    is_echo: bool = False
    is_history: bool = False
    status: str = ""


@dataclass(frozen=True, kw_only=True)
class ReactionUpdate(Update):
    """A reaction to `target_id`; an empty emoji removes it."""

    external_id: str
    person: Person
    target_id: str
    emoji: str
    group_id: str = ""
    is_echo: bool = False


@dataclass(frozen=True, kw_only=True)
class EditUpdate(Update):
    """New text for the message `target_id`."""

    external_id: str
    person: Person
    target_id: str
    text: str
    is_echo: bool = False


@dataclass(frozen=True, kw_only=True)
class RevokeUpdate(Update):
    """The message `target_id` was deleted by its author."""

    external_id: str
    person: Person
    target_id: str
    is_echo: bool = False


@dataclass(frozen=True, kw_only=True)
class StatusUpdate(Update):
    """What became of a message we sent."""

    external_id: str
    status: str
    reference: str = ""
    person: Person = Person()
    error_code: int | None = None
    error_details: str = ""
    pricing: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class IdentityChange(Update):
    """An account's number or id changed; `field` is wa_id or user_id."""

    external_id: str = ""
    field: str
    old: str
    new: str
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class PreferenceUpdate(Update):
    """A person stopped marketing messages in the channel's own settings, or takes them again."""

    person: Person
    is_stop: bool
    details: str = ""


@dataclass(frozen=True, kw_only=True)
class OtherUpdate(Update):
    """A webhook field kept for features that know it (templates, account, quality …)."""

    kind: str


@dataclass(frozen=True, kw_only=True)
class Unparsed(Update):
    """An item that cannot be read: goes to quarantine with its reason."""

    reason: str


# --- what we send ---


@dataclass(frozen=True)
class Text:
    body: str


@dataclass(frozen=True)
class Media:
    """An uploaded file; `media_id` is known once it has been uploaded to the provider."""

    kind: str
    media_id: str
    caption: str = ""
    filename: str = ""


@dataclass(frozen=True)
class Location:
    latitude: float
    longitude: float
    name: str = ""
    address: str = ""


@dataclass(frozen=True)
class Contacts:
    """Contact cards in WhatsApp's own shape."""

    cards: list[dict[str, Any]]


@dataclass(frozen=True)
class Reaction:
    """To the message with the provider's id `target_id`; an empty emoji removes."""

    target_id: str
    emoji: str


@dataclass(frozen=True)
class Template:
    """A message approved beforehand; `components` fill its blanks, in WhatsApp's own shape. `purpose`: what the sender
    says it is for (service, utility, marketing); the channel does not ask.
    """

    name: str
    language: str
    components: list[dict[str, Any]] = field(default_factory=list)
    purpose: str = ""


@dataclass(frozen=True)
class Buttons:
    """A question with buttons to answer it by: (id, title)."""

    body: str
    buttons: tuple[tuple[str, str], ...]


MessageContent = Text | Media | Location | Contacts | Reaction | Template | Buttons


@dataclass(frozen=True)
class OutboundMessage:
    """What goes out: to whom, what, in answer to what; `reference` comes back in its statuses."""

    person: Person
    content: MessageContent
    reference: str
    quoted_id: str = ""


class ChannelError(Exception):
    """A send that did not go through. `kind`: permanent, retry, circuit, opt_out or unknown; `retry_after` in seconds;
    `is_rate_limit`: the provider asks for fewer calls, whatever the code.
    """

    def __init__(
        self,
        kind: str,
        code: str,
        details: str = "",
        retry_after: float | None = None,
        *,
        is_rate_limit: bool = False,
    ) -> None:
        super().__init__(f"{kind} {code}")
        self.kind, self.code, self.details, self.retry_after = kind, code, details, retry_after
        self.is_rate_limit = is_rate_limit


@dataclass(frozen=True)
class Address:
    """Where and with what rights an inbox speaks; made from its models, without them."""

    base_url: str
    auth: tuple[str, str]
    phone_number_id: str


class Channel(Protocol):
    """A channel speaking for one inbox; its coroutines run on the background loop."""

    async def send(self, message: OutboundMessage) -> str:
        """Send and return the provider's id; raises ChannelError."""

    async def upload(self, content: IO[bytes], *, mime_type: str, filename: str) -> str:
        """Upload media, read while it is sent, and return its id; raises ChannelError."""

    async def media_info(self, media_id: str) -> MediaInfo:
        """Look up inbound media; raises GraphError."""

    async def download(self, url: str, *, limit: int) -> bytes:
        """Fetch inbound media; raises GraphError."""

    async def mark_read(self, external_id: str, *, typing: bool) -> None:
        """Tell the person that their message was read (and that somebody types); raises GraphError."""


ChannelFactory = Callable[[Address], Channel]
