"""Reading request bodies with a limit on their size."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request

Json = dict[str, Any]

JSON_LARGEST = 1024 * 1024


class TooLarge(Exception):
    """The body is over the limit; the text says which."""


class BadBody(ValueError):
    """The body is no JSON object; the text says what was expected."""


async def limited(request: Request, largest: int) -> AsyncGenerator[bytes]:
    """The body in pieces; raises TooLarge at the first byte over the limit, before it is kept."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdecimal() and int(declared) > largest:
        raise TooLarge(f"The body may have at most {largest} bytes.")
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > largest:
            raise TooLarge(f"The body may have at most {largest} bytes.")
        yield piece


async def read_json(request: Request, largest: int = JSON_LARGEST) -> Json:
    """The JSON object in the body; raises TooLarge or BadBody."""
    pieces = [piece async for piece in limited(request, largest)]
    try:
        found = await asyncio.to_thread(json.loads, b"".join(pieces) or b"{}")
    except (ValueError, RecursionError):
        raise BadBody("The body must be JSON.") from None
    if not isinstance(found, dict):
        raise BadBody("The body must be a JSON object.")
    return found
