"""Addresses of the API: what each app offers, the schema, and an answer in JSON to everything else."""

from django.urls import URLPattern, URLResolver, path, re_path
from django.utils.translation import gettext as _
from django.views.generic import TemplateView
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

import catalog.api
import conversations.api
import crm.api
from crm.staff.endpoint import HasToken

app_name = "api"


@extend_schema(exclude=True)
class NoSuchAddress(APIView):
    """An integrator never gets a page."""

    permission_classes = (HasToken,)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """404 whatever the method, for a token that is good."""
        super().initial(request, *args, **kwargs)
        raise exceptions.NotFound(_("There is nothing at this address. Check it, and that it ends with a slash."))


router = SimpleRouter()
for prefix, viewset, basename in [*crm.api.routes, *catalog.api.routes, *conversations.api.routes]:
    router.register(prefix, viewset, basename)

urlpatterns: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", TemplateView.as_view(template_name="api/docs.html"), name="docs"),
    *conversations.api.addresses,
    *router.urls,
    re_path("", NoSuchAddress.as_view()),
]
