"""Contacts, tags and custom attributes in the administration."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import BaseModelFormSet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from crm.audit.days import DaysFilter
from crm.audit.modeladmin import AuditedAdmin, ReadOnlyInline, titled
from crm.audit.words import Labelled, when
from crm.contacts import attributes, notes, profile
from crm.contacts.forms import (
    ATTRIBUTE,
    ContactForm,
    CustomAttributeForm,
    NoteForm,
    TagActionForm,
    TagForm,
    contact_form,
)
from crm.contacts.models import ChannelIdentity, Contact, ContactNote, CustomAttribute, Tag

NOTES_SHOWN = 10
TAGS_SHOWN = 4


class IdentityInline(ReadOnlyInline):
    """The contact's accounts: they come and change by what WhatsApp says."""

    model = ChannelIdentity
    fields = readonly_fields = (
        "channel",
        "number",
        "username",
        "profile_name",
        "first_seen",
        "last_seen",
        "former",
    )
    verbose_name_plural = gettext_lazy("Accounts")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ChannelIdentity]":
        """With what each was called before."""
        return super().get_queryset(request).prefetch_related("former_values").order_by("pk")

    @display(description=gettext_lazy("number"))
    def number(self, identity: ChannelIdentity) -> str:
        """The number, else the id the business knows it by."""
        return f"+{identity.wa_id}" if identity.wa_id else identity.user_id or "—"

    @display(description=gettext_lazy("first seen"))
    def first_seen(self, identity: ChannelIdentity) -> str:
        """Since when."""
        return when(identity.first_seen_at)

    @display(description=gettext_lazy("last seen"))
    def last_seen(self, identity: ChannelIdentity) -> str:
        """Until now."""
        return when(identity.last_seen_at)

    @display(description=gettext_lazy("before"))
    def former(self, identity: ChannelIdentity) -> str:
        """Former numbers with their last day."""
        return ", ".join(f"{value.value} ({value.until:%Y-%m-%d})" for value in identity.former_values.all()) or "—"


class NoteInline(StackedInline):
    """Notes: a manager adds and deletes; a text is changed only by who wrote it, in the inbox."""

    model = ContactNote
    form = NoteForm
    fields = ("text", "author", "written")
    readonly_fields = ("author", "written")
    ordering = ("-created_at", "-pk")
    extra = 0
    max_num = 1000
    per_page = NOTES_SHOWN
    is_audited = False
    show_title = False
    verbose_name = gettext_lazy("note")
    verbose_name_plural = gettext_lazy("Notes")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may change the contact."""
        return True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody, here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may change the contact."""
        return True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who sees the contact."""
        return True

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ContactNote]":
        """With who wrote them."""
        return super().get_queryset(request).select_related("author")

    @display(description=gettext_lazy("written"))
    def written(self, note: ContactNote) -> str:
        """When."""
        return when(note.created_at)


@admin.register(Contact)
class ContactAdmin(AuditedAdmin):
    """Contacts. They are not deleted here: erasing a person is more than deleting a row."""

    list_display = ("who", "kind_word", "company", "language", "tag_names", "wrote", "since")
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("tags", titled(AutocompleteSelectFilter, gettext_lazy("tag"))),
        ("last_inbound_at", titled(DaysFilter, gettext_lazy("last wrote"))),
        ("created_at", titled(DaysFilter, gettext_lazy("known since"))),
    )
    list_filter_submit = True
    list_filter_sheet = True
    search_fields = ("search_text",)
    search_help_text = gettext_lazy("Name, number or username")
    inlines = (IdentityInline, NoteInline)
    readonly_fields = ("wrote", "since", "conversations")
    action_form = TagActionForm
    actions = ("add_tag", "remove_tag")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Contact]":
        """What the list shows, without the search column."""
        return super().get_queryset(request).defer("search_text").prefetch_related("tags")

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple["QuerySet[Contact]", bool]:
        """Every word, accents and case aside."""
        return queryset.search(search_term), False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form with the custom attributes."""
        return super().get_form(request, obj, change, **({"form": contact_form(_customs(request))} | kwargs))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[Any, dict[str, Any]]]:
        """Who it is, what the business keeps about them, and what happened."""
        customs = tuple(f"{ATTRIBUTE}{custom.key}" for custom in _customs(request))
        who = (("name", "phone"), ("company", "language"), ("kind", "tagged"))
        sets: list[tuple[Any, dict[str, Any]]] = [(None, {"fields": who})]
        if customs:
            sets.append((gettext_lazy("Custom attributes"), {"fields": customs, "classes": ["wc-columns"]}))
        if obj is not None:
            sets.append((gettext_lazy("Activity"), {"fields": self.readonly_fields}))
        return sets

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        """None before there is a contact."""
        return self.inlines if obj is not None else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: see the class."""
        return False

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Contact:
        """The contact; what the form says is written by `save_model`."""
        form.save_m2m = lambda: None
        return form.instance

    def save_model(self, request: HttpRequest, obj: Contact, form: ContactForm, change: bool) -> None:
        """By the same function as the inbox and the API, with their rules and their record of changes."""
        user: Any = request.user
        row = profile.write(obj if change else Contact(kind=obj.kind), by=user, **form.wanted())
        obj.pk, obj.version, obj.is_name_confirmed = row.pk, row.version, row.is_name_confirmed

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Notes, by the same functions as in the inbox."""
        if formset.model is not ContactNote:
            return
        user: Any = request.user
        added: BaseModelFormSet[Any, Any] = formset.save(commit=False)
        for note in formset.deleted_objects:
            notes.delete(note, by=user)
        for note in added:
            notes.add(form.instance, note.text, by=user)
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []

    @admin.action(description=gettext_lazy("Add the tag"), permissions=["change"])
    def add_tag(self, request: HttpRequest, queryset: "QuerySet[Contact]") -> None:
        """To each of the ticked contacts."""
        self._tag(request, queryset, is_added=True)

    @admin.action(description=gettext_lazy("Remove the tag"), permissions=["change"])
    def remove_tag(self, request: HttpRequest, queryset: "QuerySet[Contact]") -> None:
        """From each of the ticked contacts."""
        self._tag(request, queryset, is_added=False)

    def _tag(self, request: HttpRequest, contacts: "QuerySet[Contact]", *, is_added: bool) -> None:
        key = request.POST.get("tag", "")
        tag = Tag.objects.filter(pk=int(key)).first() if key.isascii() and key.isdigit() and len(key) < 19 else None
        if tag is None:
            self.message_user(request, _("Choose a tag first."), messages.WARNING)
            return
        user: Any = request.user
        number = 0
        for contact in contacts.order_by("pk"):
            if is_added:
                profile.tag(contact, tag.name, by=user, may_create=False)
            else:
                profile.untag(contact, tag.pk, by=user)
            number += 1
        sentence = ngettext("%(number)d contact changed.", "%(number)d contacts changed.", number)
        self.message_user(request, sentence % {"number": number}, messages.SUCCESS)

    @display(description=gettext_lazy("contact"), header=True)
    def who(self, contact: Contact) -> list[str]:
        """Name and number."""
        return [contact.title, contact.phone or "—"]

    @display(description=gettext_lazy("kind"), label={"person": "", "employee": "info", "group": "warning"})
    def kind_word(self, contact: Contact) -> Labelled:
        """A person, an employee or a group."""
        return Labelled(contact.kind, str(contact.get_kind_display()))

    @display(description=gettext_lazy("tags"))
    def tag_names(self, contact: Contact) -> SafeString:
        """The first few, each in its colour."""
        tags = list(contact.tags.all())
        more = f" +{len(tags) - TAGS_SHOWN}" if len(tags) > TAGS_SHOWN else ""
        shown = format_html_join(
            " ", '<span class="wc-tag wc-c{}">{}</span>', ((t.colour, t.name) for t in tags[:TAGS_SHOWN])
        )
        return format_html("{}{}", shown, more)

    @display(description=gettext_lazy("last wrote"))
    def wrote(self, contact: Contact) -> str:
        """When the last message came from them."""
        return when(contact.last_inbound_at)

    @display(description=gettext_lazy("known since"))
    def since(self, contact: Contact) -> str:
        """When we first heard of them."""
        return when(contact.created_at)

    @display(description=gettext_lazy("conversations"))
    def conversations(self, contact: Contact) -> SafeString | str:
        """Where to read them."""
        try:
            address = reverse("admin:conversations_conversation_changelist")
        except NoReverseMatch:
            return "—"
        words = _("Conversations of this contact")
        return format_html('<a class="wc-link" href="{}?contact__id__exact={}">{}</a>', address, contact.pk, words)


@admin.register(Tag)
class TagAdmin(AuditedAdmin):
    """Tags; deleting one takes it off every contact and conversation."""

    form = TagForm
    fields = ("name", "colour")
    ordering = ("name", "pk")
    search_fields = ("name",)
    list_display = ("label", "holders")

    @display(description=gettext_lazy("tag"))
    def label(self, tag: Tag) -> SafeString:
        """In its colour."""
        return format_html('<span class="wc-tag wc-c{}">{}</span>', tag.colour, tag.name)

    @display(description=gettext_lazy("contacts"))
    def holders(self, tag: Tag) -> SafeString:
        """The list of those who have it."""
        address = reverse("admin:crm_contact_changelist")
        words = _("Contacts with this tag")
        return format_html('<a class="wc-link" href="{}?tags__id__exact={}">{}</a>', address, tag.pk, words)


@admin.register(CustomAttribute)
class CustomAttributeAdmin(AuditedAdmin):
    """Custom attributes: key and type stay, because contacts keep their values by them."""

    form = CustomAttributeForm
    fields = ("label", "key", "type", "choices", "position")
    ordering = ("position", "label", "pk")
    search_fields = ("label", "key")
    list_display = ("label", "key", "type", "position")
    list_filter = (("type", ChoicesDropdownFilter),)
    list_filter_submit = True
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What stays for ever."""
        return ("key", "type") if obj is not None else ()

    def delete_model(self, request: HttpRequest, obj: CustomAttribute) -> None:
        """With its values, off every contact."""
        attributes.remove(obj)


def _customs(request: HttpRequest) -> list[CustomAttribute]:
    """The custom attributes, read once per request."""
    if not hasattr(request, "_custom_attributes"):
        request._custom_attributes = list(CustomAttribute.objects.all())  # type: ignore[attr-defined]
    return request._custom_attributes  # type: ignore[attr-defined]
