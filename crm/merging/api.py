"""Merging contacts, taking it back, and splitting an account off, in the API."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from crm.contacts.api import ContactViewSet
from crm.contacts.models import ChannelIdentity, Contact
from crm.contacts.of_contact import OfContact, missing
from crm.contacts.serializing import ContactSerializer
from crm.merging import merge, split, undo
from crm.merging.journal import DROPPED, KEPT
from crm.merging.models import MergeRecord
from crm.staff.endpoint import user_of

_WHOSE = {"this": KEPT, "other": DROPPED}


class ContactMergeBody(serializers.Serializer[Any]):
    """Which contact comes into this one; `values` says for single fields whose value counts."""

    contact = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="The contact that goes.")
    values = serializers.DictField(
        child=serializers.ChoiceField(list(_WHOSE)),
        required=False,
        default=dict,
        help_text='`{"name": "other", "phone": "this", "attributes.plan": "other"}`; else this contact\'s, '
        "where it has one.",
    )


class MergeSerializer(serializers.ModelSerializer[MergeRecord]):
    """A merge: `dropped` went into `kept`; `gave_way` names fields whose other value gave way, `moved` counts rows."""

    kept = serializers.PrimaryKeyRelatedField[Any](read_only=True)
    dropped = serializers.IntegerField(source="dropped_id", read_only=True)
    gave_way = serializers.SerializerMethodField()
    moved = serializers.SerializerMethodField()
    can_undo = serializers.SerializerMethodField()

    class Meta:
        model = MergeRecord
        fields = (
            "id", "kept", "dropped", "gave_way", "moved", "can_undo", "merged_at", "merged_by", "undone_at",
            "undone_by",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_gave_way(self, record: MergeRecord) -> list[str]:
        """Names only: the values may be hidden from who asks."""
        return sorted(record.summary.get("gave_way", {}))

    @extend_schema_field(serializers.DictField(child=serializers.IntegerField()))
    def get_moved(self, record: MergeRecord) -> dict[str, int]:
        """By kind of row."""
        return dict(record.summary.get("moved", {}))

    def get_can_undo(self, record: MergeRecord) -> bool:
        """Whether it can be taken back now."""
        return not undo.why_not(record)


class SplitBody(serializers.Serializer[Any]):
    """Which of the contact's accounts leaves."""

    identity = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="Of the contact's `identities`.")


class MergesOfContact(OfContact[MergeRecord], mixins.ListModelMixin, mixins.RetrieveModelMixin):
    """What was merged into a contact."""

    needs = {"POST": "crm.add_mergerecord", "undo": "crm.change_mergerecord"}
    queryset = MergeRecord.objects.all()
    serializer_class = MergeSerializer
    http_method_names = ["get", "post", "head", "options"]

    def get_queryset(self) -> QuerySet[MergeRecord]:
        """Those of that contact."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return MergeRecord.objects.filter(kept=self.get_contact())

    @extend_schema(request=ContactMergeBody, responses={201: MergeSerializer})
    def create(self, request: Request, contact: str) -> Response:
        """Merge another contact into this one: all it has is this one's then. 409 `cannot_merge` says why not."""
        kept, user = self.get_contact(), user_of(request)
        body = ContactMergeBody(data=request.data)
        body.is_valid(raise_exception=True)
        key = body.validated_data["contact"]
        other = Contact.objects.visible_to(user).filter(pk=key).first()
        if other is None:
            merge.refuse(key, user)
            raise serializers.ValidationError({"contact": [_("There is no such contact.")]})
        choices = {name: _WHOSE[whose] for name, whose in body.validated_data["values"].items()}
        record = merge.merge(kept, other, by=user, choices=choices)
        return Response(self.get_serializer(record).data, status=201)

    @extend_schema(request=None, responses={200: ContactSerializer})
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, contact: str, pk: str) -> Response:
        """Take it back; answers with the contact that is there again. 409 `cannot_undo` says why not."""
        restored = undo.undo(self.get_object(), by=user_of(request))
        return Response(_shown(restored, request))


class SplitOfContact(OfContact[ChannelIdentity]):
    """One account of a contact becomes a contact of its own."""

    needs = {"POST": "crm.add_mergerecord"}
    queryset = ChannelIdentity.objects.all()
    serializer_class = SplitBody
    http_method_names = ["post", "options"]

    @extend_schema(request=SplitBody, responses={201: ContactSerializer})
    def create(self, request: Request, contact: str) -> Response:
        """Split it off, with its conversations; answers with the new contact. 409 `cannot_split` says why not."""
        owner = self.get_contact()
        identity = get_object_or_404(owner.identities, pk=self.read(request.data)["identity"])
        return Response(_shown(split.split(identity, by=user_of(request)), request), status=201)


def _shown(contact: Contact, request: Request) -> Any:
    """As every answer shows a contact."""
    view: Any = ContactViewSet(request=request)
    found = view.get_queryset().filter(pk=contact.pk).first()
    if found is None:
        raise missing(str(contact.pk), user_of(request))
    return ContactSerializer(found, context={"request": request}).data
