"""The administration's forms of contacts, tags and custom attributes."""

import re
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.forms import ActionForm
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from crm.contacts import attributes, notes, profile, reading
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import Contact, ContactNote, CustomAttribute, Tag
from crm.foundation.text import clean_text

ATTRIBUTE = "attribute_"
COLUMNS = ("name", "kind", "phone", "company", "language")
TAGS_MAX = 50
CHOICES_MAX = 100
COLOURS = 16
_KEY = re.compile(r"[a-z][a-z0-9_]*")


class ContactForm(forms.ModelForm):
    """A contact, its tags, and a field for each custom attribute (added by `contact_form`)."""

    tagged = forms.ModelMultipleChoiceField(
        Tag.objects.all(), required=False, label=gettext_lazy("Tags"), widget=UnfoldAdminSelect2MultipleWidget
    )

    class Meta:
        model = Contact
        fields = COLUMNS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        contact = self.instance
        if contact.pk and "tagged" in self.fields:
            self.initial["tagged"] = list(contact.tags.all())
        for name in self.fields:
            if name.startswith(ATTRIBUTE):
                self.initial[name] = attribute_text(contact.attributes.get(name.removeprefix(ATTRIBUTE)))
        if "kind" in self.fields and contact.kind != Contact.Kind.GROUP:
            self.fields["kind"].choices = [  # type: ignore[attr-defined]
                (value, label) for value, label in Contact.Kind.choices if value != Contact.Kind.GROUP
            ]

    def clean_name(self) -> str:
        """One line."""
        return str(_read("name", self.cleaned_data["name"]))

    def clean_company(self) -> str:
        """One line."""
        return str(_read("company", self.cleaned_data["company"]))

    def clean_language(self) -> str:
        """As BCP 47 writes it."""
        return str(_read("language", self.cleaned_data["language"]))

    def clean_phone(self) -> str | None:
        """As E.164."""
        found: str | None = _read("phone", self.cleaned_data["phone"] or "")
        return found

    def clean_kind(self) -> str:
        """Groups come from WhatsApp only and stay groups."""
        kind: str = self.cleaned_data["kind"]
        if (kind == Contact.Kind.GROUP) != (self.initial.get("kind") == Contact.Kind.GROUP):
            raise forms.ValidationError(_("A contact can be made a person or an employee; groups stay groups."))
        return kind

    def clean_tagged(self) -> Any:
        """Not more than anybody reads."""
        tags = self.cleaned_data["tagged"]
        if len(tags) > TAGS_MAX:
            raise forms.ValidationError(_("These are too many tags: %(most)d at most.") % {"most": TAGS_MAX})
        return tags

    def clean(self) -> dict[str, Any]:
        """A new contact needs something to be known by."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.instance.pk and not self.errors and not (cleaned.get("name") or cleaned.get("phone")):
            raise forms.ValidationError(_("Give the contact a name or a phone number."))
        return cleaned

    def wanted(self) -> dict[str, Any]:
        """What to hand to `profile.write`: only what has been changed."""
        changed = [name for name in self.changed_data if name in self.cleaned_data]
        wanted: dict[str, Any] = {name: self.cleaned_data[name] for name in changed if name in COLUMNS}
        if "tagged" in changed:
            wanted["tags"] = [tag.name for tag in self.cleaned_data["tagged"]]
        keys = [name.removeprefix(ATTRIBUTE) for name in changed if name.startswith(ATTRIBUTE)]
        if keys:
            wanted["attributes"] = {key: self.cleaned_data[f"{ATTRIBUTE}{key}"] for key in keys}
        return wanted


def contact_form(customs: list[CustomAttribute]) -> type[ContactForm]:
    """The form with a typed field per custom attribute."""
    fields = {f"{ATTRIBUTE}{custom.key}": AttributeField(custom) for custom in customs}
    return type("ContactForm", (ContactForm,), fields)


class AttributeField(forms.CharField):
    """The value of a custom attribute, entered as its type asks and kept as `attributes.read` says."""

    def __init__(self, attribute: CustomAttribute) -> None:
        self.attribute = attribute
        super().__init__(required=False, label=attribute.label, widget=_widget(attribute))

    def clean(self, value: Any) -> Any:
        """The value as it is kept; None for none."""
        try:
            return attributes.read(self.attribute, super().clean(value))
        except InvalidValue as error:
            raise forms.ValidationError(str(error)) from error


def attribute_text(value: Any) -> str:
    """A kept value as its field shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


class NoteForm(forms.ModelForm):
    """A note about a contact."""

    text = forms.CharField(
        max_length=notes.TEXT_MAX, label=gettext_lazy("Text"), widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )

    class Meta:
        model = ContactNote
        fields = ("text",)

    def clean_text(self) -> str:
        """Something one can read."""
        text = clean_text(self.cleaned_data["text"]).strip()
        if not text:
            raise forms.ValidationError(_("Write something first."))
        return text


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
        fields = ("name", "colour")

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


class TagActionForm(ActionForm):
    """Which tag to put on the chosen contacts, or to take off."""

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


def _read(field: str, text: str) -> Any:
    try:
        return reading.read(field, text or "")
    except InvalidValue as error:
        raise forms.ValidationError(str(error)) from error


def _widget(attribute: CustomAttribute) -> forms.Widget:
    types = CustomAttribute.Type
    if attribute.type == types.CHOICE:
        return UnfoldAdminSelectWidget(choices=[("", "—"), *((choice, choice) for choice in attribute.choices)])
    if attribute.type == types.YES_NO:
        return UnfoldAdminSelectWidget(choices=[("", "—"), ("yes", gettext_lazy("Yes")), ("no", gettext_lazy("No"))])
    if attribute.type == types.DATE:
        return IsoDateWidget()
    number = {"inputmode": "decimal"} if attribute.type == types.NUMBER else {}
    return UnfoldAdminTextInputWidget(attrs=number)


class IsoDateWidget(UnfoldAdminTextInputWidget):
    """A day as year-month-day, by the browser's own calendar."""

    input_type = "date"
