"""From bytes to clean JSON: strict parser first, a forgiving one second, so that one bad character costs one
character.
"""

import json
from typing import Any

import orjson

from crm.foundation.text import clean_json

LONGEST_NUMBER = 100


class Unreadable(Exception):
    """These bytes are no JSON."""


def load(body: bytes) -> Any:
    """The cleaned JSON value of a webhook body; raises Unreadable."""
    try:
        return clean_json(orjson.loads(body))
    except orjson.JSONDecodeError:
        pass
    try:
        text = body.decode(json.detect_encoding(body), "replace")
        return clean_json(json.loads(text, parse_constant=lambda _name: None, parse_int=_whole_number))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {type(error).__name__}") from error


def _whole_number(digits: str) -> int | None:
    """The integer, or None where nothing can count that far (Python itself refuses more than 4,300 digits)."""
    return int(digits) if len(digits) <= LONGEST_NUMBER else None
