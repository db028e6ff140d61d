"""The consent ledger of one contact in the API."""

import datetime as dt
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.consent import ledger
from crm.consent.models import Consent, ConsentEvent, Purpose, State
from crm.contacts.of_contact import OfContact
from crm.foundation import clock
from crm.foundation.paging import NewestFirstCursor
from crm.foundation.text import clean_json
from crm.staff.endpoint import user_of

CLOCKS_DIFFER = dt.timedelta(minutes=5)
WORDING_LONGEST = 4000
EVIDENCE_KEYS = 20
EVIDENCE_LONGEST = 500


class EvidenceField(serializers.DictField):
    """The proof, as names and short texts."""

    child = serializers.CharField(max_length=EVIDENCE_LONGEST)

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        """Not more than one would look at."""
        value: dict[Any, Any] = super().to_internal_value(data)
        if len(value) > EVIDENCE_KEYS or any(len(str(key)) > 50 for key in value):
            raise serializers.ValidationError(
                _("At most %(most)d entries, their names of at most 50 characters.") % {"most": EVIDENCE_KEYS}
            )
        return dict(clean_json(value))

    def to_representation(self, value: Any) -> dict[str, Any]:
        """As kept: our own events have numbers in it, too."""
        return dict(value)


class ConsentEventSerializer(serializers.ModelSerializer[ConsentEvent]):
    """One word of a person: for a purpose, granted or withdrawn; `by`, a user's id, recorded it."""

    purpose = serializers.ChoiceField(Purpose.choices)
    state = serializers.ChoiceField(State.choices)
    source = serializers.ChoiceField(  # type: ignore[assignment]
        ConsentEvent.Source.choices,
        required=False,
        default=ConsentEvent.Source.API,
        help_text="Yours to say: `form` (the person filled one in) or `api`; the others are the product's.",
    )
    wording = serializers.CharField(
        max_length=WORDING_LONGEST,
        required=False,
        allow_blank=True,
        default="",
        help_text="What the person was shown and agreed to.",
    )
    wording_version = serializers.CharField(max_length=30, required=False, allow_blank=True, default="")
    language = serializers.CharField(max_length=10, required=False, allow_blank=True, default="")
    evidence = EvidenceField(required=False, default=dict, help_text='The proof: `{"url": "…", "form": "…"}`.')
    at = serializers.DateTimeField(required=False, help_text="When the person said it; now without.")
    by = serializers.PrimaryKeyRelatedField[Any](read_only=True, allow_null=True)

    class Meta:
        model = ConsentEvent
        fields = (
            "id", "channel", "purpose", "state", "source", "wording", "wording_version", "language", "evidence", "by",
            "at", "recorded_at",
        )  # fmt: skip
        read_only_fields = ("channel", "recorded_at")

    def validate_source(self, source: str) -> str:
        """What callers can know of."""
        if source not in (ConsentEvent.Source.API, ConsentEvent.Source.FORM):
            raise serializers.ValidationError(_("Say form or api: the others are told by the product itself."))
        return source

    def validate_at(self, at: dt.datetime) -> dt.datetime:
        """Not later than now."""
        if at > clock.now() + CLOCKS_DIFFER:
            raise serializers.ValidationError(_("This is in the future. Say when the person said it."))
        return at


class StandingSerializer(serializers.ModelSerializer[Consent]):
    """Where a person stands for one purpose."""

    class Meta:
        model = Consent
        fields = ("channel", "purpose", "state", "since")
        read_only_fields = fields


class NewestSaidFirst(NewestFirstCursor):
    """As the timeline shows them."""

    columns = ("at", "id")


class ConsentsOfContact(OfContact[ConsentEvent], mixins.ListModelMixin, mixins.RetrieveModelMixin):
    """What a contact allowed and took back, newest first. It is appended to, never changed."""

    queryset = ConsentEvent.objects.all()
    serializer_class = ConsentEventSerializer
    pagination_class = NewestSaidFirst
    http_method_names = ["get", "post", "head", "options"]

    def get_queryset(self) -> QuerySet[ConsentEvent]:
        """The events of that contact."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return ConsentEvent.objects.filter(contact=self.get_contact())

    @extend_schema(responses={201: ConsentEventSerializer})
    def create(self, request: Request, contact: str) -> Response:
        """Append what the person said. Taking back what they set in WhatsApp itself is 409 `only_the_person`."""
        chosen = self.get_contact()
        event = ledger.record(chosen, by=user_of(request), **self.read(request.data))
        return Response(self.get_serializer(event).data, status=201)

    @extend_schema(responses={200: StandingSerializer(many=True)})
    @action(detail=False, methods=["get"], pagination_class=None)
    def now(self, request: Request, contact: str) -> Response:
        """Where the contact stands, by purpose; what is not there they have said nothing of."""
        rows = Consent.objects.filter(contact=self.get_contact()).order_by("channel", "purpose")
        return Response(StandingSerializer(rows, many=True).data)
