"""Canned answers in the administration."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from conversations.answers import editing, filling
from conversations.answers.models import CannedAnswer
from crm.audit.modeladmin import AuditedAdmin, titled
from crm.staff.models import Team

PREVIEW = 90


class CannedAnswerForm(forms.ModelForm):
    """A text by its shortcut; checked as in the inbox."""

    shortcut = forms.CharField(
        max_length=41,
        label=gettext_lazy("Shortcut"),
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Agents write it after a slash: /greeting."),
    )

    class Meta:
        model = CannedAnswer
        fields = ("shortcut", "title", "body", "team")
        widgets = {"body": UnfoldAdminTextareaWidget(attrs={"rows": 8})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "team" in self.fields:
            team: Any = self.fields["team"]
            team.queryset, team.empty_label = Team.objects.order_by("name"), gettext_lazy("Everybody")
        if "body" in self.fields:
            names = ", ".join(f"{{{{{name}}}}}" for name in filling.NAMES)
            self.fields["body"].help_text = gettext_lazy("Filled in when it is inserted: %(names)s") % {"names": names}

    def _post_clean(self) -> None:
        """By the rules that the inbox has: the row is checked, and saved only by `save_model`."""
        super()._post_clean()  # type: ignore[misc]
        values = self.cleaned_data
        if self.errors or not {"shortcut", "body"} <= set(values):
            return
        try:
            checked = editing.checked(shortcut=values["shortcut"], title=values.get("title", ""), body=values["body"])
        except editing.BadAnswer as refusal:
            self.add_error(refusal.extra.get("field", "body"), str(refusal))
            return
        same = CannedAnswer.objects.filter(shortcut__iexact=checked["shortcut"]).exclude(pk=self.instance.pk)
        if same.exists():
            self.add_error("shortcut", editing.taken(checked["shortcut"]))


@admin.register(CannedAnswer)
class CannedAnswerAdmin(AuditedAdmin):
    """Canned answers: texts that agents insert by a shortcut."""

    form = CannedAnswerForm
    fieldsets = ((None, {"fields": (("shortcut", "team"), "title", "body")}),)
    ordering = ("shortcut", "pk")
    list_display = ("slash", "title", "beginning", "of_team")
    list_filter = (("team", titled(RelatedDropdownFilter, gettext_lazy("team"))),)
    list_filter_submit = True
    list_select_related = ("team",)
    search_fields = ("search_text",)
    search_help_text = gettext_lazy("Shortcut, title or text")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Every word, accents and case aside."""
        return queryset.search(search_term).order_by(*self.ordering), False

    def save_model(self, request: HttpRequest, obj: CannedAnswer, form: Any, change: bool) -> None:
        """By the same function as the inbox."""
        user: Any = request.user
        editing.save(obj, shortcut=obj.shortcut, title=obj.title, body=obj.body, team=obj.team, by=user)

    @display(description=gettext_lazy("shortcut"))
    def slash(self, answer: CannedAnswer) -> str:
        """As agents write it."""
        return f"/{answer.shortcut}"

    @display(description=gettext_lazy("text"))
    def beginning(self, answer: CannedAnswer) -> str:
        """Its first words."""
        return Truncator(answer.body).chars(PREVIEW)

    @display(description=gettext_lazy("team"))
    def of_team(self, answer: CannedAnswer) -> str:
        """Who may use it."""
        return str(answer.team or gettext_lazy("Everybody"))
