"""The administration's form of contacts."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from crm.contacts import attributes, masking, points, reading
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import Contact, CustomAttribute, Tag

ATTRIBUTE = "attribute_"
COLUMNS = ("name", "kind", "phone", "company", "language", "country", "time_zone", "stage", "owner", "external_id")
TAGS_MAX = 50


class ContactForm(forms.ModelForm):
    """A contact, its primary e-mail, its tags, and a field for each custom attribute (added by `contact_form`)."""

    email = forms.CharField(
        required=False, max_length=254, label=gettext_lazy("E-mail"), widget=UnfoldAdminTextInputWidget
    )
    tagged = forms.ModelMultipleChoiceField(
        Tag.objects.all(), required=False, label=gettext_lazy("Tags"), widget=UnfoldAdminSelect2MultipleWidget
    )

    class Meta:
        model = Contact
        fields = COLUMNS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        contact = self.instance
        if contact.pk and "email" in self.fields:
            self.initial["email"] = points.primary(contact)["email"] or ""
        self.hidden = self._hide() if contact.pk else []
        if contact.pk and "tagged" in self.fields:
            self.initial["tagged"] = list(contact.tags.all())
        for name in self.fields:
            if name.startswith(ATTRIBUTE):
                self.initial[name] = attribute_text(contact.attributes.get(name.removeprefix(ATTRIBUTE)))
        if "kind" in self.fields and contact.kind != Contact.Kind.GROUP:
            self.fields["kind"].choices = [  # type: ignore[attr-defined]
                (value, label) for value, label in Contact.Kind.choices if value != Contact.Kind.GROUP
            ]

    def _hide(self) -> list[str]:
        """The fields that whoever looks does not see in full: shown as everywhere, and not to be changed here."""
        hidden = []
        for name, shown in (("name", masking.name), ("phone", masking.phone), ("email", masking.email)):
            value = self.initial.get(name)
            if name in self.fields and value and shown(value) != value:
                self.initial[name], self.fields[name].disabled = shown(value), True
                hidden.append(name)
        return hidden

    def _kept(self, name: str) -> Any:
        """What was typed, as it is kept."""
        return None if name in self.hidden else _read(name, self.cleaned_data[name] or "")

    def clean_name(self) -> str:
        """One line."""
        return self._kept("name") or ""

    def clean_company(self) -> str:
        """One line."""
        return str(_read("company", self.cleaned_data["company"]))

    def clean_language(self) -> str:
        """As BCP 47 writes it."""
        return str(_read("language", self.cleaned_data["language"]))

    def clean_phone(self) -> str | None:
        """As E.164."""
        found: str | None = self._kept("phone")
        return found

    def clean_email(self) -> str | None:
        """One that can be one."""
        found: str | None = self._kept("email")
        return found

    def clean_country(self) -> str:
        """As ISO 3166-1 writes it."""
        return str(_read("country", self.cleaned_data["country"]))

    def clean_time_zone(self) -> str:
        """A zone of the tz database."""
        return str(_read("time_zone", self.cleaned_data["time_zone"]))

    def clean_external_id(self) -> str | None:
        """None for none; that it is no other contact's is the model's own check."""
        found: str | None = _read("external_id", self.cleaned_data["external_id"] or "")
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
        for name in self.hidden:
            cleaned.pop(name, None)
        if not self.instance.pk and not self.errors and not any(map(cleaned.get, ("name", "phone", "email"))):
            raise forms.ValidationError(_("Give the contact a name, a phone number or an e-mail address."))
        return cleaned

    def wanted(self) -> dict[str, Any]:
        """What to hand to `profile.write`: only what has been changed."""
        changed = [name for name in self.changed_data if name in self.cleaned_data]
        wanted: dict[str, Any] = {name: self.cleaned_data[name] for name in changed if name in (*COLUMNS, "email")}
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
