"""WhatsApp's side of a webhook: recorded bodies, bodies made to order, and everything they leave behind."""

import asyncio
import base64
import copy
import json
from pathlib import Path

from conversations.graphapi.signature import sign
from conversations.ingest import pipeline, receiver
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.messaging.models import Conversation, Message, ParkedUpdate
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation.secrets import seal
from tests.factories import AccountFactory, InboxFactory

PAYLOADS = Path(__file__).parent / "payloads"
WABA, PHONE, DISPLAY = "310000000000001", "320000000000001", "34910000001"
SECRET = "webhook-secret"
ANA, LUIS = "34600111222", "34600333444"
T0 = 1_790_000_000  # when the recorded bodies begin, seconds


def make_inbox(**fields):
    """The number that the recorded bodies are addressed to."""
    account = AccountFactory(waba_id=WABA, app_secret=SECRET)
    return InboxFactory(**{"account": account, "phone_number_id": PHONE, "display_phone_number": DISPLAY} | fields)


def names() -> list[str]:
    return sorted(path.stem for path in PAYLOADS.glob("*.json"))


def recorded(name: str) -> dict:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def item_of(body: dict) -> dict:
    """The one message, echo, status or call of a recorded body."""
    value = body["entry"][0]["changes"][0]["value"]
    return next(value[key][0] for key in ("messages", "message_echoes", "statuses", "calls") if key in value)


def wamid(core: str, wrapped_for: str = ANA) -> str:
    """A wamid as WhatsApp makes them: the message's own hexadecimal id, wrapped for a phone."""
    raw = b"\x1d" + wrapped_for.encode() + b"\x12\x18" + bytes([len(core)]) + core.encode() + b"\x00"
    return "wamid." + base64.b64encode(raw).decode()


def text(external_id, body="Hola", at=T0, sender=ANA, **more) -> dict:
    return {"from": sender, "id": external_id, "timestamp": str(at), "type": "text", "text": {"body": body}} | more


def reaction(external_id, target, emoji="👍", at=T0, sender=ANA) -> dict:
    part = {"message_id": target} | ({"emoji": emoji} if emoji is not None else {})
    return {"from": sender, "id": external_id, "timestamp": str(at), "type": "reaction", "reaction": part}


def number_change(old, new, at, external_id="") -> dict:
    part = {"body": "changed", "wa_id": new, "type": "user_changed_number"}
    return {"from": old, "id": external_id or f"sys.{old}.{at}", "timestamp": str(at), "type": "system", "system": part}


def status(external_id, state, at=T0, **more) -> dict:
    return {"id": external_id, "status": state, "timestamp": str(at)} | more


def person(wa_id=ANA, name="Ana Ruiz", **more) -> dict:
    return {"profile": {"name": name}, "wa_id": wa_id} | more


def change(field="messages", *, phone=PHONE, **value) -> dict:
    metadata = {"display_phone_number": DISPLAY, "phone_number_id": phone}
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata} | value}


def body(*changes, waba=WABA) -> dict:
    return {"object": "whatsapp_business_account", "entry": [{"id": waba, "changes": list(changes)}]}


def messages(*items, contacts=None, **more) -> dict:
    """A body of messages by one person (or by `contacts`)."""
    return body(change(messages=list(items), contacts=[person()] if contacts is None else contacts, **more))


def statuses(*items, **more) -> dict:
    return body(change(statuses=list(items), **more))


def user_id_update(old, new, at) -> dict:
    change_of_id = {"user_id": {"previous": old, "current": new}, "timestamp": str(at)}
    return body(change("user_id_update", user_id_update=[change_of_id]))


def store(inbox, raw) -> WebhookEvent:
    """A webhook as the batcher keeps it; `raw`: bytes, or a body."""
    data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return WebhookEvent.objects.create(sealed_body=seal(data), signer_ids=[inbox.account_id])


def arrive(inbox, *bodies) -> list[WebhookEvent]:
    """Let webhooks come in, one after the other, and be processed."""
    events = [store(inbox, one) for one in bodies]
    pipeline.process(events)
    for event in events:
        event.refresh_from_db()
    return events


def landings(event: WebhookEvent) -> list[tuple[str, str]]:
    return list(EventItem.objects.filter(event=event).order_by("position").values_list("kind", "outcome"))


async def call(body, method="POST", headers=None, query="", chunk=1 << 20):
    """One request straight into the ASGI route: (status, headers, body, how many chunks were read)."""
    chunks = [body[start : start + chunk] for start in range(0, len(body), chunk)] or [b""]
    read, sent = [], []

    async def receive():
        read.append(1)
        more = len(read) < len(chunks)
        return {"type": "http.request", "body": chunks[len(read) - 1], "more_body": more}

    async def send(message):
        sent.append(message)

    if headers is None:
        headers = [(b"x-hub-signature-256", sign(SECRET, body).encode())]
    scope = {
        "type": "http",
        "method": method,
        "path": receiver.PATH,
        "query_string": query.encode(),
        "headers": headers,
    }
    await receiver.receive_webhook(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"], len(read)


def ask(*args, **kwargs):
    return asyncio.run(call(*args, **kwargs))


def only_message() -> Message:
    return Message.objects.get()


def only_conversation() -> Conversation:
    return Conversation.objects.get()


def snapshot() -> list:
    """Everything that webhooks leave behind, without primary keys, versions and times of arrival."""
    keys = {str(one.pk): (one.channel, one.wa_id, one.user_id) for one in ChannelIdentity.objects.all()}
    contacts = [_contact(contact, keys) for contact in Contact.objects.all()]
    parked = ParkedUpdate.objects.filter(applied_at=None)
    waiting = [("parked", one.kind, one.external_id, _known(one.payload, keys)) for one in parked]
    return sorted(contacts, key=repr) + sorted(waiting, key=repr)


def _known(payload: dict, keys: dict) -> list:
    values = copy.deepcopy(payload)
    values["actor"] = keys.get(values["actor"], values["actor"])
    return sorted(values.items(), key=repr)


def _contact(contact, keys) -> dict:
    return {
        "contact": (contact.kind, contact.name, contact.phone, contact.last_inbound_at),
        "search": sorted(set(contact.search_text.split())),
        "identities": sorted((_identity(one) for one in contact.identities.all()), key=repr),
        "conversations": sorted((_conversation(one, keys) for one in contact.conversations.all()), key=repr),
    }


def _identity(identity) -> tuple:
    former = sorted(identity.former_values.values_list("field", "value", "until"))
    profile = (identity.profile_name, identity.username)
    return (identity.channel, identity.scope, identity.wa_id, identity.match_key, identity.user_id, profile, former)


SHOWN = ("status", "window_expires_at", "free_entry_expires_at", "inbound_count", "waiting_since")
LISTED = ("last_activity_at", "last_sort_at", "last_preview", "last_kind", "last_direction", "last_status")


def _conversation(conversation, keys) -> dict:
    thread = conversation.messages.order_by("sort_at", "external_id")
    last = conversation.messages.filter(pk=conversation.last_message_id).values_list("external_id", flat=True).first()
    facts = {name: getattr(conversation, name) for name in (*SHOWN, *LISTED)} | {"last": last}
    happened = conversation.events.exclude(external_id=None).values_list("kind", "created_at", "external_id")
    return {
        "inbox": conversation.inbox.phone_number_id,
        "identity": keys[str(conversation.identity_id)],
        "facts": facts,
        "events": sorted(happened),
        "messages": [_message(message, keys) for message in thread],
    }


PLAIN = [
    "external_id",
    "direction",
    "kind",
    "status",
    "text",
    "payload",
    "author_kind",
    "quoted_external_id",
    "is_forwarded",
    "original_text",
    "edited_at",
    "revoked_at",
    "provider_time",
    "sort_at",
    "sent_at",
    "delivered_at",
    "read_at",
    "played_at",
    "failed_at",
    "error_code",
    "error_details",
    "pricing",
]


def _message(message, keys) -> dict:
    files = message.attachments.values_list("kind", "filename", "mime_type", "sha256", "external_id", "conversation")
    return {name: getattr(message, name) for name in PLAIN} | {
        "sender": keys.get(str(message.sender_id)),
        "reply_to": message.reply_to and message.reply_to.external_id,
        "files": sorted((*rest, here == message.conversation_id) for *rest, here in files),
        "reactions": sorted(
            (
                (keys.get(actor, actor), emoji, at)
                for actor, emoji, at in message.reactions.values_list("actor", "emoji", "reacted_at")
            ),
            key=repr,
        ),
    }
