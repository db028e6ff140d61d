"""Which errors of the database pass by themselves, and which would come back with every try."""

from django.db import InterfaceError, OperationalError

PASSING = (OperationalError, InterfaceError)
# Both drivers also call "operational" what a statement asks too much of, which is the item's fault: PostgreSQL's class
# "program limit exceeded" (an index row, a statement, too large), SQLite's general error.
LIMITS = "54"
SQLITE_ERROR = 1


def passes(error: Exception) -> bool:
    """Whether the same may well succeed later: the database was away, busy, full, or asked to be tried again."""
    if not isinstance(error, PASSING):
        return False
    cause = error.__cause__
    if (getattr(cause, "sqlstate", None) or "").startswith(LIMITS):
        return False
    return getattr(cause, "sqlite_errorcode", None) != SQLITE_ERROR
