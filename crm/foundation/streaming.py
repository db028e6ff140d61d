"""Answers that are sent piece by piece, whatever their size."""

from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse


class Streamed(StreamingHttpResponse):
    """Made of an iterator of bytes. Under ASGI Django would read it to its end before the first byte leaves."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Each piece when its turn comes."""
        pieces = iter(self)
        while (piece := await sync_to_async(lambda: next(pieces, None))()) is not None:
            yield piece
