"""The forms of signing in and of one's account."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm.staff import secondfactor, signin
from crm.staff.models import User


class SignInForm(forms.Form):
    """E-mail and password; unknown user and wrong password read the same."""

    username = forms.EmailField(label=_("E-mail"), max_length=254)
    password = forms.CharField(label=_("Password"), strip=False)
    remember = forms.BooleanField(required=False)

    error_messages = {"invalid_login": _("Wrong e-mail or password.")}

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        super().__init__(data)
        self.request = request
        self.user: User | None = None

    def clean_username(self) -> str:
        """E-mail addresses are kept in lower case."""
        return str(self.cleaned_data["username"]).lower()

    def clean(self) -> dict[str, Any]:
        """Look at the password; raises TooManyTries."""
        values = super().clean() or self.cleaned_data
        if not self.errors:
            self.user = signin.check_password(self.request, values["username"], values["password"])
            if self.user is None:
                raise forms.ValidationError(self.error_messages["invalid_login"], code="invalid_login")
        return values


class CodeForm(AuthenticateForm):
    """The second step: a code of the app, or one to recover with."""

    def clean_code(self) -> str:
        """Raises TooManyTries."""
        self.authenticator = secondfactor.check_code(self.user, self.cleaned_data["code"])
        if self.authenticator is None:
            raise get_adapter().validation_error("incorrect_code")
        return str(self.cleaned_data["code"])


class CodeAgainForm(ReauthenticateForm):
    """The same when somebody shows again who they are."""

    clean_code = CodeForm.clean_code


class _Credential:
    """A form with what a passkey answered: of another shape than browsers send, it is a wrong answer and no failure."""

    def clean_credential(self) -> Any:
        """What the parser stumbles over depends on what is missing or bent."""
        with _wrong_if_bent():
            whole: Any = super()
            return whole.clean_credential()


class PasskeySignInForm(_Credential, LoginWebAuthnForm):
    """A passkey alone."""


class PasskeyForm(_Credential, AuthenticateWebAuthnForm):
    """A passkey as the second step."""


class PasskeyAgainForm(_Credential, ReauthenticateWebAuthnForm):
    """A passkey when somebody shows again who they are."""


class NewPasskeyForm(AddWebAuthnForm):
    """A passkey to keep."""

    def clean(self) -> Any:
        """As above."""
        with _wrong_if_bent():
            return super().clean()


@contextmanager
def _wrong_if_bent() -> Iterator[None]:
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error) as error:
        raise get_adapter().validation_error("incorrect_code") from error


class ForgottenForm(forms.Form):
    """Whose password was forgotten."""

    email = forms.EmailField(label=_("E-mail"), max_length=254)

    def clean_email(self) -> str:
        """In lower case."""
        return str(self.cleaned_data["email"]).lower()


class NewPasswordForm(SetPasswordForm):
    """A new password, twice."""


class ChangePasswordForm(SetPasswordForm):
    """One's own new password; the old one was asked for on the way here."""

    revoke_tokens = forms.BooleanField(required=False)
