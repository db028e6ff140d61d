"""What a manager decides while sending is stopped: let the waiting messages go, or cancel them first."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from conversations.desk.banner import MAY_LIFT
from conversations.desk.forms import BadForm
from conversations.desk.gate import DeskRequest, desk_view
from conversations.messaging import fence


@desk_view("POST")
def lift(request: DeskRequest) -> HttpResponse:
    """Lift the fence; `waiting` says what becomes of the messages: `send` or `cancel`."""
    if not request.user.has_perm(MAY_LIFT):
        raise PermissionDenied
    waiting = request.POST.get("waiting", "")
    if waiting not in ("send", "cancel"):
        raise BadForm(_("The page sent an incomplete request. Reload it and try again."))
    fence.lift(request.user, cancel_waiting=waiting == "cancel")
    back = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = reverse("desk:inbox")
    return HttpResponseRedirect(back)
