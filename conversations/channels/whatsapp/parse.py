"""From a webhook's JSON to updates: every entry, change, message and status; pure, tolerant, one bad item never hides
its neighbours.
"""

from collections.abc import Iterator
from typing import Any

from conversations.channels.base import (
    IdentityChange,
    OtherUpdate,
    Person,
    PreferenceUpdate,
    StatusUpdate,
    Unparsed,
    Update,
)
from conversations.channels.whatsapp.messages import MessageParser
from conversations.channels.whatsapp.reading import Envelope, as_dict, as_list, read_id, read_text
from crm.foundation import clock

STATUSES = ("sent", "delivered", "read", "played", "failed")


def parse(payload: Any) -> Iterator[Update]:
    """All updates of one webhook body; what cannot be read comes as Unparsed."""
    entries = payload.get("entry") if isinstance(payload, dict) else None
    if not isinstance(entries, list) or not entries:
        yield Unparsed(reason="no entry")
        return
    for entry in entries:
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            yield Unparsed(reason="entry without changes")
            continue
        if not changes:
            yield OtherUpdate(kind="empty")
        for change in changes:
            yield from _change(read_text(entry.get("id")), change)


def _change(waba_id: str, change: Any) -> Iterator[Update]:
    value = change.get("value") if isinstance(change, dict) else None
    if not isinstance(value, dict):
        yield Unparsed(reason="change without value", waba_id=waba_id)
        return
    field = read_text(change.get("field"))
    envelope = Envelope.of(waba_id, field, value)
    count = 0
    for update in _items(envelope, value):
        count += 1
        yield update
    if count == 0:
        kind = field or "unknown"
        if field == "messages":
            kind = "errors" if value.get("errors") else "empty"
        yield OtherUpdate(kind=kind, **envelope.ids)


def _items(envelope: Envelope, value: dict[str, Any]) -> Iterator[Update]:
    """Dispatch on what is in the value, not only on the field's name: Meta's own examples mix them."""
    parser = MessageParser(envelope)
    read = parser.history_media if envelope.field == "history" else parser.message
    for item in as_list(value.get("messages")):
        yield _guarded(envelope, item, read)
    for item in as_list(value.get("message_echoes")):
        yield _guarded(envelope, item, parser.echo)
    for chunk in as_list(value.get("history")):
        yield from _history(envelope, parser, chunk)
    for item in as_list(value.get("statuses")):
        yield _guarded(envelope, item, lambda status: _status(envelope, status))
    for item in as_list(value.get("calls")):
        yield _guarded(envelope, item, parser.call)
    if envelope.field == "user_preferences":
        for item in as_list(value.get("user_preferences")):
            yield _guarded(envelope, item, lambda preference: _preference(envelope, preference))
    if envelope.field == "user_id_update":
        for item in as_list(value.get("user_id_update")) or [value]:
            yield _guarded(envelope, item, lambda change: _user_id_update(envelope, change))


def _guarded(envelope: Envelope, item: Any, read: Any) -> Update:
    if not isinstance(item, dict):
        return Unparsed(reason="item is not an object", **envelope.ids)
    try:
        return read(item)
    except ValueError as error:
        return Unparsed(reason=str(error)[:200], **envelope.ids)


def _history(envelope: Envelope, parser: MessageParser, chunk: Any) -> Iterator[Update]:
    threads = as_list(chunk.get("threads")) if isinstance(chunk, dict) else []
    if not threads:  # the owner declined to share, or a chunk of only progress
        yield OtherUpdate(kind="history", **envelope.ids)
    for thread in threads:
        if not isinstance(thread, dict):
            yield Unparsed(reason="thread is not an object", **envelope.ids)
            continue
        address = read_text(thread.get("id"))
        for item in as_list(thread.get("messages")):
            yield _guarded(envelope, item, lambda message, to=address: parser.history(message, to))


def _status(envelope: Envelope, item: dict[str, Any]) -> Update:
    external_id, status = read_id(item.get("id")), read_text(item.get("status"), 40)
    if not external_id:
        raise ValueError("status without id")
    if status not in STATUSES or item.get("type") == "payment":
        return OtherUpdate(kind=f"status:{status or 'none'}"[:60], **envelope.ids)
    error = as_dict((as_list(item.get("errors")) or [{}])[0])
    code = error.get("code")
    address, user_id = read_id(item.get("recipient_id"), 64), read_id(item.get("recipient_user_id"))
    if item.get("recipient_type") == "group":
        address = user_id = ""
    contact = envelope.contact_of(address, user_id)
    return StatusUpdate(
        external_id=external_id,
        status=status,
        at=clock.from_timestamp(item.get("timestamp")),
        reference=read_text(item.get("biz_opaque_callback_data"), 512),
        person=Person(address=contact.address or address, user_id=contact.user_id or user_id),
        error_code=code if isinstance(code, int) and not isinstance(code, bool) and abs(code) < 2**31 else None,
        error_details=read_text(as_dict(error.get("error_data")).get("details") or error.get("title"), 500),
        pricing=as_dict(item.get("pricing")),
        **envelope.ids,
    )


def _user_id_update(envelope: Envelope, item: dict[str, Any]) -> Update:
    ids = as_dict(item.get("user_id"))
    old, new = read_id(ids.get("previous")), read_id(ids.get("current"))
    if not old or not new:
        raise ValueError("user_id_update without previous and current")
    if old == new:
        return OtherUpdate(kind=envelope.field, **envelope.ids)
    return IdentityChange(
        field="user_id", old=old, new=new, at=clock.from_timestamp(item.get("timestamp")), **envelope.ids
    )


def _preference(envelope: Envelope, item: dict[str, Any]) -> Update:
    """Whether a person wants marketing messages; other categories, and words we do not know, are only kept."""
    word, category = read_text(item.get("value"), 40).lower(), read_text(item.get("category"), 60)
    if word not in ("stop", "resume") or category != "marketing_messages":
        return OtherUpdate(kind=envelope.field, **envelope.ids)
    address, user_id = read_id(item.get("wa_id"), 64), read_id(item.get("user_id"))
    person = envelope.people[0] if len(envelope.people) == 1 else Person()
    if address or user_id:
        person = envelope.contact_of(address, user_id)
    if not person.address and not person.user_id:
        raise ValueError("a preference of nobody")
    return PreferenceUpdate(
        person=person,
        is_stop=word == "stop",
        details=read_text(item.get("detail"), 200),
        at=clock.from_timestamp(item.get("timestamp")),
        **envelope.ids,
    )
