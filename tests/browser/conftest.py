"""A demo and a browser per module; every page is watched, and whatever it should not do fails its test."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.customers import Simulation
from tests.browser.desks import ANA, PASSWORD, Desk
from tests.browser.watching import OpenContext, OpenDesk, Watch, profile
from tests.product import Product

# Without windows a third less work than the whole browser; either will do.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """A demo as `make run` starts it."""
    with Product(demo=True) as product:
        yield product.furnish().start()


@pytest.fixture(scope="module")
def chromium(product: Product) -> Iterator[Browser]:
    """A browser; ended before the server."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def simulation(product: Product) -> Iterator[Simulation]:
    """Meta and the customers' phones; whatever the test makes them do ends with it."""
    simulation = Simulation(product.url)
    yield simulation
    simulation.behave()


@pytest.fixture
def watch(product: Product) -> Watch:
    """What the pages of this test did."""
    return Watch(product.url)


@pytest.fixture
def open_context(chromium: Browser, product: Product, watch: Watch) -> Iterator[OpenContext]:
    """Opens browser profiles in which nobody is signed in; watched, and closed after the test."""
    contexts: list[BrowserContext] = []

    def opened(**options: Any) -> BrowserContext:
        contexts.append(profile(chromium, product.url, **options))
        watch.over(contexts[-1])
        return contexts[-1]

    yield opened
    for context in contexts:
        context.close()
    assert watch.verdict() == []


@pytest.fixture(scope="module")
def desks(chromium: Browser, product: Product) -> "Desks":
    """The profiles of those who have signed in."""
    return Desks(chromium, product.url)


class Desks:
    """Browser profiles that one test after the other works with: emptied each time, but for what the browser has cached
    of our own scripts, which is most of the time a page takes to load.
    """

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser, self._url = browser, url
        self._idle: list[BrowserContext] = []
        self._cookies: dict[str, Any] = {}

    def lend(self, email: str, password: str) -> Page:
        """An empty page in a profile in which only this person is signed in."""
        context = self._idle.pop() if self._idle else profile(self._browser, self._url)
        page = context.new_page()
        with_origin = {"origin": self._url, "storageTypes": "all"}
        context.new_cdp_session(page).send("Storage.clearDataForOrigin", with_origin)
        self.sign_in(page, email, password)
        return page

    def sign_in(self, page: Page, email: str, password: str) -> None:
        """By the page the first time, by the cookies it gave later."""
        if email not in self._cookies:
            page.goto("/accounts/login/?next=/inbox/")
            page.locator("[name=username]").fill(email)
            page.locator("[name=password]").fill(password)
            page.get_by_test_id("login-submit").click()
            expect(page.get_by_test_id("list")).to_be_visible()
            page.wait_for_load_state()
            self._cookies[email] = page.context.cookies()
            page.goto("about:blank")
        page.context.clear_cookies()
        page.context.add_cookies(self._cookies[email])

    def take_back(self, context: BrowserContext) -> None:
        """For the next test."""
        context.unroute_all()
        context.set_offline(False)
        for page in context.pages:
            page.close()
        self._idle.append(context)


@pytest.fixture
def open_desk(desks: Desks, open_context: OpenContext, watch: Watch) -> Iterator[OpenDesk]:
    """Opens the inbox as somebody, each time in a browser profile of its own."""
    lent: list[BrowserContext] = []

    def opened(email: str = ANA, path: str = "/inbox/?view=all", *, password: str = PASSWORD, **options: Any) -> Desk:
        if options:
            page = open_context(**options).new_page()
            desks.sign_in(page, email, password)
        else:
            page = desks.lend(email, password)
            lent.append(page.context)
            watch.over(page.context)
        page.goto(path)
        if page.locator("#pane").count():
            page.locator("body[data-ready]").wait_for()  # its keys and tools are loaded
        return Desk(page)

    yield opened
    for context in lent:
        desks.take_back(context)
        watch.leave(context)
