"""Meta's side for senders: takes POST …/messages as fast as Python can, answers with a new wamid, notes what came when.

`python -m benchmarks.apps.graph PORT`. GET /sent/ gives the bodies' `to` and text with their times, GET /forget/
empties that list, any other GET is a phone number's record.
"""

import asyncio
import sys
import time
from typing import cast

import orjson
import uvloop

from config.serve import bind

ACCEPTED = b'{"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],"messages":[{"id":"wamid.%d"}]}'
sent: list[tuple[float, bytes]] = []


class Graph(asyncio.Protocol):
    """One connection of a sender."""

    count = 0

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.buffer[:end]).lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 : (head.find(b"\r", at) + 1 or len(head) + 1) - 1]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = bytes(self.buffer[end + 4 : end + 4 + length])
            del self.buffer[: end + 4 + length]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"post"):
            sent.append((time.monotonic(), body))
            Graph.count += 1
            answer = ACCEPTED % (time.time_ns() + Graph.count)
        elif head.startswith(b"get /sent/"):
            found = [(at, orjson.loads(content)) for at, content in sent]
            answer = orjson.dumps([(at, one.get("to"), one.get("text", {}).get("body")) for at, one in found])
        elif head.startswith(b"get /forget/"):
            sent.clear()
            answer = b"{}"
        else:
            answer = b'{"id":"200","display_phone_number":"+34 600 000 001"}'
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)
        )


async def main() -> None:
    """Serve until told to end."""
    server = await asyncio.get_running_loop().create_server(Graph, sock=bind("127.0.0.1", int(sys.argv[1])))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(), loop_factory=uvloop.new_event_loop)
