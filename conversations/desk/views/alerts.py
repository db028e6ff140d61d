"""What a notification on the agent's device says."""

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from conversations.desk import kinds
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view
from conversations.desk.settings import Preferences


@desk_view("GET")
def alert(request: DeskRequest, pk: int) -> HttpResponse:
    """Who wrote, to which number, and the words if this agent wants them on their screen; or who mentioned them."""
    chosen = conversation_or_404(request, pk)
    if "mention" in request.GET:
        body = _("You were mentioned in a note.")
    elif Preferences.of(request.user).hide_preview or chosen.last_direction != "in":
        body = _("New message")
    else:
        body = kinds.preview(chosen.last_kind, chosen.last_preview)
    title = f"{chosen.contact.title} · {chosen.inbox.name}"
    return JsonResponse({"title": title, "body": body, "url": reverse("desk:conversation", args=[pk])})
