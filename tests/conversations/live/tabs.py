"""A browser tab as the ASGI application sees it (channels.testing wants a server we do not use)."""

from asgiref.testing import ApplicationCommunicator


class Tab(ApplicationCommunicator):
    """One WebSocket connection."""

    def __init__(self, application, path, headers, subprotocols):
        scope = {
            "type": "websocket", "path": path, "query_string": b"", "headers": headers,
            "subprotocols": subprotocols or [],
        }  # fmt: skip
        super().__init__(application, scope)

    async def connect(self):
        """(True, the chosen subprotocol), or (False, the code) for a refusal before accepting."""
        await self.send_input({"type": "websocket.connect"})
        output = await self.receive_output(timeout=5)
        if output["type"] == "websocket.close":
            return False, output.get("code", 1000)
        assert output["type"] == "websocket.accept"
        return True, output["subprotocol"]

    async def send_to(self, text=None, data=None):
        await self.send_input({"type": "websocket.receive"} | ({"text": text} if data is None else {"bytes": data}))

    async def receive_text(self):
        output = await self.receive_output(timeout=5)
        assert output["type"] == "websocket.send", output
        return output["text"]

    async def close_code(self):
        output = await self.receive_output(timeout=5)
        assert output["type"] == "websocket.close", output
        return output["code"]

    async def disconnect(self):
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(5)
