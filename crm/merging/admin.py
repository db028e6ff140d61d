"""Possible duplicates and merges in the administration."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from crm.audit.deeds import RowDeeds
from crm.audit.modeladmin import ReadOnlyAdmin
from crm.audit.words import Labelled, model_word, when
from crm.contacts.models import ChannelIdentity, Contact
from crm.contacts.timeline import label_of
from crm.foundation.errors import Refusal
from crm.merging import comparing, duplicates, likeness, merge, past, split, undo, values
from crm.merging.journal import DROPPED, KEPT
from crm.merging.models import DuplicatePair, MergeRecord

FIRST, SECOND = "first", "second"
CHOICE = "value."
_LIKELY, _PERHAPS = 85, 60
EVIDENCE_WORDS = {
    likeness.PHONE: gettext_lazy("Same phone"),
    likeness.ACCOUNT: gettext_lazy("Same WhatsApp number"),
    likeness.USER_ID: gettext_lazy("Same WhatsApp user id"),
    likeness.EMAIL: gettext_lazy("Same e-mail"),
    likeness.NAME: gettext_lazy("Similar name"),
}


class StateFilter(DropdownFilter):
    """Open pairs, unless somebody asks for others."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All states, and all of them."""
        return [(str(value), str(word)) for value, word in DuplicatePair.State.choices] + [("all", _("All"))]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """Open ones without a choice."""
        wanted = self.value() or DuplicatePair.State.OPEN
        return queryset if wanted == "all" else queryset.filter(state=wanted)


@admin.register(DuplicatePair)
class DuplicatePairAdmin(ReadOnlyAdmin):
    """The queue of people who may be there twice: compare, merge, or say that they are two."""

    ordering = ("-score", "-pk")
    list_display = ("pair", "why", "certainty", "state_word", "found")
    list_select_related = ("first", "second")
    list_filter = (StateFilter,)
    list_filter_submit = True
    actions = ("dismiss",)

    def get_urls(self) -> list[Any]:
        """The page on which two are compared."""
        guarded = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.compare_view))
        own = path("compare/<int:first>/<int:second>/", guarded, name="crm_duplicatepair_compare")
        return [own, *super().get_urls()]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Who may merge."""
        return request.user.has_perm("crm.add_mergerecord")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The comparison of its two contacts."""
        pair = self.get_object(request, object_id)
        if not self.has_view_permission(request, pair) or request.method == "POST":
            raise PermissionDenied
        if pair is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return HttpResponseRedirect(_compare(pair.first_id, pair.second_id))

    def compare_view(self, request: HttpRequest, first: int, second: int) -> HttpResponse:
        """Both side by side; POST merges them or says that they are two."""
        if not self.has_decide_permission(request):
            raise PermissionDenied
        found = comparing.both(first, second)
        if found is None:
            raise Http404
        pair = DuplicatePair.objects.filter(first=min(first, second), second=max(first, second)).first()
        if request.method == "POST":
            return self._decide(request, found, pair)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Compare two contacts"),
            "opts": self.opts,
            "sides": [(FIRST, found[0]), (SECOND, found[1])],
            "lines": comparing.lines(*found),
            "evidence": [(EVIDENCE_WORDS.get(part["kind"], ""), likeness.shown(part)) for part in _parts(pair)],
            "pair": pair,
            "is_open": pair is not None and pair.state == DuplicatePair.State.OPEN,
        }
        return render(request, "admin/merging/compare.html", context)

    def _decide(self, request: HttpRequest, found: tuple[Contact, Contact], pair: DuplicatePair | None) -> HttpResponse:
        user: Any = request.user
        keep = request.POST.get("keep", "")
        try:
            if "dismiss" in request.POST and pair is not None:
                duplicates.dismiss(pair, by=user)
                self.message_user(request, _("They stay two contacts."), messages.SUCCESS)
                return HttpResponseRedirect(reverse("admin:crm_duplicatepair_changelist"))
            if keep not in (FIRST, SECOND):
                self.message_user(request, _("Choose which contact stays."), messages.WARNING)
                return HttpResponseRedirect(_compare(found[0].pk, found[1].pk))
            kept, dropped = found if keep == FIRST else found[::-1]
            record = merge.merge(kept, dropped, by=user, choices=_choices(request, keep))
        except Refusal as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(_compare(found[0].pk, found[1].pk))
        self.message_user(request, _("The two are one contact now."), messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:crm_mergerecord_change", args=[record.pk]))

    @admin.action(description=gettext_lazy("They are not the same"), permissions=["decide"])
    def dismiss(self, request: HttpRequest, queryset: "QuerySet[DuplicatePair]") -> None:
        """Each of the ticked pairs."""
        user: Any = request.user
        for pair in queryset.order_by("pk"):
            duplicates.dismiss(pair, by=user)
        self.message_user(request, _("They stay two contacts."), messages.SUCCESS)

    @display(description=gettext_lazy("contacts"))
    def pair(self, pair: DuplicatePair) -> str:
        """Both by name."""
        return f"{pair.first.title} · {pair.second.title}"

    @display(description=gettext_lazy("what speaks for it"))
    def why(self, pair: DuplicatePair) -> str:
        """Each piece of evidence with its value."""
        return "; ".join(f"{EVIDENCE_WORDS.get(part['kind'], '')}: {likeness.shown(part)}" for part in _parts(pair))

    @display(description=gettext_lazy("certainty"), label={"likely": "success", "perhaps": "info", "hardly": "warning"})
    def certainty(self, pair: DuplicatePair) -> Labelled:
        """In per cent."""
        level = "likely" if pair.score >= _LIKELY else "perhaps" if pair.score >= _PERHAPS else "hardly"
        return Labelled(level, f"{pair.score} %")

    @display(description=gettext_lazy("state"))
    def state_word(self, pair: DuplicatePair) -> str:
        """Open, or decided."""
        return str(pair.get_state_display())

    @display(description=gettext_lazy("found"))
    def found(self, pair: DuplicatePair) -> str:
        """When."""
        return when(pair.found_at)


@admin.register(MergeRecord)
class MergeRecordAdmin(RowDeeds, ReadOnlyAdmin):
    """Merges, to look at and to take back; and splitting an account off."""

    list_display = ("into", "gone", "merged", "by", "state")
    list_select_related = ("kept", "merged_by", "undone_by")
    fields = readonly_fields = ("into", "gone", "merged", "by", "gave_way", "along", "state")
    actions = ("take_back",)

    def get_urls(self) -> list[Any]:
        """The page on which an account is split off."""
        guarded = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.split_view))
        return [path("split/<int:pk>/", guarded, name="crm_mergerecord_split"), *super().get_urls()]

    def deeds_of(self, obj: MergeRecord) -> tuple[str, ...]:
        """Taking it back, where that can be."""
        return () if undo.why_not(obj) else ("take_back",)

    def deed_advice(self, obj: MergeRecord) -> str:
        """Why not, or what it does."""
        return undo.why_not(obj) or _(
            "Taking it back makes two contacts again, as they were before; what came since stays where it is."
        )

    @admin.action(description=gettext_lazy("Take the merge back"), permissions=["act"])
    def take_back(self, request: HttpRequest, queryset: "QuerySet[MergeRecord]") -> None:
        """The newest first."""
        user: Any = request.user
        refusals, done = [], 0
        for record in queryset.order_by("-pk"):
            try:
                undo.undo(record, by=user)
                done += 1
            except Refusal as refusal:
                refusals.append(str(refusal))
        self.tell(request, _("They are two contacts again.") if done else "", refusals)

    def split_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """An account becomes a contact of its own, once somebody has said yes."""
        if not request.user.has_perm("crm.add_mergerecord"):
            raise PermissionDenied
        account = get_object_or_404(ChannelIdentity.objects.select_related("contact"), pk=pk)
        back = reverse("admin:crm_contact_change", args=[account.contact_id])
        if request.method == "POST":
            user: Any = request.user
            try:
                fresh = split.split(account, by=user)
            except Refusal as error:
                self.message_user(request, str(error), messages.ERROR)
                return HttpResponseRedirect(back)
            self.message_user(request, _("The account is a contact of its own now."), messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:crm_contact_change", args=[fresh.pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Split off an account"),
            "account": account,
            "name": past.account_name(account),
            "back": back,
        }
        return render(request, "admin/merging/split.html", context)

    @display(description=gettext_lazy("contact"))
    def into(self, record: MergeRecord) -> SafeString:
        """The one that stayed."""
        address = reverse("admin:crm_contact_change", args=[record.kept_id])
        return format_html('<a class="wc-link" href="{}">{}</a>', address, record.kept.title)

    @display(description=gettext_lazy("merged into it"))
    def gone(self, record: MergeRecord) -> str:
        """The one that went."""
        return past.dropped_name(record)

    @display(description=gettext_lazy("when"))
    def merged(self, record: MergeRecord) -> str:
        """When."""
        return when(record.merged_at)

    @display(description=gettext_lazy("by"))
    def by(self, record: MergeRecord) -> str:
        """Who decided it."""
        return record.merged_by.name if record.merged_by else _("By itself")

    @display(description=gettext_lazy("values that gave way"))
    def gave_way(self, record: MergeRecord) -> str:
        """By field."""
        said = record.summary.get("gave_way", {})
        return ", ".join(f"{_word(name)}: {past.lost_value(name, value)}" for name, value in said.items()) or "—"

    @display(description=gettext_lazy("came along"))
    def along(self, record: MergeRecord) -> str:
        """How many rows of each kind."""
        moved = record.summary.get("moved", {})
        return ", ".join(f"{model_word(label)}: {number}" for label, number in sorted(moved.items())) or "—"

    @display(description=gettext_lazy("state"))
    def state(self, record: MergeRecord) -> str:
        """Whether it stands."""
        if record.undone_at is None:
            return _("Stands")
        who = record.undone_by.name if record.undone_by else "—"
        return _("Taken back %(when)s by %(who)s") % {"when": when(record.undone_at), "who": who}


def _compare(first: int, second: int) -> str:
    return reverse("admin:crm_duplicatepair_compare", args=[first, second])


def _parts(pair: DuplicatePair | None) -> list[dict[str, str]]:
    return list(pair.evidence) if pair is not None else []


def _choices(request: HttpRequest, keep: str) -> dict[str, str]:
    """What the form chose, in the words of merging."""
    said = {name.removeprefix(CHOICE): str(value) for name, value in request.POST.items() if name.startswith(CHOICE)}
    return {name: KEPT if whose == keep else DROPPED for name, whose in said.items() if whose in (FIRST, SECOND)}


def _word(name: str) -> str:
    return name.removeprefix(values.ATTRIBUTE) if name.startswith(values.ATTRIBUTE) else label_of(name)
