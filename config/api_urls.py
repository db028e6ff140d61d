"""Addresses of the API: what each app offers, the schema, and an answer in JSON to everything else."""

import functools
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, path, re_path
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.generic import TemplateView
from drf_spectacular.types import OpenApiTypes
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


class Schema(SpectacularAPIView):
    """The schema, made once per language and format: anybody may ask for it, and making it takes most of a second."""

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """OpenAPI 3, in YAML or, with `?format=json`, in JSON."""
        language = get_language()
        known = language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
        renderer: Any = type(request.accepted_renderer)
        generator: Any = self.generator_class
        return HttpResponse(_schema(known, generator, renderer), content_type=renderer.media_type)


@functools.cache
def _schema(language: str, generator: Any, renderer: Any) -> bytes:
    with override(language):
        text: bytes = renderer().render(generator().get_schema(public=True), renderer_context={})
    return text


router = SimpleRouter()
for prefix, viewset, basename in [*crm.api.routes, *catalog.api.routes, *conversations.api.routes]:
    router.register(prefix, viewset, basename)

urlpatterns: list[URLPattern | URLResolver] = [
    path("schema/", Schema.as_view(), name="schema"),
    path("docs/", TemplateView.as_view(template_name="api/docs.html"), name="docs"),
    *conversations.api.addresses,
    *router.urls,
    re_path("", NoSuchAddress.as_view()),
]
