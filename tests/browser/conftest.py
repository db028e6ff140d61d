"""A demo and a browser per module; every page is watched, and whatever it should not do fails its test."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.customers import Simulation
from tests.browser.desks import ANA, PASSWORD, PATIENCE, Desk
from tests.browser.watching import OpenContext, OpenDesk, Watch
from tests.product import Product

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
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


@pytest.fixture(scope="module")
def sessions() -> dict[str, Any]:
    """The cookies of who has signed in."""
    return {}


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
        wanted = {"locale": "es-ES", "viewport": {"width": 1280, "height": 800}, "base_url": product.url}
        context = chromium.new_context(**wanted | options)
        context.set_default_timeout(PATIENCE)
        watch.over(context)
        contexts.append(context)
        return context

    yield opened
    for context in contexts:
        context.close()
    assert watch.verdict() == []


@pytest.fixture
def open_desk(open_context: OpenContext, sessions: dict[str, Any]) -> OpenDesk:
    """Opens the inbox as somebody, each time in a browser profile of its own."""

    def opened(email: str = ANA, path: str = "/inbox/?view=all", *, password: str = PASSWORD, **options: Any) -> Desk:
        context = open_context(**options, storage_state=sessions.get(email))
        page = context.new_page()
        page.goto(path)
        if email not in sessions:
            page.locator("[name=username]").fill(email)
            page.locator("[name=password]").fill(password)
            page.get_by_test_id("login-submit").click()
            expect(page.get_by_test_id("list")).to_be_visible()
            page.wait_for_load_state()
            sessions[email] = context.storage_state()
        if page.locator("#pane").count():
            page.locator("body[data-ready]").wait_for()  # its keys and tools are loaded
        return Desk(page)

    return opened
