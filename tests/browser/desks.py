"""The agents' side in a test's words: a page of the inbox, what one does on it and what one finds."""

import re
import time
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.customers import Customer

ANA, LUIS, MARTA = "agent@demo.test", "agent2@demo.test", "manager@demo.test"
PASSWORD = "demo-password"
PATIENCE = 10_000
expect.set_options(timeout=PATIENCE)

# Notes when a text first stands in the page, to the millisecond, without asking from outside again and again.
STOPWATCH = """([selector, text]) => {
  const seen = () => [...document.querySelectorAll(selector)].some((found) => found.textContent.includes(text));
  const watcher = new MutationObserver(() => {
    if (!seen()) return;
    document.documentElement.dataset.seenAt = Date.now();
    watcher.disconnect();
  });
  delete document.documentElement.dataset.seenAt;
  watcher.observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
# Notes every state a bubble goes through.
CLIMB = """(text) => {
  const log = document.querySelector("[data-items]"), states = window.statesSeen = [];
  const note = () => {
    const bubble = [...log.querySelectorAll(".msg")].find((found) => found.textContent.includes(text));
    if (bubble && states.at(-1) !== bubble.dataset.st) states.push(bubble.dataset.st);
  };
  new MutationObserver(note).observe(log, { childList: true, subtree: true, attributes: true });
}"""
POST = """async ([url, form]) => {
  const body = new FormData();
  for (const [name, value] of Object.entries(form)) body.append(name, value);
  const token = document.querySelector('meta[name="csrf-token"]').content;
  const answer = await fetch(url, { method: "POST", body, headers: { "X-CSRFToken": token, "HX-Request": "true" } });
  return { status: answer.status, error: answer.headers.get("X-Error"), text: await answer.text() };
}"""


class Desk:
    """One agent's page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.text = page.get_by_test_id("composer-text")
        self.strip = page.get_by_test_id("window-strip")
        self.thread = page.get_by_test_id("thread")
        self.log = page.locator("[data-log]")
        self.rows = page.get_by_test_id("row")
        self.bubbles = page.get_by_test_id("bubble")

    def row(self, customer: Customer) -> Locator:
        """The customer's row in the list."""
        return self.rows.filter(has=self.page.locator(".row-name", has_text=customer.name))

    def open(self, customer: Customer) -> int:
        """Open the customer's conversation from the list; returns its id."""
        self.row(customer).click()
        expect(self.page.get_by_test_id("thread-title")).to_contain_text(customer.name)
        self.page.mouse.move(900, 300)
        return int(self.thread.get_attribute("data-c") or 0)

    def bubble(self, text: str) -> Locator:
        """The bubbles with this text."""
        return self.bubbles.filter(has_text=text)

    def state(self, text: str, state: str) -> None:
        """Wait until the bubble is in this state."""
        expect(self.bubble(text)).to_have_attribute("data-st", state)

    def send(self, text: str) -> None:
        """Write and press Enter."""
        self.text.fill(text)
        self.text.press("Enter")

    def ids(self) -> list[str]:
        """The ids of all bubbles in the page."""
        return self.page.eval_on_selector_all(".msg", "found => found.map((element) => element.id)")

    def preview(self, customer: Customer) -> Locator:
        """The line under the customer's name."""
        return self.row(customer).get_by_test_id("preview")

    def post(self, url: str, **form: Any) -> dict[str, Any]:
        """A request as a page that knows nothing of the composer's rules would make it: status, error, text."""
        return self.page.evaluate(POST, [url, form])

    def stopwatch(self, selector: str, text: str) -> None:
        """Start to look out for a text."""
        self.page.evaluate(STOPWATCH, [selector, text])

    def seen_after(self, start: float) -> int:
        """Milliseconds between `start` (a Unix time) and the moment the text stood in the page."""
        root = self.page.locator("html")
        expect(root).to_have_attribute("data-seen-at", re.compile(r"\d+"))
        return round(int(root.get_attribute("data-seen-at") or 0) - start * 1000)

    def record_states(self, text: str) -> None:
        """Start to note the states of the bubble with this text."""
        self.page.evaluate(CLIMB, text)

    def states(self) -> list[str]:
        """The states it went through."""
        return self.page.evaluate("window.statesSeen")

    def open_menu(self) -> None:
        """The menu with language and theme."""
        self.page.get_by_test_id("user-menu").click()

    def fits(self) -> bool:
        """Whether nothing is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def say(what: str, milliseconds: int) -> None:
    """Put a measured time into the test's output (shown with -s); nothing depends on it."""
    print(f"\n  {what}: {milliseconds} ms", end="", flush=True)  # noqa: T201


def now() -> float:
    """The moment, as a Unix time."""
    return time.time()
