"""The server: binds its port first, so that a taken one is one clear sentence, then runs uvicorn."""

import contextlib
import os
import signal
import socket
import sys

import django
import uvicorn
from django.conf import settings
from django.db import connections

SHUTDOWN_SECONDS = 3


def main() -> int:
    """Serve until Ctrl-C or SIGTERM; exit code 1 if the port cannot be had."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    try:
        listener = bind(settings.BIND, settings.PORT)
    except (OSError, OverflowError) as error:
        sys.stderr.write(
            f"Port {settings.PORT} on {settings.BIND} cannot be used ({getattr(error, 'strerror', error)}). "
            f"Stop what uses it or choose another one: PORT={settings.PORT + 1} make run\n"
        )
        return 1
    config = uvicorn.Config(
        "config.asgi:application",
        lifespan="on",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        access_log=False,
        log_config=None,
        server_header=False,
        ws_max_size=4096,
        proxy_headers=False,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises the signal again after an orderly end
        uvicorn.Server(config).run(sockets=[listener])
    for connection in connections.all():
        connection.close()
        if connection.vendor == "postgresql":
            connection.close_pool()  # type: ignore[attr-defined]
    return 0


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises OSError if the port is taken or forbidden."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener


if __name__ == "__main__":
    sys.exit(main())
