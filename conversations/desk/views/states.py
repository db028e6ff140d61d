"""What a conversation is: whose, in which state, tagged, pinned, read by whom; and the head that shows it."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _

from conversations.desk import head, thread
from conversations.desk.forms import BadForm, read_moment, read_pk, read_uuid, read_version
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view, shown
from conversations.desk.rows import row_of
from conversations.messaging import labels, snoozing, threads
from conversations.messaging.models import Conversation
from conversations.notices import mentions
from crm.contacts import masking
from crm.contacts.models import Tag
from crm.foundation import clock
from crm.foundation.errors import Conflict
from crm.staff.models import Team, User

UNTIL_THEY_WRITE = "reply"
TAGS_MAX = 100


@desk_view("GET")
def header(request: DeskRequest, pk: int) -> HttpResponse:
    """The head of a thread."""
    return render(request, "inbox/_header.html", header_context(request, conversation_or_404(request, pk)))


@desk_view("POST")
def assign(request: DeskRequest, pk: int) -> HttpResponse:
    """Give the conversation to somebody, to a team, to nobody; 409 with the present state if it changed meanwhile."""
    chosen = conversation_or_404(request, pk)
    to: dict[str, Any] = {}
    if "assignee" in request.POST:
        to["assignee"] = _assignee(request)
    if "team" in request.POST:
        wanted = read_pk(request.POST["team"])
        to["team"] = get_object_or_404(Team, pk=wanted) if wanted else None
    version = read_version(request.POST)
    return _changed(request, pk, lambda: threads.assign(chosen, by=request.user, version=version, **to))


def _assignee(request: DeskRequest) -> User | None:
    wanted = request.POST["assignee"]
    if wanted == "me":
        return request.user
    pk = read_pk(wanted)
    return get_object_or_404(User, pk=pk, is_active=True) if pk else None


@desk_view("POST")
def status(request: DeskRequest, pk: int) -> HttpResponse:
    """Resolve, reopen, or end a snooze."""
    chosen = conversation_or_404(request, pk)
    wanted, version = request.POST.get("status", ""), read_version(request.POST)
    if wanted not in (Conversation.Status.OPEN, Conversation.Status.RESOLVED):
        raise _incomplete()
    return _changed(request, pk, lambda: threads.set_status(chosen, wanted, by=request.user, version=version))


@desk_view("POST")
def snooze(request: DeskRequest, pk: int) -> HttpResponse:
    """Put aside until a moment (ISO 8601, or in the agent's own zone), or `reply`: until the person writes."""
    chosen = conversation_or_404(request, pk)
    wanted, version = request.POST.get("until", ""), read_version(request.POST)
    until = None if wanted == UNTIL_THEY_WRITE else read_moment(wanted)
    return _changed(request, pk, lambda: snoozing.snooze(chosen, by=request.user, until=until, version=version))


@desk_view("POST")
def priority(request: DeskRequest, pk: int) -> HttpResponse:
    """How urgent it is, from 0 (no priority) to 4."""
    chosen, version = conversation_or_404(request, pk), read_version(request.POST)
    wanted = request.POST.get("priority", "")
    if wanted not in map(str, Conversation.Priority.values):
        raise _incomplete()
    rank = Conversation.Priority(int(wanted))
    return _changed(request, pk, lambda: threads.set_priority(chosen, rank, by=request.user, version=version))


@desk_view("GET", "POST")
def tags(request: DeskRequest, pk: int) -> HttpResponse:
    """Tags to choose from (`q`); or put some on (`add`), take some off (`remove`), put one on by `name`, which
    managers may make up.
    """
    chosen = conversation_or_404(request, pk)
    if request.method == "GET":
        return render(request, "inbox/_header_tags.html", _tag_context(request, chosen))
    version, name = read_version(request.POST), request.POST.get("name", "")
    added, removed = _tags(request, "add"), _tags(request, "remove")
    if not (added or removed or name.strip()):
        raise _incomplete()

    def change() -> Conversation:
        with transaction.atomic():
            find = labels.find_or_make if request.user.has_perm("crm.add_tag") else labels.find
            named = [find(name)] if name.strip() else []
            return labels.change(chosen, add=[*added, *named], remove=removed, by=request.user, version=version)

    return _changed(request, pk, change)


def _tags(request: DeskRequest, field: str) -> list[Tag]:
    wanted = {pk for text in request.POST.getlist(field)[:TAGS_MAX] if (pk := read_pk(text))}
    found = list(Tag.objects.filter(pk__in=wanted)) if wanted else []
    if len(found) < len(wanted):
        raise Http404
    return found


def _tag_context(request: DeskRequest, chosen: Conversation) -> dict[str, Any]:
    wanted = " ".join(request.GET.get("q", "").replace("\x00", "").split())[:100]
    choices = head.tag_choices(chosen, wanted)
    is_new = bool(wanted) and all(choice.name.casefold() != wanted.casefold() for choice in choices)
    return {
        "conversation": chosen,
        "choices": choices,
        "wanted": wanted,
        "can_make": is_new and request.user.has_perm("crm.add_tag"),
    }


@desk_view("POST")
def pin(request: DeskRequest, pk: int) -> HttpResponse:
    """Keep at the top of one's lists (`pinned` 1), or no longer (0)."""
    chosen, wanted = conversation_or_404(request, pk), request.POST.get("pinned", "")
    if wanted not in ("0", "1"):
        raise _incomplete()
    change = labels.pin if wanted == "1" else labels.unpin
    return _changed(request, pk, lambda: change(chosen, request.user))


@desk_view("POST")
def read(request: DeskRequest, pk: int) -> HttpResponse:
    """The agent has read everything."""
    chosen = conversation_or_404(request, pk)
    threads.mark_read(chosen, request.user)
    mentions.mark_read(request.user, chosen)
    return HttpResponse(status=204)


@desk_view("POST")
def unread(request: DeskRequest, pk: int) -> HttpResponse:
    """Unread again for this agent: the person's last message, or all since `message`."""
    chosen, first = conversation_or_404(request, pk), None
    if text := request.POST.get("message", ""):
        first = get_object_or_404(chosen.messages, client_id=read_uuid(text))
    return _changed(request, pk, lambda: threads.mark_unread(chosen, request.user, first))


def _incomplete() -> BadForm:
    return BadForm(_("The page sent an incomplete request. Reload it and try again."))


def _changed(request: DeskRequest, pk: int, change: Callable[[], object]) -> HttpResponse:
    try:
        change()
        conflict = False
    except Conflict:
        conflict = True
    still = shown(request, pk)
    if still is None:  # given away to where this user does not see it
        return HttpResponse(status=204)
    context = header_context(request, still, conflict=conflict)
    return render(request, "inbox/_header.html", context, status=409 if conflict else 200)


def header_context(request: DeskRequest, chosen: Conversation, *, conflict: bool = False) -> dict[str, Any]:
    """What the head of a thread shows."""
    agents, teams = thread.assignable(chosen)
    number, wa_id = chosen.contact.phone, chosen.identity.wa_id
    return {
        "conversation": row_of(chosen, request.user),
        "number": masking.phone(number or (f"+{wa_id}" if wa_id and not chosen.is_group else ""), request.user),
        "agents": agents,
        "teams": teams,
        "priorities": Conversation.Priority.choices,
        "snooze_choices": head.snooze_choices(),
        "snooze_limits": head.snooze_limits(),
        "snoozed_text": head.moment_text(chosen.snoozed_until) if chosen.snoozed_until else "",
        "now": clock.now(),
        "can_act": True,
        "conflict": conflict,
    }
