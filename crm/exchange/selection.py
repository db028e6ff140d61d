"""Which contacts a job is about: those with these ids, or all that a list's filters leave, now and not later."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Max
from django.utils.translation import gettext as _

from crm.contacts.models import Contact, ContactQuerySet
from crm.foundation.errors import Refusal
from crm.staff.models import User

IDS_MAX = 1000

type Filters = Callable[[Mapping[str, list[str]], User], Any]

_filters: list[Filters] = []


class NoSelection(Refusal):
    """What was asked for cannot be understood any more."""

    code = "no_selection"
    http_status = 422


def register(filters: Filters) -> None:
    """The list that knows its parameters says who they leave; it raises Refusal where it cannot."""
    _filters[:] = [filters]


def of_list(parameters: Mapping[str, list[str]]) -> dict[str, Any]:
    """Everybody whom the list shows with these parameters, and who is there by now."""
    newest = Contact.objects.aggregate(newest=Max("pk"))["newest"] or 0
    return {"query": {name: [str(one) for one in values] for name, values in parameters.items()}, "upto": newest}


def of_ids(keys: list[int]) -> dict[str, Any]:
    """These contacts."""
    return {"ids": sorted(set(keys))[:IDS_MAX]}


def contacts(selection: Mapping[str, Any], user: User) -> ContactQuerySet:
    """They, as far as this user sees them, in the order of their keys; raises NoSelection or what the list raises."""
    visible = Contact.objects.visible_to(user)
    if "ids" in selection:
        return visible.filter(pk__in=selection["ids"]).order_by("pk")
    if "query" not in selection or not _filters:
        raise NoSelection(_("It is not known any more which contacts this was for."))
    found = _filters[0](selection["query"], user).order_by().values("pk")
    return visible.filter(pk__in=found, pk__lte=selection.get("upto", 0)).order_by("pk")
