"""The simulator as one ASGI app: its parts put together, its routes, who may reach them."""

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from simulator.clerk import Clerk
from simulator.clock import Clock
from simulator.connection import RAW_SEND
from simulator.control import Control, guarded
from simulator.customers import Customers
from simulator.errors import GraphError
from simulator.files import Files
from simulator.graph import Graph
from simulator.inbound import Inbound
from simulator.media import MediaStore
from simulator.numbers import Number, NumberBook
from simulator.phone import Phone
from simulator.screens import Screens
from simulator.sending import Sending
from simulator.settings import Settings
from simulator.statuses import Statuses
from simulator.store import Store
from simulator.templates import TemplateBook
from simulator.webhooks import WebhookQueue

ROOT = "/simulator"
ANY_METHOD = ["GET", "POST", "DELETE", "PUT", "PATCH"]


class Simulator:
    """Meta and the customers' phones; `startup` before the first request, `shutdown` at the end.

    `callback_url` answers where webhooks go, `load_numbers` (called in a thread) which numbers there are;
    `clock_file` holds the offset in seconds; `locale` is the phone page's language when a browser names none.
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        clock_file: Path,
        callback_url: Callable[[], str],
        load_numbers: Callable[[], Sequence[Number]],
        locale: str = "es",
    ) -> None:
        self._store = Store(data_dir / "simulator.sqlite3")
        clock, settings = Clock(clock_file), Settings()
        customers = Customers(self._store)
        media = MediaStore(self._store, clock, data_dir / "simulator-media")
        numbers = NumberBook(load_numbers)
        self._queue = WebhookQueue(self._store, numbers, settings, callback_url)
        statuses, templates = Statuses(clock, customers, self._queue, settings), TemplateBook(self._store)
        sending = Sending(
            clock=clock, customers=customers, media=media, statuses=statuses, settings=settings, templates=templates
        )
        inbound = Inbound(clock=clock, customers=customers, media=media, queue=self._queue)
        self._files = Files(media)
        self._graph = Graph(
            store=self._store, numbers=numbers, sending=sending, media=media, files=self._files, templates=templates
        )
        clerk = Clerk(numbers=numbers, templates=templates, queue=self._queue, clock=clock)
        shared: dict[str, Any] = {
            "numbers": numbers,
            "clock": clock,
            "customers": customers,
            "settings": settings,
            "queue": self._queue,
            "statuses": statuses,
        }
        screens = Screens(store=self._store, templates=templates, sending=sending, **shared)
        control = Control(media=media, inbound=inbound, screens=screens, **shared)
        self._app = Starlette(
            routes=[*self._graph_routes(), *_control_routes(control, screens, clerk), *Phone(locale).routes()],
            exception_handlers={HTTPException: _refuse},
        )
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, mounted under /simulator or alone with the same paths."""
        if scope["type"] != "http":
            raise RuntimeError(f"The simulator does not speak {scope['type']}.")
        scope = {**scope, RAW_SEND: send}
        root = scope.get("root_path", "")
        if not root.endswith(ROOT) and f"{scope['path']}/".startswith(f"{root}{ROOT}/"):
            scope["root_path"] = root = root + ROOT
        scope["app_root_path"] = root  # what Starlette builds addresses with; a Mount around names its own
        path = scope["path"].removeprefix(root)
        if path == "":
            await RedirectResponse(f"{root}/")(scope, receive, send)
            return
        if not path.startswith(("/graph/", "/attachments/")):
            reason = _stranger(scope)
            if reason:
                await JSONResponse({"error": reason}, 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def startup(self) -> None:
        """Open the files and go on with webhooks that an earlier run left."""
        await self._store.open()
        await self._queue.start()

    async def shutdown(self) -> None:
        """End within a second; what was not delivered stays for the next start."""
        try:
            async with asyncio.timeout(0.7):
                await self._queue.stop()
        finally:
            await self._store.close()

    def _graph_routes(self) -> list[Route]:
        return [
            Route("/graph/{version}/{name}", self._graph.handle, methods=ANY_METHOD),
            Route("/graph/{version}/{name}/{edge}", self._graph.handle, methods=ANY_METHOD),
            Route("/attachments/", self._download),
        ]

    async def _download(self, request: Request) -> Response:
        try:
            return await self._files.download(request, await self._graph.allowed(request))
        except GraphError as error:
            return JSONResponse(error.body(), error.status)


def _control_routes(control: Control, screens: Screens, clerk: Clerk) -> list[Route]:
    table = {
        "messages": (control.messages, ["POST"]),
        "statuses": (control.statuses, ["POST"]),
        "sent": (control.sent, ["GET"]),
        "settings": (control.settings, ["GET", "POST"]),
        "clock": (control.clock, ["GET", "POST"]),
        "numbers": (control.numbers, ["GET"]),
        "contacts": (control.contacts, ["GET", "POST"]),
        "contacts/{id}": (screens.habits, ["POST"]),
        "screens": (screens.show, ["GET"]),
        "products": (screens.products, ["GET"]),
        "templates": (clerk.listed, ["GET"]),
        "templates/{id}": (clerk.decide, ["POST"]),
        "conversations": (control.conversation, ["GET"]),
        "media": (control.upload, ["POST"]),
        "media/{id}": (control.file, ["GET"]),
        "health": (control.health, ["GET"]),
    }
    return [
        Route(f"/api/{path}{slash}", guarded(handler), methods=methods)
        for path, (handler, methods) in table.items()
        for slash in ("", "/")
    ]


async def _refuse(request: Request, error: Exception) -> Response:
    """Unknown paths and methods, told in JSON."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    sentence = "There is nothing at this address." if status == 404 else "This address does not take that method."
    return JSONResponse({"error": sentence}, status, error.headers if isinstance(error, HTTPException) else None)


def _stranger(scope: Scope) -> str | None:
    """Why a request may not drive the simulator: it came by another host name, or from another site's page."""
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not _is_loopback(urlsplit(f"//{host}").hostname or ""):
        return "The simulator answers only on this machine: open it by 127.0.0.1 or localhost."
    origin = headers.get("origin")
    if scope["method"] not in {"GET", "HEAD"} and origin is not None and urlsplit(origin).netloc != host:
        return "Pages of other sites may not drive the simulator."
    return None


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
