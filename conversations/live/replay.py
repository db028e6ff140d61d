"""What a browser missed: the hints above an id, for its groups; none can appear later behind the head."""

import datetime as dt
from typing import Any

from django.db import connection
from django.db.models import Max

from conversations.live.models import LiveHint
from conversations.live.publish import frame_of
from crm.foundation import clock

MOST = 300
SCANNED = 2000
RETENTION = dt.timedelta(hours=48)


def head() -> int:
    """The highest hint id that may be served now."""
    return _settled().aggregate(head=Max("pk"))["head"] or 0


def since(last: int, groups: set[str]) -> dict[str, Any]:
    """`{head, hints}` for the groups above `last`, or `{head, resync: True}` if that is too much or too old."""
    top = head()
    if last >= top:
        return {"head": max(top, 0), "hints": []}
    oldest = LiveHint.objects.order_by("pk").values_list("pk", flat=True).first() or 0
    if last < oldest - 1 and last != 0:
        return {"head": top, "resync": True}
    rows = list(_settled().filter(pk__gt=last, pk__lte=top).order_by("pk")[: SCANNED + 1])
    mine = [frame_of(row) for row in rows if groups.intersection(row.groups)]
    if len(rows) > SCANNED or len(mine) > MOST:
        return {"head": top, "resync": True}
    return {"head": top, "hints": mine}


def delete_old(limit: int = 5000) -> int:
    """Delete up to `limit` hints past their 48 hours; returns how many."""
    old = LiveHint.objects.filter(created_at__lt=clock.real() - RETENTION).order_by("pk").values("pk")[:limit]
    return LiveHint.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()[0]


def _settled() -> Any:
    """Rows whose transaction, and every older one, has ended (PostgreSQL; on SQLite id order is commit order)."""
    rows = LiveHint.objects.all()
    if connection.vendor == "postgresql":
        rows = rows.extra(where=["transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"])
    return rows
