"""Cleaning of text from outside: what PostgreSQL, JSON or a terminal cannot carry is replaced, never raised."""

import re
from typing import Any

MAX_DEPTH = 64
_BAD = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def clean_text(value: object, limit: int | None = None) -> str:
    """A str without NUL and lone surrogates, cut to `limit` characters; anything that is not a str becomes ""."""
    if not isinstance(value, str):
        return ""
    value = _BAD.sub(REPLACEMENT, value)
    return value[:limit] if limit else value


def clean_json(value: Any, depth: int = 0) -> Any:
    """The same structure with clean strings and keys, finite numbers, at most 64 levels (deeper ones become null)."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        if depth >= MAX_DEPTH:
            return None
        return {clean_text(key): clean_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return None if depth >= MAX_DEPTH else [clean_json(item, depth + 1) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**63:
        return str(value)[:40] if abs(value) < 10**1000 else None
    return value
