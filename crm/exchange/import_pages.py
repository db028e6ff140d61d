"""Imports in the administration: upload, mapping, dry run, rows, report."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods
from unfold.decorators import display

from crm.contacts import masking, reading
from crm.contacts.files import BadFile
from crm.contacts.models import Tag
from crm.exchange import cells, fields, importer, tables
from crm.exchange.models import ImportJob, ImportRow
from crm.exchange.pages import JobPages, counted
from crm.exchange.report import covered, hand_out
from crm.foundation.errors import Refusal
from crm.foundation.streaming import Streamed

ROWS_SHOWN = 100
Step, State = ImportJob.Step, ImportJob.State


@admin.register(ImportJob)
class ImportJobAdmin(JobPages):
    """Imports: each a file that is mapped, tried, taken over, and perhaps taken back."""

    list_display = ("name", "step_word", "state_word", "rows_word", "maker", "made")
    list_select_related = ("created_by",)
    search_fields = ("file_name",)
    search_help_text = gettext_lazy("Name of the file")
    fields = readonly_fields = ("name", "step_word", "maker", "made", "finished")

    def get_urls(self) -> list[Any]:
        """The pages of an import."""
        guarded = self.admin_site.admin_view
        both = require_http_methods(["GET", "POST"])
        return [
            path("uploads/", guarded(both(self.upload_view)), name="crm_importjob_upload"),
            path("<int:pk>/mapping/", guarded(both(self.mapping_view)), name="crm_importjob_mapping"),
            path("<int:pk>/rows/", guarded(require_GET(self.rows_view)), name="crm_importjob_rows"),
            path("<int:pk>/report/", guarded(require_GET(self.report_view)), name="crm_importjob_report"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, *_arguments: Any, **_more: Any) -> HttpResponse:
        """One begins with a file."""
        self._check(request)
        return HttpResponseRedirect(self.address("upload"))

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Choose a file."""
        self._check(request)
        problem, status = "", 200
        if request.method == "POST":
            user: Any = request.user
            file = request.FILES.get("file")
            try:
                if file is None:
                    raise BadFile.none_chosen()
                job = importer.upload(file, by=user)
            except Refusal as refusal:
                problem, status = str(refusal), refusal.http_status
            else:
                return HttpResponseRedirect(self.address("mapping", job.pk))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Import contacts"),
            "problem": problem,
            "most_bytes": settings.UPLOAD_MAX_BYTES,
            "most_megabytes": settings.UPLOAD_MAX_BYTES // 1024**2,
            "most_rows": counted(tables.ROWS_MAX),
        }
        return TemplateResponse(request, "admin/exchange/upload.html", context, status=status)

    def mapping_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Which column is what, and what goes for all rows; then the dry run."""
        job = self.job(request, pk, "change")
        problems: dict[str, str] = {}
        problem, status = "", 200
        if request.method == "POST":
            wanted = {name.removeprefix("column-"): value for name, value in request.POST.items() if "column-" in name}
            options = {name: request.POST.get(name, "") for name in (*_OPTIONS, "country", *_CONSENT)}
            try:
                job = importer.configure(job, mapping=wanted, options=options | {"tags": request.POST.getlist("tags")})
                if "check" in request.POST:
                    importer.start_check(job)
                    return HttpResponseRedirect(self.address("change", pk))
            except fields.BadMapping as refusal:
                problems, status = refusal.problems, 422
                job.mapping, job.options = wanted, job.options | options
            except Refusal as refusal:
                problem, status = str(refusal), refusal.http_status
        context = self._mapping_context(request, job, problems) | {"problem": problem}
        return TemplateResponse(request, "admin/exchange/mapping.html", context, status=status)

    def _mapping_context(self, request: HttpRequest, job: ImportJob, problems: dict[str, str]) -> dict[str, Any]:
        options, known = job.options, fields.labels()
        user: Any = request.user
        try:
            _headers, samples = tables.head_of(importer.path_of(job), options)
            samples = samples if masking.may_see_addresses(user) else []
        except (OSError, Refusal):
            samples = []
        columns = [
            {
                "number": number,
                "header": covered(header, user) or "—",
                "samples": [cells.plain(row[number])[:60] if number < len(row) else "" for row in samples],
                "field": job.mapping.get(str(number), ""),
                "problem": problems.get(str(number), ""),
            }
            for number, header in enumerate(job.headers)
        ]
        chosen = {int(one) for one in options.get("tags", []) if str(one).isdigit()}
        return {
            **self.admin_site.each_context(request),
            "title": _("Which column is what?"),
            "subtitle": job.file_name,
            "job": job,
            "columns": columns,
            "known": list(known.items()),
            "options": options,
            "choices": [(name, word, _choices(name, options)) for name, word in _shown_options(options)],
            "countries": reading.countries(),
            "tags": [(tag.pk, tag.name, tag.pk in chosen) for tag in Tag.objects.all()[:500]],
            "problems": problems,
            "general": [problems[name] for name in ("mapping", "tags", *_OPTIONS) if name in problems],
            "back": self.address("change", job.pk),
        }

    def rows_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What became of each row, a hundred at a time."""
        job = self.job(request, pk, "view")
        outcome, after = request.GET.get("outcome", ""), request.GET.get("after", "")
        rows = job.rows.order_by("number")
        if outcome in ImportRow.Outcome.values:
            rows = rows.filter(outcome=outcome)
        if after.isascii() and after.isdigit() and len(after) < 10:
            rows = rows.filter(number__gt=int(after))
        found = list(rows[: ROWS_SHOWN + 1])
        user: Any = request.user
        for row in found:
            row.reason = covered(row.reason, user)
        context = {
            **self.admin_site.each_context(request),
            "title": job.file_name,
            "subtitle": dict(ImportRow.Outcome.choices).get(outcome, _("All rows")),
            "job": job,
            "rows": found[:ROWS_SHOWN],
            "outcome": outcome,
            "outcomes": ImportRow.Outcome.choices,
            "following": found[ROWS_SHOWN - 1].number if len(found) > ROWS_SHOWN else None,
            "back": self.address("change", pk),
        }
        return render(request, "admin/exchange/rows.html", context)

    def report_view(self, request: HttpRequest, pk: int) -> Streamed:
        """As a file."""
        job, outcome = self.job(request, pk, "view"), request.GET.get("outcome", "")
        user: Any = request.user
        chosen = outcome if outcome in ImportRow.Outcome.values else ""
        response = Streamed(hand_out(job, user, chosen), content_type="application/octet-stream")
        response["Content-Disposition"] = content_disposition_header(True, f"import-{job.pk}-report.csv") or ""
        response["X-Content-Type-Options"] = "nosniff"
        return response

    def acts(self, job: Any) -> list[tuple[str, str]]:
        """By its step and state."""
        if job.state in (State.FAILED, State.CANCELLED) and job.step != Step.MAP:
            found = [("go_on", _("Go on where it stopped"))]
            return [*found, ("undo", _("Take it back"))] if job.step == Step.COMMIT else found
        if job.state == State.DONE and job.step == Step.CHECK and _takes_over(job):
            words = ngettext("Import %(number)s contact", "Import %(number)s contacts", _takes_over(job))
            return [("commit", words % {"number": counted(_takes_over(job))})]
        if job.state == State.DONE and job.step == Step.COMMIT and _takes_over(job):
            return [("undo", _("Take it back"))]
        return [("cancel", _("Stop"))] if job.state in (State.QUEUED, State.RUNNING, State.DRAFT) else []

    def act(self, request: HttpRequest, job: Any, name: str) -> None:
        """The next step, or the one before."""
        user: Any = request.user
        if name == "commit":
            importer.start_commit(job, by=user)
        elif name == "undo":
            importer.start_undo(job, by=user)
        elif name == "go_on":
            importer.go_on(job, by=user)
        else:
            super().act(request, job, name)

    def facts(self, job: Any) -> list[tuple[str, str, str]]:
        """Rows by what became of them."""
        rows = self.address("rows", job.pk)
        words = dict(ImportRow.Outcome.choices)
        return [
            (str(words[outcome]), counted(job.counts.get(outcome, 0)), f"{rows}?outcome={outcome}")
            for outcome in words
            if job.counts
        ]

    def links(self, request: HttpRequest, job: Any) -> list[tuple[str, str]]:
        """Rows, report, mapping."""
        found = []
        if job.step in (Step.MAP, Step.CHECK) and job.state in (State.DRAFT, State.DONE, State.FAILED):
            found.append((_("Columns and options"), self.address("mapping", job.pk)))
        if job.counts:
            found += [(_("All rows"), self.address("rows", job.pk)), (_("Report"), self.address("report", job.pk))]
        return found

    def advice(self, job: Any) -> str:
        """What this step means."""
        if job.state != State.DONE:
            return ""
        return {
            Step.CHECK: _("This was a dry run: nothing has been written yet."),
            Step.COMMIT: _("The contacts are there. The whole import can be taken back."),
            Step.UNDO: _("The import has been taken back; what somebody changed since was left."),
        }.get(job.step, "")

    def _check(self, request: HttpRequest) -> None:
        if not self.has_add_permission(request):
            raise PermissionDenied

    @display(description=gettext_lazy("file"))
    def name(self, job: ImportJob) -> SafeString:
        """As it was called."""
        return format_html('<span dir="auto">{}</span>', job.file_name)

    @display(description=gettext_lazy("step"))
    def step_word(self, job: ImportJob) -> str:
        """How far it is."""
        return job.get_step_display()

    @display(description=gettext_lazy("rows"))
    def rows_word(self, job: ImportJob) -> str:
        """How many."""
        return counted(sum(job.counts.values())) if job.counts else "—"


_CONSENT = (fields.CONSENT_SOURCE, fields.CONSENT_AT)
_OPTIONS = ("encoding", "delimiter", "sheet", "existing", "dates")


def _takes_over(job: ImportJob) -> int:
    return int(job.counts.get("new", 0)) + int(job.counts.get("update", 0))


def _shown_options(options: dict[str, Any]) -> list[tuple[str, str]]:
    words = {
        "encoding": _("Encoding"),
        "delimiter": _("Separator"),
        "sheet": _("Sheet"),
        "existing": _("Contacts that are known already"),
        "dates": _("Dates such as 03/04/2026"),
    }
    of_file = ("sheet",) if options.get("format") == "xlsx" else ("encoding", "delimiter")
    return [(name, words[name]) for name in (*of_file, "existing", "dates")]


def _choices(name: str, options: dict[str, Any]) -> list[tuple[str, str, bool]]:
    offered: dict[str, list[tuple[str, Any]]] = {
        "encoding": [(one, one.upper().replace("CP1252", "Windows-1252")) for one in tables.ENCODINGS],
        "delimiter": [(",", ","), (";", ";"), ("\t", _("Tab")), ("|", "|")],
        "sheet": [(one, one) for one in options.get("sheets", [])],
        "existing": [
            ("update", _("get the file's values")),
            ("fill", _("get what they lack")),
            ("skip", _("are left as they are")),
        ],
        "dates": [("dmy", _("are 3 April")), ("mdy", _("are 4 March"))],
    }
    return [(value, str(word), value == options.get(name)) for value, word in offered[name]]
