"""Small regular chores: parked updates whose message came at the same moment, what is past its time, stray files."""

import random
import time

from conversations.ingest import retention
from conversations.messaging import deliveries, media_store
from crm.privacy import strays
from crm.privacy.retention import clean

CLEANING_SECONDS = 600.0
BUSY_SECONDS = 30.0  # until the next time if the last one did not get through
WORK_SECONDS = 5.0

_next_cleaning = float("-inf")


def drain() -> bool:
    """One round each tick; cleaning every ten minutes, a few seconds at a time."""
    global _next_cleaning
    if deliveries.sweep_parked():
        return True
    if time.monotonic() >= _next_cleaning:
        _next_cleaning = time.monotonic() + CLEANING_SECONDS
        deliveries.sweep_parked(since=retention.PARKED_KEPT)
        if clean(WORK_SECONDS):
            _next_cleaning = time.monotonic() + BUSY_SECONDS
        media_store.delete_strays(random.randrange(256))
        strays.delete()
    return False
