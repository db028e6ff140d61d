"""The same change on many conversations at once, row by row under the rules of one, and how to take it back."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core import signing
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from conversations.desk import head
from conversations.live import publish
from conversations.messaging import events, labels, snoozing, threads
from conversations.messaging.models import Conversation, ConversationRead
from conversations.notices import mentions
from crm.contacts.models import Tag
from crm.foundation import clock
from crm.foundation.errors import Conflict, Refusal
from crm.foundation.retrying import in_transaction
from crm.staff.models import Team, User

AT_ONCE = 200
IN_ONE_TRANSACTION = 100
MOST = 5000
UNDO_SECONDS = 60
SALT = "desk.bulk"
STATUSES = (Conversation.Status.OPEN, Conversation.Status.RESOLVED)
Step = Callable[[Conversation], Any]


class BadChange(Refusal):
    """A change that is none, or a value that it cannot have."""

    code = "bad_change"
    http_status = 400


class TooLate(Refusal):
    """The change can no longer be taken back."""

    code = "too_late"
    http_status = 409


@dataclass
class Outcome:
    """What became of the rows: how many changed, how many were so already, why others were left, what they were."""

    changed: int = 0
    unchanged: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    former: list[list[Any]] = field(default_factory=list)


def carry_out(user: User, keys: Sequence[int], action: str, value: str) -> Outcome:
    """Change those of these conversations that this user sees; raises BadChange, NotSnoozable."""
    step, outcome = _step(user, action, value), Outcome()
    for batch in _batches(keys):
        _carry_out(user, batch, action, step, outcome)
    return outcome


@in_transaction
def _carry_out(user: User, keys: list[int], action: str, step: Step, outcome: Outcome) -> None:
    done, unseen = Outcome(), set(keys)  # of this try: the transaction may be run again
    rows = Conversation.objects.visible_to(user).filter(pk__in=keys).with_unread(user).order_by("pk")
    with publish.together():
        for row in rows.select_related("inbox", "contact", "assignee", "team"):
            unseen.discard(row.pk)
            _try(row, action, step, done)
    if unseen:
        done.skipped[_("You no longer see this conversation.")] += len(unseen)
    outcome.changed += done.changed
    outcome.unchanged += done.unchanged
    outcome.skipped += done.skipped
    outcome.former += done.former


def _try(row: Conversation, action: str, step: Step, outcome: Outcome) -> None:
    before = _former(row, action)
    try:
        after = step(row)
    except Refusal as refusal:
        outcome.skipped[str(refusal)] += 1
        return
    is_same = (
        not (getattr(row, "unread", 0) or after)
        if action == "read"
        else isinstance(after, Conversation) and after.version == row.version
    )
    if is_same:
        outcome.unchanged += 1
        return
    outcome.changed += 1
    outcome.former.append([row.pk, after.version if isinstance(after, Conversation) else 0, *before])


def _former(row: Conversation, action: str) -> list[Any]:
    match action:
        case "assign" | "team":
            return [row.assignee_id, row.team_id]
        case "status" | "snooze":
            return [row.status, row.snoozed_until.isoformat() if row.snoozed_until else ""]
        case "priority":
            return [row.priority]
        case "read" | "unread":
            return [row.inbound_count - getattr(row, "unread", 0)]
    return []


def _step(user: User, action: str, value: str) -> Step:
    """What is done with each conversation."""
    match action:
        case "assign":
            assignee = user if value == "me" else _chosen(User.objects.filter(is_active=True), value)
            return lambda row: threads.assign(row, by=user, assignee=assignee)
        case "team":
            team = _chosen(Team.objects.all(), value)
            return lambda row: threads.assign(row, by=user, team=team)
        case "tag" | "untag":
            tag = _chosen(Tag.objects.all(), value)
            change = labels.tag if action == "tag" else labels.untag
            if tag is not None:
                return lambda row: change(row, tag, by=user)
        case "status":
            if value in STATUSES:
                return lambda row: threads.set_status(row, value, by=user)
        case "snooze":
            until = moment(value)
            snoozing.check_moment(until)
            return lambda row: snoozing.snooze(row, by=user, until=until)
        case "priority":
            if value in ("0", "1", "2", "3", "4"):
                return lambda row: threads.set_priority(row, Conversation.Priority(int(value)), by=user)
        case "read":
            return lambda row: _read(row, user)
        case "unread":
            return lambda row: threads.mark_unread(row, user)
    raise BadChange(_("The page sent an incomplete request. Reload it and try again."))


def _read(row: Conversation, user: User) -> int:
    """How many mentions were new, too."""
    threads.mark_read(row, user)
    return mentions.mark_read(user, row)


def _chosen(rows: Any, value: str) -> Any:
    """The row with this key, None for "none"; raises BadChange."""
    if value == "none":
        return None
    is_key = value.isascii() and value.isdigit() and len(value) <= 15
    found = rows.filter(pk=value).first() if is_key else None
    if found is None:
        raise BadChange(_("What you chose no longer exists. Reload the page and choose again."))
    return found


def moment(value: str) -> dt.datetime | None:
    """When a snooze ends: "reply" (None), a moment of the head by its name, or a local "2026-11-22T14:05"; raises
    BadChange.
    """
    if value == "reply":
        return None
    if value in (known := head.moments()):
        return known[value]
    try:
        until = dt.datetime.fromisoformat(value)
        return (until if until.tzinfo else timezone.make_aware(until)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise BadChange(_("Choose when the conversation should come back.")) from None


def token_of(user: User, action: str, value: str, former: list[list[Any]]) -> str:
    """What takes the change back, for this user and a minute; "" if nothing changed."""
    facts = {"user": user.pk, "action": action, "value": value, "rows": former}
    return signing.dumps(facts, salt=SALT, compress=True) if former else ""


def take_back(user: User, token: str) -> Outcome:
    """Give rows their former values, unless somebody has changed them since; raises TooLate, BadChange."""
    try:
        facts = signing.loads(token, salt=SALT, max_age=UNDO_SECONDS)
    except signing.SignatureExpired:
        raise TooLate(_("It can no longer be undone.")) from None
    except signing.BadSignature:
        raise BadChange(_("The page sent an incomplete request. Reload it and try again.")) from None
    if facts["user"] != user.pk:
        raise BadChange(_("The page sent an incomplete request. Reload it and try again."))
    outcome = Outcome()
    rows = {former[0]: former for former in facts["rows"]}
    for batch in _batches(list(rows)):
        _take_back(user, [rows[key] for key in batch], facts["action"], facts["value"], outcome)
    return outcome


@in_transaction
def _take_back(user: User, formers: list[list[Any]], action: str, value: str, outcome: Outcome) -> None:
    changed, skipped = 0, Counter[str]()
    wanted = Conversation.objects.filter(pk__in=[former[0] for former in formers]).select_related("inbox")
    seen = {row.pk: row for row in wanted.visible_to(user)}
    # Who gave conversations away may take them back though they no longer see them: if then they see them again.
    given = {row.pk: row for row in wanted.exclude(pk__in=seen)} if action in ("assign", "team") else {}
    with publish.together():
        for pk, version, *values in formers:
            try:
                if pk not in seen and pk not in given:
                    raise BadChange(_("You no longer see this conversation."))
                with transaction.atomic():
                    _restore(user, (seen | given)[pk], version, action, value, values)
                    if pk in given and not wanted.visible_to(user).filter(pk=pk).exists():
                        raise BadChange(_("You no longer see this conversation."))
                changed += 1
            except Conflict:
                skipped[_("Somebody has changed it since.")] += 1
            except Refusal as refusal:
                skipped[str(refusal)] += 1
    outcome.changed += changed
    outcome.skipped += skipped


def _restore(user: User, row: Conversation, version: int, action: str, value: str, values: list[Any]) -> None:
    match action:
        case "assign" | "team":
            assignee = User.objects.filter(pk=values[0]).first()
            team = Team.objects.filter(pk=values[1]).first()
            threads.assign(row, by=user, assignee=assignee, team=team, version=version)
        case "status" | "snooze":
            until = dt.datetime.fromisoformat(values[1]) if values[1] else None
            if values[0] == Conversation.Status.SNOOZED and (until is None or until > clock.now()):
                snoozing.snooze(row, by=user, until=until, version=version)
            else:
                status = Conversation.Status.OPEN if values[0] == Conversation.Status.SNOOZED else values[0]
                threads.set_status(row, status, by=user, version=version)
        case "priority":
            threads.set_priority(row, Conversation.Priority(values[0]), by=user, version=version)
        case "tag":
            labels.untag(row, _chosen(Tag.objects.all(), value), by=user, version=version)
        case "untag":
            labels.tag(row, _chosen(Tag.objects.all(), value), by=user, version=version)
        case "read" | "unread":
            ConversationRead.objects.filter(conversation=row, user=user).update(inbound_upto=values[0])
            events.announce_read(row, user, values[0])


def _batches(keys: Sequence[int]) -> Iterator[list[int]]:
    """Ascending, so that two who change the same rows wait for each other instead of blocking each other."""
    ordered = sorted(set(keys))
    for start in range(0, len(ordered), IN_ONE_TRANSACTION):
        yield ordered[start : start + IN_ONE_TRANSACTION]
