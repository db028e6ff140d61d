"""Conversations, read as agents read them, and saved views in the administration."""

import uuid
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from conversations.desk import filters, queue, saved_views, thread
from conversations.desk.forms import read_uuid
from conversations.desk.models import SavedView
from conversations.messaging.models import Conversation
from conversations.reports.filters import ConversationSetFilter
from crm.audit.modeladmin import AuditedAdmin, ReadOnlyAdmin, titled
from crm.audit.words import Labelled, when
from crm.foundation import clock
from crm.privacy import accesses

TAGS_SHOWN = 3
STATUS_COLOURS = {"open": "success", "pending": "warning", "snoozed": "info", "resolved": "", "dormant": ""}
WINDOW_COLOURS = {"open": "success", "closing": "warning", "closed": "danger", "never": "", "none": ""}


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Conversations: nobody changes them here; answering and assigning is the inbox's."""

    change_form_template = "admin/conversations/conversation.html"
    ordering = ("-last_activity_at", "-pk")
    list_display = ("who", "status_word", "assigned", "of_team", "tag_names", "waits", "window", "active")
    list_filter = (
        ConversationSetFilter,
        ("status", titled(ChoicesDropdownFilter, gettext_lazy("status"))),
        ("inbox", titled(RelatedDropdownFilter, gettext_lazy("number"))),
        ("team", titled(RelatedDropdownFilter, gettext_lazy("team"))),
        ("assignee", titled(AutocompleteSelectFilter, gettext_lazy("assigned to"))),
        ("tags", titled(AutocompleteSelectFilter, gettext_lazy("tag"))),
    )
    list_filter_submit = True
    list_filter_sheet = True
    list_select_related = ("contact", "inbox", "assignee", "team")
    search_fields = ("contact__search_text",)
    search_help_text = gettext_lazy("Name, number or username of the contact")
    actions = None
    readonly_fields = (
        "contact_link", "number", "status_word", "assigned", "of_team", "tag_names", "priority_word", "window", "waits",
        "active", "since",
    )  # fmt: skip
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("contact_link", "number"), ("status_word", "priority_word"), ("assigned", "of_team"),
                    ("window", "waits"), ("active", "since"), "tag_names",
                )
            },
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Conversation]":
        """With tags."""
        return super().get_queryset(request).prefetch_related("tags")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Of contacts that match every word, accents and case aside."""
        return queryset.search(search_term) if search_term.strip() else queryset, False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The conversation and a page of its thread: the newest, or as `at`, `before` and `after` say."""
        conversation = self.get_object(request, object_id) if object_id.isascii() and object_id.isdigit() else None
        page = thread_page(conversation, request) if conversation is not None else None
        if conversation is not None:
            user: Any = request.user
            accesses.note(user, conversation.contact_id, accesses.What.CONVERSATION)
        context = (extra_context or {}) | {"thread": page, "items": page.items if page else []}
        return super().change_view(request, object_id, form_url, context)

    @display(description=gettext_lazy("contact"), header=True)
    def who(self, conversation: Conversation) -> list[str]:
        """Name, and our number."""
        return [conversation.contact.title, conversation.inbox.name]

    @display(description=gettext_lazy("contact"))
    def contact_link(self, conversation: Conversation) -> SafeString:
        """With a link to their page."""
        address = reverse("admin:crm_contact_change", args=[conversation.contact_id])
        return format_html('<a class="wc-link" href="{}">{}</a>', address, conversation.contact.title)

    @display(description=gettext_lazy("status"), label=STATUS_COLOURS)
    def status_word(self, conversation: Conversation) -> Labelled:
        """Open, snoozed …"""
        return Labelled(conversation.status, str(conversation.get_status_display()))

    @display(description=gettext_lazy("number"))
    def number(self, conversation: Conversation) -> str:
        """Ours."""
        return conversation.inbox.name

    @display(description=gettext_lazy("assigned to"))
    def assigned(self, conversation: Conversation) -> str:
        """Whose it is."""
        return conversation.assignee.name if conversation.assignee else "—"

    @display(description=gettext_lazy("team"))
    def of_team(self, conversation: Conversation) -> str:
        """Which team's."""
        return conversation.team.name if conversation.team else "—"

    @display(description=gettext_lazy("priority"))
    def priority_word(self, conversation: Conversation) -> str:
        """None to urgent."""
        return str(conversation.get_priority_display())

    @display(description=gettext_lazy("tags"))
    def tag_names(self, conversation: Conversation) -> SafeString:
        """The first few, each in its colour."""
        tags = list(conversation.tags.all())
        more = f" +{len(tags) - TAGS_SHOWN}" if len(tags) > TAGS_SHOWN else ""
        shown = format_html_join(
            " ", '<span class="wc-tag wc-c{}">{}</span>', ((t.colour, t.name) for t in tags[:TAGS_SHOWN])
        )
        return format_html("{}{}", shown, more) if tags else format_html("{}", "—")

    @display(description=gettext_lazy("waiting since"))
    def waits(self, conversation: Conversation) -> str:
        """Since when the person waits for an answer."""
        is_over = conversation.status == Conversation.Status.RESOLVED
        return "—" if is_over else when(conversation.waiting_since)

    @display(description=gettext_lazy("24-hour window"), label=WINDOW_COLOURS)
    def window(self, conversation: Conversation) -> Labelled:
        """Whether free text may be sent now."""
        state = conversation.window_state(clock.now())
        return Labelled(state, filters.window_words().get(state, "—"))

    @display(description=gettext_lazy("last activity"))
    def active(self, conversation: Conversation) -> str:
        """When something was last said."""
        return when(conversation.last_activity_at)

    @display(description=gettext_lazy("since"))
    def since(self, conversation: Conversation) -> str:
        """When it began."""
        return when(conversation.created_at)


class SavedViewForm(forms.ModelForm):
    """The name of a view."""

    class Meta:
        model = SavedView
        fields = ("name",)

    def clean_name(self) -> str:
        """As in the inbox."""
        try:
            return saved_views.checked_name(self.instance, self.cleaned_data["name"])
        except saved_views.ViewRefused as refusal:
            raise forms.ValidationError(str(refusal)) from refusal


@admin.register(SavedView)
class SavedViewAdmin(AuditedAdmin):
    """Views that agents have saved, their own and those of teams; they are made in the inbox."""

    form = SavedViewForm
    ordering = ("name", "pk")
    list_display = ("name", "of", "of_team", "shows")
    list_filter = (("team", titled(RelatedDropdownFilter, gettext_lazy("team"))),)
    list_filter_submit = True
    list_select_related = ("owner", "team")
    search_fields = ("name",)
    fields = ("name", ("of", "of_team"), "shows", "conditions")
    readonly_fields = ("of", "of_team", "shows", "conditions")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody here: a view is made of what one sees in the inbox."""
        return False

    @display(description=gettext_lazy("made by"))
    def of(self, view: SavedView) -> str:
        """Who made it."""
        return view.owner.name if view.owner else "—"

    @display(description=gettext_lazy("team"))
    def of_team(self, view: SavedView) -> str:
        """Who sees it beside them."""
        return view.team.name if view.team else "—"

    @display(description=gettext_lazy("shows"))
    def shows(self, view: SavedView) -> SafeString:
        """Which list, with a link to it in the inbox."""
        query = saved_views.query_of(view)
        number = len(filters.chips(query, {})) + bool(query.search)
        words = queue.view_labels()[query.view]
        if number:
            more = ngettext("%(number)d condition", "%(number)d conditions", number) % {"number": number}
            words = f"{words} · {more}"
        return format_html('<a class="wc-link" href="{}?{}">{}</a>', reverse("desk:inbox"), query.encoded, words)

    @display(description=gettext_lazy("conditions"))
    def conditions(self, view: SavedView) -> str:
        """Each in words; "assigned to me" is of whoever looks."""
        query, reader = saved_views.query_of(view), view.owner
        values = queue.ask(reader, filters.names(query, reader)) if reader and filters.names(query, reader) else {}
        words = [chip["label"] for chip in filters.chips(query, values)]
        words += [_("Search: %(words)s") % {"words": query.search}] if query.search else []
        return " · ".join(words) or "—"


def thread_page(conversation: Conversation, request: HttpRequest) -> thread.Page:
    """The page of the thread that the address asks for."""
    at: uuid.UUID | None = read_uuid(request.GET.get("at", ""))
    older, newer = request.GET.get("before", ""), request.GET.get("after", "")
    page = thread.before(conversation, older) if older else thread.after(conversation, newer) if newer else None
    return page or thread.opening(conversation, 0, at)
