"""The inbox in real browsers: what a page weighs, how soon it answers a key, a busy hour, and many cut connections."""

import contextlib
import random
import shutil
import threading
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks import load, webhooks
from benchmarks.load import paced
from benchmarks.processes import ALL_CORES, Server, on
from benchmarks.rows import Figure
from benchmarks.stage import Stage

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ROWS, BUBBLES, PRESSES, SENT = 400, 300, 40, 10
BUSY_PER_SECOND, BUSY_SECONDS = 40, 60
CLIENTS, CUTS, CUT_PER_SECOND, AGENTS = 50, 20, 1, 10
PATIENCE = 60
SEED = 20_261_122

# Every event with an interaction, and every task above 50 ms, from the first moment of the page.
WATCH = """
window.seen = { events: [], tasks: [] };
new PerformanceObserver((list) => { for (const e of list.getEntries()) if (e.interactionId)
  window.seen.events.push([e.interactionId, e.name, e.duration]); }).observe({ type: "event", durationThreshold: 16 });
new PerformanceObserver((list) => { for (const e of list.getEntries()) window.seen.tasks.push(e.duration); })
  .observe({ type: "longtask" });
"""
WEIGHT = """() => performance.getEntriesByType("resource")
  .filter((e) => /\\.(js|css)(\\?|$)/.test(e.name)).reduce((sum, e) => sum + e.encodedBodySize, 0)"""
PULLS = """() => performance.getEntriesByType("resource").filter((e) => e.initiatorType === "fetch").length"""
# What the list shows, and what it would show if it were loaded now: ids, versions, previews, unread counts.
STATE = """async () => {
  const look = (root) => [...root.querySelectorAll(".row")].slice(0, 40).map((row) => [row.id,
    row.dataset.version, row.querySelector(".row-preview")?.textContent.trim(),
    row.querySelector(".badge")?.dataset.unread || ""].join("|"));
  const data = document.body.dataset, template = document.createElement("template");
  const answer = await fetch(`${data.urlList}?${data.query}`, { headers: { "HX-Request": "true" } });
  template.innerHTML = await answer.text();
  return [look(document), look(template.content)];
}"""


def run(stage: Stage) -> Iterator[Figure]:
    """All four on the default installation: one process on SQLite."""
    profile = stage.profile
    with on(ALL_CORES), contextlib.ExitStack() as stack:
        installation = stage.installation("sqlite", WORK="threads")
        office = stack.enter_context(stage.side("benchmarks.sides.office", installation, where=ALL_CORES))
        office.ask("add_number")
        people = profile.many(ROWS, 45)
        office.ask("add_people", count=people)
        office.ask("multiply_messages", count=people * profile.many(BUBBLES + 20, 40))
        sessions = office.ask("add_agents", count=profile.many(AGENTS, 2))
        server = stack.enter_context(stage.web(installation, where=ALL_CORES))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        stack.callback(browser.close)
        yield from _one_page(stage, browser, server, sessions[0], people)
        yield _cuts(stage, browser, server, sessions, people)


def _one_page(stage: Stage, browser: Browser, server: Server, session: str, people: int) -> Iterator[Figure]:
    with _context(browser, server, session) as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/inbox/?view=all")
        page.locator(".row").first.wait_for()
        page.wait_for_load_state("networkidle")
        weight = page.evaluate(WEIGHT) / 1000
        yield Figure("first load of the inbox, JS and CSS as served", f"{weight:.1f} kB", "≤ 60 kB", weight <= 60)
        _fill_list(page, min(stage.profile.many(ROWS, 42), people))
        yield _presses(page, stage.profile.many(PRESSES, 5))
        page.locator(".row-link").nth(3).click()
        bubbles = _fill_thread(page, stage.profile.many(BUBBLES, 35))
        yield _sends(page, stage.profile.many(SENT, 2), bubbles)
        yield _openings(page, stage.profile.many(SENT, 2))
        yield from _busy(stage, page, server, people)


def _fill_list(page: Page, wanted: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while page.locator(".row").count() < wanted and time.monotonic() < deadline:
        page.evaluate('document.querySelector("[data-list-body]").scrollTop = 1e9')
        page.wait_for_timeout(100)
    page.evaluate('document.querySelector("[data-list-body]").scrollTop = 0')


def _fill_thread(page: Page, wanted: int) -> int:
    page.locator(".msg").first.wait_for()
    deadline = time.monotonic() + PATIENCE
    while (count := page.locator(".msg").count()) < wanted and time.monotonic() < deadline:
        page.evaluate('document.querySelector("[data-log]").scrollTop = 0')
        page.wait_for_timeout(100)
    page.evaluate('(() => { const log = document.querySelector("[data-log]"); log.scrollTop = log.scrollHeight; })()')
    return count


def _presses(page: Page, count: int) -> Figure:
    page.locator(".row-link").first.focus()
    taken = _measured(page, lambda: [(page.keyboard.press("j"), page.wait_for_timeout(60)) for _ in range(count)])
    return _latency(f"J with {page.locator('.row').count()} rows", taken, 100)


def _openings(page: Page, count: int) -> Figure:
    def open_some() -> None:
        for number in range(count):
            page.locator(".row-link").nth(number + 5).click()
            page.wait_for_timeout(600)

    return _latency("open a conversation", _measured(page, open_some), 200)


def _sends(page: Page, count: int, bubbles: int) -> Figure:
    def send_some() -> None:
        for number in range(count):
            page.get_by_test_id("composer-text").fill(f"Le confirmo el envío {number}")
            page.get_by_test_id("composer-text").press("Enter")
            page.wait_for_timeout(300)

    return _latency(f"send with {bubbles} bubbles", _measured(page, send_some), 200)


def _measured(page: Page, act: Any) -> list[float]:
    """The duration (ms) of each interaction; those under 16 ms are not reported by the browser and count as 16."""
    page.evaluate("window.seen.events.length = 0")
    act()
    page.wait_for_timeout(500)
    longest: dict[int, float] = {}
    for interaction, _name, duration in page.evaluate("window.seen.events"):
        longest[interaction] = max(longest.get(interaction, 0), duration)
    return list(longest.values()) or [16]


def _latency(what: str, taken: list[float], goal: int) -> Figure:
    worst = max(taken)
    return Figure(
        f"interaction to next paint, {what}, worst", f"{worst:.0f} ms", f"≤ {goal} ms", worst <= goal,
        f"median {median(taken):.0f} ms",
    )  # fmt: skip


def _busy(stage: Stage, page: Page, server: Server, people: int) -> Iterator[Figure]:
    """Events on end while one conversation is open: how often the page asks, and whether it ever hangs."""
    seconds = BUSY_SECONDS if not stage.is_smoke else 2
    page.evaluate("performance.clearResourceTimings(); window.seen.tasks.length = 0")
    page.evaluate("performance.setResourceTimingBufferSize(5000)")
    _feed(server, BUSY_PER_SECOND * seconds, BUSY_PER_SECOND, people, page)
    page.wait_for_timeout(1500)
    pulls, tasks = page.evaluate(PULLS), page.evaluate("window.seen.tasks")
    yield Figure(
        f"{BUSY_PER_SECOND} messages/s for {seconds} s on one open inbox: requests of the page",
        f"{pulls / seconds:.1f}/s", "≤ 5/s", pulls / seconds <= 5, f"{pulls} in all",
    )  # fmt: skip
    yield Figure(
        "the same, tasks above 50 ms", f"{len(tasks)}", "0", not tasks, f"longest {max(tasks):.0f} ms" if tasks else ""
    )


def _feed(server: Server, count: int, per_second: float, people: int, page: Page) -> None:
    """Webhooks from another thread while the page goes on."""
    feeder = threading.Thread(
        target=lambda: load.run(paced(server.port, webhooks.requests(count, people), per_second, connections=4))
    )
    feeder.start()
    while feeder.is_alive():
        page.wait_for_timeout(200)
    feeder.join()


def _cuts(stage: Stage, browser: Browser, server: Server, sessions: list[str], people: int) -> Figure:
    """Pages that lose their connection again and again; in the end each must show what a fresh page would."""
    clients, cuts = stage.profile.many(CLIENTS, 3), stage.profile.many(CUTS, 2)
    rng, stop = random.Random(SEED), threading.Event()
    with contextlib.ExitStack() as stack:
        contexts = [
            stack.enter_context(_context(browser, server, sessions[number % len(sessions)]))
            for number in range(clients)
        ]
        pages = [context.new_page() for context in contexts]
        for page in pages:
            page.goto(f"http://127.0.0.1:{server.port}/inbox/?view=all")
        feeder = threading.Thread(target=_trickle, args=(server, people, stop))
        feeder.start()
        stack.callback(stop.set)
        left = dict.fromkeys(range(clients), cuts)
        is_off: set[int] = set()
        while left:
            number = rng.choice(list(left))
            contexts[number].set_offline(number not in is_off)
            if number in is_off:
                left[number] -= 1
                if not left[number]:
                    del left[number]
            is_off ^= {number}
            pages[0].wait_for_timeout(rng.uniform(0, 120))
        stop.set()
        feeder.join()
        different = _unequal(pages)
    return Figure(
        f"{clients} browsers, each cut off {cuts} times: lists that differ in the end", str(different), "0",
        not different,
    )  # fmt: skip


def _trickle(server: Server, people: int, stop: threading.Event) -> None:
    while not stop.is_set():
        load.run(paced(server.port, webhooks.requests(5 * CUT_PER_SECOND, people), CUT_PER_SECOND, connections=2))


def _unequal(pages: list[Page]) -> int:
    """How many pages still differ from a fresh list after a quiet minute."""
    deadline, waiting = time.monotonic() + PATIENCE, list(pages)
    while waiting and time.monotonic() < deadline:
        waiting[0].wait_for_timeout(1000)
        waiting = [page for page in waiting if not _is_equal(page)]
    return len(waiting)


def _is_equal(page: Page) -> bool:
    shown, fresh = page.evaluate(STATE)
    return bool(fresh) and shown == fresh


@contextlib.contextmanager
def _context(browser: Browser, server: Server, session: str) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=f"http://127.0.0.1:{server.port}")
    context.add_cookies([{"name": "session", "value": session, "url": f"http://127.0.0.1:{server.port}"}])
    context.add_init_script(WATCH)
    context.set_default_timeout(PATIENCE * 1000)
    try:
        yield context
    finally:
        with contextlib.suppress(Exception):
            context.close()
