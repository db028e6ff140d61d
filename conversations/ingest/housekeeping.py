"""Small regular chores: parked updates whose message came at the same moment, old hints, unsent uploads, old raw
events.
"""

import datetime as dt
import time

from conversations.ingest.models import WebhookEvent
from conversations.live import replay
from conversations.messaging import deliveries, media
from crm.foundation import clock

EVENTS_KEPT = dt.timedelta(days=7)
QUARANTINE_KEPT = dt.timedelta(days=90)
PARKED_KEPT = dt.timedelta(days=30)
CLEANING_SECONDS = 600
BATCH = 500
ROUNDS = 20

_cleaned_at = float("-inf")


def drain() -> bool:
    """One round each tick; deleting only every ten minutes."""
    global _cleaned_at
    if deliveries.sweep_parked():
        return True
    if time.monotonic() - _cleaned_at >= CLEANING_SECONDS:
        _cleaned_at = time.monotonic()
        deliveries.sweep_parked(since=PARKED_KEPT)
        deliveries.delete_parked(PARKED_KEPT)
        replay.delete_old()
        media.delete_unsent()
        for _round in range(ROUNDS):
            if not delete_old_events():
                break
    return False


def delete_old_events(limit: int = BATCH) -> int:
    """Delete raw events 7 days after success and quarantined ones after 90 days; returns how many rows went."""
    now = clock.real()
    done = WebhookEvent.objects.filter(state=WebhookEvent.State.PROCESSED, processed_at__lt=now - EVENTS_KEPT)
    bad = WebhookEvent.objects.filter(state=WebhookEvent.State.QUARANTINED, processed_at__lt=now - QUARANTINE_KEPT)
    count = 0
    for old in (done, bad):
        chosen = list(old.order_by("pk").values_list("pk", flat=True)[:limit])
        count += WebhookEvent.objects.filter(pk__in=chosen).only("pk").delete()[0]
    return count
