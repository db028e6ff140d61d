"""Search columns that many contacts need anew at once, made in the background a few at a time."""

from django.db import connection
from django.db.models import Prefetch

from crm.contacts import searching
from crm.contacts.models import Contact, ContactPoint, StaleSearch
from crm.foundation.retrying import in_transaction
from crm.foundation.rows import update_rows


def drain() -> bool:
    """Make the next few anew; True if there may be more."""
    return StaleSearch.objects.exists() and _step()


@in_transaction
def _step() -> bool:
    at_once = 50 if connection.vendor == "sqlite" else 500
    skips = connection.features.has_select_for_update_skip_locked
    waiting = list(StaleSearch.objects.select_for_update(skip_locked=skips).order_by("pk")[:at_once])
    present = Prefetch("points", ContactPoint.objects.filter(until=None).order_by("pk"), to_attr="present_points")
    rows: list[Contact] = list(
        Contact.objects.select_for_update(no_key=True)
        .filter(pk__in={one.contact_key for one in waiting})
        .exclude(search_text="")  # erased
        .order_by("pk")
        .prefetch_related("identities", present)
    )
    for row in rows:
        values = [point.value for point in row.present_points]  # type: ignore[attr-defined]
        row.search_text = searching.text_of(row, row.identities.all(), values)
    update_rows(rows, ["search_text"])
    StaleSearch.objects.filter(pk__in=[one.pk for one in waiting]).delete()
    return len(waiting) == at_once
