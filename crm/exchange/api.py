"""Imports in the API: upload, mapping, dry run, commit, rows, report, undo."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field, inline_serializer
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from crm.contacts.of_contact import ID_PATTERN
from crm.exchange import fields, importer, jobs
from crm.exchange.models import ImportJob, ImportRow
from crm.exchange.report import covered, hand_out
from crm.foundation.paging import NewestFirstCursor
from crm.foundation.parsing import BodyTooLarge, JSONBody
from crm.foundation.streaming import Streamed
from crm.staff.endpoint import Endpoint, user_of

MULTIPART_OVERHEAD = 64 * 1024


class ImportSerializer(serializers.ModelSerializer[ImportJob]):
    """An import: `step` map, check (dry run), commit or undo, in `state` draft, queued, running, done, failed or
    cancelled.
    """

    mapping = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=100),
        required=False,
        help_text='Which field each column is: `{"0": "name", "1": "phone"}`; `imports/fields/` has them.',
    )
    options = serializers.DictField(
        required=False,
        help_text="`existing` update, fill or skip; `country`, `dates` dmy or mdy, `tags` (ids), `consent_source`, "
        "`consent_at`, `encoding`, `delimiter`, `sheet`.",
    )
    counts = serializers.SerializerMethodField(help_text="Rows by outcome.")

    class Meta:
        model = ImportJob
        fields = (
            "id", "file_name", "step", "state", "headers", "mapping", "options", "counts", "done", "total", "problem",
            "created_by", "created_at", "finished_at",
        )  # fmt: skip
        read_only_fields = (
            "file_name", "step", "state", "headers", "done", "total", "problem", "created_by", "created_at",
            "finished_at",
        )  # fmt: skip

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_counts(self, job: ImportJob) -> dict[str, int]:
        """Empty before the dry run."""
        return dict(job.counts)

    def to_representation(self, instance: ImportJob) -> dict[str, Any]:
        """A file without headers has somebody's number in their place."""
        shown = super().to_representation(instance)
        return shown | {"headers": [covered(one, self.context["request"].user) for one in instance.headers]}

    def update(self, instance: ImportJob, validated_data: dict[str, Any]) -> ImportJob:
        """What is sent replaces what was; a dry run is forgotten."""
        return importer.configure(
            instance, mapping=validated_data.get("mapping"), options=validated_data.get("options")
        )


class ImportUpload(serializers.Serializer[Any]):
    """A CSV or XLSX file, as `multipart/form-data`."""

    file = serializers.FileField()


class ImportRowSerializer(serializers.ModelSerializer[ImportRow]):
    """What became of a row: `contact` is an id."""

    class Meta:
        model = ImportRow
        fields = ("number", "outcome", "contact", "reason", "is_committed", "is_undone")
        read_only_fields = fields

    def to_representation(self, instance: ImportRow) -> dict[str, Any]:
        """A reason may quote the cell."""
        shown = super().to_representation(instance)
        return shown | {"reason": covered(instance.reason, self.context["request"].user)}


class LastRowFirst(NewestFirstCursor):
    """By their numbers in the file."""

    columns = ("number",)


FIELDS = inline_serializer(
    "ImportField", {"name": serializers.CharField(), "label": serializers.CharField()}, many=True
)


class ImportViewSet(
    Endpoint, mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin,
    viewsets.GenericViewSet[ImportJob],
):  # fmt: skip
    """Files of contacts that come in, newest first."""

    resource = "imports"
    queryset = ImportJob.objects.all()
    serializer_class = ImportSerializer
    parser_classes = (JSONBody, MultiPartParser)
    http_method_names = ["get", "post", "patch", "head", "options"]
    lookup_value_regex = ID_PATTERN

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """A body that is too long is refused before a byte of it is read."""
        length = request.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > settings.UPLOAD_MAX_BYTES + MULTIPART_OVERHEAD:
            sentence = _("The file is too big: at most %(limit)s MB. Make it smaller.")
            raise BodyTooLarge(sentence % {"limit": settings.UPLOAD_MAX_BYTES // 1024**2})
        super().initial(request, *args, **kwargs)

    @extend_schema(request={"multipart/form-data": ImportUpload}, responses={201: ImportSerializer})
    def create(self, request: Request) -> Response:
        """Upload a file; its columns are guessed, or mapped as the last time. Nothing is written yet."""
        form = ImportUpload(data=request.data)
        form.is_valid(raise_exception=True)
        job = importer.upload(form.validated_data["file"], by=user_of(request))
        return Response(self.get_serializer(job).data, status=201)

    @extend_schema(request=None, responses={202: ImportSerializer})
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str) -> Response:
        """Begin the dry run: every row is read and compared, nothing is written."""
        return self._begun(importer.start_check(self.get_object()))

    @extend_schema(request=None, responses={202: ImportSerializer})
    @action(detail=True, methods=["post"])
    def commit(self, request: Request, pk: str) -> Response:
        """Take it over, after the dry run."""
        return self._begun(importer.start_commit(self.get_object(), by=user_of(request)))

    @extend_schema(request=None, responses={202: ImportSerializer})
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Take back what it wrote, where nobody changed it since."""
        return self._begun(importer.start_undo(self.get_object(), by=user_of(request)))

    @extend_schema(request=None, responses={202: ImportSerializer})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """A failed or cancelled step goes on from where it stopped."""
        return self._begun(importer.go_on(self.get_object(), by=user_of(request)))

    @extend_schema(request=None, responses={200: ImportSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """It goes no further; what it has written stays, and can be taken back."""
        job = self.get_object()
        jobs.cancel(job, by=user_of(request))
        return Response(self.get_serializer(job).data)

    @extend_schema(responses={200: ImportRowSerializer(many=True)})
    @action(detail=True, methods=["get"], serializer_class=ImportRowSerializer, pagination_class=LastRowFirst)
    def rows(self, request: Request, pk: str) -> Response:
        """What became of each row, the last one first; `?outcome=` new, update, same, duplicate or error."""
        found: Any = self.get_object().rows.all()
        outcome = request.query_params.get("outcome", "")
        if outcome:
            found = found.filter(outcome=outcome) if outcome in ImportRow.Outcome.values else found.none()
        page: Any = self.paginate_queryset(found)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def report(self, request: Request, pk: str) -> Streamed:
        """All rows with what became of them, as CSV."""
        job = self.get_object()
        response = Streamed(hand_out(job, user_of(request)), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="import-{job.pk}-report.csv"'
        return response

    @extend_schema(responses={200: FIELDS})
    @action(detail=False, methods=["get"], pagination_class=None, filter_backends=[])
    def fields(self, request: Request) -> Response:
        """What a column can be."""
        return Response([{"name": name, "label": label} for name, label in fields.labels().items()])

    def _begun(self, job: ImportJob) -> Response:
        return Response(self.get_serializer(job).data, status=202)
