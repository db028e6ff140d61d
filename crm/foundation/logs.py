"""Logging by structlog: one line per event, no message text, no names, no phone numbers."""

import logging.config
import sys
import traceback
from typing import Any

import structlog
from django.db.utils import DatabaseError


def without_values(logger: Any, name: str, event: dict[str, Any]) -> dict[str, Any]:
    """A database error quotes the row that failed: keep its type and the places it passed, not its text."""
    info = event.get("exc_info")
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, DatabaseError):
        event["exc_info"] = None
        event["error"] = type(error).__name__
        event["at"] = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-4:]]
    return event


def configure_logging(*, level: str, as_json: bool) -> None:
    """Send structlog and the standard library's loggers to stderr, as JSON lines or for people."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        without_values,
                        structlog.processors.format_exc_info,
                        renderer,
                    ]
                    if as_json
                    else [structlog.stdlib.ProcessorFormatter.remove_processors_meta, without_values, renderer],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                "uvicorn": {"level": "WARNING"},
                "uvicorn.access": {"level": "WARNING"},
                "django.request": {"level": "ERROR"},
                "django.security.DisallowedHost": {"level": "ERROR"},
                "PIL": {"level": "INFO"},
                "procrastinate": {"level": "CRITICAL"},  # crm.foundation.worker says what matters in one line
            },
        }
    )
