"""What a browser missed: the hints above a head it has seen, for its groups; none can appear later behind a head."""

import datetime as dt
from typing import Any

from django.db import connection
from django.db.models import Max

from conversations.live.models import LiveHint
from conversations.live.publish import frame_of

MOST = 300
SCANNED = 2000
RETENTION = dt.timedelta(hours=48)


def head() -> int:
    """The place up to which all hints may be served now."""
    return _settled().aggregate(head=Max(_place()))["head"] or 0


def since(last: int, groups: set[str]) -> dict[str, Any]:
    """`{head, hints}` for the groups above `last`, or `{head, resync: True}` if that is too much, too old or of a
    log that is gone.
    """
    top = head()
    if last == top:
        return {"head": top, "hints": []}
    oldest = LiveHint.objects.order_by(_place(), "pk").values_list(_place(), flat=True).first() or 0
    if last > top or (last < oldest and last != 0):
        return {"head": top, "resync": True}
    rows = list(_between(last, top)[: SCANNED + 1])
    mine = [frame_of(row) for row in rows if groups.intersection(row.groups)]
    if len(rows) > SCANNED or len(mine) > MOST:
        return {"head": top, "resync": True}
    return {"head": top, "hints": mine}


def ids_between(last: int, top: int, limit: int) -> list[int]:
    """At most `limit` ids of hints above `last` up to `top`, a place that was the head."""
    return list(_between(last, top).values_list("pk", flat=True)[:limit])


def _between(last: int, top: int) -> Any:
    place = _place()
    return LiveHint.objects.filter(**{f"{place}__gt": last, f"{place}__lte": top}).order_by(place, "pk")


def _place() -> str:
    """The column by which hints become readable: above a head of it nothing is missing.

    An id does not do: of two transactions under way the older one may take the higher id and commit first, and the
    lower id would then appear behind the head.
    """
    return "transaction_id" if connection.vendor == "postgresql" else "id"


def _settled() -> Any:
    """Rows whose transaction, and every older one, has ended (PostgreSQL; on SQLite id order is commit order)."""
    rows = LiveHint.objects.all()
    if connection.vendor == "postgresql":
        rows = rows.extra(where=["transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"])
    return rows
