"""Questions to the database that may take a limited time: who asks often must not keep it busy."""

import contextlib
import time
from collections.abc import Iterator

from django.db import OperationalError, connection, transaction

STEPS = 20_000  # of SQLite's virtual machine between two looks at the clock: less than a millisecond


class TookTooLong(Exception):
    """The database was asked to stop: the time was over."""


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Each statement inside is ended after this time, and what it did undone; raises TookTooLong."""
    if connection.vendor == "postgresql":
        with _on_postgresql(seconds):
            yield
    else:
        with _on_sqlite(seconds):
            yield


@contextlib.contextmanager
def _on_postgresql(seconds: float) -> Iterator[None]:
    try:
        with transaction.atomic():  # a savepoint where there is a transaction already
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_setting('statement_timeout')")
                (before,) = cursor.fetchone()
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(max(1, int(seconds * 1000)))])
            yield
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == "57014":  # query_canceled
            raise TookTooLong from error
        raise


@contextlib.contextmanager
def _on_sqlite(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    connection.ensure_connection()
    wire = connection.connection
    wire.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    try:
        yield
    except OperationalError as error:
        if "interrupted" in str(error):
            raise TookTooLong from error
        raise
    finally:
        wire.set_progress_handler(None, STEPS)
