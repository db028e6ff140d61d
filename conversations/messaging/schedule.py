"""Sending later: planned now, looked at again when its time has come, sent or refused with a reason."""

import datetime as dt
import uuid
from collections.abc import Sequence

import structlog
from django.db import DatabaseError, transaction
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
    known = row.scheduled.filter(client_id=client_id).first() if client_id else None
    if known is not None:
        return known, False
    if row.scheduled.filter(state=State.WAITING).count() >= MOST:
        raise BadTime(_("There are too many messages to be sent later in this conversation. Cancel some first."))
    _check(row, text, files, send_at)
    planned = ScheduledMessage.objects.create(
        conversation=row,
        author=by,
        text=clean_text(text).strip(),
        reply_to=reply_to,
        send_at=send_at,
        unless_answered=unless_answered,
        **({"client_id": client_id} if client_id else {}),
    )
    free = Attachment.objects.filter(pk__in=[file.pk for file in files], conversation=row, message=None, scheduled=None)
    if free.update(scheduled=planned) != len(files):
        raise MediaRefused(_("This file was already sent or belongs to another conversation. Attach it again."))
    _tell(row)
    return planned, True


@in_transaction
def change(planned: ScheduledMessage, *, text: str, send_at: dt.datetime, unless_answered: bool) -> ScheduledMessage:
    """New text or time for what waits or was refused, which waits again then; raises kinds of SendRefused."""
    conversation, row = _locked(planned.pk)
    if row is None or row.state not in OPEN:
        raise NotRetryable(_("This message has already been sent or cancelled."))
    _check(conversation, text, list(row.attachments.all()), send_at)
    row.text, row.send_at, row.unless_answered = clean_text(text).strip(), send_at, unless_answered
    row.state, row.reason, row.settled_at = State.WAITING, "", None
    row.save()
    _tell(conversation)
    return row


@in_transaction
def cancel(planned: ScheduledMessage) -> ScheduledMessage:
    """Do not send it, or no longer show that it was refused; raises NotRetryable if it has been sent."""
    conversation, row = _locked(planned.pk)
    if row is None or row.state not in OPEN:
        raise NotRetryable(_("This message has already been sent or cancelled."))
    row.attachments.update(scheduled=None, created_at=clock.now())
    _settle(row, State.CANCELLED, row.reason)
    _tell(conversation)
    return row


def drain() -> bool:
    """Send what is due; True if there may be more."""
    due = ScheduledMessage.objects.filter(state=State.WAITING, send_at__lte=clock.now())
    chosen = list(due.order_by("send_at", "pk").values_list("pk", flat=True)[:AT_ONCE])
    for pk in chosen:
        try:
            _send(pk)
        except DatabaseError:
            raise
        except Exception:  # one that cannot be sent must not hold the others
            log.exception("scheduled message not sent", scheduled=pk)
            _give_up(pk)
    return len(chosen) == AT_ONCE


@in_transaction
def _send(pk: int) -> None:
    conversation, row = _locked(pk)
    if row is None or row.state != State.WAITING:
        return
    if row.unless_answered and _has_answered(conversation, row.created_at):
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
    conversation, row = _locked(pk)
    if row is not None and row.state == State.WAITING:
        _refuse(conversation, row, BROKEN)


def _refuse(conversation: Conversation, row: ScheduledMessage, reason: str) -> None:
    _settle(row, State.REFUSED, reason)
    events.record(conversation, "scheduled_refused", by=row.author, what=["scheduled"], reason=reason)


def _locked(pk: int) -> tuple[Conversation, ScheduledMessage | None]:
    """The conversation is locked first, as everywhere."""
    conversation_id = ScheduledMessage.objects.values_list("conversation", flat=True).get(pk=pk)
    conversation: Conversation = threads.locked().get(pk=conversation_id)
    rows = ScheduledMessage.objects.select_for_update(of=("self",), no_key=True).select_related("author", "reply_to")
    return conversation, rows.filter(pk=pk, conversation=conversation).first()


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
