"""How long the audit log is kept, and the one door through which entries leave it: the database refuses any other."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import models, transaction

from crm.audit.models import AuditEntry

KEPT = dt.timedelta(days=settings.AUDIT_KEPT_DAYS)
DOOR = "audit log"  # SQLite; on PostgreSQL the setting ventanilla.audit_log_is_open


@contextlib.contextmanager
def opened() -> Iterator[None]:
    """For retention and erasure only: a transaction in which entries may be changed and deleted, by this connection."""
    connection: Any = transaction.get_connection()
    with transaction.atomic():
        if connection.vendor == "postgresql":
            _set(connection, "yes")  # until the end of the transaction, or a roll-back to before it
            yield
            _set(connection, "no")
            return
        connection.open_doors.add(DOOR)
        try:
            yield
        finally:
            connection.open_doors.discard(DOOR)


def entries() -> models.QuerySet[AuditEntry]:
    """All of them, by a queryset that deletes where the door is open."""
    return models.QuerySet(AuditEntry)


def _set(connection: Any, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('ventanilla.audit_log_is_open', %s, true)", [value])
