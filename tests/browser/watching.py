"""What no page of the inbox may do, whatever a test does with it."""

from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebSocket

from tests.browser.desks import Desk

OpenContext = Callable[..., BrowserContext]
OpenDesk = Callable[..., Desk]
REPORT_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));"""


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
        """Watch all pages of a context."""
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(f"exception: {error.error}"))
        context.on("request", self._request)
        context.on("page", lambda page: page.on("websocket", self._request))

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
