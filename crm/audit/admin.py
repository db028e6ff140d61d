"""The audit log in the administration: searched and read."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
)
from unfold.decorators import display

from crm.audit.days import DaysFilter
from crm.audit.modeladmin import ReadOnlyAdmin
from crm.audit.models import AuditEntry
from crm.audit.words import ACTIONS, action_word, described, model_word, when

FIELDS_NAMED = 4


class ActionFilter(DropdownFilter):
    """By what was done."""

    title = gettext_lazy("what")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The acts that have a word."""
        return [(action, str(word)) for action, word in ACTIONS.items()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[AuditEntry]") -> "QuerySet[AuditEntry]":
        """Those entries."""
        return queryset.filter(action=self.value()) if self.value() else queryset


class KindFilter(DropdownFilter):
    """By what it was done to."""

    title = gettext_lazy("kind of thing")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterator[tuple[str, str]]:
        """The kinds that have a page."""
        labels = (model._meta.label_lower for model in model_admin.admin_site._registry)
        return iter(sorted(((label, model_word(label)) for label in labels), key=lambda pair: pair[1]))

    def queryset(self, request: HttpRequest, queryset: "QuerySet[AuditEntry]") -> "QuerySet[AuditEntry]":
        """Those entries."""
        return queryset.filter(model=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what, when and from where; nobody changes it."""

    list_display = ("moment", "who", "what", "thing", "fields_named", "source")
    list_filter = (
        ActionFilter,
        KindFilter,
        ("source", ChoicesDropdownFilter),
        ("user", AutocompleteSelectFilter),
        ("at", DaysFilter),
    )
    list_filter_submit = True
    list_filter_sheet = True
    search_fields = ("search_text",)
    search_help_text = gettext_lazy("Name of a person or a thing, or its number")
    fields = readonly_fields = ("moment", "who", "source", "ip", "what", "thing", "changes_shown")

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple["QuerySet[AuditEntry]", bool]:
        """Every word, accents and case aside."""
        return queryset.search(search_term), False

    @display(description=gettext_lazy("when"))
    def moment(self, entry: AuditEntry) -> str:
        """In the reader's time zone."""
        return when(entry.at)

    @display(description=gettext_lazy("who"))
    def who(self, entry: AuditEntry) -> str:
        """The person, and the token if it was by API."""
        token = f" ({entry.token_prefix}…)" if entry.token_prefix else ""
        return f"{entry.user_name or '—'}{token}"

    @display(description=gettext_lazy("what"))
    def what(self, entry: AuditEntry) -> str:
        """The act."""
        return action_word(entry.action)

    @display(description=gettext_lazy("thing"))
    def thing(self, entry: AuditEntry) -> SafeString | str:
        """What it was done to, with a link to its page."""
        if not entry.model:
            return "—"
        words = f"{model_word(entry.model)}: {entry.object_name or entry.object_id}"
        try:
            address = reverse(f"admin:{entry.model.replace('.', '_')}_history", args=[entry.object_id])
        except NoReverseMatch:
            return words
        return format_html('<a class="wc-link" href="{}">{}</a>', address, words)

    @display(description=gettext_lazy("changes"))
    def fields_named(self, entry: AuditEntry) -> str:
        """Which fields, without their values."""
        names = [change.field for change in described(entry)]
        more = f" +{len(names) - FIELDS_NAMED}" if len(names) > FIELDS_NAMED else ""
        return (", ".join(names[:FIELDS_NAMED]) or "—") + more

    @display(description=gettext_lazy("changes"))
    def changes_shown(self, entry: AuditEntry) -> SafeString:
        """Each field before and after."""
        return render_to_string("admin/_changes.html", {"changes": described(entry)})
