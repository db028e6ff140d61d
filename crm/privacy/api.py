"""Copies and erasures of one contact in the API."""

from typing import ClassVar

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.contacts.models import Contact
from crm.contacts.of_contact import OfContact
from crm.foundation.streaming import Streamed
from crm.privacy import handing_over, requests
from crm.privacy.models import PrivacyRequest
from crm.staff.endpoint import user_of


class RequestSerializer(serializers.ModelSerializer[PrivacyRequest]):
    """A request of a person about their data; `result` tells what came of it."""

    verified_by = serializers.CharField(
        max_length=200, help_text="How you know that it was them: `wrote from the number`, `passport` …"
    )
    kind = serializers.CharField(read_only=True, help_text="`access` or `erasure`.")
    state = serializers.CharField(read_only=True, help_text="`open`, `running`, `done` or `refused`.")
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")

    class Meta:
        model = PrivacyRequest
        fields = (
            "id", "kind", "state", "verified_by", "reason", "asked_at", "due_at", "finished_at", "expires_at", "result",
        )  # fmt: skip
        read_only_fields = ("kind", "state", "asked_at", "due_at", "finished_at", "expires_at", "result")


class _RequestsOfContact(OfContact[PrivacyRequest], mixins.ListModelMixin, mixins.RetrieveModelMixin):
    """Base: those of one kind, also of a contact that is no longer there."""

    resource = "privacy"
    kind: ClassVar[str]
    queryset = PrivacyRequest.objects.all()
    serializer_class = RequestSerializer
    http_method_names = ["get", "post", "head", "options"]

    def get_queryset(self) -> QuerySet[PrivacyRequest]:
        """By the pseudonym of the contact's key: it outlives them."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        pk = int(self.kwargs["contact"])
        found = requests.of(pk).filter(kind=self.kind)
        if not found.exists() or Contact.objects.filter(pk=pk).exists():
            self.get_contact()
        return found

    def begin(self, request: Request) -> Response:
        """Record it and start it, or neither."""
        chosen, body, by = self.get_contact(), self.read(request.data), user_of(request)
        with transaction.atomic():
            row = requests.record(chosen, self.kind, by=by, **body)
            row = requests.start(row, by=by)
        return Response(self.get_serializer(row).data, status=202)


class ExportsOfContact(_RequestsOfContact):
    """Copies of a person's data, newest first."""

    kind = PrivacyRequest.Kind.ACCESS

    @extend_schema(responses={202: RequestSerializer})
    def create(self, request: Request, contact: str) -> Response:
        """Have a copy made. Look again until `state` is `done`; then its bytes are at `content/` for 30 days."""
        return self.begin(request)

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def content(self, request: Request, contact: str, pk: str) -> Streamed:
        """The ZIP: `data.json`, `index.html` and the files."""
        return handing_over.download(self.get_object(), user_of(request))


class ErasuresOfContact(_RequestsOfContact):
    """Erasures of a person, newest first; they can be read after the contact is gone."""

    kind = PrivacyRequest.Kind.ERASURE

    @extend_schema(responses={202: RequestSerializer})
    def create(self, request: Request, contact: str) -> Response:
        """Erase the person for good. Under a legal hold it is 409 `legal_hold`, and nothing is recorded."""
        return self.begin(request)
