"""Privacy in the administration: the register of requests, holds, who looked, processors; retention and the record."""

import csv
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from crm.audit.deeds import RowDeeds
from crm.audit.keyset import bounded_count, counted
from crm.audit.modeladmin import AuditedAdmin, ReadOnlyAdmin, titled
from crm.audit.words import Labelled, model_word, when
from crm.foundation import clock
from crm.foundation.errors import Refusal
from crm.foundation.streaming import Streamed
from crm.privacy import accesses, handing_over, holds, processing, requests, retention
from crm.privacy.forms import HoldForm, ProcessorForm, RequestForm
from crm.privacy.models import AccessLogEntry, LegalHold, PrivacyRequest, Processor

Kind, State = PrivacyRequest.Kind, PrivacyRequest.State


class Appended(ReadOnlyAdmin):
    """Rows that are made here by a function of the feature and then only read."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whose role carries it."""
        return self._may(request, "add")

    @display(description=gettext_lazy("contact"))
    def person(self, row: Any) -> SafeString | str:
        """With a link to their page."""
        if row.contact is None:
            return "—"
        address = reverse("admin:crm_contact_change", args=[row.contact_id])
        return format_html('<a class="wc-link" href="{}">{}</a>', address, row.contact.title)


@admin.register(PrivacyRequest)
class PrivacyRequestAdmin(Appended):
    """What people asked about their data, until when it must be answered, and what came of it."""

    form = RequestForm
    autocomplete_fields = ("contact",)
    list_display = ("asked", "kind", "person", "state_word", "due", "who")
    list_filter = (("kind", ChoicesDropdownFilter), ("state", ChoicesDropdownFilter))
    list_filter_submit = True
    list_select_related = ("contact", "by")
    readonly_fields = (
        "kind", "person", "state_word", "asked", "due", "finished", "who", "verified_by", "reason", "outcome",
    )  # fmt: skip
    change_form_outer_before_template = "admin/privacy/request.html"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The form, then what is known."""
        return RequestForm.Meta.fields if obj is None else self.readonly_fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """None in the form."""
        return () if obj is None else self.readonly_fields

    def get_urls(self) -> list[Any]:
        """What is done with a request, its file, and the schedule."""
        guarded = self.admin_site.admin_view
        return [
            path("retention/", guarded(require_GET(self.retention_view)), name="crm_privacyrequest_retention"),
            path("<int:pk>/act/", guarded(require_POST(self.act_view)), name="crm_privacyrequest_act"),
            path("<int:pk>/copy/", guarded(require_GET(self.copy_view)), name="crm_privacyrequest_copy"),
            *super().get_urls(),
        ]

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> PrivacyRequest:
        """What the form says is recorded by `save_model`."""
        form.save_m2m = lambda: None
        found: PrivacyRequest = form.instance
        return found

    def save_model(self, request: HttpRequest, obj: PrivacyRequest, form: Any, change: bool) -> None:
        """By the same function as the API."""
        user: Any = request.user
        obj.pk = requests.record(by=user, **form.cleaned_data).pk

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """With what can be done now."""
        row = kwargs.get("obj") or context.get("original")
        if row is not None:
            context |= {"acts": _acts(row), "has_copy": bool(row.file), "is_erasure": row.kind == Kind.ERASURE}
            context["may_act"] = self._may(request, "add")
        return super().render_change_form(request, context, *args, **kwargs)

    def act_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One act; where it is not possible, why."""
        if not self._may(request, "add"):
            raise PermissionDenied
        row = self._row(pk)
        user: Any = request.user
        try:
            self._act(row, request.POST, user)
        except Refusal as refusal:
            self.message_user(request, str(refusal), messages.WARNING)
        return HttpResponseRedirect(reverse("admin:crm_privacyrequest_change", args=[pk]))

    def _act(self, row: PrivacyRequest, form: Any, user: Any) -> None:
        match form.get("act", ""):
            case "start" if row.kind != Kind.ERASURE or form.get("sure"):
                requests.start(row, by=user)
            case "start":
                raise requests.NotNow(_("Say that you are sure: nobody can bring back what is erased."))
            case "finish":
                requests.finish(row, by=user)
            case "extend":
                requests.extend(row, by=user)
            case "refuse" if form.get("reason", "").strip():
                requests.refuse(row, by=user, reason=form["reason"].strip()[:500])
            case "refuse":
                raise requests.NotNow(_("Say why: the person has a right to know."))
            case "release" if row.contact is not None:
                holds.restrict(row.contact, by=user, is_on=False)

    def copy_view(self, request: HttpRequest, pk: int) -> Streamed:
        """The ZIP."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        user: Any = request.user
        return handing_over.download(self._row(pk), user)

    def retention_view(self, request: HttpRequest) -> HttpResponse:
        """The schedule, and what would go now: a dry run."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = []
        for rule in retention.schedule():
            limit = rule.limit
            number = bounded_count(rule.old()) if limit is not None else 0
            words = _("Until the person is erased") if limit is None else processing.span(limit)
            rows.append(
                {"name": rule.label, "key": rule.key, "kept": words, "overdue": counted(number) if number else "0"}
            )
        context = {**self.admin_site.each_context(request), "title": _("Retention"), "rules": rows, "opts": self.opts}
        return render(request, "admin/privacy/retention.html", context)

    def _row(self, pk: int) -> PrivacyRequest:
        row = PrivacyRequest.objects.select_related("contact").filter(pk=pk).first()
        if row is None:
            raise Http404
        return row

    @display(description=gettext_lazy("asked"))
    def asked(self, row: PrivacyRequest) -> str:
        """When."""
        return when(row.asked_at)

    @display(description=gettext_lazy("due"), label={"late": "danger", "soon": "warning", "": "info", "done": ""})
    def due(self, row: PrivacyRequest) -> Labelled:
        """Until when, and whether that is near."""
        left = row.due_at - clock.now()
        near = "late" if left.total_seconds() < 0 else "soon" if left < requests.WARN_BEFORE else ""
        return Labelled(near if row.state in requests.OPEN else "done", when(row.due_at))

    @display(
        description=gettext_lazy("state"),
        label={"open": "warning", "running": "info", "done": "success", "refused": "danger"},
    )
    def state_word(self, row: PrivacyRequest) -> Labelled:
        """In colour."""
        return Labelled(row.state, row.get_state_display())

    @display(description=gettext_lazy("finished"))
    def finished(self, row: PrivacyRequest) -> str:
        """When it was answered."""
        return when(row.finished_at)

    @display(description=gettext_lazy("recorded by"))
    def who(self, row: PrivacyRequest) -> str:
        """The user, if it was one."""
        return row.by.name if row.by else "—"

    @display(description=gettext_lazy("outcome"))
    def outcome(self, row: PrivacyRequest) -> SafeString | str:
        """The certificate of an erasure: what went, what stays and why."""
        told = row.result
        if "problem" in told:
            return str(told["problem"])
        went, kept, rows = (
            between.join(sorted(f"{model_word(name)}: {said}" for name, said in told.get(part, {}).items()))
            for part, between in (("erased", ", "), ("kept", "; "), ("rows", ", "))
        )
        if went and kept:
            return format_html(
                "{}<br>{}<br>{}",
                _("Erased: %(tables)s") % {"tables": went},
                _("Stays: %(tables)s") % {"tables": kept},
                _("Known from now on as %(name)s") % {"name": told.get("subject", "")},
            )
        return went or rows or "—"


@admin.register(LegalHold)
class LegalHoldAdmin(RowDeeds, Appended):
    """Whose data must stay, and why: neither erasure nor retention takes it."""

    form = HoldForm
    autocomplete_fields = ("contact",)
    actions = ("lift",)
    list_display = ("person", "reason", "until", "state_word", "since", "who")
    list_select_related = ("contact", "set_by")
    readonly_fields = ("person", "reason", "until", "state_word", "since", "who")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The form, then what is known."""
        return HoldForm.Meta.fields if obj is None else self.readonly_fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """None in the form."""
        return () if obj is None else self.readonly_fields

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Who may set them."""
        return self._may(request, "add")

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> LegalHold:
        """What the form says is set by `save_model`."""
        form.save_m2m = lambda: None
        found: LegalHold = form.instance
        return found

    def save_model(self, request: HttpRequest, obj: LegalHold, form: Any, change: bool) -> None:
        """With its entry about the person."""
        user: Any = request.user
        obj.pk = holds.hold(by=user, **form.cleaned_data).pk

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """`holds.hold` has recorded it about the person."""

    def deeds_of(self, obj: Any) -> tuple[str, ...]:
        """Lift it, once."""
        return ("lift",) if obj is not None and obj.lifted_at is None else ()

    @admin.action(description=gettext_lazy("Lift the hold"), permissions=["act"])
    def lift(self, request: HttpRequest, queryset: "QuerySet[LegalHold]") -> None:
        """The reason is gone."""
        user: Any = request.user
        for row in queryset.select_related("contact").order_by("pk"):
            holds.lift(row, by=user)
        self.tell(request, _("Lifted."), [])

    @display(description=gettext_lazy("state"), label={"on": "danger", "over": ""})
    def state_word(self, row: LegalHold) -> Labelled:
        """In force or over."""
        is_over = row.lifted_at is not None or (row.until is not None and row.until < clock.now().date())
        return Labelled("over", _("Over")) if is_over else Labelled("on", _("In force"))

    @display(description=gettext_lazy("since"))
    def since(self, row: LegalHold) -> str:
        """Since when."""
        return when(row.set_at)

    @display(description=gettext_lazy("set by"))
    def who(self, row: LegalHold) -> str:
        """The user."""
        return row.set_by.name if row.set_by else "—"


@admin.register(AccessLogEntry)
class AccessLogEntryAdmin(Appended):
    """Who looked at whom: for a question of a person, or after a breach."""

    list_display = ("moment", "who", "what", "person", "times", "about")
    list_filter = (
        ("user", titled(AutocompleteSelectFilter, gettext_lazy("user"))),
        ("contact", titled(AutocompleteSelectFilter, gettext_lazy("contact"))),
        ("what", ChoicesDropdownFilter),
        ("at", RangeDateFilter),
    )
    list_filter_submit = True
    list_filter_sheet = True
    list_select_related = ("contact", "user")
    list_before_template = "admin/privacy/accesses.html"
    fields = readonly_fields = ("moment", "who", "what", "person", "times", "about")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def get_urls(self) -> list[Any]:
        """The log of a period as a table."""
        guarded = self.admin_site.admin_view
        return [
            path("table/", guarded(require_GET(self.table_view)), name="crm_accesslogentry_table"),
            *super().get_urls(),
        ]

    def table_view(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """CSV of two days and what is between them (`from`, `to`: YYYY-MM-DD, UTC)."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        period = accesses.period(request.GET.get("from", ""), request.GET.get("to", ""))
        writer = csv.writer(_Echo())
        user: Any = request.user
        self.audit(request, "exported", None, {"access log": [None, " – ".join(f"{one:%Y-%m-%d}" for one in period)]})
        accesses.note(user, None, accesses.What.EXPORT, detail="access log")
        lines = (writer.writerow(line) for line in accesses.lines(accesses.of_period(*period)))
        response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="access-log.csv"'
        return response

    @display(description=gettext_lazy("minutes"))
    def times(self, row: AccessLogEntry) -> int:
        """In how many of the hour they looked."""
        return row.count

    @display(description=gettext_lazy("detail"))
    def about(self, row: AccessLogEntry) -> str:
        """What was taken."""
        return row.detail or "—"

    @display(description=gettext_lazy("when"))
    def moment(self, row: AccessLogEntry) -> str:
        """The first look of that hour."""
        return when(row.at)

    @display(description=gettext_lazy("who"))
    def who(self, row: AccessLogEntry) -> str:
        """The user."""
        return row.user.name if row.user else "—"


@admin.register(Processor)
class ProcessorAdmin(AuditedAdmin):
    """Services outside that handle people's data."""

    form = ProcessorForm
    ordering = ("name", "pk")
    list_display = ("name", "purpose", "country", "transfer_basis", "contract_date")
    search_fields = ("name", "purpose")

    def get_urls(self) -> list[Any]:
        """The record of processing."""
        guarded = self.admin_site.admin_view
        return [
            path("record/", guarded(require_GET(self.record_view)), name="crm_processor_record"),
            *super().get_urls(),
        ]

    def record_view(self, request: HttpRequest) -> HttpResponse:
        """From the settings and tables as they are now."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": _("Record of processing"),
            "opts": self.opts,
            "record": processing.record(),
        }
        return render(request, "admin/privacy/record.html", context)


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _acts(row: PrivacyRequest) -> list[tuple[str, str]]:
    """What can be done with a request now."""
    if row.kind == Kind.RESTRICTION and row.state == State.DONE and row.contact and row.contact.restricted_at:
        return [("release", _("Use the data again"))]
    if row.state != State.OPEN:
        return []
    words = {
        Kind.ACCESS: _("Make the copy"),
        Kind.ERASURE: _("Erase the person"),
        Kind.RESTRICTION: _("Restrict"),
        Kind.OBJECTION: _("Stop marketing"),
    }
    first = [("start", words[Kind(row.kind)])] if row.kind in words and row.contact else []
    return [*first, ("finish", _("It is done")), ("extend", _("Two months more"))]
