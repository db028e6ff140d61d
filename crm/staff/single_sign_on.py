"""Signing in at the company's own provider (OpenID Connect): for people who are here already, by a verified address."""

from typing import Any, NoReturn

import structlog
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from crm.audit import log as audit
from crm.staff import letters, signin
from crm.staff.models import User

log = structlog.get_logger(__name__)


class SocialAdapter(DefaultSocialAccountAdapter):
    """What allauth asks us about people who come from a provider."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """People are invited."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Who came before is known by the provider's name for them; who comes first, by an address that the provider
        says it has verified. Nobody else gets in, and nothing is merged.
        """
        if sociallogin.is_existing:
            return
        email = next((one.email.lower() for one in sociallogin.email_addresses if self._is_verified(one)), "")
        user = User.objects.filter(email=email, is_active=True).first() if email else None
        if user is None:
            signin.note(request, "sign_in_failed", email)
            self._refuse(request, _("There is no account for you here. Ask a manager for an invitation."))
        with transaction.atomic():
            sociallogin.connect(request, user)
            audit.record("sso_linked", user, by=user)
            letters.post(user, "sso_linked")

    def on_authentication_error(self, request: HttpRequest, provider: Any, *args: Any, **kwargs: Any) -> None:
        """Back to the sign-in page with a sentence."""
        exception = kwargs.get("exception")
        log.warning("single sign-on failed", error=type(exception).__name__ if exception else "")
        self._refuse(request, _("Signing in there did not work. Try again."))

    def _is_verified(self, address: Any) -> bool:
        return address.verified is True or bool(settings.OIDC.get("trusts_email"))

    def _refuse(self, request: HttpRequest, sentence: str) -> NoReturn:
        messages.error(request, sentence)
        raise ImmediateHttpResponse(redirect(settings.LOGIN_URL))
