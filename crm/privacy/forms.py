"""The form of a request about data."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.foundation import clock
from crm.privacy.models import LegalHold, PrivacyRequest, Processor


class RequestForm(forms.ModelForm):
    """What the person asked for, and how we know that it was them (GDPR article 12(6))."""

    class Meta:
        model = PrivacyRequest
        fields = ("contact", "kind", "verified_by", "reason", "asked_at")
        help_texts: ClassVar = {
            "verified_by": gettext_lazy(
                "How you know that it was them: they wrote from their number, showed a passport …"
            ),
            "reason": gettext_lazy("What they wrote, in short. Leave out names: this note outlives an erasure."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "contact" in self.fields:
            self.fields["contact"].required = True

    def clean_asked_at(self) -> Any:
        """Not later than now: the month counts from it."""
        asked = self.cleaned_data["asked_at"]
        if asked > clock.now():
            raise forms.ValidationError(_("This is in the future. Say when the person asked."))
        return asked


class HoldForm(forms.ModelForm):
    """Whose data must stay, why and how long."""

    class Meta:
        model = LegalHold
        fields = ("contact", "reason", "until")
        help_texts: ClassVar = {
            "until": gettext_lazy("The last day. Without one the hold stays until somebody lifts it.")
        }


class ProcessorForm(forms.ModelForm):
    """Who handles data for the business."""

    class Meta:
        model = Processor
        fields = ("name", "purpose", "country", "transfer_basis", "contract_date")
        help_texts: ClassVar = {
            "country": gettext_lazy("Two letters, such as IE."),
            "transfer_basis": gettext_lazy(
                "Needed outside of where data may go freely: standard clauses, a framework …"
            ),
        }

    def clean_country(self) -> str:
        """In capitals."""
        country: str = self.cleaned_data["country"].upper()
        if len(country) != 2 or not (country.isascii() and country.isalpha()):
            raise forms.ValidationError(_("Two letters, such as IE."))
        return country
