"""Addresses of the API below one contact: whose it is, and that the contact is locked before what hangs on it."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from rest_framework import viewsets
from rest_framework.generics import get_object_or_404

from crm.contacts.models import Contact
from crm.staff.endpoint import Endpoint, user_of

ID_PATTERN = "[0-9]{1,18}"


class OfContact[Row: Model](Endpoint, viewsets.GenericViewSet[Row]):
    """Base of viewsets whose address has the contact's id as `contact`."""

    resource = "contacts"
    lookup_value_regex = ID_PATTERN

    def lock(self) -> None:
        """The contact: before its rows, as everywhere."""
        Contact.objects.select_for_update(no_key=True).filter(pk=self.kwargs["contact"]).first()

    def get_contact(self) -> Contact:
        """The contact in the address, if the token's user may see it."""
        return get_object_or_404(Contact.objects.visible_to(user_of(self.request)), pk=self.kwargs["contact"])

    def read(self, body: Mapping[str, Any] | Any) -> dict[str, Any]:
        """What the serializer makes of a body; raises ValidationError."""
        form = self.get_serializer(data=body)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)
