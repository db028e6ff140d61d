"""A limit for request bodies before Django spools them to disk: most requests are small, uploads are not."""

from typing import Any

import orjson
from django.utils.translation import gettext_lazy as _

from crm.foundation.problems import CONTENT_TYPE, problem

TOO_BIG = _("The body is too big. Send less at once; files have their own address.")
SMALL = 4 * 1024 * 1024
UPLOADS = ("/uploads/", "/files/", "/imports/")


class _TooLarge(Exception):
    pass


class BodyLimit:
    """ASGI middleware: 413 above 4 MB, above `upload_max` bytes for paths where files come in (UPLOADS)."""

    def __init__(self, app: Any, *, upload_max: int) -> None:
        self.app, self.upload_max = app, upload_max

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Refuse by the declared length, else count while reading."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        largest = self.upload_max if scope["path"].endswith(UPLOADS) else SMALL
        declared = dict(scope["headers"]).get(b"content-length", b"")
        left = largest

        async def counted() -> Any:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _TooLarge
            return message

        try:
            if declared.isdigit() and int(declared[:20]) > largest:
                raise _TooLarge
            await self.app(scope, counted, send)
        except _TooLarge:
            body = orjson.dumps(problem(413, "too_big", str(TOO_BIG)))
            headers = [
                (b"content-type", CONTENT_TYPE.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            await send({"type": "http.response.start", "status": 413, "headers": headers})
            await send({"type": "http.response.body", "body": body})
