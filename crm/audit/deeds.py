"""Buttons on a row's page that do what the list's actions do, for pages whose rows nobody edits."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from crm.audit.modeladmin import ReadOnlyAdmin
from crm.foundation.errors import Refusal

ROW = "_row"

if TYPE_CHECKING:
    _Base = ReadOnlyAdmin
else:
    _Base = object


class RowDeeds(_Base):
    """Mixed in before `ReadOnlyAdmin`: `deeds_of` names the actions that fit a row; they need the right to change."""

    change_form_outer_before_template = "admin/row_deeds.html"

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Who may change such rows, though not by a form."""
        return self._may(request, "change")

    def deeds_of(self, obj: Any) -> tuple[str, ...]:
        """The actions that make sense for this row now."""
        return ()

    def deed_advice(self, obj: Any) -> str:
        """What stands beside the buttons."""
        return ""

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The page with the buttons of its row."""
        obj = kwargs.get("obj") or context.get("original")
        known = self.get_actions(request) if obj is not None and self.has_act_permission(request) else {}
        context["row_deeds"] = [(name, known[name].description) for name in self.deeds_of(obj) if name in known]
        context["row_advice"] = self.deed_advice(obj) if obj is not None else ""
        context["row_address"] = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return super().render_change_form(request, context, *args, **kwargs)

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        """Back to the row's page, if it was from there."""
        response: HttpResponse | None = super().response_action(request, queryset, *args, **kwargs)
        row = request.POST.get(ROW, "")
        if isinstance(response, HttpResponseRedirect) and row.isascii() and row.isdigit() and len(row) < 19:
            return HttpResponseRedirect(
                reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row])
            )
        return response

    def each(
        self,
        request: HttpRequest,
        rows: Iterable[Any],
        deed: Callable[[Any], Any],
        action: str,
        changes: Mapping[str, Iterable[Any]] = {},
    ) -> tuple[int, list[str]]:
        """Do `deed` to each row in a transaction of its own and record it as `action`: how many, and why not others."""
        done, refusals = 0, []
        for row in rows:
            try:
                with transaction.atomic():
                    deed(row)
                    self.audit(request, action, row, changes)
            except Refusal as refusal:
                refusals.append(str(refusal))
            else:
                done += 1
        return done, refusals

    def tell(self, request: HttpRequest, sentence: str, refusals: list[str]) -> None:
        """What was done, and each reason why something was not."""
        if sentence:
            self.message_user(request, sentence, messages.SUCCESS)
        for refusal in dict.fromkeys(refusals):
            self.message_user(request, refusal, messages.WARNING)
