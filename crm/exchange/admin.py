"""Imports, exports and bulk changes in the administration; and what "all that a list shows" means."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET
from unfold.decorators import display

from crm.audit.keyset import AFTER, BEFORE, bounded_count
from crm.audit.keyset import counted as at_most
from crm.audit.words import when
from crm.contacts.models import Contact, LifecycleStage, Tag
from crm.exchange import bulk, exporter, selection
from crm.exchange.import_pages import ImportJobAdmin
from crm.exchange.models import BulkJob, ExportJob
from crm.exchange.pages import JobPages, counted
from crm.foundation.errors import Refusal
from crm.foundation.streaming import Streamed
from crm.staff.models import User

__all__ = ["BulkJobAdmin", "ExportJobAdmin", "ImportJobAdmin"]

NO_FILTERS = frozenset({AFTER, BEFORE, "p", "e", "o", "all", "_changelist_filters", "_popup", "_to_field"})
OFFERED = 500


class _Said(list[str]):
    """Takes what a filter has to say where nobody reads messages."""

    def add(self, level: int, message: Any, extra_tags: str = "") -> None:
        """As Django's storage of messages."""
        self.append(str(message))


def matching(parameters: Mapping[str, list[str]], user: User) -> Any:
    """The contacts that the list shows with these parameters; raises NoSelection."""
    request = HttpRequest()
    request.method, request.user = "GET", user
    asked = QueryDict(mutable=True)
    for name, values in parameters.items():
        asked.setlist(name, list(values))
    said: Any = _Said()
    request.GET = asked  # type: ignore[assignment]
    request._messages = said  # type: ignore[attr-defined]
    try:
        rows = admin.site.get_model_admin(Contact).get_changelist_instance(request).queryset
    except (IncorrectLookupParameters, DisallowedModelAdminLookup) as error:
        raise selection.NoSelection(_("This list cannot be shown any more. Filter it anew.")) from error
    if said:
        raise selection.NoSelection(said[0])
    return rows


selection.register(matching)


class ForSelection(JobPages):
    """A job that is begun from a list of contacts: its address carries the list's parameters."""

    add_template = ""
    add_title: Any = ""

    def add_view(self, request: HttpRequest, *_arguments: Any, **_more: Any) -> HttpResponse:
        """What to do with all of them."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        user: Any = request.user
        parameters = {name: values for name, values in request.GET.lists() if name not in NO_FILTERS}
        problem, number, status = "", 0, 200
        try:
            chosen = selection.of_list(parameters)
            number = bounded_count(selection.contacts(chosen, user))
            if request.method == "POST":
                return HttpResponseRedirect(self.address("change", self.begin(request, chosen, user).pk))
        except Refusal as refusal:
            problem, status = str(refusal), refusal.http_status
        context = {
            **self.admin_site.each_context(request),
            **self.choices(),
            "title": self.add_title,
            "problem": problem,
            "number": number,
            "counted": at_most(number),
            "is_everybody": not parameters,
            "back": f"{reverse('admin:crm_contact_changelist')}?{request.GET.urlencode()}",
        }
        return TemplateResponse(request, self.add_template, context, status=status)

    def begin(self, request: HttpRequest, chosen: dict[str, Any], user: User) -> Any:
        """Begin what the form asks for; raises Refusal."""
        raise NotImplementedError

    def choices(self) -> dict[str, Any]:
        """What the form offers."""
        return {}


@admin.register(ExportJob)
class ExportJobAdmin(ForSelection):
    """Exports; the file is its maker's alone, for a week."""

    add_template = "admin/exchange/export.html"
    add_title = gettext_lazy("Export contacts")
    list_display = ("title", "state_word", "rows_word", "maker", "made")
    list_select_related = ("created_by",)
    fields = readonly_fields = ("title", "maker", "made", "finished", "until")

    def get_urls(self) -> list[Any]:
        """The links to files."""
        view = self.admin_site.admin_view(require_GET(self.file_view))
        return [path("files/<slug:secret>/", view, name="crm_exportjob_file"), *super().get_urls()]

    def file_view(self, request: HttpRequest, secret: str) -> Streamed:
        """The file, for who had it made, in time; for everybody else there is none."""
        user: Any = request.user
        if not user.has_perm(exporter.PERMISSION):
            raise PermissionDenied
        return exporter.download(exporter.found(secret, user), user)

    def begin(self, request: HttpRequest, chosen: dict[str, Any], user: User) -> ExportJob:
        """With the ticked columns."""
        is_sheet = request.POST.get("format") == "xlsx"
        wanted = request.POST.getlist("columns")
        return exporter.start(chosen, by=user, format="xlsx" if is_sheet else "csv", wanted=wanted)

    def choices(self) -> dict[str, Any]:
        """Every column."""
        return {"columns": exporter.columns()}

    def advice(self, job: Any) -> str:
        """Who has the link."""
        if job.state == ExportJob.State.DONE and job.file:
            return _("Only %(name)s can download the file, until it is deleted.") % {"name": self.maker(job)}
        return _("The file has been deleted: its time is over.") if job.state == ExportJob.State.DONE else ""

    def links(self, request: HttpRequest, job: Any) -> list[tuple[str, str]]:
        """The link to the file, for its maker."""
        is_mine = job.created_by_id == request.user.pk
        if not is_mine or job.state != ExportJob.State.DONE or not job.file:
            return []
        return [(_("Download the file"), self.address("file", job.secret))]

    @display(description=gettext_lazy("contacts"))
    def rows_word(self, job: ExportJob) -> str:
        """How many."""
        return counted(job.total)

    @display(description=gettext_lazy("format"))
    def title(self, job: ExportJob) -> str:
        """CSV or XLSX."""
        return job.get_format_display()

    @display(description=gettext_lazy("kept until"))
    def until(self, job: ExportJob) -> str:
        """When the file goes."""
        return when(job.expires_at)


@admin.register(BulkJob)
class BulkJobAdmin(ForSelection):
    """Changes to many contacts."""

    add_template = "admin/exchange/bulk.html"
    add_title = gettext_lazy("Change contacts")
    list_display = ("title", "state_word", "rows_word", "maker", "made")
    list_select_related = ("created_by",)
    fields = readonly_fields = ("title", "reason", "maker", "made", "finished")

    def begin(self, request: HttpRequest, chosen: dict[str, Any], user: User) -> BulkJob:
        """What the form says."""
        action = request.POST.get("action", "")
        if action not in BulkJob.Action.values:
            raise selection.NoSelection(_("Choose what to do."))
        wanted = {name: request.POST.get(name, "") for name in ("tag", "stage", "owner")}
        name = {"set_stage": "stage", "set_owner": "owner"}.get(action, "tag")
        key = wanted[name]
        is_key = key.isascii() and key.isdigit() and len(key) < 19
        value = {name: int(key) if is_key else 0, "reason": request.POST.get("reason", "")}
        return bulk.start(chosen, action, value, by=user)

    def choices(self) -> dict[str, Any]:
        """Actions, tags, stages, people."""
        return {
            "actions": BulkJob.Action.choices,
            "tags": list(Tag.objects.values_list("pk", "name")[:OFFERED]),
            "stages": list(LifecycleStage.objects.values_list("pk", "name")[:OFFERED]),
            "owners": list(User.objects.filter(is_active=True).order_by("name").values_list("pk", "name")[:OFFERED]),
        }

    def facts(self, job: Any) -> list[tuple[str, str, str]]:
        """How many were otherwise before."""
        return [(_("Changed"), counted(job.changed), "")]

    @display(description=gettext_lazy("contacts"))
    def rows_word(self, job: BulkJob) -> str:
        """How many."""
        return counted(job.total)

    @display(description=gettext_lazy("change"))
    def title(self, job: BulkJob) -> str:
        """In words."""
        return bulk.in_words(job)

    @display(description=gettext_lazy("reason"))
    def reason(self, job: BulkJob) -> str:
        """Why, as it stands at the tags."""
        return str(job.value.get("reason") or "—")
