"""Signing in: Django's own view on the e-mail user, with one sentence for every failure."""

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.utils.translation import gettext_lazy as _


class SignInForm(AuthenticationForm):
    """E-mail and password; unknown user and wrong password read the same."""

    error_messages = {
        "invalid_login": _("Wrong e-mail or password."),
        "inactive": _("Wrong e-mail or password."),
    }
    username = forms.EmailField(label=_("E-mail"), max_length=254)

    def clean_username(self) -> str:
        """E-mail addresses are kept in lower case."""
        return str(self.cleaned_data["username"]).lower()


class SignInView(LoginView):
    """Everybody lands on the inbox; `next` only within this site."""

    form_class = SignInForm
    redirect_authenticated_user = True
