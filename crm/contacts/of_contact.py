"""Addresses of the API below one contact: whose it is, and that the contact is locked before what hangs on it."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Model
from django.http import Http404
from rest_framework import viewsets

from crm.contacts.models import Contact
from crm.staff.endpoint import Endpoint, user_of
from crm.staff.models import User

ID_PATTERN = "[0-9]{1,18}"
type Refuse = Callable[[int, User], None]
_refusals: list[Refuse] = []


def when_missing(refuse: Refuse) -> None:
    """Ask this of a contact's key and the user where there is no such contact: it may raise what became of them."""
    _refusals.append(refuse)


def missing(pk: str, user: User) -> Http404:
    """What to raise for a contact one does not find, unless what is registered raises something better."""
    for refuse in _refusals:
        refuse(int(pk), user)
    return Http404()


class OfContact[Row: Model](Endpoint, viewsets.GenericViewSet[Row]):
    """Base of viewsets whose address has the contact's id as `contact`."""

    resource = "contacts"
    lookup_value_regex = ID_PATTERN

    def lock(self) -> None:
        """The contact: before its rows, as everywhere."""
        Contact.objects.select_for_update(no_key=True).filter(pk=self.kwargs["contact"]).first()

    def get_contact(self) -> Contact:
        """The contact in the address, if the token's user may see it."""
        user, pk = user_of(self.request), self.kwargs["contact"]
        found = Contact.objects.visible_to(user).filter(pk=pk).first()
        if found is None:
            raise missing(pk, user)
        return found

    def read(self, body: Mapping[str, Any] | Any) -> dict[str, Any]:
        """What the serializer makes of a body; raises ValidationError."""
        form = self.get_serializer(data=body)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)
