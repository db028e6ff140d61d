"""Pages of signing in and of one's account; what allauth brings besides is named in `urls`."""

import math
from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.login import perform_login, perform_password_login, record_authentication
from allauth.account.models import Login
from allauth.account.utils import get_login_redirect_url, get_next_redirect_url
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.views import RemoveWebAuthnView
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from allauth.utils import get_request_param
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import INTERNAL_RESET_SESSION_TOKEN, PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.csp import CSP
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from crm.staff import members, passwords, secondfactor, sessions, signin
from crm.staff.models import User
from crm.staff.signin_forms import ChangePasswordForm, ForgottenForm, NewPasswordForm, SignInForm


class StaffRequest(HttpRequest):
    """A request of somebody who has signed in."""

    user: User


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """E-mail and password; a second step follows for who has one."""
    if request.user.is_authenticated:
        return HttpResponseRedirect(get_login_redirect_url(request))
    form = SignInForm(request, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        request.session[signin.REMEMBER] = form.cleaned_data["remember"]
        login = Login(user=form.user, redirect_url=get_next_redirect_url(request))
        answer: HttpResponse = perform_password_login(request, {}, login)
        return answer
    context = {"form": form, "next": request.POST.get("next", request.GET.get("next", "")), "oidc": settings.OIDC}
    response = render(request, "account/login.html", context)
    if settings.OIDC:  # its button's answer leads there, and browsers ask the page whether a form may
        allowed = [CSP.SELF, settings.OIDC["origin"]]
        response._csp_config = settings.SECURE_CSP | {"form-action": allowed}  # type: ignore[attr-defined]
    return response


@require_POST
def leave_for_provider(request: HttpRequest, provider_id: str) -> HttpResponse:
    """To the company's provider, to sign in; allauth could also link accounts from there, which is not offered."""
    if get_request_param(request, "process", "login") != "login":
        return HttpResponseBadRequest()
    answer: HttpResponse = openid_connect.login(request, provider_id)
    return answer


def too_many(request: HttpRequest, wait: int) -> HttpResponse:
    """429: nothing was looked at; come back in so many seconds."""
    minutes = math.ceil(wait / 60)
    words = ngettext("Wait %(n)d minute, then try again.", "Wait %(n)d minutes, then try again.", minutes)
    response = render(request, "account/too_many.html", {"words": words % {"n": minutes}}, status=429)
    response["Retry-After"] = str(wait)
    return response


@never_cache
@login_required
@require_http_methods(["GET", "HEAD"])
def account(request: StaffRequest) -> HttpResponse:
    """One's account: password, second factor, where one is signed in."""
    mine = Authenticator.objects.filter(user=request.user).order_by("pk")
    kinds = {one.type: one for one in mine}
    codes = kinds.get(Authenticator.Type.RECOVERY_CODES)
    context = {
        "app": kinds.get(Authenticator.Type.TOTP),
        "passkeys": [one for one in mine if one.type == Authenticator.Type.WEBAUTHN],
        "codes_left": secondfactor.codes_left(codes) if codes else None,
        "is_required": secondfactor.is_required_of(request.user),
        "lacks": secondfactor.lacks(request.user, request.session),
        "sso_name": settings.OIDC.get("name", "SSO") if members.is_linked(request.user) else "",
        "places": sessions.places(request.user, request.session.session_key or ""),
    }
    return render(request, "account/account.html", context)


@never_cache
@login_required
@require_POST
def end_session(request: StaffRequest, pk: int) -> HttpResponse:
    """End one of one's sessions."""
    if sessions.end(request.user, pk):
        messages.success(request, _("That session has ended."))
    return redirect("account")


@never_cache
@login_required
@require_POST
def end_other_sessions(request: StaffRequest) -> HttpResponse:
    """End all of one's sessions but this one."""
    number = sessions.end_others(request.user, request.session.session_key or "")
    words = ngettext("%(n)d other session has ended.", "%(n)d other sessions have ended.", number)
    messages.success(request, words % {"n": number})
    return redirect("account")


@never_cache
@login_required
@reauthentication_required(app="crm.staff")
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def change_password(request: StaffRequest) -> HttpResponse:
    """Choose a new password for oneself."""
    form = ChangePasswordForm(request.user, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        passwords.change(request, request.user, values["new_password1"], revoke_tokens=values["revoke_tokens"])
        messages.success(request, _("Your password is changed. Your other sessions have ended."))
        return redirect("account")
    has_tokens = request.user.api_tokens.filter(revoked_at=None).exists()
    return render(request, "account/password.html", {"form": form, "has_tokens": has_tokens})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """Ask for a link to choose a new password. The same answer for every address."""
    form = ForgottenForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        passwords.send_reset_link(request, form.cleaned_data["email"])
        return redirect(f"{request.path}?sent=1")
    return render(request, "account/forgotten.html", {"form": form, "is_sent": "sent" in request.GET})


class ResetView(PasswordResetConfirmView):
    """The link of who forgot the password: a new one, then sign in with it."""

    form_class = NewPasswordForm
    template_name = "account/new_password.html"
    token_generator = passwords.reset_tokens
    success_url = reverse_lazy("account_login")
    user: User

    def get_user(self, uidb64: str) -> Any:
        """Nobody, if who it is may no longer come in."""
        user: Any = super().get_user(uidb64)
        return user if user is not None and user.is_active else None

    def form_valid(self, form: Any) -> HttpResponse:
        """Set the password; a second factor is asked for at the sign-in as ever."""
        del self.request.session[INTERNAL_RESET_SESSION_TOKEN]
        passwords.reset(self.user, form.cleaned_data["new_password1"])
        messages.success(self.request, _("Your password is changed. Sign in with it."))
        response = HttpResponseRedirect(self.get_success_url())
        signin.proved(self.request, response, self.user)
        return response


class InvitationView(ResetView):
    """The link of who was invited: a password, and in."""

    token_generator = passwords.invitation_tokens
    extra_context = {"is_invitation": True}

    def form_valid(self, form: Any) -> HttpResponse:
        """Use the invitation up and sign in. Role and address are the account's: nothing of the form reaches them."""
        token = self.request.session.pop(INTERNAL_RESET_SESSION_TOKEN, "")
        if not passwords.accept(self.user, token, form.cleaned_data["new_password1"]):
            self.validlink = False
            return self.render_to_response(self.get_context_data(form=form, validlink=False))
        record_authentication(self.request, self.user, method="invitation")
        answer: HttpResponse = perform_login(self.request, Login(user=self.user))
        return answer


class RemovePasskeyView(RemoveWebAuthnView):
    """Remove one of one's passkeys, unless it is the last factor of a role that needs one."""

    success_url = reverse_lazy("account")

    def form_valid(self, form: Any) -> HttpResponse:
        """Ask first whether it may go."""
        if not secondfactor.may_remove(self.object):
            messages.error(self.request, secondfactor.MfaAdapter.error_messages["cannot_delete_authenticator"])
            return HttpResponseRedirect(str(self.success_url))
        answer: HttpResponse = super().form_valid(form)
        return answer
