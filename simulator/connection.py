"""Ending a connection without an answer, as a network that breaks at the wrong moment does."""

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

RAW_SEND = "simulator.send"


class CutResponse(Response):
    """Closes the server's transport where it can be reached, else promises a body and sends none."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cycle = getattr(scope.get(RAW_SEND), "__self__", None)
        transport = getattr(cycle, "transport", None)
        if transport is None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
            return
        transport.abort()
        await asyncio.sleep(0.05)  # lets the server notice, or it would try to answer 500


def cut() -> Response:
    """A response that cuts the connection of the request it answers."""
    return CutResponse()
