"""What no page of the inbox may do, whatever a test does with it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebError, WebSocket

from tests.browser.desks import PATIENCE, Desk

OpenContext = Callable[..., BrowserContext]
OpenDesk = Callable[..., Desk]
REPORT_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));"""


def profile(browser: Browser, url: str, **options: Any) -> BrowserContext:
    """A new browser profile for the product at `url`, nobody signed in."""
    wanted = {"locale": "es-ES", "viewport": {"width": 1280, "height": 800}, "base_url": url}
    context = browser.new_context(**wanted | options)
    context.set_default_timeout(PATIENCE)
    context.add_init_script(REPORT_VIOLATIONS)
    return context


class Watch:
    """What no page may do: errors on the console, exceptions, violations of the policy, requests to others."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc
        self.allowed: list[str] = []
        self.complaints: list[str] = []

    def allow(self, *parts: str) -> None:
        """Expect console errors that contain one of these."""
        self.allowed += parts

    def allow_lost_network(self) -> None:
        """Expect the browser's own lines about requests that did not get through."""
        self.allow("net::ERR_")

    def over(self, context: BrowserContext) -> None:
        """Watch all pages of a context made by `profile`."""
        for event, listener in self._listeners():
            context.on(event, listener)

    def leave(self, context: BrowserContext) -> None:
        """No longer watch it."""
        for event, listener in self._listeners():
            context.remove_listener(event, listener)

    def _listeners(self) -> tuple[tuple[Any, Callable[[Any], None]], ...]:
        return (
            ("console", self._console),
            ("weberror", self._exception),
            ("request", self._request),
            ("page", self._page),
        )

    def _exception(self, error: WebError) -> None:
        self.complaints.append(f"exception: {error.error}")

    def _page(self, page: Page) -> None:
        page.on("websocket", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text} {message.location.get('url', '')}")

    def _request(self, request: Request | WebSocket) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self.host:
            self.complaints.append(f"request to another host: {request.url}")

    def verdict(self) -> list[str]:
        """What was not expected."""
        return [line for line in self.complaints if not any(part in line for part in self.allowed)]
