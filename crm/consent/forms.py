"""The administration's form of an opt-out word."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from crm.consent import optout
from crm.consent.models import OptOutWord
from crm.consent.words import DEFAULTS
from crm.contacts.reading import language_name


def languages(*more: str) -> list[tuple[str, str]]:
    """Those we come with, the business's, and `more`, by name."""
    codes = {*DEFAULTS, *map(optout.language_of, settings.BUSINESS_LANGUAGES), *more}
    return sorted(((code, language_name(code)) for code in codes), key=lambda pair: pair[1].casefold())


class OptOutWordForm(forms.ModelForm):
    """A word or phrase in its language; two spellings of the same are one."""

    language = forms.ChoiceField(label=gettext_lazy("Language"), widget=UnfoldAdminSelectWidget)

    class Meta:
        model = OptOutWord
        fields = ("text", "language", "meaning")
        help_texts = {
            "text": gettext_lazy(
                "Counts when it is the whole message. Accents, capitals, punctuation and emoji do not matter."
            )
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "language" in self.fields:
            present = [self.instance.language] if self.instance.language else []
            self.fields["language"].choices = languages(*present)  # type: ignore[attr-defined]

    def clean_text(self) -> str:
        """Something that can be a whole message."""
        text = " ".join(self.cleaned_data["text"].split())
        folded = optout.fold(text)
        if not folded:
            raise forms.ValidationError(_("Write a word: of this nothing would be compared."))
        if len(folded) > optout.LONGEST:
            raise forms.ValidationError(_("This is too long: %(most)d characters at most.") % {"most": optout.LONGEST})
        self.instance.folded = folded
        return text

    def clean(self) -> dict[str, Any]:
        """Each once in a language."""
        values: dict[str, Any] = super().clean() or {}
        same = OptOutWord.objects.filter(language=values.get("language", ""), folded=self.instance.folded)
        if "text" in values and same.exclude(pk=self.instance.pk).exists():
            self.add_error("text", _("This word is already in the list of its language."))
        return values
