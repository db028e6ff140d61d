"""The administration's forms of users, teams and API tokens."""

import datetime as dt
import zoneinfo
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
)

from crm.foundation import clock
from crm.foundation.errors import Refusal
from crm.foundation.text import clean_text
from crm.staff import members, tokens
from crm.staff.models import ApiToken, Team, User

LIVES = ((30, gettext_lazy("30 days")), (90, gettext_lazy("90 days")), (365, gettext_lazy("A year")))


class UserForm(forms.ModelForm):
    """A member of staff; `by` and `managers` are set on the class by the admin."""

    by: ClassVar[User]
    managers: ClassVar[list[int]] = []

    member_of = forms.ModelMultipleChoiceField(
        Team.objects.all(), required=False, label=gettext_lazy("Teams"), widget=UnfoldAdminSelect2MultipleWidget
    )
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"), widget=UnfoldAdminSelect2Widget, initial=settings.TIME_ZONE
    )

    class Meta:
        model = User
        fields = ("name", "email", "role", "is_active", "language", "time_zone")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["member_of"] = list(self.instance.teams.all())
        names = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
        known = {*names, self.instance.time_zone}
        if "time_zone" in self.fields:
            self.fields["time_zone"].choices = [(name, name) for name in sorted(known)]  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        """One line."""
        name = " ".join(clean_text(self.cleaned_data["name"]).split())
        if not name:
            raise forms.ValidationError(_("Write the name of this person."))
        return name

    def clean_email(self) -> str:
        """In lower case, as everybody signs in."""
        email = self.cleaned_data["email"].lower()
        if User.objects.filter(email=email).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("Somebody else has this address."))
        return str(email)

    def clean(self) -> dict[str, Any]:
        """Nobody changes their own role, and a manager is left."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        user = self.instance
        if user.pk and "role" in cleaned:
            role, is_active = cleaned["role"], cleaned.get("is_active", user.is_active)
            try:
                members.check(user, role=role, is_active=is_active, by=self.by, managers=self.managers)
            except Refusal as refusal:
                raise forms.ValidationError(str(refusal), code=refusal.code) from refusal
        return cleaned


class TeamForm(forms.ModelForm):
    """A team, who is in it, and which numbers are open to it."""

    members = forms.ModelMultipleChoiceField(
        User.objects.filter(is_active=True), required=False, label=gettext_lazy("Members"),
        widget=UnfoldAdminSelect2MultipleWidget,
    )  # fmt: skip
    open_inboxes = forms.ModelMultipleChoiceField(
        User.objects.none(), required=False, label=gettext_lazy("Numbers"), widget=UnfoldAdminSelect2MultipleWidget,
        help_text=gettext_lazy("Which WhatsApp numbers this team answers."),
    )  # fmt: skip

    class Meta:
        model = Team
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inboxes = Team._meta.get_field("inboxes").related_model
        if "open_inboxes" in self.fields:
            self.fields["open_inboxes"].queryset = inboxes._default_manager.all()  # type: ignore[attr-defined]
        if self.instance.pk:
            self.initial["members"] = list(self.instance.users.filter(is_active=True))
            self.initial["open_inboxes"] = list(self.instance.inboxes.all())

    def clean_name(self) -> str:
        """One line that no other team has, whatever its case."""
        name = " ".join(clean_text(self.cleaned_data["name"]).split())
        if not name:
            raise forms.ValidationError(_("Write the name of the team."))
        if Team.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("There is already a team with this name."))
        return name


class TokenForm(forms.ModelForm):
    """A new key for the API."""

    wanted_scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in tokens.SCOPES], label=gettext_lazy("Scopes"),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )  # fmt: skip
    days = forms.TypedChoiceField(
        choices=[*LIVES, ("", gettext_lazy("For ever"))], coerce=int, empty_value=None, required=False, initial=365,
        label=gettext_lazy("Valid for"), widget=UnfoldAdminSelectWidget,
    )  # fmt: skip

    class Meta:
        model = ApiToken
        fields = ("name", "user")
        labels = {"name": gettext_lazy("Name"), "user": gettext_lazy("User")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "user" in self.fields:
            self.fields["user"].queryset = User.objects.filter(is_active=True)  # type: ignore[attr-defined]

    def expires_at(self) -> dt.datetime | None:
        """When it ends; None: when somebody revokes it."""
        days = self.cleaned_data["days"]
        return clock.real() + dt.timedelta(days=days) if days else None
