"""URLs of the whole product."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from django.views.i18n import set_language

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="desk:inbox")),
    path("i18n/setlang/", set_language, name="set_language"),
    path("api/v1/", include("config.api_urls")),
    path("admin/", admin.site.urls),
    path("", include("crm.urls")),
    path("", include("conversations.urls")),
]
