"""Messages to be sent later: planned, listed, changed, cancelled."""

import datetime as dt

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from conversations.desk.forms import required_uuid
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view, not_seen
from conversations.desk.later import planned
from conversations.desk.views.sending import quoted, uploads_of
from conversations.messaging import schedule
from conversations.messaging.errors import BadTime
from conversations.messaging.models import Conversation, ScheduledMessage


@desk_view("GET", "POST")
def scheduled(request: DeskRequest, pk: int) -> HttpResponse:
    """GET: what waits in this conversation. POST: send this later, at `send_at` of the agent's time zone; 201, or 200
    if this client_id is known.
    """
    chosen = conversation_or_404(request, pk)
    if request.method == "GET":
        return _list(request, chosen)
    _row, made = schedule.plan(
        chosen,
        by=request.user,
        text=request.POST.get("text", ""),
        send_at=_send_at(request),
        files=uploads_of(request),
        unless_answered=request.POST.get("unless_answered") == "1",
        reply_to=quoted(chosen, request.POST.get("reply_to", "")),
        client_id=required_uuid(request.POST, "client_id"),
    )
    return _list(request, chosen, 201 if made else 200)


@desk_view("POST")
def change(request: DeskRequest, pk: int) -> HttpResponse:
    """Change text or time of a message that waits (other words make it one's own); `action=cancel` gives it up."""
    row = ScheduledMessage.objects.visible_to(request.user).filter(pk=pk).first()
    if row is None:
        raise not_seen(request, ScheduledMessage, pk=pk)
    conversation_or_404(request, row.conversation_id)
    try:
        if request.POST.get("action") == "cancel":
            done = schedule.cancel(row)
        else:
            text, unless = request.POST.get("text", ""), request.POST.get("unless_answered") == "1"
            done = schedule.change(row, by=request.user, text=text, send_at=_send_at(request), unless_answered=unless)
    except ScheduledMessage.DoesNotExist as error:
        raise Http404 from error
    return _list(request, done.conversation)


def _send_at(request: DeskRequest) -> dt.datetime:
    try:
        local = dt.datetime.fromisoformat(request.POST.get("send_at", ""))
    except ValueError as error:
        raise BadTime(_("Choose a day and a time.")) from error
    if not 2000 <= local.year <= 2200:  # beyond, the arithmetic of time zones overflows
        raise BadTime(_("Choose a day and a time."))
    return timezone.make_aware(local) if local.tzinfo is None else local


def _list(request: DeskRequest, chosen: Conversation, status: int = 200) -> HttpResponse:
    return render(request, "inbox/_scheduled.html", {"conversation": chosen, "planned": planned(chosen)}, status=status)
