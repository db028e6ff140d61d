"""What becomes of messages: statuses that only climb, reactions, edits, revocations; what comes too early is parked."""

import dataclasses
import datetime as dt
import enum
import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef, Q

from conversations.channels.base import EditUpdate, Person, ReactionUpdate, RevokeUpdate, StatusUpdate
from conversations.channels.whatsapp import codes
from conversations.inboxes.models import Inbox
from conversations.messaging import consenting, events, previews, reacting, window
from conversations.messaging.models import Attempt, Conversation, Message, ParkedUpdate, Reaction
from conversations.messaging.summary import US
from crm.foundation import clock
from crm.foundation.retrying import in_transaction
from crm.foundation.rows import update_rows

log = structlog.get_logger(__name__)

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

SETTLED_BY_HAND = (Message.Status.DELIVERED, Message.Status.FAILED)

STATUS_FIELDS = (
    *("status", "error_code", "error_details", "pricing", "version"),
    *("sent_at", "delivered_at", "read_at", "played_at", "failed_at"),
)


class Parked(enum.Enum):
    """Where a status landed whose message is not known yet."""

    PARKED = "parked"


PARKED = Parked.PARKED


def apply(inbox: Inbox, update: Applicable, actor: str = US) -> Message | None:
    """Apply an update to its message, or park it (None). `actor`: who reacted."""
    message = _target(inbox, update)
    if message is None:
        _park([(inbox, update, actor)])
        return None
    _apply(message, update, actor)
    return message


def apply_together(
    statuses: Sequence[tuple[Inbox, StatusUpdate]], conversations: Mapping[int, Conversation]
) -> list[Message | Parked | None]:
    """The messages of many statuses, in their order; PARKED where the message is not known yet, None where `apply`
    must look closer. `conversations`: the locked ones, by primary key.
    """
    wanted = Q(pk__in=())
    for inbox, update in statuses:
        wanted |= Q(inbox=inbox, external_id=update.external_id)
    rows = Message.objects.select_for_update(of=("self",), no_key=True).select_related("author", "inbox")
    known = {(row.inbox_id, row.external_id): row for row in rows.filter(wanted).order_by("pk")}
    ours = _references_and_ids([update for inbox, update in statuses if (inbox.pk, update.external_id) not in known])
    landed: list[Message | Parked | None] = []
    versions = {row.pk: row.version for row in known.values()}
    changed: dict[int, Message] = {}
    for inbox, update in statuses:
        message = known.get((inbox.pk, update.external_id))
        if message is None:
            landed.append(None if ours.intersection((update.external_id, _reference(update))) else PARKED)
        elif message.conversation_id not in conversations:
            landed.append(None)
        else:
            message.conversation = conversations[message.conversation_id]
            if _climb(message, update):
                changed[message.pk] = message
            landed.append(message)
    _save_statuses(changed.values(), versions)
    shown = [row.conversation for row in changed.values() if row.conversation.last_message_id == row.pk]
    update_rows(shown, previews.FIELDS)
    _park([(inbox, update, US) for (inbox, update), at in zip(statuses, landed, strict=True) if at is PARKED])
    return landed


def conversations_of(statuses: Sequence[tuple[Inbox, StatusUpdate]]) -> set[int]:
    """Whose messages these statuses speak of (primary keys), as far as known."""
    wanted = Q(pk__in=())
    for inbox, update in statuses:
        wanted |= Q(inbox=inbox, external_id=update.external_id)
    return set(Message.objects.filter(wanted).values_list("conversation", flat=True))


def apply_parked(*messages: Message) -> int:
    """Apply what waited for these messages; returns how many updates. One that cannot be applied waits on."""
    count = 0
    for inbox_id in {message.inbox_id for message in messages}:
        mine = {message.external_id: message for message in messages if message.inbox_id == inbox_id}
        waiting = ParkedUpdate.objects.filter(inbox=inbox_id, external_id__in=[one for one in mine if one])
        for parked in waiting.filter(applied_at=None).select_for_update().order_by("pk"):
            count += _apply_one_parked(mine[parked.external_id], parked)
    return count


def _apply_one_parked(message: Message, parked: ParkedUpdate) -> bool:
    try:
        with transaction.atomic():
            update, actor = _unpack(parked)
            _apply(message, update, actor)
            parked.applied_at = clock.real()
            parked.save(update_fields=["applied_at"])
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 (it must hold up neither its message nor its neighbours)
        log.error("parked update not applied", parked=parked.pk, error=type(error).__name__)
        return False
    return True


def sweep_parked(limit: int = 50, *, since: dt.timedelta = dt.timedelta(hours=1)) -> int:
    """Apply updates parked within `since` whose message has appeared (both may have been written at one moment)."""
    known = Message.objects.filter(inbox=OuterRef("inbox"), external_id=OuterRef("external_id"))
    stuck = ParkedUpdate.objects.filter(Exists(known), applied_at=None, created_at__gte=clock.now() - since)
    targets = dict.fromkeys(stuck.order_by("created_at").values_list("inbox", "external_id")[:limit])
    return sum(sweep_one(*target) for target in targets)


@in_transaction
def sweep_one(inbox_id: int, external_id: str) -> int:
    """Apply what waits for one message; returns how many updates, 0 if the message has not come."""
    message = locked_message(inbox=inbox_id, external_id=external_id)
    return apply_parked(message) if message is not None else 0


def locked_message(**lookup: Any) -> Message | None:
    """One message with its conversation, both locked, the conversation first; None if there is none, or no more."""
    found = Message.objects.filter(**lookup).values_list("pk", "conversation").first()
    if found is None:
        return None
    pk, conversation_id = found
    list(Conversation.objects.select_for_update(no_key=True).filter(pk=conversation_id).values_list("pk"))
    rows = Message.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("conversation__inbox", "conversation__contact", "author", "inbox").filter(pk=pk).first()


def _target(inbox: Inbox, update: Applicable) -> Message | None:
    external_id = update.external_id if isinstance(update, StatusUpdate) else update.target_id
    message = locked_message(inbox=inbox, external_id=external_id)
    if message is None and isinstance(update, StatusUpdate):
        message = _by_attempt(inbox, update)
    return message


def _references_and_ids(updates: Sequence[StatusUpdate]) -> set[Any]:
    """Which of the references and ids in these statuses belong to attempts of ours."""
    if not updates:
        return set()
    references = {reference for update in updates if (reference := _reference(update)) is not None}
    by_reference = Attempt.objects.filter(reference__in=references).values_list("reference", flat=True)
    by_id = Attempt.objects.filter(external_id__in={update.external_id for update in updates})
    return {*(by_reference if references else ()), *by_id.values_list("external_id", flat=True)}


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
    message = locked_message(pk=attempt.message_id)
    if message is not None and attempt.pk == message.attempts.order_by("-pk").values_list("pk", flat=True)[0]:
        settle(message, attempt, update.external_id)
    return message


def settle(message: Message, attempt: Attempt, external_id: str) -> None:
    """The provider took this attempt under `external_id`: said by its answer, or by a status that came first."""
    attempt.outcome, attempt.external_id, attempt.finished_at = Attempt.Outcome.ACCEPTED, external_id, clock.real()
    attempt.save(update_fields=["outcome", "external_id", "finished_at"])
    if message.external_id is None and message.status in SETTLED_BY_HAND:
        message.external_id = external_id  # what a person said stands until a status says more
        _changed(message)
    elif message.external_id is None and message.status in ("sending", "unknown"):
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
    versions = {message.pk: message.version}
    if _climb(message, update):
        _save_statuses([message], versions)
        previews.refresh(message)


def _climb(message: Message, update: StatusUpdate) -> bool:
    """Note a status on its message, in memory; True if something is new."""
    if message.direction != Message.Direction.OUTBOUND or message.external_id != update.external_id:
        return False  # about an attempt that a later one replaced
    before = {name: getattr(message, name) for name in STATUS_FIELDS}
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
    if (message.status, message.error_code) != (before["status"], before["error_code"]):
        if message.status == Message.Status.FAILED:
            _stop_number(message, at)
        message.version += 1
    return any(getattr(message, name) != value for name, value in before.items())


def _save_statuses(messages: Iterable[Message], versions: Mapping[int, int]) -> None:
    """Write what statuses changed and tell the browsers of new versions; previews change in memory only."""
    rows = list(messages)
    update_rows(rows, STATUS_FIELDS)
    for message in rows:
        if message.conversation.last_message_id == message.pk:
            previews.show(message.conversation, message, force=True)
        if message.version != versions[message.pk]:
            events.announce_status(message)
            reacting.withdraw(message)
            consenting.note_refusal(message)


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


def _park(updates: Iterable[tuple[Inbox, Applicable, str]]) -> None:
    ParkedUpdate.objects.bulk_create((_parked(*one) for one in updates), ignore_conflicts=True)


def _parked(inbox: Inbox, update: Applicable, actor: str) -> ParkedUpdate:
    kind = next(name for name, cls in KINDS.items() if isinstance(update, cls))
    payload = dataclasses.asdict(update)
    payload["at"] = update.at.isoformat() if update.at else None
    payload["actor"] = actor
    external_id = update.external_id if isinstance(update, StatusUpdate) else update.target_id
    key = hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return ParkedUpdate(inbox=inbox, external_id=external_id, dedup_key=key, kind=kind, payload=payload)


def _unpack(parked: ParkedUpdate) -> tuple[Applicable, str]:
    values = dict(parked.payload)
    actor = values.pop("actor")
    values["at"] = dt.datetime.fromisoformat(values["at"]) if values["at"] else parked.created_at
    values["person"] = Person(**values["person"])
    return KINDS[parked.kind](**values), actor
