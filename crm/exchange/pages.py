"""What the pages of all jobs have in common in the administration: how far it is, what can be done about it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from unfold.decorators import display

from crm.audit.modeladmin import ReadOnlyAdmin
from crm.audit.words import Labelled, when
from crm.exchange import jobs
from crm.exchange.models import Job
from crm.foundation.errors import Refusal

COLOURS = {
    "draft": "", "queued": "info", "running": "info", "done": "success", "failed": "danger", "cancelled": "warning",
}  # fmt: skip


class JobPages(ReadOnlyAdmin):
    """Base: a list of jobs, a page for each with its progress, and buttons for what fits its state."""

    change_form_outer_before_template = "admin/exchange/job.html"
    list_filter_submit = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whose role carries it."""
        return self._may(request, "add")

    def get_urls(self) -> list[Any]:
        """Progress and acts beside the usual pages."""
        guarded, name = self.admin_site.admin_view, f"crm_{self.opts.model_name}"
        return [
            path("<int:pk>/progress/", guarded(require_GET(self.progress_view)), name=f"{name}_progress"),
            path("<int:pk>/act/", guarded(require_POST(self.act_view)), name=f"{name}_act"),
            *super().get_urls(),
        ]

    def acts(self, job: Any) -> list[tuple[str, str]]:
        """What can be done now: (name, its word), the likeliest first."""
        return [("cancel", _("Stop"))] if job.state in jobs.OPEN else []

    def act(self, request: HttpRequest, job: Any, name: str) -> None:
        """Do it; raises Refusal."""
        user: Any = request.user
        if name == "cancel":
            jobs.cancel(job, by=user)

    def facts(self, job: Any) -> list[tuple[str, str, str]]:
        """Numbers to show: (word, number, address or "")."""
        return []

    def links(self, request: HttpRequest, job: Any) -> list[tuple[str, str]]:
        """Where one goes from here: (word, address)."""
        return []

    def advice(self, job: Any) -> str:
        """A sentence on what this state means; "" for none."""
        return ""

    def state_context(self, request: HttpRequest, job: Any) -> dict[str, Any]:
        """What the fragment with the progress needs."""
        is_open = job.state in jobs.OPEN
        share = min(round(100 * job.done / job.total), 100) if job.total else None
        return {
            "job": job,
            "is_open": is_open,
            "share": 100 if job.state == Job.State.DONE else share,
            "word": self.state_word(job)[1],
            "colour": {"done": "ok", "failed": "danger", "cancelled": "warn"}.get(job.state, "info"),
            "numbers": _("%(done)s of %(total)s") % {"done": counted(job.done), "total": counted(job.total)}
            if job.total
            else counted(job.done),
            "facts": self.facts(job),
            "links": self.links(request, job),
            "acts": self.acts(job),
            "advice": self.advice(job),
            "progress_url": self.address("progress", job.pk) if is_open else "",
            "act_url": self.address("act", job.pk),
        }

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The fragment that the page asks for until the job is over."""
        context = self.state_context(request, self.job(request, pk, "view"))
        return render(request, "admin/exchange/_state.html", context)

    def act_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A button."""
        job = self.job(request, pk, "change")
        name = request.POST.get("act", "")
        try:
            if name in dict(self.acts(job)):
                self.act(request, job, name)
            else:
                self.message_user(request, _("That cannot be done (any more). Look at it again."), messages.WARNING)
        except Refusal as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        return HttpResponseRedirect(self.address("change", pk))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of a job."""
        job = self.get_object(request, object_id)
        context = self.state_context(request, job) if job is not None else {}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def job(self, request: HttpRequest, pk: int, verb: str) -> Any:
        """The job of an address, for who may."""
        if not self._may(request, verb):
            raise PermissionDenied
        found = self.model._default_manager.select_related("created_by").filter(pk=pk).first()
        if found is None:
            raise Http404
        return found

    def address(self, name: str, *arguments: Any) -> str:
        """Of one of its pages."""
        return reverse(f"admin:crm_{self.opts.model_name}_{name}", args=arguments)

    @display(description=gettext_lazy("state"), label=COLOURS)
    def state_word(self, job: Any) -> Labelled:
        """In its colour."""
        return Labelled(job.state, job.get_state_display())

    @display(description=gettext_lazy("by"))
    def maker(self, job: Any) -> str:
        """Who asked for it."""
        return job.created_by.name if job.created_by else "—"

    @display(description=gettext_lazy("made"))
    def made(self, job: Any) -> str:
        """When it was asked for."""
        return when(job.created_at)

    @display(description=gettext_lazy("finished"))
    def finished(self, job: Any) -> str:
        """When it was over."""
        return when(job.finished_at)


def counted(number: int | None) -> str:
    """A number for reading."""
    return number_format(number or 0, use_l10n=True, force_grouping=True)
