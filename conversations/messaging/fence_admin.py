"""Stops of sending in the administration."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.decorators import display

from conversations.messaging import fence
from conversations.messaging.models import SendFence
from crm.audit.modeladmin import ReadOnlyAdmin
from crm.audit.words import when


@admin.register(SendFence)
class SendFenceAdmin(ReadOnlyAdmin):
    """Stops of sending: whether one stands now, and those that were."""

    list_display = ("reason_word", "raised", "lifted", "by")
    list_select_related = ("lifted_by",)
    list_before_template = "admin/conversations/fence.html"
    fields = readonly_fields = ("reason_word", "raised", "lifted", "by")
    actions = None

    def get_urls(self) -> list[Any]:
        """To stop and to let go."""
        views = (("raise", self.raise_view), ("lift", self.lift_view))
        own = [
            path(f"{name}/", self.admin_site.admin_view(require_POST(view)), name=f"conversations_sendfence_{name}")
            for name, view in views
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With what stands now and what waits."""
        standing = fence.current()
        state = {
            "fence_standing": standing,
            "fence_waiting": fence.waiting(),
            "fence_may": self._may(request, "change"),
        }
        return super().changelist_view(request, {**(extra_context or {}), **state})

    def raise_view(self, request: HttpRequest) -> HttpResponse:
        """Nothing leaves from now on."""
        self._check(request)
        fence.raise_(SendFence.Reason.MANUAL)
        self.message_user(request, _("Sending is stopped. Messages are kept and wait."), messages.WARNING)
        return self._back()

    def lift_view(self, request: HttpRequest) -> HttpResponse:
        """Messages leave again; those that wait are cancelled first if that is asked."""
        self._check(request)
        if not fence.is_up():
            return self._back()
        user: Any = request.user
        fence.lift(user, cancel_waiting=request.POST.get("waiting") == "cancel")
        self.message_user(request, _("Messages are sent again."), messages.SUCCESS)
        return self._back()

    def _check(self, request: HttpRequest) -> None:
        if not self._may(request, "change"):
            raise PermissionDenied

    def _back(self) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:conversations_sendfence_changelist"))

    @display(description=gettext_lazy("reason"))
    def reason_word(self, row: SendFence) -> str:
        """Why."""
        return str(row.get_reason_display())

    @display(description=gettext_lazy("stopped"))
    def raised(self, row: SendFence) -> str:
        """When it began."""
        return when(row.raised_at)

    @display(description=gettext_lazy("by"))
    def by(self, row: SendFence) -> str:
        """Who let messages go."""
        return row.lifted_by.name if row.lifted_by else "—"

    @display(description=gettext_lazy("until"))
    def lifted(self, row: SendFence) -> str:
        """When it ended."""
        return when(row.lifted_at) if row.lifted_at else _("It stands")
