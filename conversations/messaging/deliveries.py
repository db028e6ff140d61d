"""What becomes of messages: statuses that only climb, reactions, edits, revocations; what comes too early is parked."""

import dataclasses
import datetime as dt
import hashlib
import uuid
from typing import Any

import orjson
from django.db.models import Exists, OuterRef

from conversations.channels.base import EditUpdate, Person, ReactionUpdate, RevokeUpdate, StatusUpdate
from conversations.channels.whatsapp import codes
from conversations.inboxes.models import Inbox
from conversations.messaging import events, previews, window
from conversations.messaging.models import Attempt, Message, ParkedUpdate, Reaction
from conversations.messaging.summary import US
from crm.foundation import clock
from crm.foundation.retrying import in_transaction

Applicable = StatusUpdate | ReactionUpdate | EditUpdate | RevokeUpdate
KINDS: dict[str, type[Applicable]] = {
    "status": StatusUpdate,
    "reaction": ReactionUpdate,
    "edit": EditUpdate,
    "revoke": RevokeUpdate,
}
# A failure reported later than this says nothing about the number's present state.
FRESH = dt.timedelta(minutes=10)
# A total order: what is higher replaces what is lower, so the order of arrival does not matter.
LADDER = {
    name: rank
    for rank, name in enumerate(
        ["queued", "claimed", "sending", "unknown", "accepted", "sent", "failed", "delivered", "read", "played"]
    )
}


def apply(inbox: Inbox, update: Applicable, actor: str = US) -> Message | None:
    """Apply an update to its message, or park it (None). `actor`: who reacted."""
    message = _target(inbox, update)
    if message is None:
        _park(inbox, update, actor)
        return None
    _apply(message, update, actor)
    return message


def apply_parked(message: Message) -> None:
    """Apply what waited for this message."""
    if not message.external_id:
        return
    waiting = ParkedUpdate.objects.filter(inbox=message.inbox_id, external_id=message.external_id, applied_at=None)
    for parked in waiting.select_for_update().order_by("pk"):
        update, actor = _unpack(parked)
        _apply(message, update, actor)
        parked.applied_at = clock.real()
        parked.save(update_fields=["applied_at"])


@in_transaction
def sweep_parked(limit: int = 50, *, since: dt.timedelta = dt.timedelta(hours=1)) -> int:
    """Apply updates parked within `since` whose message has appeared (both may have been written at one moment)."""
    known = Message.objects.filter(inbox=OuterRef("inbox"), external_id=OuterRef("external_id"))
    stuck = ParkedUpdate.objects.filter(Exists(known), applied_at=None, created_at__gte=clock.now() - since).order_by(
        "pk"
    )[:limit]
    targets = {(parked.inbox_id, parked.external_id) for parked in stuck}
    for inbox_id, external_id in targets:
        apply_parked(_locked().get(inbox=inbox_id, external_id=external_id))
    return len(targets)


def delete_parked(older_than: dt.timedelta, limit: int = 5000) -> int:
    """Delete updates parked longer ago, applied or not: their message will not come; returns how many."""
    old = ParkedUpdate.objects.filter(created_at__lt=clock.now() - older_than).order_by("pk")
    return ParkedUpdate.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()[0]


def _locked() -> Any:
    return Message.objects.select_for_update(of=("self",)).select_related(
        "conversation__inbox", "conversation__contact", "author", "inbox"
    )


def _target(inbox: Inbox, update: Applicable) -> Message | None:
    external_id = update.external_id if isinstance(update, StatusUpdate) else update.target_id
    message = _locked().filter(inbox=inbox, external_id=external_id).first()
    if message is None and isinstance(update, StatusUpdate):
        message = _by_attempt(inbox, update)
    return message


def _by_attempt(inbox: Inbox, update: StatusUpdate) -> Message | None:
    """The message whose attempt this status speaks of: by our reference, or by the id of an earlier attempt."""
    attempts = Attempt.objects.filter(message__inbox=inbox)
    attempt = None
    reference = _reference(update)
    if reference is not None:
        attempt = attempts.filter(reference=reference).first()
    attempt = attempt or attempts.filter(external_id=update.external_id).exclude(external_id="").first()
    if attempt is None:
        return None
    message: Message = _locked().get(pk=attempt.message_id)
    if attempt.pk == message.attempts.order_by("-pk").values_list("pk", flat=True)[0]:
        settle(message, attempt, update.external_id)
    return message


def settle(message: Message, attempt: Attempt, external_id: str) -> None:
    """The provider took this attempt under `external_id`: said by its answer, or by a status that came first."""
    attempt.outcome, attempt.external_id, attempt.finished_at = Attempt.Outcome.ACCEPTED, external_id, clock.real()
    attempt.save(update_fields=["outcome", "external_id", "finished_at"])
    if message.external_id is None and message.status in ("sending", "unknown"):
        message.external_id, message.status = external_id, Message.Status.ACCEPTED
        message.accepted_at = clock.now()
        message.error_code = message.error_details = ""
        message.lease = message.lease_until = None
        _changed(message)
        events.announce_status(message)


def _apply(message: Message, update: Applicable, actor: str) -> None:
    match update:
        case StatusUpdate():
            _apply_status(message, update)
        case ReactionUpdate():
            _apply_reaction(message, update, actor)
        case EditUpdate():
            _apply_edit(message, update)
        case RevokeUpdate():
            _apply_revoke(message, update)


def _apply_status(message: Message, update: StatusUpdate) -> None:
    if message.direction != Message.Direction.OUTBOUND or message.external_id != update.external_id:
        return  # about an attempt that a later one replaced
    before = (message.status, message.error_code)
    time_field = f"{update.status}_at"
    at, known_at = update.at or clock.now(), getattr(message, time_field)
    if known_at is None or at < known_at:
        setattr(message, time_field, at)
    if update.status == "failed" and getattr(message, time_field) == at:  # the first failure names the cause
        message.error_code = str(update.error_code if update.error_code is not None else "")
        message.error_details = update.error_details
    if update.pricing:
        message.pricing = message.pricing | update.pricing
    if is_higher(update.status, message.status):
        message.status = Message.Status(update.status)
    if (message.status, message.error_code) != before:
        if message.status == Message.Status.FAILED:
            _stop_number(message, at)
        _changed(message)
        events.announce_status(message)
    else:
        message.save()


def _stop_number(message: Message, at: dt.datetime) -> None:
    """Some failures that come later stop the whole number too (payment, restriction); old news do not."""
    if codes.kind_of_text(message.error_code) == codes.CIRCUIT and clock.now() - at < FRESH:
        message.inbox.open_circuit(message.error_code)


def is_higher(new: str, old: str) -> bool:
    """Whether `new` replaces `old`; a cancelled or received message keeps its status."""
    return old in LADDER and LADDER.get(new, -1) > LADDER[old]


def _apply_reaction(message: Message, update: ReactionUpdate, actor: str) -> None:
    at = update.at or clock.now()
    reaction, made = Reaction.objects.get_or_create(
        message=message, actor=actor, defaults={"emoji": update.emoji, "reacted_at": at}
    )
    if not made:
        if (reaction.reacted_at, reaction.emoji == "", reaction.emoji) >= (at, update.emoji == "", update.emoji):
            return
        reaction.emoji, reaction.reacted_at = update.emoji, at
        reaction.save(update_fields=["emoji", "reacted_at"])
    _changed(message)
    events.announce_message(message, "message.updated")
    conversation = message.conversation
    if actor != US and not conversation.is_group and window.open_window(conversation, update.at, clock.now()):
        window.store(conversation)
        events.announce(conversation, "conversation.updated", what=["window"])


def _apply_edit(message: Message, update: EditUpdate) -> None:
    at = update.at or clock.now()
    if message.edited_at is not None and (message.edited_at, message.text) >= (at, update.text):
        return
    if message.edited_at is None:
        message.original_text = message.text
    message.text, message.edited_at = update.text, at
    _changed(message)
    events.announce_message(message, "message.updated")


def _apply_revoke(message: Message, update: RevokeUpdate) -> None:
    if message.revoked_at is None:
        message.revoked_at = update.at or clock.now()
        _changed(message)
        events.announce_message(message, "message.updated")


def _changed(message: Message) -> None:
    message.version += 1
    message.save()
    previews.refresh(message)


def _reference(update: StatusUpdate) -> uuid.UUID | None:
    """Our own reference, if the status carries one: other systems may send from the same number with theirs."""
    try:
        return uuid.UUID(update.reference) if len(update.reference) == 36 else None
    except ValueError:
        return None


def _park(inbox: Inbox, update: Applicable, actor: str) -> None:
    kind = next(name for name, cls in KINDS.items() if isinstance(update, cls))
    payload = dataclasses.asdict(update)
    payload["at"] = update.at.isoformat() if update.at else None
    payload["actor"] = actor
    external_id = update.external_id if isinstance(update, StatusUpdate) else update.target_id
    key = hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()
    ParkedUpdate.objects.bulk_create(
        [ParkedUpdate(inbox=inbox, external_id=external_id, dedup_key=key, kind=kind, payload=payload)],
        ignore_conflicts=True,
    )


def _unpack(parked: ParkedUpdate) -> tuple[Applicable, str]:
    values = dict(parked.payload)
    actor = values.pop("actor")
    values["at"] = dt.datetime.fromisoformat(values["at"]) if values["at"] else parked.created_at
    values["person"] = Person(**values["person"])
    return KINDS[parked.kind](**values), actor
