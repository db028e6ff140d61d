"""Bodies are limited before anything is written to disk."""

import pytest

from crm.foundation.bodies import SMALL, BodyLimit


async def reading_app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"read"})


async def status_of(path, size, *, declared=True):
    chunk, sent = 1024 * 1024, []
    parts = [chunk] * (size // chunk) + [size % chunk]

    async def receive():
        part = parts.pop(0)
        return {"type": "http.request", "body": b"x" * part, "more_body": bool(parts)}

    async def send(message):
        sent.append(message)

    headers = [(b"content-length", str(size).encode())] if declared else []
    limited = BodyLimit(reading_app, upload_max=2 * SMALL)
    await limited({"type": "http", "path": path, "headers": headers}, receive, send)
    return sent[0]["status"]


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/inbox/", SMALL, 200),
        ("/inbox/", SMALL + 1, 413),
        ("/inbox/uploads/", SMALL + 1, 200),
        ("/inbox/uploads/", 2 * SMALL + 1, 413),
        ("/api/v1/conversations/1/uploads/", 2 * SMALL, 200),
    ],
)
async def test_only_uploads_may_be_large(path, size, status, declared):
    assert await status_of(path, size, declared=declared) == status
