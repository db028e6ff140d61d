"""Peers: Django Channels' own way, every socket in a group of a channels-redis layer; `LAYER` is core or pubsub."""

import os
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

BACKENDS = {"core": "channels_redis.core.RedisChannelLayer", "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer"}
layer = {"BACKEND": BACKENDS[os.environ["LAYER"]], "CONFIG": {"hosts": [os.environ["REDIS_URL"]]}}
if not settings.configured:
    settings.configure(CHANNEL_LAYERS={"default": layer}, SECRET_KEY="only-for-the-benchmark")
GROUP = f"everybody_{os.environ['LAYER']}"


class Consumer(AsyncWebsocketConsumer):
    """Joins the group and passes on what it hears."""

    async def connect(self) -> None:
        """Join."""
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave."""
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def bench_frame(self, event: dict[str, Any]) -> None:
        """One message of the group."""
        await self.send(text_data=event["text"])


consumer = Consumer.as_asgi()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Sockets, and a sign of life."""
    if scope["type"] == "websocket":
        await consumer(scope, receive, send)
    elif scope["type"] == "http":
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})
    else:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
