"""What makes the inbox an app on a device: the manifest, and the worker that answers taps on notifications."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

ICONS = (
    ("icon-192.png", "192x192", "any"),
    ("icon-512.png", "512x512", "any"),
    ("icon-maskable.png", "512x512", "maskable"),
)


@require_safe
@never_cache
def manifest(request: HttpRequest) -> HttpResponse:
    """The web app manifest."""
    start = reverse("desk:inbox")
    content = {
        "id": start,
        "name": _("Ventanilla: the team's WhatsApp inbox"),
        "short_name": "Ventanilla",
        "start_url": start,
        "scope": "/",
        "display": "standalone",
        "background_color": "#f6f7f6",
        "theme_color": "#0b6b4f",
        "icons": [
            {"src": static(f"inbox/{name}"), "sizes": sizes, "type": "image/png", "purpose": purpose}
            for name, sizes, purpose in ICONS
        ],
        "shortcuts": [
            {"name": _("Mine"), "url": f"{start}?view=mine"},
            {"name": _("Unassigned"), "url": f"{start}?view=unassigned"},
        ],
    }
    return JsonResponse(content, content_type="application/manifest+json")


@require_safe
@never_cache
def service_worker(request: HttpRequest) -> HttpResponse:
    """The service worker, at the root so that it answers for the whole site."""
    return HttpResponse((settings.BASE_DIR / "static/inbox/sw.js").read_bytes(), content_type="text/javascript")
