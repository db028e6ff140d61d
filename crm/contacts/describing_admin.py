"""Tags, lifecycle stages and custom attributes in the administration."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from crm.audit.modeladmin import AuditedAdmin
from crm.contacts import attributes, tagging
from crm.contacts.describing_forms import CustomAttributeForm, StageForm, TagActionForm, TagForm
from crm.contacts.models import CustomAttribute, LifecycleStage, Tag


def chosen_tag(request: HttpRequest) -> Tag | None:
    """The tag that an action's form names."""
    key = request.POST.get("tag", "")
    return Tag.objects.filter(pk=int(key)).first() if key.isascii() and key.isdigit() and len(key) < 19 else None


@admin.register(Tag)
class TagAdmin(AuditedAdmin):
    """Tags; deleting one takes it off every contact and conversation."""

    form = TagForm
    fields = ("name", "colour", "group")
    ordering = ("group", "name", "pk")
    search_fields = ("name", "group")
    list_display = ("label", "group", "holders")
    action_form = TagActionForm
    actions = ("merge_into",)

    @admin.action(description=gettext_lazy("Merge into the tag"), permissions=["delete"])
    def merge_into(self, request: HttpRequest, queryset: "QuerySet[Tag]") -> None:
        """The ticked tags become the chosen one, on contacts and conversations."""
        kept = chosen_tag(request)
        if kept is None:
            self.message_user(request, _("Choose a tag first."), messages.WARNING)
            return
        user: Any = request.user
        gone = list(queryset.exclude(pk=kept.pk))
        for tag in gone:
            tagging.merge(tag, kept, by=user)
        sentence = ngettext(
            "%(number)d tag merged into “%(name)s”.", "%(number)d tags merged into “%(name)s”.", len(gone)
        )
        self.message_user(request, sentence % {"number": len(gone), "name": kept.name}, messages.SUCCESS)

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


@admin.register(LifecycleStage)
class LifecycleStageAdmin(AuditedAdmin):
    """The steps of a customer's life with the business; deleting one takes it off every contact."""

    form = StageForm
    fields = ("name", "colour", "position")
    ordering = ("position", "name", "pk")
    search_fields = ("name",)
    list_display = ("label", "position", "holders")
    actions = None

    @display(description=gettext_lazy("stage"))
    def label(self, stage: LifecycleStage) -> SafeString:
        """In its colour."""
        return format_html('<span class="wc-tag wc-c{}">{}</span>', stage.colour, stage.name)

    @display(description=gettext_lazy("contacts"))
    def holders(self, stage: LifecycleStage) -> SafeString:
        """The list of those who are there."""
        address = reverse("admin:crm_contact_changelist")
        words = _("Contacts at this stage")
        return format_html('<a class="wc-link" href="{}?stage__id__exact={}">{}</a>', address, stage.pk, words)
