"""The administration's forms of tags, lifecycle stages and custom attributes."""

import re
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextareaWidget

from crm.contacts import attributes, profile
from crm.contacts.models import CustomAttribute, LifecycleStage, Tag
from crm.foundation.text import clean_text

CHOICES_MAX = 100
COLOURS = 16
_KEY = re.compile(r"[a-z][a-z0-9_]*")


class ColourWidget(forms.RadioSelect):
    """The sixteen colours of tags to point at."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """By the project's templates, which the renderer of forms does not see."""
        return render_to_string("admin/colour_swatches.html", self.get_context(name, value, attrs))


class TagForm(forms.ModelForm):
    """A tag: one per name, whatever its case."""

    colour = forms.TypedChoiceField(
        choices=[(number, str(number + 1)) for number in range(COLOURS)],
        coerce=int,
        initial=0,
        label=gettext_lazy("Colour"),
        widget=ColourWidget,
    )

    class Meta:
        model = Tag
        fields = ("name", "colour", "group")

    def clean_group(self) -> str:
        """One line."""
        return " ".join(clean_text(self.cleaned_data["group"]).split())

    def clean_name(self) -> str:
        """One line that no other tag has."""
        name = " ".join(clean_text(self.cleaned_data["name"]).split())
        if not name:
            raise forms.ValidationError(_("Write the name of the tag."))
        known = profile.find_tag(name)
        if known is not None and known.pk != self.instance.pk:
            sentence = _("There is already a tag “%(name)s”. Use it or choose another name.")
            raise forms.ValidationError(sentence % {"name": known.name})
        return name


class StageForm(forms.ModelForm):
    """A lifecycle stage: one per name, whatever its case."""

    colour = forms.TypedChoiceField(
        choices=[(number, str(number + 1)) for number in range(COLOURS)],
        coerce=int,
        initial=0,
        label=gettext_lazy("Colour"),
        widget=ColourWidget,
    )

    class Meta:
        model = LifecycleStage
        fields = ("name", "colour", "position")

    def clean_name(self) -> str:
        """One line that no other stage has."""
        name = " ".join(clean_text(self.cleaned_data["name"]).split())
        if not name:
            raise forms.ValidationError(_("Write the name of the stage."))
        others = LifecycleStage.objects.exclude(pk=self.instance.pk)
        if any(other.name.casefold() == name.casefold() for other in others):
            raise forms.ValidationError(_("There is already a stage with this name. Choose another name."))
        return name


class TagActionForm(ActionForm):
    """Which tag to put on the chosen contacts, or to take off; or which one the chosen tags become."""

    tag = forms.ModelChoiceField(
        Tag.objects.all(), required=False, label="", empty_label=gettext_lazy("Choose a tag"),
        widget=forms.Select(attrs={"class": "wc-action-choice"}),
    )  # fmt: skip


class CustomAttributeForm(forms.ModelForm):
    """A custom attribute; its choices one to a line."""

    choices = forms.CharField(
        required=False, label=gettext_lazy("Choices"), widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text=gettext_lazy("For the type “choice”: one to a line."),
    )  # fmt: skip

    class Meta:
        model = CustomAttribute
        fields = ("label", "key", "type", "choices", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["choices"] = "\n".join(self.instance.choices)

    def clean_key(self) -> str:
        """What the API's name of a field may be."""
        key: str = self.cleaned_data["key"]
        if not _KEY.fullmatch(key):
            raise forms.ValidationError(_("Start with a letter; use a–z, 0–9 and _ only."))
        return key

    def clean_choices(self) -> list[str]:
        """Each line once."""
        lines = [" ".join(line.split()) for line in clean_text(self.cleaned_data["choices"]).splitlines()]
        choices = [line for line in lines if line]
        if len(set(choices)) < len(choices):
            raise forms.ValidationError(_("Each choice once."))
        if len(choices) > CHOICES_MAX or any(len(choice) > CHOICES_MAX for choice in choices):
            raise forms.ValidationError(_("At most 100 choices of 100 characters."))
        return choices

    def clean(self) -> dict[str, Any]:
        """Something to choose from, and only where one chooses; not too many attributes."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        type_ = cleaned.get("type", self.instance.type)
        if "choices" in cleaned and (type_ == CustomAttribute.Type.CHOICE) != bool(cleaned["choices"]):
            self.add_error("choices", _("The type choice needs choices, and no other has any."))
        if not self.instance.pk and CustomAttribute.objects.count() >= attributes.MOST:
            raise forms.ValidationError(_("There are too many attributes. Delete one that nobody needs."))
        return cleaned
