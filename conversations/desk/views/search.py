"""Search over everything: people and messages."""

from django.http import HttpResponse
from django.shortcuts import render

from conversations.desk import finding
from conversations.desk.gate import DeskRequest, desk_view
from conversations.desk.queue import ViewQuery
from conversations.desk.rows import row_of

SCOPES = ("all", "people", "messages")


@desk_view("GET")
def search(request: DeskRequest) -> HttpResponse:
    """Groups of what was found for `q`; `scope`: all, people, messages."""
    text = ViewQuery.of(request.GET).search
    scope = request.GET.get("scope", "all")
    scope = scope if scope in SCOPES else "all"
    found = finding.people(request.user, text) if text and scope != "messages" else []
    hits = finding.hits(request.user, text) if scope != "people" else []
    context = {
        "q": text,
        "people": [row_of(conversation, request.user) for conversation in found],
        "hits": hits,
        "is_too_short": scope != "people" and not finding.words_in(text),
        "is_full": len(hits) == finding.MESSAGES,
    }
    return render(request, "inbox/_search.html", context)
