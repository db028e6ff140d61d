"""Contacts in the administration."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.forms import BaseModelFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from crm.audit.days import DaysFilter
from crm.audit.modeladmin import AuditedAdmin, titled
from crm.audit.words import Labelled, when
from crm.contacts import notes, profile
from crm.contacts.describing_admin import chosen_tag
from crm.contacts.describing_forms import TagActionForm
from crm.contacts.forms import ATTRIBUTE, ContactForm, contact_form
from crm.contacts.inlines import FileInline, IdentityInline, NoteInline, PointInline, TagInline
from crm.contacts.models import Contact, ContactNote, ContactPoint, CustomAttribute
from crm.foundation.errors import Refusal
from crm.merging import merge
from crm.privacy import accesses
from crm.segments.filters import SegmentFilter

TAGS_SHOWN = 4


@admin.register(Contact)
class ContactAdmin(AuditedAdmin):
    """Contacts. They are not deleted here: erasing a person is more than deleting a row."""

    list_display = ("who", "kind_word", "company", "stage_word", "owner_name", "tag_names", "wrote", "since")
    list_select_related = ("stage", "owner")
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("stage", titled(AutocompleteSelectFilter, gettext_lazy("stage"))),
        ("owner", titled(AutocompleteSelectFilter, gettext_lazy("owner"))),
        ("tags", titled(AutocompleteSelectFilter, gettext_lazy("tag"))),
        SegmentFilter,
        ("last_inbound_at", titled(DaysFilter, gettext_lazy("last wrote"))),
        ("created_at", titled(DaysFilter, gettext_lazy("known since"))),
    )
    list_filter_submit = True
    list_filter_sheet = True
    search_fields = ("search_text",)
    search_help_text = gettext_lazy("Name, company, number, e-mail, username or attribute")
    inlines = (PointInline, IdentityInline, TagInline, FileInline, NoteInline)
    autocomplete_fields = ("stage", "owner")
    readonly_fields = ("wrote", "since", "conversations", "restricted")
    list_before_template = "admin/exchange/matching.html"
    action_form = TagActionForm
    actions = ("add_tag", "remove_tag", "compare")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Contact]":
        """What the list shows, without the search column."""
        return super().get_queryset(request).defer("search_text").prefetch_related("tags")

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple["QuerySet[Contact]", bool]:
        """Every word, accents and case aside."""
        user: Any = request.user
        return queryset.search(search_term, user), False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form with the custom attributes."""
        return super().get_form(request, obj, change, **({"form": contact_form(_customs(request))} | kwargs))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[Any, dict[str, Any]]]:
        """Who it is, what the business keeps about them, and what happened."""
        customs = tuple(f"{ATTRIBUTE}{custom.key}" for custom in _customs(request))
        who = (
            ("name", "company"), ("phone", "email"), ("stage", "owner"), ("language", "country"),
            ("time_zone", "external_id"), ("kind", "tagged"),
        )  # fmt: skip
        sets: list[tuple[Any, dict[str, Any]]] = [(None, {"fields": who})]
        if customs:
            sets.append((gettext_lazy("Custom attributes"), {"fields": customs, "classes": ["wc-columns"]}))
        if obj is not None:
            sets.append((gettext_lazy("Activity"), {"fields": self.readonly_fields}))
        return sets

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The page of a contact; that it was looked at is noted."""
        obj = kwargs.get("obj") or context.get("original")
        if obj is not None and request.method == "GET":
            user: Any = request.user
            accesses.note(user, obj, accesses.What.PROFILE)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        """None before there is a contact."""
        return self.inlines if obj is not None else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: see the class."""
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The form; what is refused after its checks (somebody else was first) leaves nothing behind but a message."""
        try:
            with transaction.atomic():
                return super().changeform_view(request, *args, **kwargs)
        except Refusal as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

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
        """Notes, phones and e-mails, by the same functions as in the inbox."""
        if formset.model not in (ContactNote, ContactPoint):
            return
        user: Any = request.user
        added: BaseModelFormSet[Any, Any] = formset.save(commit=False)
        for row in formset.deleted_objects:
            if isinstance(row, ContactNote):
                notes.delete(row, by=user)
            else:
                profile.end_point(row, by=user)
        for row in added:
            if isinstance(row, ContactNote):
                notes.add(form.instance, row.text, by=user)
            else:
                profile.add_point(
                    form.instance, row.kind, row.value, by=user, label=row.label, is_primary=row.is_primary
                )
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []

    @admin.action(description=gettext_lazy("Add the tag"), permissions=["change"])
    def add_tag(self, request: HttpRequest, queryset: "QuerySet[Contact]") -> None:
        """To each of the ticked contacts."""
        self._tag(request, queryset, is_added=True)

    @admin.action(description=gettext_lazy("Remove the tag"), permissions=["change"])
    def remove_tag(self, request: HttpRequest, queryset: "QuerySet[Contact]") -> None:
        """From each of the ticked contacts."""
        self._tag(request, queryset, is_added=False)

    @admin.action(description=gettext_lazy("Compare and merge two"), permissions=["change"])
    def compare(self, request: HttpRequest, queryset: "QuerySet[Contact]") -> HttpResponse | None:
        """The ticked two side by side."""
        keys = list(queryset.order_by("pk").values_list("pk", flat=True)[:3])
        if len(keys) != 2:
            self.message_user(request, _("Tick two contacts."), messages.WARNING)
            return None
        return HttpResponseRedirect(reverse("admin:crm_duplicatepair_compare", args=keys))

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        """To the contact that one is part of now."""
        is_key = object_id.isascii() and object_id.isdigit() and len(object_id) < 19
        into = merge.where(int(object_id)) if is_key else None
        if into is None:
            return super()._get_obj_does_not_exist_redirect(request, opts, object_id)
        self.message_user(request, _("This contact has been merged into another one."), messages.WARNING)
        return HttpResponseRedirect(reverse("admin:crm_contact_change", args=[into]))

    def _tag(self, request: HttpRequest, contacts: "QuerySet[Contact]", *, is_added: bool) -> None:
        tag = chosen_tag(request)
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
        return [contact.title, contact.shown_phone or "—"]

    @display(description=gettext_lazy("kind"), label={"person": "", "employee": "info", "group": "warning"})
    def kind_word(self, contact: Contact) -> Labelled:
        """A person, an employee or a group."""
        return Labelled(contact.kind, str(contact.get_kind_display()))

    @display(description=gettext_lazy("stage"))
    def stage_word(self, contact: Contact) -> SafeString | str:
        """In its colour."""
        stage = contact.stage
        return format_html('<span class="wc-tag wc-c{}">{}</span>', stage.colour, stage.name) if stage else "—"

    @display(description=gettext_lazy("owner"))
    def owner_name(self, contact: Contact) -> str:
        """Whose contact it is."""
        return contact.owner.name if contact.owner else "—"

    @display(description=gettext_lazy("restricted"))
    def restricted(self, contact: Contact) -> SafeString:
        """Since when the data is kept but not used, and the way to the requests about it."""
        since = when(contact.restricted_at) if contact.restricted_at else "—"
        ways = [
            (f"{reverse('admin:crm_privacyrequest_add')}?contact={contact.pk}", _("Copy, erasure, restriction")),
            (f"{reverse('admin:crm_privacyrequest_changelist')}?contact__id__exact={contact.pk}", _("Requests so far")),
            (f"{reverse('admin:crm_accesslogentry_changelist')}?contact__id__exact={contact.pk}", _("Who looked")),
        ]
        return format_html("{} {}", since, format_html_join(" · ", '<a class="wc-link" href="{}">{}</a>', ways))

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


def _customs(request: HttpRequest) -> list[CustomAttribute]:
    """The custom attributes, read once per request."""
    if not hasattr(request, "_custom_attributes"):
        request._custom_attributes = list(CustomAttribute.objects.all())  # type: ignore[attr-defined]
    return request._custom_attributes  # type: ignore[attr-defined]
