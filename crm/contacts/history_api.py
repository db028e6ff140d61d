"""What hangs on one contact in the API: notes, phones and e-mails, files, events of elsewhere."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from crm.contacts import events, files, notes, profile
from crm.contacts.models import ContactEvent, ContactFile, ContactNote, ContactPoint
from crm.contacts.of_contact import OfContact
from crm.contacts.serializing import PointSerializer
from crm.foundation.paging import NewestFirstCursor
from crm.foundation.parsing import BodyTooLarge
from crm.staff.endpoint import user_of

MULTIPART_OVERHEAD = 64 * 1024


class NoteSerializer(serializers.ModelSerializer[ContactNote]):
    """A note about a contact; `author` is a user's id."""

    text = serializers.CharField(max_length=notes.TEXT_MAX)
    author = serializers.PrimaryKeyRelatedField[Any](read_only=True)

    class Meta:
        model = ContactNote
        fields = ("id", "text", "author", "created_at", "edited_at")
        read_only_fields = ("author", "created_at", "edited_at")

    def create(self, validated_data: dict[str, Any]) -> ContactNote:
        """By the token's user."""
        return notes.add(self.context["contact"], validated_data["text"], by=user_of(self.context["request"]))

    def update(self, instance: ContactNote, validated_data: dict[str, Any]) -> ContactNote:
        """One's own only."""
        text = validated_data.get("text", instance.text)
        return notes.edit(instance, text, by=user_of(self.context["request"]))


class NotesOfContact(OfContact[ContactNote], viewsets.ModelViewSet[ContactNote]):
    """What staff want to remember about a contact, newest first."""

    queryset = ContactNote.objects.all()
    serializer_class = NoteSerializer
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    def get_queryset(self) -> QuerySet[ContactNote]:
        """The notes of that contact."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return ContactNote.objects.filter(contact=self.get_contact())

    def get_serializer_context(self) -> dict[str, Any]:
        """Whose notes, for a new one."""
        context = dict(super().get_serializer_context())
        if self.action == "create" and not getattr(self, "swagger_fake_view", False):
            context["contact"] = self.get_contact()
        return context

    def perform_destroy(self, instance: ContactNote) -> None:
        """One's own; a manager anybody's."""
        notes.delete(instance, by=user_of(self.request))


class PointChange(serializers.Serializer[Any]):
    """What may change of a phone or e-mail address."""

    label = serializers.CharField(max_length=50, required=False)  # type: ignore[assignment]
    is_primary = serializers.BooleanField(required=False, help_text="`true` puts it first; another one's turn ends.")


class PointsOfContact(OfContact[ContactPoint], mixins.ListModelMixin, mixins.RetrieveModelMixin):
    """The phones and e-mail addresses of a contact, former ones (with `until`) among them."""

    queryset = ContactPoint.objects.all()
    serializer_class = PointSerializer
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    def get_queryset(self) -> QuerySet[ContactPoint]:
        """Those of that contact."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return ContactPoint.objects.filter(contact=self.get_contact())

    def create(self, request: Request, contact: str) -> Response:
        """Add one; one the contact has already is labelled, or put first."""
        chosen, body, by = self.get_contact(), self.read(request.data), user_of(request)
        point = profile.add_point(chosen, body["kind"], body["value"], by=by, **_said(body))
        return Response(self.get_serializer(point).data, status=201)

    @extend_schema(request=PointChange)
    def partial_update(self, request: Request, contact: str, pk: str) -> Response:
        """Label it, or put it first."""
        form = PointChange(data=request.data)
        form.is_valid(raise_exception=True)
        point = self.get_object()
        if point.until is None:
            by = user_of(request)
            point = profile.add_point(point.contact, point.kind, point.value, by=by, **_said(form.validated_data))
        return Response(self.get_serializer(point).data)

    def destroy(self, request: Request, contact: str, pk: str) -> Response:
        """It is no longer theirs; it stays as a former one."""
        profile.end_point(self.get_object(), by=user_of(request))
        return Response(status=204)


class ContactFileSerializer(serializers.ModelSerializer[ContactFile]):
    """A file about a contact; its bytes are at `content/`."""

    class Meta:
        model = ContactFile
        fields = ("id", "name", "mime_type", "size", "sha256", "added_by", "added_at")
        read_only_fields = fields


class FileUpload(serializers.Serializer[Any]):
    """A file, as `multipart/form-data`."""

    file = serializers.FileField()


class FilesOfContact(OfContact[ContactFile], mixins.ListModelMixin, mixins.RetrieveModelMixin):
    """Files about a contact, newest first."""

    queryset = ContactFile.objects.all()
    serializer_class = ContactFileSerializer
    http_method_names = ["get", "post", "delete", "head", "options"]

    def get_queryset(self) -> QuerySet[ContactFile]:
        """Those of that contact."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return ContactFile.objects.filter(contact=self.get_contact())

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """A body that is too long is refused before a byte of it is read."""
        length = request.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > settings.UPLOAD_MAX_BYTES + MULTIPART_OVERHEAD:
            sentence = _("The file is too big: at most %(limit)s MB. Make it smaller.")
            raise BodyTooLarge(sentence % {"limit": settings.UPLOAD_MAX_BYTES // 1024**2})
        super().initial(request, *args, **kwargs)

    def get_parsers(self) -> list[Any]:
        """A form with the file."""
        return [MultiPartParser()]

    @extend_schema(request={"multipart/form-data": FileUpload}, responses={201: ContactFileSerializer})
    def create(self, request: Request, contact: str) -> Response:
        """Keep a file; pictures, sound, film, PDF, text and office documents up to 100 MB."""
        chosen = self.get_contact()
        form = FileUpload(data=request.data)
        form.is_valid(raise_exception=True)
        upload = form.validated_data["file"]
        row = files.add(chosen, upload, by=user_of(request), claimed=upload.content_type or "")
        return Response(self.get_serializer(row).data, status=201)

    def destroy(self, request: Request, contact: str, pk: str) -> Response:
        """For good; that it was there stays in the audit log."""
        files.delete(self.get_object(), by=user_of(request))
        return Response(status=204)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def content(self, request: Request, contact: str, pk: str) -> HttpResponse:
        """The bytes."""
        return files.download(self.get_object())


class EventSerializer(serializers.ModelSerializer[ContactEvent]):
    """Something that happened elsewhere; part of the contact's timeline."""

    kind = serializers.RegexField(
        r"^[a-z][a-z0-9_-]*$", max_length=30, help_text="`call`, `email`, `visit`, or a word of your own."
    )
    title = serializers.CharField(max_length=200)
    text = serializers.CharField(max_length=events.TEXT_LONGEST, required=False, allow_blank=True)
    url = serializers.URLField(max_length=events.URL_LONGEST, required=False, allow_blank=True)
    external_id = serializers.CharField(
        max_length=100,
        required=False,
        allow_null=True,
        help_text="Your own id: told again with the same kind and id it stays one event (200).",
    )

    class Meta:
        model = ContactEvent
        fields = ("id", "kind", "title", "text", "url", "at", "external_id", "added_by", "added_at")
        read_only_fields = ("added_by", "added_at")
        validators: tuple[Any, ...] = ()  # telling twice is no mistake


class NewestHappenedFirst(NewestFirstCursor):
    """As the timeline shows them."""

    columns = ("at", "id")


class EventsOfContact(OfContact[ContactEvent], mixins.ListModelMixin, mixins.RetrieveModelMixin):
    """What happened elsewhere, newest first."""

    queryset = ContactEvent.objects.all()
    serializer_class = EventSerializer
    pagination_class = NewestHappenedFirst
    http_method_names = ["get", "post", "head", "options"]

    def get_queryset(self) -> QuerySet[ContactEvent]:
        """Those of that contact."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return ContactEvent.objects.filter(contact=self.get_contact())

    @extend_schema(responses={201: EventSerializer, 200: EventSerializer})
    def create(self, request: Request, contact: str) -> Response:
        """Tell of an event; with an `external_id` that is known already it is answered as first told (200)."""
        chosen, body = self.get_contact(), self.read(request.data)
        body["external_id"] = body.get("external_id") or ""
        event, is_new = events.record(chosen, by=user_of(request), **body)
        return Response(self.get_serializer(event).data, status=201 if is_new else 200)


def _said(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("label", "is_primary") if name in body}
