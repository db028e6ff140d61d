"""What managers do to a user besides changing fields: a link to sign in, factors and single sign-on taken away."""

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action

from crm.audit.modeladmin import AuditedAdmin
from crm.staff import members, passwords, secondfactor
from crm.staff.models import User
from crm.staff.signin import ask_who_it_is


class UserDeeds(AuditedAdmin):
    """The deeds on a user's page; each asks first, and who asks has shown lately who they are."""

    @action(description=gettext_lazy("New link to sign in"), permissions=["change_other"], url_path="invite")
    def invite(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then make a link with which they choose a password: for a first time, or when mail does not reach."""
        user = self._other(request, object_id)
        words = _("%(name)s gets a link with which to choose a password; links before it end.") % {"name": user}
        return self._invited(request, user) if request.method == "POST" else self._asked(request, user, words)

    @action(
        description=gettext_lazy("Remove the second factor"), permissions=["change_other"], url_path="remove-factors"
    )
    def remove_factors(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then take every factor off somebody who has lost them."""
        user = self._other(request, object_id)
        words = _("%(name)s is signed out everywhere, and signs in without a second step until a new one is set up.")
        if request.method != "POST":
            return self._asked(request, user, words % {"name": user})
        number = secondfactor.remove_all(user)
        sentence = ngettext("%(number)d second factor removed.", "%(number)d second factors removed.", number)
        self.message_user(request, sentence % {"number": number}, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:crm_user_change", args=[user.pk]))

    @action(description=gettext_lazy("Unlink single sign-on"), permissions=["change_other"], url_path="unlink")
    def unlink(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then forget who this is at the company's provider."""
        user = self._other(request, object_id)
        words = _("%(name)s is signed out everywhere. The provider is believed again once it vouches for %(email)s.")
        if request.method != "POST":
            return self._asked(request, user, words % {"name": user, "email": user.email})
        with transaction.atomic():
            members.unlink(user)
            members.sign_out(user)
        self.message_user(request, _("Single sign-on is unlinked."), messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:crm_user_change", args=[user.pk]))

    def has_change_other_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """One's own second factor and password are changed in one's account."""
        return self.has_change_permission(request) and str(object_id) != str(request.user.pk)

    def _other(self, request: HttpRequest, object_id: str) -> User:
        ask_who_it_is(request)
        if not (object_id.isascii() and object_id.isdigit()):
            raise Http404
        if not self.has_change_other_permission(request, object_id):
            raise PermissionDenied
        return get_object_or_404(User, pk=object_id, is_active=True)

    def _asked(self, request: HttpRequest, user: User, words: str) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": user.name, "words": words}
        return TemplateResponse(request, "admin/sure.html", context | {"original": user})

    def _invited(self, request: HttpRequest, user: User) -> HttpResponse:
        link = passwords.invite(user, by=cast(User, request.user), request=request)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": _("The invitation")}
        context |= {"original": user, "link": link, "days": passwords.INVITATION_DAYS}
        return TemplateResponse(request, "admin/invitation.html", context)
