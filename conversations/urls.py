"""URLs of the app."""

from django.urls import include, path

urlpatterns = [path("", include("conversations.desk.urls"))]
