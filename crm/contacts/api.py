"""Contacts in the API: list, change, by another system's id, tags of many at once."""

import itertools
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.contacts import profile, reading, tagging
from crm.contacts.attributes import InvalidValue
from crm.contacts.filters import ContactFilter
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint, ContactQuerySet, ContactTag, Tag
from crm.contacts.of_contact import ID_PATTERN, missing
from crm.contacts.serializing import TAGS_MAX, ContactSerializer, TagName
from crm.merging import merge
from crm.privacy import accesses
from crm.staff.endpoint import Endpoint, user_of
from crm.staff.models import User

BULK_MAX = 500


class ContactTagsBody(serializers.Serializer[Any]):
    """Tags by name to put on and to take off, and why."""

    add = serializers.ListField(child=TagName(), required=False, max_length=TAGS_MAX)
    remove = serializers.ListField(child=TagName(), required=False, max_length=TAGS_MAX)
    reason = serializers.CharField(max_length=profile.REASON_MAX, required=False, allow_blank=True)


class BulkTagsBody(ContactTagsBody):
    """The same for many."""

    contacts = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), max_length=BULK_MAX, help_text="Ids."
    )


class BulkTagsAnswer(serializers.Serializer[Any]):
    """How many changed, and which are not there (or not yours to see)."""

    changed = serializers.IntegerField()
    not_found = serializers.ListField(child=serializers.IntegerField())


class TagOnContact(serializers.ModelSerializer[ContactTag]):
    """A tag of a contact: `added_by` is a user's id."""

    name = serializers.CharField(source="tag.name")
    colour = serializers.IntegerField(source="tag.colour")
    group = serializers.CharField(source="tag.group")

    class Meta:
        model = ContactTag
        fields = ("name", "colour", "group", "added_by", "added_at", "reason")
        read_only_fields = fields


class ContactViewSet(
    Endpoint,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Contact],
):
    """The people the business talks with."""

    resource = "contacts"
    needs = {"bulk_tags": "crm.change_contact"}
    queryset = Contact.objects.all()
    serializer_class = ContactSerializer
    filterset_class = ContactFilter
    http_method_names = ["get", "post", "patch", "head", "options"]
    lookup_value_regex = ID_PATTERN

    def get_queryset(self) -> QuerySet[Contact]:
        """Those the token's user may see."""
        return _shown(Contact.objects.visible_to(user_of(self.request)))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The contact; that it was looked at is noted."""
        answer = super().retrieve(request, *args, **kwargs)
        accesses.note(user_of(request), int(answer.data["id"]), accesses.What.API)
        return answer

    def get_object(self) -> Contact:
        """The contact; of one that is part of another now, where it went (410)."""
        try:
            return super().get_object()
        except Http404:
            raise missing(self.kwargs["pk"], user_of(self.request)) from None

    @extend_schema(request=ContactTagsBody, responses={200: TagOnContact(many=True)}, filters=False)
    @action(detail=True, methods=["get", "post"], pagination_class=None)
    def tags(self, request: Request, pk: str) -> Response:
        """GET: the contact's tags, with who put them there, when and why. POST: put some on, take some off."""
        contact = self.get_object()
        if request.method == "POST":
            body = _read(ContactTagsBody, request)
            _change_tags(Contact.objects.filter(pk=contact.pk), body, user_of(request))
        rows = contact.contact_tags.select_related("tag").order_by("pk")
        return Response(TagOnContact(rows, many=True).data)

    @extend_schema(
        operation_id="contacts_tags_of_many", request=BulkTagsBody, responses={200: BulkTagsAnswer}, filters=False
    )
    @action(detail=False, methods=["post"], url_path="tags", pagination_class=None)
    def bulk_tags(self, request: Request) -> Response:
        """Put tags on and take tags off up to 500 contacts. Those one may not see, and restricted people, are left
        alone.
        """
        user, body = user_of(request), _read(BulkTagsBody, request)
        wanted = list(dict.fromkeys(body["contacts"]))
        visible = set(Contact.objects.visible_to(user).filter(pk__in=wanted).values_list("pk", flat=True))
        changed = 0
        for keys in itertools.batched(sorted(visible), tagging.AT_ONCE):
            changed += _change_tags(Contact.objects.filter(pk__in=keys), body, user)
        return Response({"changed": changed, "not_found": [pk for pk in wanted if pk not in visible]})


class ContactByExternalId(Endpoint, viewsets.GenericViewSet[Contact]):
    """A contact by what another system calls it."""

    resource = "contacts"
    needs = {"PUT": "crm.change_contact"}
    queryset = Contact.objects.all()
    serializer_class = ContactSerializer
    lookup_field = "external_id"
    lookup_value_regex = "[^/]{1,100}"
    http_method_names = ["get", "put", "head", "options"]

    def get_queryset(self) -> QuerySet[Contact]:
        """Those the token's user may see."""
        return _shown(Contact.objects.visible_to(user_of(self.request)))

    def get_object(self) -> Contact:
        """The contact; of one that is part of another now, where it went (410)."""
        found = self._known(self.kwargs["external_id"])
        if found is None:
            merge.refuse_external_id(self.kwargs["external_id"], user_of(self.request))
            raise Http404
        return found

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """With the id in the address as it is kept."""
        self.kwargs["external_id"] = reading.external_id(self.kwargs["external_id"]) or ""
        super().initial(request, *args, **kwargs)

    def lock(self) -> None:
        """Nobody else changes it meanwhile."""
        Contact.objects.select_for_update(no_key=True).filter(external_id=self.kwargs["external_id"]).first()

    def retrieve(self, request: Request, external_id: str) -> Response:
        """The contact; that it was looked at is noted."""
        contact = self.get_object()
        accesses.note(user_of(request), contact, accesses.What.API)
        return Response(self.get_serializer(contact).data)

    @extend_schema(responses={200: ContactSerializer, 201: ContactSerializer})
    def update(self, request: Request, external_id: str) -> Response:
        """Change the contact with this external id, or make it (201). What is left out stays."""
        known = self._known(external_id)
        try:
            return self._write(known, external_id)
        except (Http404, InvalidValue, serializers.ValidationError):
            made_meanwhile = None if known else self._known(external_id)
            if made_meanwhile is None:
                raise
            return self._write(made_meanwhile, external_id)

    def _known(self, external_id: str) -> Contact | None:
        return self.get_queryset().filter(external_id=external_id).first()

    def _write(self, known: Contact | None, external_id: str) -> Response:
        request = self.request
        may_make = user_of(request).has_perm("crm.add_contact")
        if known is None and (not may_make or Contact.objects.filter(external_id=external_id).exists()):
            raise Http404  # of somebody one may not see
        if known is None:
            merge.refuse_external_id(external_id, user_of(request))
        said: Any = request.data
        if isinstance(said, dict):
            said = said | {"external_id": external_id}
        form = self.get_serializer(known, data=said, partial=known is not None)
        form.is_valid(raise_exception=True)
        form.save()
        return Response(form.data, status=200 if known else 201)


def _shown(contacts: ContactQuerySet) -> QuerySet[Contact]:
    """With all that their answers hold."""
    accounts = Prefetch("identities", ChannelIdentity.objects.order_by("pk"))
    present = ContactPoint.objects.filter(until=None).order_by("kind", "-is_primary", "pk")
    return contacts.prefetch_related(accounts, "tags", Prefetch("points", present, to_attr="current_points"))


def _read(form: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    body = form(data=request.data, context={"request": request})
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def _change_tags(contacts: ContactQuerySet, body: dict[str, Any], user: User) -> int:
    """Raises InvalidValue for a new name of who may not make tags."""
    add = [_tag(name, user) for name in body.get("add", ())]
    remove = [tag for tag in map(profile.find_tag, body.get("remove", ())) if tag is not None]
    return tagging.change(contacts, add=add, remove=remove, by=user, reason=body.get("reason", ""))


def _tag(name: str, user: User) -> Tag:
    found = profile.find_or_make_tag(name) if user.has_perm("crm.add_tag") else profile.find_tag(name)
    if found is None:
        raise InvalidValue(_("There is no tag “%(name)s”. Ask a manager to create it.") % {"name": name})
    return found
