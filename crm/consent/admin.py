"""Consent in the administration: the ledger and the suppression list to read, the opt-out words to change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from crm.audit.modeladmin import AuditedAdmin, ReadOnlyAdmin
from crm.audit.words import Labelled, when
from crm.consent import past
from crm.consent.forms import OptOutWordForm
from crm.consent.models import ConsentEvent, OptOutWord, Suppression
from crm.consent.words import DEFAULTS
from crm.contacts.reading import language_name

STATE_COLOURS = {"granted": "success", "withdrawn": "danger"}


@admin.register(ConsentEvent)
class ConsentEventAdmin(ReadOnlyAdmin):
    """Who allowed what, when, and how we know. Nobody changes it."""

    list_display = ("moment", "person", "purpose", "state_word", "source", "who")
    list_filter = (
        ("purpose", ChoicesDropdownFilter),
        ("state", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("at", RangeDateFilter),
    )
    list_filter_submit = True
    list_filter_sheet = True
    list_select_related = ("contact", "by")
    fields = readonly_fields = (
        "person", "purpose", "state_word", "source", "moment", "recorded", "who", "proof", "wording",
        "wording_version", "language", "channel",
    )  # fmt: skip

    @display(description=gettext_lazy("when"))
    def moment(self, event: ConsentEvent) -> str:
        """When the person said it."""
        return when(event.at)

    @display(description=gettext_lazy("recorded"))
    def recorded(self, event: ConsentEvent) -> str:
        """When we heard of it."""
        return when(event.recorded_at)

    @display(description=gettext_lazy("contact"))
    def person(self, event: ConsentEvent) -> SafeString:
        """With a link to their page."""
        address = reverse("admin:crm_contact_change", args=[event.contact_id])
        return format_html('<a class="wc-link" href="{}">{}</a>', address, event.contact.title)

    @display(description=gettext_lazy("state"), label=STATE_COLOURS)
    def state_word(self, event: ConsentEvent) -> Labelled:
        """Granted or withdrawn, in colour."""
        return Labelled(event.state, str(event.get_state_display()))

    @display(description=gettext_lazy("recorded by"))
    def who(self, event: ConsentEvent) -> str:
        """The user, if it was one."""
        return event.by.name if event.by else "—"

    @display(description=gettext_lazy("evidence"))
    def proof(self, event: ConsentEvent) -> SafeString | str:
        """In words, and as it was recorded."""
        kept = ", ".join(f"{name}: {value}" for name, value in event.evidence.items())
        return format_html("{}<br><small>{}</small>", past.proof(event), kept)


@admin.register(OptOutWord)
class OptOutWordAdmin(AuditedAdmin):
    """The business's own opt-out words; they come before those that are built in."""

    form = OptOutWordForm
    fields = ("text", "language", "meaning")
    ordering = ("language", "text", "pk")
    list_display = ("text", "language_word", "meaning")
    list_filter = (("meaning", ChoicesDropdownFilter),)
    list_filter_submit = True
    search_fields = ("text",)
    list_after_template = "admin/consent/built_in_words.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With the words that are built in."""
        built_in = [
            (language_name(code), [(OptOutWord.Meaning(name).label, phrases) for name, phrases in meanings.items()])
            for code, meanings in DEFAULTS.items()
        ]
        return super().changelist_view(request, (extra_context or {}) | {"built_in": built_in})

    @display(description=gettext_lazy("language"))
    def language_word(self, word: OptOutWord) -> str:
        """Its name."""
        return language_name(word.language)


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    """Addresses never to be written to: only that there are such, since nobody can read a hash."""

    list_display = ("since", "purpose", "why", "channel")
    list_filter = (("purpose", ChoicesDropdownFilter),)
    list_filter_submit = True
    fields = readonly_fields = ("since", "purpose", "why", "channel")

    @display(description=gettext_lazy("since"))
    def since(self, row: Suppression) -> str:
        """Since when."""
        return when(row.at)

    @display(description=gettext_lazy("why"))
    def why(self, row: Suppression) -> str:
        """The source of the word that put it here."""
        known = dict(ConsentEvent.Source.choices)
        return str(known.get(row.reason, row.reason))
