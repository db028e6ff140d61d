"""Sending later: planned now, looked at again when its time has come, sent or refused with a reason."""

import datetime as dt
import uuid
from collections.abc import Sequence

import structlog
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.utils.translation import gettext as _

from conversations.messaging import events, outbound, summary, threads
from conversations.messaging.errors import BadTime, MediaRefused, NotRetryable, SendRefused, ServiceWindowClosed
from conversations.messaging.models import Attachment, Conversation, Message, ScheduledMessage
from crm.foundation import clock
from crm.foundation.retrying import in_transaction
from crm.foundation.text import clean_text
from crm.staff.models import User

log = structlog.get_logger(__name__)

AT_ONCE = 50
MOST = 50
# What should have left longer ago than this (the installation was off) is not sent any more: it may be out of place.
LATE = dt.timedelta(hours=6)
ANSWERED, AUTHOR_GONE, TOO_LATE, BROKEN = "answered", "author_gone", "too_late", "broken"
State = ScheduledMessage.State
OPEN = (State.WAITING, State.REFUSED)
LOOKS = 3  # for a conversation that is being joined to another one


@in_transaction
def plan(
    conversation: Conversation,
    *,
    by: User,
    text: str,
    send_at: dt.datetime,
    files: Sequence[Attachment] = (),
    unless_answered: bool = False,
    reply_to: Message | None = None,
    client_id: uuid.UUID | None = None,
) -> tuple[ScheduledMessage, bool]:
    """Keep a message to be sent at `send_at`: (row, True), or (the one with this client_id, False). Raises kinds of
    SendRefused.
    """
    row = threads.locked().get(pk=conversation.pk)
    known = ScheduledMessage.objects.filter(client_id=client_id).first() if client_id else None
    if known is not None:
        return _repeated(known, row), False
    if row.scheduled.filter(state=State.WAITING).count() >= MOST:
        raise BadTime(_("There are too many messages to be sent later in this conversation. Cancel some first."))
    _check(row, text, files, send_at)
    planned = ScheduledMessage(
        conversation=row,
        author=by,
        text=clean_text(text).strip(),
        reply_to=reply_to,
        send_at=send_at,
        unless_answered=unless_answered,
        **({"client_id": client_id} if client_id else {}),
    )
    try:
        with transaction.atomic():
            planned.save()
    except IntegrityError as error:  # planned in another conversation at this moment
        raise _used() from error
    free = Attachment.objects.filter(pk__in=[file.pk for file in files], conversation=row, message=None, scheduled=None)
    if free.update(scheduled=planned) != len(files):
        raise MediaRefused(_("This file was already sent or belongs to another conversation. Attach it again."))
    _tell(row)
    return planned, True


def _repeated(known: ScheduledMessage, conversation: Conversation) -> ScheduledMessage:
    if known.conversation_id != conversation.pk or known.state == State.CANCELLED:
        raise _used()
    return known


def _used() -> NotRetryable:
    return NotRetryable(_("This message was already planned once and cannot be planned again. Write it anew."))


@in_transaction
def change(
    planned: ScheduledMessage, *, by: User, text: str, send_at: dt.datetime, unless_answered: bool
) -> ScheduledMessage:
    """New text or time for what waits or was refused, which waits again then. Who gives it other words, or sends what
    was refused, becomes its author: it speaks in their name. Raises kinds of SendRefused, DoesNotExist if it is gone.
    """
    row = _locked(planned.pk)
    conversation, author = row.conversation, row.author
    if row.state not in OPEN:
        raise NotRetryable(_("This message has already been sent or cancelled."))
    _check(conversation, text, list(row.attachments.all()), send_at)
    wanted = clean_text(text).strip()
    if wanted != row.text or row.state == State.REFUSED:
        row.author = by
    row.text, row.send_at, row.unless_answered = wanted, send_at, unless_answered
    row.state, row.reason, row.settled_at, row.changed_at = State.WAITING, "", None, clock.now()
    row.save()
    if by == author:
        _tell(conversation)
    else:
        events.record(
            conversation, "scheduled_changed", by=by, what=["scheduled"], author=author.name if author else ""
        )
    return row


@in_transaction
def cancel(planned: ScheduledMessage) -> ScheduledMessage:
    """Do not send it, or no longer show that it was refused; raises NotRetryable if it has been sent, DoesNotExist if
    it is gone.
    """
    row = _locked(planned.pk)
    if row.state not in OPEN:
        raise NotRetryable(_("This message has already been sent or cancelled."))
    row.attachments.update(scheduled=None, created_at=clock.now())
    _settle(row, State.CANCELLED, row.reason)
    _tell(row.conversation)
    return row


def drain() -> bool:
    """Send what is due; True if there may be more."""
    due = ScheduledMessage.objects.filter(state=State.WAITING, send_at__lte=clock.now())
    chosen = list(due.order_by("send_at", "pk").values_list("pk", flat=True)[:AT_ONCE])
    for pk in chosen:
        try:
            _send(pk)
        except (OperationalError, InterfaceError):  # the database is away
            raise
        except ScheduledMessage.DoesNotExist:  # gone, or on its way to another conversation: the next round looks again
            continue
        except Exception:  # one that cannot be sent must not hold the others
            log.exception("scheduled message not sent", scheduled=pk)
            _give_up(pk)
    return len(chosen) == AT_ONCE


@in_transaction
def _send(pk: int) -> None:
    row = _locked(pk)
    conversation = row.conversation
    if row.state != State.WAITING:
        return
    if row.unless_answered and _has_answered(conversation, row.changed_at or row.created_at):
        row.attachments.update(scheduled=None)
        _settle(row, State.CANCELLED, ANSWERED)
        events.record(conversation, "scheduled_not_needed", by=row.author, what=["scheduled"])
        return
    reason = _hindrance(row)
    if not reason:
        try:
            _compose(conversation, row)
        except SendRefused as refusal:
            reason = refusal.code
    if reason:
        _refuse(conversation, row, reason)
    else:
        _settle(row, State.SENT, "")
        _tell(conversation)


@transaction.atomic
def _compose(conversation: Conversation, row: ScheduledMessage) -> None:
    files = list(row.attachments.order_by("created_at", "pk"))
    row.attachments.update(scheduled=None)
    for index, content in enumerate(outbound.contents_of(row.text, files)):
        outbound.compose(
            conversation,
            by=row.author,
            content=content,
            origin="agent",
            reply_to=row.reply_to if index == 0 else None,
            client_id=row.client_id if index == 0 else uuid.uuid5(row.client_id, str(index)),
        )


def _hindrance(row: ScheduledMessage) -> str:
    """Why it must not be sent whatever the conversation allows; "" if nothing."""
    author = row.author
    visible = Conversation.objects.visible_to(author) if author is not None else Conversation.objects.none()
    if author is None or not author.may_use_desk or not visible.filter(pk=row.conversation_id).exists():
        return AUTHOR_GONE
    return TOO_LATE if clock.now() - row.send_at > LATE else ""


def _has_answered(conversation: Conversation, since: dt.datetime) -> bool:
    return summary.spoken(conversation.messages.all()).filter(sort_at__gt=since).exists()


@in_transaction
def _give_up(pk: int) -> None:
    row = _locked(pk)
    if row.state == State.WAITING:
        _refuse(row.conversation, row, BROKEN)


def _refuse(conversation: Conversation, row: ScheduledMessage, reason: str) -> None:
    _settle(row, State.REFUSED, reason)
    events.record(conversation, "scheduled_refused", by=row.author, what=["scheduled"], reason=reason)


def _locked(pk: int) -> ScheduledMessage:
    """The message and its conversation, which is locked first, as everywhere. The conversation may be joined to
    another one while we wait for it: then that one. Raises DoesNotExist.
    """
    rows = ScheduledMessage.objects.select_for_update(of=("self",), no_key=True).select_related("author", "reply_to")
    for _look in range(LOOKS):
        conversation_id = ScheduledMessage.objects.values_list("conversation", flat=True).get(pk=pk)
        conversation = threads.locked().filter(pk=conversation_id).first()
        row = rows.filter(pk=pk, conversation=conversation).first() if conversation is not None else None
        if row is not None:
            row.conversation = conversation
            return row
    raise ScheduledMessage.DoesNotExist


def _settle(row: ScheduledMessage, state: str, reason: str) -> None:
    row.state, row.reason, row.settled_at = state, reason, clock.now()
    row.save(update_fields=["state", "reason", "settled_at"])


def _check(conversation: Conversation, text: str, files: Sequence[Attachment], send_at: dt.datetime) -> None:
    for content in outbound.contents_of(text, files):
        outbound.columns_of(content)
    outbound.check_may_write(conversation)
    if send_at <= clock.now():
        raise BadTime(_("This time has already passed. Choose a later one."))
    if not conversation.window_is_open(send_at):
        raise ServiceWindowClosed(
            _("The 24-hour window will be closed by then. Choose an earlier time, or send an approved template later.")
        )


def _tell(conversation: Conversation) -> None:
    events.announce(conversation, "conversation.updated", what=["scheduled"])
