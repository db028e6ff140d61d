"""A database connection of a thread's own, outside the pool: never waited for when others use the pool up, and tried
again at once after an outage, where the pool backs off.
"""

import copy

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import load_backend


def leave_pool() -> None:
    """From now on this thread's default connection is its own; the thread closes it."""
    settings = copy.deepcopy(connections.settings[DEFAULT_DB_ALIAS])
    settings["OPTIONS"].pop("pool", None)
    backend = load_backend(settings["ENGINE"])
    connections[DEFAULT_DB_ALIAS] = backend.DatabaseWrapper(settings, DEFAULT_DB_ALIAS)
