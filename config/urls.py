"""URLs of the whole product."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView
from django.views.i18n import set_language


def healthz(request: HttpRequest) -> HttpResponse:
    """Alive: the process answers (whether it is ready to work is another question)."""
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("", RedirectView.as_view(pattern_name="desk:inbox")),
    path("healthz/", healthz),
    path("i18n/setlang/", set_language, name="set_language"),
    path("api/v1/", include("config.api_urls")),
    path("", include("conversations.urls")),
]
