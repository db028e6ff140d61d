"""Segments in the administration: the list, the builder with its live count, freezing."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from unfold.decorators import display

from crm.audit.keyset import KeysetChangeList
from crm.audit.modeladmin import AuditedAdmin
from crm.audit.words import Labelled, when
from crm.foundation.errors import Refusal
from crm.segments import builder, counting, rules, saving, sentence
from crm.segments.fields import Catalogue
from crm.segments.forms import SegmentForm, decoded
from crm.segments.models import Segment
from crm.segments.rules import BrokenRule


class SegmentList(KeysetChangeList):
    """What the sentences of a page speak of is read once."""

    def get_results(self, request: HttpRequest) -> None:
        """The page."""
        super().get_results(request)
        catalogue = Catalogue()
        segment: Any
        for segment in self.result_list:
            segment.catalogue = catalogue


@admin.register(Segment)
class SegmentAdmin(AuditedAdmin):
    """Segments: groups of contacts by a rule; frozen ones keep whom they had."""

    form = SegmentForm
    ordering = ("name", "pk")
    search_fields = ("name", "description")
    search_help_text = gettext_lazy("Name or description")
    list_display = ("name", "kind", "in_words", "contacts", "changed")
    readonly_fields = ("kind", "in_words", "contacts")
    change_form_outer_before_template = "admin/segments/freeze.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        """Sentences from one catalogue."""
        return SegmentList

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[Any, dict[str, Any]]]:
        """The builder; of a frozen one what its rule was."""
        if obj is not None and obj.is_static:
            return [(None, {"fields": ("name", "description", "kind", "in_words", "contacts")})]
        return [(None, {"fields": ("name", "description", "rule"), "classes": ["wc-wide"]})]

    def get_urls(self) -> list[Any]:
        """What the builder asks for, and freezing."""
        guarded = self.admin_site.admin_view
        return [
            path("row/", guarded(require_GET(self.row_view)), name="crm_segment_row"),
            path("count/", guarded(require_POST(self.count_view)), name="crm_segment_count"),
            path("<int:pk>/freeze/", guarded(require_POST(self.freeze_view)), name="crm_segment_freeze"),
            *super().get_urls(),
        ]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """What somebody else did between the form's check and saving, the form sees when it is read once more."""
        for _attempt in range(2):
            try:
                return super().changeform_view(request, *args, **kwargs)
            except Refusal as error:
                refused = str(error)
        self.message_user(request, refused, messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Segment:
        """The segment; what the form says is written by `save_model`."""
        form.save_m2m = lambda: None
        found: Segment = form.instance
        return found

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        """By the same function as the API."""
        user: Any = request.user
        names = [name for name in ("name", "description", "rule") if name in form.cleaned_data]
        values = {name: form.cleaned_data[name] for name in names}
        row = saving.save(Segment.objects.get(pk=obj.pk) if change else Segment(), by=user, **values)
        obj.pk, obj.version = row.pk, row.version

    def row_view(self, request: HttpRequest) -> HttpResponse:
        """A row of the builder with the controls that a field and an operator need."""
        self._check(request)
        wanted = {name: request.GET.get(name, "") for name in ("field", "op")}
        return render(request, "admin/segments/_row.html", {"part": builder.row(wanted, Catalogue())})

    def count_view(self, request: HttpRequest) -> HttpResponse:
        """How many a rule describes now, its sentence, and ten of them."""
        self._check(request)
        user: Any = request.user
        rule = decoded(request.POST.get("rule"))
        try:
            found = counting.preview(rule, user)
        except BrokenRule as error:
            return render(request, "admin/segments/_count.html", {"problem": str(error)})
        context = {
            "preview": found,
            "is_everybody": not rules.read(rule).parts,
            "consent": [(word, found.consent.get(state, 0)) for state, word in counting.consent_words().items()],
            "splits": list(found.splits.values()),
            "samples": counting.sample_rows(found, user),
        }
        return render(request, "admin/segments/_count.html", context)

    def freeze_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A static copy of those who are in it now."""
        self._check(request)
        segment = Segment.objects.filter(pk=pk).first()
        if segment is None:
            raise Http404
        user: Any = request.user
        try:
            frozen = saving.freeze(segment, by=user, name=request.POST.get("name", ""))
        except Refusal as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:crm_segment_change", args=[pk]))
        self.message_user(request, _("“%(name)s” keeps whom it has now.") % {"name": frozen.name}, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:crm_segment_change", args=[frozen.pk]))

    def _check(self, request: HttpRequest) -> None:
        if not self.has_add_permission(request):
            raise PermissionDenied

    @display(description=gettext_lazy("kind"), label={"live": "success", "frozen": "info"})
    def kind(self, segment: Segment) -> Labelled:
        """By its rule, or frozen."""
        return Labelled("frozen", _("Frozen")) if segment.is_static else Labelled("live", _("Live"))

    @display(description=gettext_lazy("rule"))
    def in_words(self, segment: Segment) -> str | SafeString:
        """Its sentence, or what is wrong with it."""
        try:
            return sentence.of(segment.rule, getattr(segment, "catalogue", None))
        except BrokenRule as error:
            if segment.is_static:
                return "—"
            return format_html('<span class="wc-state wc-danger">{}</span> {}', _("Broken"), error)

    @display(description=gettext_lazy("contacts"))
    def contacts(self, segment: Segment) -> SafeString:
        """The list of those who are in it."""
        address = f"{reverse('admin:crm_contact_changelist')}?segment={segment.pk}"
        return format_html('<a class="wc-link" href="{}">{}</a>', address, _("Contacts in this segment"))

    @display(description=gettext_lazy("changed"))
    def changed(self, segment: Segment) -> str:
        """When last."""
        return when(segment.updated_at)
