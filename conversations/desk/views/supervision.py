"""Seeing the inbox as somebody else, and stopping."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from conversations.desk import viewing
from conversations.desk.forms import read_pk
from conversations.desk.gate import DeskRequest, desk_view
from crm.staff.models import User


@desk_view("POST", as_oneself=True)
def view_as(request: DeskRequest) -> HttpResponse:
    """A manager sees the inbox as `user` does; without one, as themselves again. Nobody else may."""
    wanted = read_pk(request.POST.get("user", ""))
    if wanted is None:
        viewing.stop(request)
        return HttpResponseRedirect(reverse("desk:inbox"))
    if not request.user.has_perm("crm.look_as_others"):
        raise PermissionDenied
    seen = viewing.allowed(request.user, get_object_or_404(User, pk=wanted))
    if seen is None:
        viewing.stop(request)
    else:
        viewing.start(request, seen)
    return HttpResponseRedirect(reverse("desk:inbox"))
