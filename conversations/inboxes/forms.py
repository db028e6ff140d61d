"""The administration's forms of WhatsApp accounts and numbers. Secrets go in and never come out."""

import re
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldBooleanSwitchWidget,
)

from conversations.inboxes.models import AppSecret, Inbox, WhatsAppAccount

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,39}")
_SECRET = re.compile(r"[\x21-\x7e]{8,2000}")
LOCAL = ("localhost", "127.0.0.1", "::1")


class Secrets(forms.ModelMultipleChoiceField):
    """App secrets by the day they were entered: nothing else of them may be shown."""

    def label_from_instance(self, obj: Any) -> str:
        """Which one it is."""
        day = date_format(localtime(obj.created_at), "SHORT_DATETIME_FORMAT")
        return _("No. %(number)s, entered on %(day)s") % {"number": obj.pk, "day": day}


class SecretField(forms.CharField):
    """A secret to be entered; what is there is never shown."""

    def __init__(self, **kwargs: Any) -> None:
        widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password", "spellcheck": "false"})
        super().__init__(required=False, strip=True, widget=widget, **kwargs)

    def clean(self, value: Any) -> str:
        """Visible ASCII characters only."""
        text = str(super().clean(value) or "")
        if text and not _SECRET.fullmatch(text):
            raise forms.ValidationError(_("This is no token or secret. Copy it from Meta without spaces."))
        return text


class AccountForm(forms.ModelForm):
    """A WhatsApp account (WABA)."""

    new_token = SecretField(
        label=gettext_lazy("New access token"), help_text=gettext_lazy("Empty: the one that is there stays.")
    )
    new_secret = SecretField(
        label=gettext_lazy("New app secret"),
        help_text=gettext_lazy("It works beside those that are there, until you retire them."),
    )
    retire = Secrets(
        AppSecret.objects.none(),
        required=False,
        label=gettext_lazy("Retire these app secrets"),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("From then on webhooks signed with them are refused. They are deleted for good."),
    )
    renew_verify_token = forms.BooleanField(
        required=False,
        label=gettext_lazy("Make a new verify token"),
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy("It has to be entered at Meta again only when the address is verified again."),
    )

    class Meta:
        model = WhatsAppAccount
        fields = ("name", "waba_id", "portfolio_id", "graph_base_url", "auth_header")
        labels = {
            "waba_id": gettext_lazy("WhatsApp Business Account ID"),
            "portfolio_id": gettext_lazy("Business portfolio ID"),
            "graph_base_url": gettext_lazy("Address of the Graph API"),
            "auth_header": gettext_lazy("Header that carries the token"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "retire" in self.fields:
            retire: Any = self.fields["retire"]
            retire.queryset = self.instance.app_secrets.filter(is_active=True).order_by("pk")
        if not self.instance.pk:
            for name in ("new_token", "new_secret"):
                self.fields[name].required, self.fields[name].help_text = True, ""

    def clean_waba_id(self) -> str:
        """As Meta writes ids."""
        return _checked_id(self.cleaned_data["waba_id"])

    def clean_portfolio_id(self) -> str:
        """As Meta writes ids, or nothing."""
        return _checked_id(self.cleaned_data["portfolio_id"]) if self.cleaned_data["portfolio_id"] else ""

    def clean_auth_header(self) -> str:
        """The name of a header."""
        header = self.cleaned_data["auth_header"].strip()
        if not _HEADER.fullmatch(header):
            raise forms.ValidationError(_("Write the name of a header, such as Authorization or D360-API-KEY."))
        return str(header)

    def clean_graph_base_url(self) -> str:
        """The token goes there: encrypted, but for this very machine."""
        url = str(self.cleaned_data["graph_base_url"]).strip()
        parts = urlsplit(url)
        if (
            "graph_base_url" in self.changed_data
            and url
            and parts.scheme != "https"
            and not (settings.DEMO and parts.hostname in LOCAL)
        ):
            raise forms.ValidationError(_("The access token is sent to this address: it must begin with https://."))
        return url

    def clean(self) -> dict[str, Any]:
        """One secret must remain; and nobody reads a token by having it sent to an address of their own."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        retire: Any = self.fields.get("retire")
        going = list(values.get("retire") or [])
        if retire is not None and going and len(going) == retire.queryset.count() and not values.get("new_secret"):
            sentence = _("Webhooks would all be refused without an app secret. Enter the new one first.")
            self.add_error("retire", sentence)
        if self.instance.pk and "graph_base_url" in self.changed_data and not values.get("new_token"):
            sentence = _("The token that is there is not sent to another address: enter its own.")
            self.add_error("graph_base_url", sentence)
        return values


class InboxForm(forms.ModelForm):
    """One number of the business."""

    class Meta:
        model = Inbox
        fields = (
            "name", "account", "phone_number_id", "display_phone_number", "teams", "read_receipts", "sends_per_second",
        )  # fmt: skip
        labels = {
            "account": capfirst(gettext_lazy("WhatsApp account")),
            "phone_number_id": gettext_lazy("Phone number ID"),
            "display_phone_number": gettext_lazy("Number"),
            "teams": gettext_lazy("Teams that answer it"),
        }
        help_texts = {
            "phone_number_id": gettext_lazy("The long id from WhatsApp Manager, not the number itself."),
            "display_phone_number": gettext_lazy("Empty: as Meta writes it, once asked."),
            "sends_per_second": gettext_lazy("What Meta lets this number send: 80, or 1,000 if it said so."),
        }

    def clean_phone_number_id(self) -> str:
        """As Meta writes ids."""
        return _checked_id(self.cleaned_data["phone_number_id"])


def _checked_id(text: str) -> str:
    text = text.strip()
    if not _ID.fullmatch(text):
        raise forms.ValidationError(_("This is no id of Meta's: digits only, without spaces."))
    return text
