"""What stands below a contact in the administration: accounts, phones and e-mails, tags, documents, notes."""

from collections import Counter
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import StackedInline, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from crm.audit.modeladmin import ReadOnlyInline
from crm.audit.words import when
from crm.contacts import masking, notes, points
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import ChannelIdentity, ContactFile, ContactNote, ContactPoint, ContactTag, IdentityValue
from crm.foundation.text import clean_text

NOTES_SHOWN = 10


class NoteForm(forms.ModelForm):
    """A note about a contact."""

    text = forms.CharField(
        max_length=notes.TEXT_MAX, label=gettext_lazy("Text"), widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )

    class Meta:
        model = ContactNote
        fields = ("text",)

    def clean_text(self) -> str:
        """Something one can read."""
        text = clean_text(self.cleaned_data["text"]).strip()
        if not text:
            raise forms.ValidationError(_("Write something first."))
        return text


class PointForm(forms.ModelForm):
    """A further phone or e-mail of a contact."""

    value = forms.CharField(max_length=254, label=gettext_lazy("Phone or e-mail"), widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = ContactPoint
        fields = ("kind", "value", "label", "is_primary")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:  # to look at: what is stored changes by `profile` only
            self.instance.value = masking.point(self.instance.kind, self.instance.value)

    def clean(self) -> dict[str, Any]:
        """As it is kept."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "kind" in cleaned and "value" in cleaned:
            try:
                cleaned["value"] = points.read(cleaned["kind"], cleaned["value"])
            except InvalidValue as error:
                self.add_error("value", str(error))
        return cleaned


class PointFormSet(forms.BaseInlineFormSet):
    """A contact's phones and e-mails: no more than it may have."""

    def clean(self) -> None:
        """Those that stay and those that come."""
        super().clean()
        ended = [form.instance.pk for form in self.initial_forms if form.cleaned_data.get("DELETE")]
        staying = points.current(self.instance).exclude(pk__in=ended).values_list("kind", "match_key")
        wanted = [form.cleaned_data for form in self.extra_forms if not form.cleaned_data.get("DELETE")]
        coming = [
            (one["kind"], points.key_of(one["kind"], one["value"])) for one in wanted if {"kind", "value"} <= one.keys()
        ]
        numbers = Counter(kind for kind, _key in {*staying, *coming})
        if any(numbers[kind] > points.MOST for kind, _key in coming):
            raise forms.ValidationError(points.too_many())


class IdentityInline(ReadOnlyInline):
    """The contact's accounts: they come and change by what WhatsApp says."""

    model = ChannelIdentity
    fields = readonly_fields = (
        "channel",
        "number",
        "called",
        "calls_themselves",
        "first_seen",
        "last_seen",
        "former",
        "split",
    )
    verbose_name_plural = gettext_lazy("Accounts")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ChannelIdentity]":
        """With what each was called before."""
        return super().get_queryset(request).prefetch_related("former_values").order_by("pk")

    @display(description=gettext_lazy("split"))
    def split(self, identity: ChannelIdentity) -> SafeString:
        """Where it can leave the contact."""
        address = reverse("admin:crm_mergerecord_split", args=[identity.pk])
        return format_html('<a class="wc-link" href="{}">{}</a>', address, _("Split off"))

    @display(description=gettext_lazy("number"))
    def number(self, identity: ChannelIdentity) -> str:
        """The number, else the id the business knows it by."""
        return masking.phone(f"+{identity.wa_id}") if identity.wa_id else identity.user_id or "—"

    @display(description=gettext_lazy("username"))
    def called(self, identity: ChannelIdentity) -> str:
        """On the channel."""
        return masking.name(identity.username) or "—"

    @display(description=gettext_lazy("profile name"))
    def calls_themselves(self, identity: ChannelIdentity) -> str:
        """There, too."""
        return masking.name(identity.profile_name) or "—"

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
        return ", ".join(f"{_value(old)} ({old.until:%Y-%m-%d})" for old in identity.former_values.all()) or "—"


def _value(old: IdentityValue) -> str:
    return masking.account(old.value) if old.field == IdentityValue.Field.WA_ID else old.value


class _Added:
    """Mixin of inlines whose rows come and go with who may change the contact; nobody changes one here."""

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


class NoteInline(_Added, StackedInline):
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

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ContactNote]":
        """With who wrote them."""
        return super().get_queryset(request).select_related("author")

    @display(description=gettext_lazy("written"))
    def written(self, note: ContactNote) -> str:
        """When."""
        return when(note.created_at)


class PointInline(_Added, TabularInline):
    """Further phones and e-mails: a manager adds and ends them; what is over stays as history."""

    model = ContactPoint
    form = PointForm
    formset = PointFormSet
    fields = ("kind", "value", "label", "is_primary", "ended")
    readonly_fields = ("ended",)
    ordering = ("kind", "-is_primary", "pk")
    extra = 0
    max_num = 100
    show_title = False
    verbose_name = gettext_lazy("phone or e-mail")
    verbose_name_plural = gettext_lazy("Phones and e-mails")

    @display(description=gettext_lazy("until"))
    def ended(self, point: ContactPoint) -> str:
        """Since when it is no longer theirs."""
        return when(point.until) if point.until else "—"


class TagInline(ReadOnlyInline):
    """The contact's tags with who put them there, when and why."""

    model = ContactTag
    fields = readonly_fields = ("tag", "who", "added", "reason")
    verbose_name_plural = gettext_lazy("Why these tags")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ContactTag]":
        """With what they show."""
        return super().get_queryset(request).select_related("tag", "added_by").order_by("pk")

    @display(description=gettext_lazy("by"))
    def who(self, link: ContactTag) -> str:
        """Who put it there."""
        return link.added_by.name if link.added_by else "—"

    @display(description=gettext_lazy("when"))
    def added(self, link: ContactTag) -> str:
        """Since when."""
        return when(link.added_at)


class FileInline(ReadOnlyInline):
    """Documents about the contact; staff add and delete them in the inbox, integrators by the API."""

    model = ContactFile
    fields = readonly_fields = ("link", "mime_type", "bytes", "added")
    is_audited = False
    verbose_name_plural = gettext_lazy("Documents")

    @display(description=gettext_lazy("document"))
    def link(self, file: ContactFile) -> SafeString | str:
        """To get it."""
        try:
            address = reverse("desk:contact-file", args=[file.pk])
        except NoReverseMatch:
            return file.name
        return format_html('<a class="wc-link" href="{}">{}</a>', address, file.name)

    @display(description=gettext_lazy("bytes"))
    def bytes(self, file: ContactFile) -> str:
        """How large."""
        return f"{file.size:,}"

    @display(description=gettext_lazy("when"))
    def added(self, file: ContactFile) -> str:
        """Since when."""
        return when(file.added_at)
