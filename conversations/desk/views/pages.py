"""Pages and fragments of the inbox: read input, ask the features, show the result."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render

from conversations.channels.whatsapp import limits
from conversations.desk import thread
from conversations.desk.access import access_of
from conversations.desk.banner import fence_of
from conversations.desk.forms import read_pk, read_uuid
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view
from conversations.desk.labels import page_labels
from conversations.desk.later import composing
from conversations.desk.queue import ViewQuery
from conversations.desk.revision import REVISION, module_urls
from conversations.desk.settings import Preferences
from conversations.desk.shortcuts import sections
from conversations.desk.strip import composer_of
from conversations.desk.views.lists import list_context
from conversations.desk.views.states import header_context
from conversations.live import replay
from conversations.live.keys import Place, key_for
from conversations.live.registry import registry
from conversations.messaging.models import Conversation
from crm.foundation import clock
from crm.privacy import accesses


@desk_view("GET")
def inbox(request: DeskRequest) -> HttpResponse:
    """The whole page, no conversation chosen."""
    return render(request, "inbox/page.html", page_context(request) | {"conversation": None})


@desk_view("GET")
def conversation(request: DeskRequest, pk: int) -> HttpResponse:
    """A thread: the fragment for the page's scripts, else the whole page around it."""
    chosen = conversation_or_404(request, pk)
    accesses.note(request.viewer or request.user, chosen.contact_id, accesses.What.CONVERSATION)
    if request.headers.get("HX-Request"):
        response = render(request, "inbox/_thread.html", thread_context(request, chosen))
    else:
        response = render(request, "inbox/page.html", page_context(request) | thread_context(request, chosen))
    response["Vary"] = "HX-Request"
    return response


@desk_view("GET")
def sync(request: DeskRequest) -> JsonResponse:
    """What this browser missed since a hint."""
    since = read_pk(request.GET.get("since", "")) or 0
    groups = access_of([request.user])[request.user.pk].groups
    return JsonResponse(replay.since(since, set(groups)))


def page_context(request: DeskRequest) -> dict[str, Any]:
    """Everything the list side of the page needs; what changes after `head` was read reaches the page as a hint."""
    head, preferences = registry.settled, Preferences.of(request.user)
    return list_context(request, ViewQuery.of(request.GET)) | {
        "fence": fence_of(request.user),
        "preferences": preferences,
        "shortcuts": sections(),
        "simulator_url": f"/simulator/?lang={request.user.language}" if settings.DEMO else "",
        "page_config": {
            "head": head,
            "rev": REVISION,
            "ws": "/ws/inbox/",
            "modules": module_urls(),
            "now": clock.now().timestamp(),
            "user": {"id": request.user.pk, "name": request.user.name},
            # Who looks on as somebody else reads nothing in their name.
            "preferences": preferences.stored | ({"read_on": "never"} if request.viewer else {}),
            "limits": page_limits(),
            "labels": page_labels(),
        },
    }


def page_limits() -> dict[str, Any]:
    """The server's own table of limits, for the page."""
    return {
        "text": limits.TEXT_MAX,
        "caption": limits.CAPTION_MAX,
        "note": limits.NOTE_MAX,
        "media": {kind: {"max_bytes": most, "mimes": mimes} for kind, (most, mimes) in limits.MEDIA.items()},
    }


def thread_context(request: DeskRequest, chosen: Conversation) -> dict[str, Any]:
    """What a whole thread shows."""
    page = thread.opening(chosen, getattr(chosen, "unread", 0), read_uuid(request.GET.get("at", "")))
    return header_context(request, chosen) | {
        "items": page.items,
        "before_cursor": page.before,
        "after_cursor": page.after,
        "opened_at": page.at,
        "composer": composer_of(chosen),
        **composing(request.user, chosen),
        "live_key": key_for(request.user.pk, Place(chosen.pk, chosen.inbox_id)),
    }
