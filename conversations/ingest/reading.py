"""From bytes to clean JSON: strict parser first, a forgiving one second, so that one bad character costs one
character.
"""

import json
from typing import Any

import orjson

from crm.foundation.text import clean_json


class Unreadable(Exception):
    """These bytes are no JSON."""


def load(body: bytes) -> Any:
    """The cleaned JSON value of a webhook body; raises Unreadable."""
    try:
        return clean_json(orjson.loads(body))
    except orjson.JSONDecodeError:
        pass
    try:
        return clean_json(json.loads(body.decode("utf-8", "replace"), parse_constant=lambda _name: None))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {type(error).__name__}") from error
