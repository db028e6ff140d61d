"""URLs of the app."""

from django.urls import include, path

urlpatterns = [path("accounts/", include("crm.staff.urls"))]
