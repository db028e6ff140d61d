"""The form of a segment in the administration, with the builder of its rule."""

import json
from typing import Any

from django import forms
from django.forms.widgets import Script
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from crm.segments import builder, rules, saving, sentence
from crm.segments.fields import Catalogue
from crm.segments.models import Segment
from crm.segments.rules import BrokenRule
from crm.segments.saving import SegmentRefused


class Said(dict[str, Any]):
    """A rule that reads as its sentence, where a form shows what somebody else has written."""

    def __str__(self) -> str:
        try:
            return sentence.of(self)
        except BrokenRule:
            return json.dumps(self)


class RuleWidget(forms.Widget):
    """The builder: rows made by the server, put together by `segments.js` into one hidden field; what is wrong, also
    since it was saved, is said at its row.
    """

    class Media:
        css = {"all": ("admin/conversations.css", "admin/segments.css")}
        js = (Script("admin/segments.js", type="module"),)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """The rule as sent."""
        return decoded(data.get(name))

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """By the project's templates, which the renderer of forms does not see."""
        catalogue = Catalogue()
        try:
            rules.read(value, catalogue)
        except BrokenRule as error:
            problems = error.problems
        else:
            problems = {}
        box = builder.box(value, catalogue, problems)
        context = {"name": name, "box": box, "rule": json.dumps(value), "problem": problems.get("", "")}
        return render_to_string("admin/segments/builder.html", context)


class RuleField(forms.Field):
    """A rule; what is wrong is shown at its row."""

    widget = RuleWidget

    def clean(self, value: Any) -> Said:
        """As it is kept."""
        try:
            return Said(rules.read(value).as_json())
        except BrokenRule as error:
            raise forms.ValidationError(_("The rule is not complete. See what the marked rows say.")) from error


class SegmentForm(forms.ModelForm):
    """A segment: its name, what it is for, its rule."""

    name = forms.CharField(max_length=saving.NAME_MAX, label=gettext_lazy("Name"), widget=UnfoldAdminTextInputWidget)
    description = forms.CharField(
        max_length=saving.DESCRIPTION_MAX,
        required=False,
        label=gettext_lazy("Description"),
        widget=UnfoldAdminTextInputWidget,
    )
    rule = RuleField(label=gettext_lazy("Rule"), required=False)

    class Meta:
        model = Segment
        fields = ("name", "description", "rule")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["rule"] = Said(self.instance.rule)
        if self.instance.is_static:
            del self.fields["rule"]

    def clean(self) -> dict[str, Any]:
        """Another one only while there is room."""
        try:
            saving.check_room(self.instance)
        except SegmentRefused as error:
            raise forms.ValidationError(str(error)) from error
        return self.cleaned_data

    def clean_name(self) -> str:
        """One line that no other segment has."""
        try:
            return saving.name_of(self.instance, self.cleaned_data["name"])
        except SegmentRefused as error:
            raise forms.ValidationError(str(error)) from error

    def clean_description(self) -> str:
        """One line."""
        return " ".join(self.cleaned_data["description"].replace("\x00", "").split())


def decoded(text: Any) -> Any:
    """A rule from the text of a form; what is no JSON is no rule."""
    try:
        return json.loads(text or "{}")
    except (ValueError, RecursionError):
        return ""
