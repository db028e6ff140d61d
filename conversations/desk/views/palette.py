"""The command palette: what can be done here, where one can go, whom one can find."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from conversations.desk import shortcuts, viewing
from conversations.desk.forms import read_pk
from conversations.desk.gate import DeskRequest, desk_view
from conversations.desk.models import SavedView
from conversations.desk.rows import colour_of, initials_of
from conversations.messaging.models import Conversation
from crm.foundation.search import fold, words_of
from crm.staff.models import User

FOUND = 6


@desk_view("GET")
def palette(request: DeskRequest) -> HttpResponse:
    """Options in groups; `c` is the open conversation, `q` what is looked for."""
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    words = words_of(text)
    groups = _actions(words, has_thread=bool(read_pk(request.GET.get("c", ""))))
    if words:
        groups = [*groups, _conversations(request.user, text)]
    groups += [_saved(request.user, words)]
    if words and request.user.has_perm("crm.look_as_others"):
        groups.append(_people(request.user, words))
    return render(request, "inbox/_palette.html", {"groups": [group for group in groups if group["options"]]})


def _actions(words: list[str], *, has_thread: bool) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for section, shortcut in shortcuts.actions():
        if (has_thread or not section.is_thread) and _fits(shortcut.label, words):
            option = {
                "label": shortcut.label,
                "parts": shortcut.parts,
                "run": shortcut.run,
                "icon": shortcut.icon,
            }
            groups.setdefault(section.label, []).append(option)
    return [{"label": label, "options": options} for label, options in groups.items()]


def _conversations(user: User, text: str) -> dict[str, Any]:
    rows = Conversation.objects.visible_to(user).listed().search(text).select_related("contact", "inbox")
    return {
        "kind": "conversations",
        "options": [
            {
                "label": row.contact.title,
                "detail": row.inbox.name,
                "initials": initials_of(row.contact.title),
                "colour": colour_of(row.contact_id),
                "open": reverse("desk:conversation", args=[row.pk]),
                "pk": row.pk,
            }
            for row in rows.order_by("-last_activity_at", "-pk")[:FOUND]
        ],
    }


def _saved(user: User, words: list[str]) -> dict[str, Any]:
    views = SavedView.objects.visible_to(user).select_related("team")
    return {
        "kind": "views",
        "options": [
            {
                "label": view.name,
                "detail": view.team.name if view.team else "",
                "run": f"do:go:{view.query}",
                "icon": "bookmark",
            }
            for view in views
            if _fits(view.name, words)
        ],
    }


def _people(user: User, words: list[str]) -> dict[str, Any]:
    found = [person for person in viewing.candidates(user) if _fits(person.name, words)]
    return {
        "kind": "people",
        "options": [{"label": person.name, "run": f"do:viewAs:{person.pk}", "icon": "eye"} for person in found[:FOUND]],
    }


def _fits(label: str, words: list[str]) -> bool:
    folded = fold(label)
    return all(word in folded for word in words)
