"""The ASGI callable: lifespan, the raw webhook route, the simulator in demo mode, then Django and its sockets."""

import asyncio
import gc
import os
import warnings
from typing import Any

import structlog
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_app = get_asgi_application()
# WhiteNoise hands out static files through synchronous iterators: Django reads them whole, and warns each time.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402 (needs the apps loaded)
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils.module_loading import import_string  # noqa: E402

from config import probes  # noqa: E402
from config.simulated import build_simulator  # noqa: E402
from conversations.desk.consumers import DeskConsumer  # noqa: E402
from conversations.desk.presence import watch_over_sockets  # noqa: E402
from conversations.ingest.batcher import batcher  # noqa: E402
from conversations.ingest.receiver import PATH as WEBHOOK_PATH  # noqa: E402
from conversations.ingest.receiver import receive_webhook  # noqa: E402
from conversations.ingest.tallies import tallies  # noqa: E402
from conversations.live.publish import subscribe  # noqa: E402
from conversations.live.registry import registry  # noqa: E402
from conversations.live.viewers import viewers  # noqa: E402
from crm.foundation import aio, work  # noqa: E402
from crm.foundation.bodies import SMALL, BodyLimit  # noqa: E402

log = structlog.get_logger(__name__)

simulator = build_simulator() if settings.DEMO else None
# Only an installation with workers has bells to pass on, and only then is procrastinate imported.
ringer = import_string("crm.foundation.bells.ringer") if settings.WORK == "procrastinate" else None
sockets = [path("ws/inbox/", DeskConsumer.as_asgi())]
router = ProtocolTypeRouter(
    {
        "http": BodyLimit(django_app, upload_max=settings.UPLOAD_MAX_BYTES + SMALL),
        "websocket": AllowedHostsOriginValidator(URLRouter(sockets)),
    }
)


async def _webhook(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive_webhook(scope, receive, probes.counted(send))


# What Django never sees, by its exact path: each needs its cells in tests/permissions/table.py, as sockets do.
raw_routes = {WEBHOOK_PATH: _webhook, "/healthz/": probes.alive, "/readyz/": probes.ready, "/metrics": probes.metrics}


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Dispatch one connection."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http" and scope["path"] in raw_routes:
        await raw_routes[scope["path"]](scope, receive, send)
    elif simulator is not None and scope["type"] == "http" and f"{scope['path']}/".startswith("/simulator/"):
        await simulator(scope | {"root_path": "/simulator"}, receive, send)
    else:
        await router(scope, receive, send)


async def _lifespan(receive: Any, send: Any) -> None:
    """Start what runs beside requests, and end it in the opposite order."""
    await receive()
    tasks: list[asyncio.Task[Any]] = []
    try:
        registry.loop = asyncio.get_running_loop()
        batcher.start()
        work.start()
        if ringer is not None:
            ringer.start()
        tasks = [asyncio.create_task(watch_over_sockets()), asyncio.create_task(subscribe(viewers.hear))]
        if simulator is not None:
            await simulator.startup()
    except Exception as error:
        log.exception("start failed")
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    gc.collect()
    gc.freeze()  # what is loaded stays: full collections need not walk it each time
    await send({"type": "lifespan.startup.complete"})
    await receive()
    for task in tasks:
        task.cancel()
    if simulator is not None:
        await simulator.shutdown()
    await asyncio.to_thread(_stop)
    await send({"type": "lifespan.shutdown.complete"})


def _stop() -> None:
    work.stop()
    batcher.stop()
    tallies.stop()
    if ringer is not None:
        ringer.stop()
    aio.close()
