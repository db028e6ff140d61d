"""Logging by structlog: one line per event, no message text, no names, no phone numbers."""

import logging.config
import re
import sys
import traceback
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db.utils import DatabaseError

# Errors whose words are about code, files and connections; those of all others may quote what somebody wrote.
TELLING = (OSError, AttributeError, ImportError, NameError, NotImplementedError, TypeError, ImproperlyConfigured)
CHAINED_MOST = 5
# The addresses with which a password is chosen: whoever has one gets in.
_LINK = re.compile(r"(/accounts/(?:reset|invitation)/)[^/\s]+/[^/\s]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def without_values(logger: Any, name: str, event: dict[str, Any]) -> dict[str, Any]:
    """An error's words and variables may quote a message, a name or a row: keep its type and the places it passed; of a
    database error, which quotes the row that failed, only the last places.
    """
    info = event.get("exc_info")
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["exc_info"] = None
        if isinstance(error, DatabaseError):
            event["error"] = type(error).__name__
            event["at"] = [f"{frame.filename}:{frame.lineno}" for frame in _frames(error)[-4:]]
        else:
            event["exception"] = "\n".join(_told(error))
    return event


def _told(error: BaseException) -> list[str]:
    """The lines of a traceback, that of the first cause first."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain and len(chain) < CHAINED_MOST:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    lines: list[str] = []
    for one in reversed(chain):
        lines += [line.rstrip() for line in traceback.format_list(_frames(one))]
        lines.append(f"{type(one).__qualname__}: {one}" if isinstance(one, TELLING) else type(one).__qualname__)
    return lines


def _frames(error: BaseException) -> traceback.StackSummary:
    return traceback.extract_tb(error.__traceback__)


def without_links(text: str) -> str:
    """A text, or path, in which no address lets anybody in."""
    return _LINK.sub(r"\1…", text)


def links_masked(logger: Any, name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Django names the path of what failed."""
    return {key: without_links(value) if isinstance(value, str) else value for key, value in event.items()}


def on_one_line(logger: Any, name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Nobody writes lines of their own into the log, or colours on the screen (JSON escapes by itself)."""
    return {
        key: _CONTROL.sub(lambda found: repr(found[0])[1:-1], value)
        if isinstance(value, str) and key != "exception"
        else value
        for key, value in event.items()
    }


_PROCESSORS: list[Any] = []  # one list: loggers that have been used keep it, and so follow a later configuration


def configure_logging(*, level: str, as_json: bool) -> None:
    """Send structlog and the standard library's loggers to stderr, as JSON lines or for people."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    _PROCESSORS[:] = [*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    structlog.configure(
        processors=_PROCESSORS,
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
                        links_masked,
                        *([] if as_json else [on_one_line]),
                        renderer,
                    ],
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
                "django.template": {"level": "INFO"},  # below, it writes down whole pages' contents
                "procrastinate": {"level": "CRITICAL"},  # crm.foundation.worker says what matters in one line
            },
        }
    )
