"""One webhook message to one update: every type Meta documents, and a place for those it does not."""

from typing import Any

from conversations.channels.base import (
    EditUpdate,
    IdentityChange,
    InboundAttachment,
    InboundMessage,
    Person,
    ReactionUpdate,
    RevokeUpdate,
    Update,
)
from conversations.channels.whatsapp.reading import Envelope, as_dict, as_list, read_id, read_text
from crm.foundation import clock

MEDIA_TYPES = ("image", "video", "audio", "document", "sticker")
PLAIN_TYPES = ("location", "contacts", "order", "request_welcome", "ephemeral", "media_placeholder")
HISTORY_STATUS = {"ERROR": "failed", "SENT": "sent", "DELIVERED": "delivered", "READ": "read", "PLAYED": "played"}
BODY_MAX = 65_536


class MessageParser:
    """Reads the messages of one change; raises ValueError for what has no id or nobody to belong to."""

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope

    def message(self, item: dict[str, Any]) -> Update:
        """A message a person sent."""
        address, user_id = read_id(item.get("from"), 64), read_id(item.get("from_user_id"))
        if not address and not user_id and len(self.envelope.people) == 1:
            person = self.envelope.people[0]
        else:
            person = self.envelope.contact_of(address, user_id)
        return self._update(item, person)

    def echo(self, item: dict[str, Any]) -> Update:
        """A message the business wrote on its own phone: `to` is the person."""
        address, user_id = read_id(item.get("to"), 64), read_id(item.get("to_user_id"))
        return self._update(item, self.envelope.contact_of(address, user_id), is_echo=True)

    def history(self, item: dict[str, Any], address: str) -> Update:
        """A message from before the number was connected; from whoever is not the thread's person it is our own."""
        address, sender = read_id(address, 64), read_id(item.get("from"), 64)
        person = self.envelope.contact_of(address or sender, "")
        status = HISTORY_STATUS.get(read_text(as_dict(item.get("history_context")).get("status")).upper(), "")
        is_echo = bool(address) and sender != address
        return self._update(item, person, is_echo=is_echo, is_history=True, status=status)

    def history_media(self, item: dict[str, Any]) -> Update:
        """The media of a history message, sent after its placeholder: same id, `from` and `to` as in live messages."""
        sender = read_id(item.get("from"), 64)
        is_ours = bool(sender) and sender == bare_number(self.envelope.display_phone_number)
        return self.history(item, read_id(item.get("to"), 64) if is_ours else sender)

    def call(self, item: dict[str, Any]) -> Update:
        """A call event: one message per call and event, since a call by the person opens the window."""
        call_id, event = read_id(item.get("id"), 200), read_text(item.get("event") or item.get("status"), 40)
        if not call_id:
            raise ValueError("call without id")
        is_echo = read_text(item.get("direction")) == "BUSINESS_INITIATED"
        address = read_id(item.get("to" if is_echo else "from"), 64)
        user_id = read_id(item.get("to_user_id" if is_echo else "from_user_id"))
        person = self._known(self.envelope.contact_of(address, user_id))
        external_id = f"{call_id}:{event}" if event else call_id
        return self._message(item, external_id, person, "call", content=item, is_echo=is_echo)

    def _update(
        self, item: dict[str, Any], person: Person, *, is_echo: bool = False, is_history: bool = False, status: str = ""
    ) -> Update:
        external_id = read_id(item.get("id"))
        if not external_id:
            raise ValueError("message without id")
        kind = read_text(item.get("type"), 40) or "unknown"
        if kind == "system":
            return self._system(item, external_id, person)
        person = self._known(person)
        common: dict[str, Any] = {
            "external_id": external_id,
            "person": person,
            "at": clock.from_timestamp(item.get("timestamp")),
            "is_echo": is_echo,
            **self.envelope.ids,
        }
        if kind == "reaction":
            target = read_id(as_dict(item.get("reaction")).get("message_id"))
            if not target:
                raise ValueError("reaction to nothing")
            emoji = read_text(as_dict(item.get("reaction")).get("emoji"), 32)
            group_id = read_id(item.get("group_id"), 250)
            return ReactionUpdate(target_id=target, emoji=emoji, group_id=group_id, **common)
        if kind == "edit" and (target := read_id(as_dict(item.get("edit")).get("original_message_id"))):
            edited = as_dict(as_dict(item.get("edit")).get("message"))
            return EditUpdate(target_id=target, text=text_of(edited, type_of(edited)), **common)
        if kind == "revoke" and (target := read_id(as_dict(item.get("revoke")).get("original_message_id"))):
            return RevokeUpdate(target_id=target, **common)
        return self._message(item, external_id, person, kind, is_echo=is_echo, is_history=is_history, status=status)

    def _known(self, person: Person) -> Person:
        if not person.address and not person.user_id:
            raise ValueError("nobody to belong to")
        return person

    def _message(
        self, item: dict[str, Any], external_id: str, person: Person, kind: str, **extra: Any
    ) -> InboundMessage:
        context = as_dict(item.get("context"))
        stored_kind, content = kind_and_content(item, kind)
        return InboundMessage(
            external_id=external_id,
            person=person,
            kind=stored_kind,
            text=text_of(item, kind),
            content=extra.pop("content", content),
            attachment=attachment_of(item, kind),
            quoted_id=read_text(context.get("id"), 256),
            is_forwarded=bool(context.get("forwarded") or context.get("frequently_forwarded")),
            group_id=read_id(item.get("group_id"), 250),
            at=clock.from_timestamp(item.get("timestamp")),
            **extra,
            **self.envelope.ids,
        )

    def _system(self, item: dict[str, Any], external_id: str, person: Person) -> Update:
        system = as_dict(item.get("system"))
        kind = read_text(system.get("type"), 60)
        text, at = read_text(system.get("body"), 1000), clock.from_timestamp(item.get("timestamp"))
        change: dict[str, Any] = {"text": text, "at": at, "external_id": external_id, **self.envelope.ids}
        old, new = person.address, read_id(system.get("wa_id") or system.get("new_wa_id"), 64)
        if kind in ("user_changed_number", "customer_changed_number") and old and new and old != new:
            return IdentityChange(field="wa_id", old=old, new=new, **change)
        ids = as_dict(system.get("user_id"))
        old = read_id(ids.get("previous")) or person.user_id
        new = read_id(ids.get("current")) or read_id(system.get("user_id"))
        if kind == "user_changed_user_id" and old and new and old != new:
            return IdentityChange(field="user_id", old=old, new=new, **change)
        known = self._known(person)
        return InboundMessage(
            external_id=external_id, person=known, kind="system", text=text, content=system, at=at,
            **self.envelope.ids,
        )  # fmt: skip


def bare_number(number: str) -> str:
    """The ASCII digits of a number that may be written for people."""
    return "".join(char for char in number if char in "0123456789")


def type_of(item: dict[str, Any]) -> str:
    """The item's type; where it is missing, the one whose part the item has."""
    return read_text(item.get("type"), 40) or next((name for name in ("text", *MEDIA_TYPES) if name in item), "")


def kind_and_content(item: dict[str, Any], kind: str) -> tuple[str, dict[str, Any]]:
    """The kind we store and the part of the item that says more than its text."""
    content: dict[str, Any] = {}
    if kind == "interactive":
        inner = as_dict(item.get("interactive"))
        reply_type = read_text(inner.get("type"), 40)
        kind = {"nfm_reply": "flow_reply"}.get(reply_type, reply_type) or "unknown"
        content = as_dict(inner.get(reply_type))
    elif kind == "button":
        kind, content = "button_reply", as_dict(item.get("button"))
    elif kind == "audio":
        kind = "voice" if as_dict(item.get("audio")).get("voice") is True else "audio"
    elif kind == "contacts":
        content = {"contacts": [card for card in as_list(item.get("contacts")) if isinstance(card, dict)]}
    elif kind in PLAIN_TYPES:
        content = as_dict(item.get(kind))
    elif kind not in ("text", *MEDIA_TYPES):
        content = {key: value for key, value in item.items() if key not in ("id", "from", "timestamp", "context")}
    context = as_dict(item.get("context"))
    for name, part in (("referral", item.get("referral")), ("product", context.get("referred_product"))):
        if isinstance(part, dict) and part:
            content = content | {name: part}
    if context.get("frequently_forwarded"):
        content = content | {"frequently_forwarded": True}
    return kind, content


def text_of(item: dict[str, Any], kind: str) -> str:
    """What a person would read of the item: text, caption, button title, order note."""
    if kind == "text":
        return read_text(as_dict(item.get("text")).get("body"), BODY_MAX)
    if kind in MEDIA_TYPES:
        return read_text(as_dict(item.get(kind)).get("caption"), BODY_MAX)
    if kind == "button":
        return read_text(as_dict(item.get("button")).get("text"), 1000)
    if kind == "order":
        return read_text(as_dict(item.get("order")).get("text"), BODY_MAX)
    if kind == "interactive":
        inner = as_dict(item.get("interactive"))
        reply = as_dict(inner.get(read_text(inner.get("type"), 40)))
        return read_text(reply.get("title") or reply.get("body") or reply.get("name"), 1000)
    return ""


def attachment_of(item: dict[str, Any], kind: str) -> InboundAttachment | None:
    """The media of the item, None where it has none or no id."""
    media = as_dict(item.get(kind)) if kind in MEDIA_TYPES else {}
    media_id = read_text(media.get("id"), 256)
    if not media_id:
        return None
    return InboundAttachment(
        media_id=media_id,
        mime_type=read_text(media.get("mime_type"), 100),
        sha256=read_text(media.get("sha256"), 64),
        filename=read_text(media.get("filename"), 255),
    )
