"""Conversations: found or opened, assigned, resolved, ranked, read; joined when two accounts turn out to be one."""

import enum
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Max, Q
from django.utils.translation import gettext as _

from conversations.inboxes.models import Inbox
from conversations.messaging import events, previews, quotes, summary
from conversations.messaging.models import (
    Conversation,
    ConversationRead,
    Message,
    ParkedUpdate,
    Reaction,
)
from crm.contacts.models import ChannelIdentity
from crm.foundation import work
from crm.foundation.errors import Conflict, Refusal
from crm.foundation.repointing import repoint
from crm.foundation.retrying import in_transaction
from crm.foundation.rows import update_rows
from crm.staff.models import Role, Team, User

NOTED = (
    *previews.FIELDS,
    "last_activity_at",
    "inbound_count",
    "window_expires_at",
    "free_entry_expires_at",
    "waiting_since",
    "status",
    "snoozed_until",
    "version",
)
# When two conversations become one, the livelier state is kept.
LIVELIEST_FIRST = (
    Conversation.Status.OPEN,
    Conversation.Status.PENDING,
    Conversation.Status.SNOOZED,
    Conversation.Status.RESOLVED,
    Conversation.Status.DORMANT,
)


class Kept(enum.Enum):
    """Says that an argument was left out, where None means nobody."""

    KEPT = "kept"


KEPT = Kept.KEPT


class NotAssignable(Refusal):
    """The chosen person or team cannot take this conversation."""

    code = "not_assignable"
    http_status = 400


class NothingToRead(Refusal):
    """The person has written nothing that could be unread."""

    code = "nothing_to_read"
    http_status = 400


@dataclass(frozen=True)
class Place:
    """Where a message belongs: a number of ours and an account; `is_dormant` if it alone puts nothing in a queue."""

    inbox: Inbox
    identity: ChannelIdentity
    is_dormant: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """Of the one conversation they have."""
        return self.inbox.pk, self.identity.pk

    def draft(self) -> Conversation:
        """A new conversation, not saved."""
        status = Conversation.Status.DORMANT if self.is_dormant else Conversation.Status.OPEN
        return Conversation(
            inbox=self.inbox, identity=self.identity, contact_id=self.identity.contact_id, status=status
        )


def find_or_open(inbox: Inbox, identity: ChannelIdentity, *, is_dormant: bool = False) -> Conversation:
    """The conversation of this inbox and account, locked for this transaction; made (dormant: in no queue) if there is
    none.
    """
    found = locked().filter(inbox=inbox, identity=identity).first()
    if found is not None:
        return found
    conversation = Place(inbox, identity, is_dormant).draft()
    try:
        with transaction.atomic():
            conversation.save()
        events.announce(conversation, "conversation.created")
    except IntegrityError:
        pass
    return locked().get(inbox=inbox, identity=identity)


def open_together(places: Sequence[Place], also: Iterable[int] = ()) -> dict[tuple[int, int], Conversation]:
    """The conversations of many places (whose contacts are locked), and those with the primary keys `also`, locked in
    ascending order; by (inbox, identity). Missing ones are made.
    """
    found = _lock_places(places, also)
    missing = {place.key: place for place in reversed(places) if place.key not in found}
    if missing:
        Conversation.objects.bulk_create([place.draft() for place in missing.values()], ignore_conflicts=True)
        made = _lock_places(list(missing.values()), ())
        for conversation in made.values():
            events.announce(conversation, "conversation.created")
        found |= made
    return found


def save_noted(conversations: Iterable[Conversation]) -> None:
    """Write what messages and statuses change of their (locked) conversations."""
    update_rows(list(conversations), NOTED)


def _lock_places(places: Sequence[Place], also: Iterable[int]) -> dict[tuple[int, int], Conversation]:
    wanted = Q(pk__in=list(also))
    identities: dict[int, list[int]] = defaultdict(list)
    for place in places:
        identities[place.inbox.pk].append(place.identity.pk)
    for inbox, of_inbox in identities.items():
        wanted |= Q(inbox=inbox, identity__in=of_inbox)
    rows = Conversation.objects.select_for_update(of=("self",), no_key=True).filter(wanted).order_by("pk")
    found = {(row.inbox_id, row.identity_id): row for row in rows}
    for place in places:
        if row := found.get(place.key):
            row.inbox, row.identity, row.contact = place.inbox, place.identity, place.identity.contact
    return found


def locked() -> Any:
    """Conversations with inbox, contact and identity, rows locked (PostgreSQL)."""
    rows = Conversation.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("inbox", "contact", "identity")


@in_transaction
def assign(
    conversation: Conversation,
    *,
    by: User,
    assignee: User | Kept | None = KEPT,
    team: Team | Kept | None = KEPT,
    version: int | None = None,
) -> Conversation:
    """Give the conversation to a person and a team, whichever is named; raises Conflict if `version` is stale,
    NotAssignable.
    """
    row = current(conversation, version)
    assignee = row.assignee if isinstance(assignee, Kept) else assignee
    team = row.team if isinstance(team, Kept) else team
    if assignee is not None and not (assignee.may_use_desk and _may_see(assignee, row)):
        raise NotAssignable(_("This person cannot see conversations of this number. Choose somebody else."))
    if (row.assignee, row.team) == (assignee, team):
        return row
    left = [f"u.{row.assignee_id}"] * bool(row.assignee_id) + [f"team.{row.team_id}"] * bool(row.team_id)
    row.assignee, row.team = assignee, team
    row.version += 1
    row.save(update_fields=["assignee", "team", "version"])
    events.record(
        row,
        "assigned",
        by=by,
        what=["assignee"],
        also=left,
        assignee=assignee.name if assignee else "",
        team=team.name if team else "",
    )
    return row


@in_transaction
def set_status(conversation: Conversation, status: str, *, by: User, version: int | None = None) -> Conversation:
    """Resolve, or reopen (whoever still had no answer waits again); the same status again changes nothing. Raises
    Conflict if `version` is stale.
    """
    row = current(conversation, version)
    if row.status == status:
        return row
    kind = "resolved" if status == Conversation.Status.RESOLVED else "reopened"
    if row.status == Conversation.Status.SNOOZED and kind == "reopened":
        kind = "woken"
    row.status, row.snoozed_until = Conversation.Status(status), None
    row.version += 1
    if status == Conversation.Status.RESOLVED:
        row.waiting_since = None
    elif row.waiting_since is None and not row.is_group:
        row.waiting_since = summary.asked_since(row)
    row.save(update_fields=["status", "snoozed_until", "waiting_since", "version"])
    events.record(row, kind, by=by, what=["status"])
    return row


@in_transaction
def set_priority(
    conversation: Conversation, priority: Conversation.Priority, *, by: User, version: int | None = None
) -> Conversation:
    """How urgent it is; the same again changes nothing. Raises Conflict if `version` is stale."""
    row = current(conversation, version)
    if row.priority == priority:
        return row
    before, row.priority = row.priority, priority
    row.version += 1
    row.save(update_fields=["priority", "version"])
    events.record(row, "priority", by=by, what=["priority"], to=int(priority), before=before)
    return row


@in_transaction
def mark_read(conversation: Conversation, user: User) -> None:
    """The user has read everything; tells their other devices, and WhatsApp where the inbox sends read marks."""
    upto = conversation.inbound_count
    read, _made = ConversationRead.objects.get_or_create(conversation=conversation, user=user)
    if read.inbound_upto >= upto:
        return
    ConversationRead.objects.filter(pk=read.pk, inbound_upto__lt=upto).update(inbound_upto=upto)
    events.announce_read(conversation, user, upto)
    if conversation.inbox.read_receipts:
        _ask_for_receipt(conversation, typing=False)


@in_transaction
def mark_unread(conversation: Conversation, user: User, from_message: Message | None = None) -> int:
    """Make the last message of the person unread for this user, or all since `from_message`; returns how many are
    unread now. Raises NothingToRead if the person has not written.
    """
    row = Conversation.objects.get(pk=conversation.pk)
    if not row.inbound_count:
        raise NothingToRead(_("There is nothing to mark as unread: this person has not written yet."))
    before = ConversationRead.objects.filter(conversation=row, user=user).values_list("inbound_upto", flat=True)
    unread = max(row.inbound_count - (before.first() or 0), 1)
    if from_message is not None:
        here = Q(sort_at=from_message.sort_at, pk__gte=from_message.pk)
        since = summary.spoken(row.messages.all()).filter(Q(sort_at__gt=from_message.sort_at) | here)
        unread = min(max(since.count(), 1), row.inbound_count)
    upto = row.inbound_count - unread
    ConversationRead.objects.update_or_create(conversation=row, user=user, defaults={"inbound_upto": upto})
    events.announce_read(row, user, upto)
    return unread


def note_typing(conversation: Conversation) -> None:
    """Somebody types an answer: shown at the customer's for 25 s, only where the inbox sends read marks."""
    if conversation.inbox.read_receipts and not conversation.is_group:
        _ask_for_receipt(conversation, typing=True)


def _ask_for_receipt(conversation: Conversation, *, typing: bool) -> None:
    newest = (
        conversation.messages.filter(direction="in", external_id__isnull=False)
        .order_by("-sort_at", "-pk")
        .values_list("external_id", flat=True)
        .first()
    )
    if newest:
        Conversation.objects.filter(pk=conversation.pk).update(receipt_external_id=newest, receipt_is_typing=typing)
        work.ring("receipts")


def _may_see(user: User, conversation: Conversation) -> bool:
    if user.sees_everything:
        return True
    if user.role == Role.RESTRICTED:
        return True  # being assigned is what lets them see it
    return Inbox.objects.visible_to(user).filter(pk=conversation.inbox_id).exists()


def current(conversation: Conversation, version: int | None) -> Conversation:
    """The conversation as it stands now, locked for this transaction; raises Conflict if `version` is stale."""
    row: Conversation = locked().select_related("assignee", "team").get(pk=conversation.pk)
    if version is not None and row.version != version:
        raise Conflict(
            _("Somebody else has just changed this conversation. This is how it stands now."), version=row.version
        )
    return row


def join_conversations(kept: ChannelIdentity, dropped: ChannelIdentity) -> None:
    """Two accounts are one: their conversations of the same inbox become one, the others move over."""
    targets = {row.inbox_id: row for row in locked().filter(identity=kept).order_by("pk")}
    for source in locked().filter(identity=dropped).order_by("pk"):
        target = targets.get(source.inbox_id)
        if target is None:
            source.identity, source.contact = kept, kept.contact
            source.save(update_fields=["identity", "contact"])
            events.announce(source, "conversation.updated", what=["contact"])
        else:
            _pour(source, target)
    Message.objects.filter(sender=dropped).update(sender=kept)
    _move_reactions(kept, dropped)


def _pour(source: Conversation, target: Conversation) -> None:
    """Everything of `source` into `target`; `source` is deleted."""
    repoint(source, target, but=(ConversationRead,))
    for read in source.reads.all():
        mine, made = ConversationRead.objects.get_or_create(
            conversation=target, user_id=read.user_id, defaults={"inbound_upto": read.inbound_upto}
        )
        if not made:
            mine.inbound_upto = F("inbound_upto") + read.inbound_upto
            mine.save(update_fields=["inbound_upto"])
    target.inbound_count += source.inbound_count
    for field in ("window_expires_at", "free_entry_expires_at", "next_send_at"):
        values = [value for value in (getattr(target, field), getattr(source, field)) if value]
        setattr(target, field, max(values) if values else None)
    waiting = [value for value in (target.waiting_since, source.waiting_since) if value]
    target.waiting_since = min(waiting) if waiting else None
    summary.note_answer(target)
    _keep_livelier(source, target)
    target.priority = max(target.priority, source.priority)
    target.assignee = target.assignee or source.assignee
    target.team = target.team or source.team
    target.created_at = min(target.created_at, source.created_at)
    target.version = max(target.version, source.version) + 1
    gone_groups = events.groups_of(source)
    events.announce(source, "conversation.removed", into=target.pk)
    source.delete()
    summary.show_newest(target)
    target.save()
    quotes.link_all(target)
    events.announce(target, "conversation.updated", what=["contact"], also=gone_groups)


def _keep_livelier(source: Conversation, target: Conversation) -> None:
    """Status of both in `target`; of two snoozed ones what comes back first."""
    status = min((target.status, source.status), key=LIVELIEST_FIRST.index)
    snoozed = [row.snoozed_until for row in (target, source) if row.status == Conversation.Status.SNOOZED]
    ends = [until for until in snoozed if until is not None]
    target.status = status
    target.snoozed_until = min(ends) if ends and status == Conversation.Status.SNOOZED else None


def _move_reactions(kept: ChannelIdentity, dropped: ChannelIdentity) -> None:
    for reaction in Reaction.objects.filter(actor=str(dropped.pk)):
        newer = Reaction.objects.filter(message=reaction.message_id, actor=str(kept.pk)).aggregate(at=Max("reacted_at"))
        if newer["at"] is None or newer["at"] < reaction.reacted_at:
            Reaction.objects.filter(message=reaction.message_id, actor=str(kept.pk)).delete()
            reaction.actor = str(kept.pk)
            reaction.save(update_fields=["actor"])
        else:
            reaction.delete()
    for parked in ParkedUpdate.objects.filter(kind="reaction", payload__actor=str(dropped.pk), applied_at=None):
        parked.payload["actor"] = str(kept.pk)
        parked.save(update_fields=["payload"])
