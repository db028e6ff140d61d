"""Whether this process may take part: the database answers, its migrations are applied, hints come through."""

from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.migrations.executor import MigrationExecutor
from redis import Redis
from redis.exceptions import RedisError

from conversations.monitoring import figures

REDIS_SECONDS = 1.0

_migrations_are_applied = False  # once seen, it stays so while this process lives


@dataclass(frozen=True)
class Readiness:
    """What was found; a part that was not looked at is unknown."""

    database: str = "away"
    migrations: str = "unknown"
    hints: str = "unknown"
    webhooks_waiting: int | None = None
    oldest_webhook_seconds: float | None = None

    @property
    def status(self) -> str:
        """`ready`; `degraded`: works, agents hear of news by pulling; or `not ready`."""
        if self.database != "ok" or self.migrations != "applied":
            return "not ready"
        return "degraded" if self.hints == "away" else "ready"


def check() -> Readiness:
    """Look at everything; blocking, and as slow as what it looks at."""
    hints = _hints()
    try:
        close_old_connections()
        migrations = "applied" if _are_migrations_applied() else "missing"
        waiting = figures.webhooks_waiting() if migrations == "applied" else None
    except (DatabaseError, InterfaceError):
        return Readiness(hints=hints)
    finally:
        close_old_connections()
    return Readiness(
        database="ok",
        migrations=migrations,
        hints=hints,
        webhooks_waiting=waiting.count if waiting else None,
        oldest_webhook_seconds=round(waiting.seconds, 3) if waiting else None,
    )


def _are_migrations_applied() -> bool:
    global _migrations_are_applied
    if not _migrations_are_applied:
        executor = MigrationExecutor(connection)
        _migrations_are_applied = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrations_are_applied


def _hints() -> str:
    """Whether the way of hints between processes is open; one process alone needs none."""
    if not settings.REDIS_URL:
        return "not used"
    try:
        with Redis.from_url(
            settings.REDIS_URL, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        ) as redis:
            redis.ping()
    except (RedisError, OSError):
        return "away"
    return "ok"
