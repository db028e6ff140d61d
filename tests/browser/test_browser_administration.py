"""The administration in a browser: pages, menu, theme and language, two people at one form; nothing from elsewhere."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.desks import MARTA, PASSWORD, PATIENCE
from tests.browser.watching import OpenContext, Watch

pytestmark = pytest.mark.browser

OpenAdmin = Callable[..., Page]

PAGES = (
    "/admin/", "/admin/crm/contact/", "/admin/crm/contact/@/change/", "/admin/crm/tag/@/change/", "/admin/crm/user/",
    "/admin/crm/user/@/change/", "/admin/crm/team/@/change/", "/admin/crm/apitoken/add/", "/admin/crm/auditentry/",
)  # fmt: skip
# Of Unfold's own shell, not of our pages: its menu's links by click, its icons' ligatures.
LEFT_TO_UNFOLD = {"rules": {name: {"enabled": False} for name in ("region", "landmark-unique", "heading-order")}}


@pytest.fixture
def open_admin(open_context: OpenContext, desks: Any) -> OpenAdmin:
    """Opens the administration as a manager, in a window of that width."""

    def opened(width: int = 1440) -> Page:
        page = open_context(viewport={"width": width, "height": 900}).new_page()
        desks.sign_in(page, MARTA, PASSWORD)
        page.goto("/admin/")
        return page

    return opened


@pytest.fixture
def marta(open_admin: OpenAdmin) -> Page:
    """A manager's page, wide enough for the menu."""
    return open_admin()


def choose(page: Page, name: str) -> None:
    """Press a button of the user's own menu."""
    page.locator("nav#nav-sidebar-inner > div").last.click()
    page.get_by_role("button", name=re.compile(name, re.IGNORECASE)).first.click()
    page.wait_for_load_state()


def first_of(page: Page, listed: str) -> str:
    """The key of the first row of a list."""
    page.goto(listed)
    return str(re.search(re.escape(listed) + r"(\d+)/", page.content()).group(1))


@pytest.mark.parametrize(("language", "theme"), [("español", "claro|light"), ("english", "oscuro|dark")])
def test_pages_open_in_both_languages_and_themes(marta: Page, language: str, theme: str) -> None:
    choose(marta, language)
    choose(marta, theme)
    expect(marta).to_have_url(re.compile("/admin/$"))
    expect(marta.locator("html")).to_have_attribute("lang", language[:2])
    expect(marta.locator("html")).to_have_class(re.compile("dark" if "dark" in theme else "light"))
    for address in PAGES:
        if "@" in address:
            address = address.replace("@", first_of(marta, address.partition("@")[0]))
        answer = marta.goto(address)
        assert answer.status == 200
        wide = marta.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, address


def test_two_people_at_one_tag_see_both_names(marta: Page, watch: Watch) -> None:
    watch.allow("409")
    address = f"/admin/crm/tag/{first_of(marta, '/admin/crm/tag/')}/change/"
    marta.goto(address)
    other = marta.context.new_page()
    other.goto(address)
    other.locator("[name=name]").fill("De Ana")
    other.locator("[name=_save]").click()
    other.wait_for_url("**/crm/tag/")
    marta.locator("[name=name]").fill("De Luis")
    marta.locator("[name=_save]").click()
    expect(marta.get_by_text("“De Ana”")).to_be_visible(timeout=PATIENCE)
    marta.locator("[name=_save]").click()
    marta.wait_for_url("**/crm/tag/")
    expect(marta.get_by_text("De Luis").first).to_be_visible()


def test_a_ticked_contact_gets_a_tag(marta: Page) -> None:
    marta.goto("/admin/crm/contact/")
    marta.locator("input.action-select").nth(3).check()
    marta.locator("select[name=action]").select_option("add_tag")
    marta.locator("select[name=tag]").select_option(index=1)
    marta.locator("button[name=index]").click()
    expect(marta.get_by_text(re.compile("1 (contact changed|contacto modificado)"))).to_be_visible()
    expect(marta.locator("tr:has(input.action-select)").nth(3).locator(".wc-tag").first).to_be_visible()


def test_the_audit_log_is_readable_for_everybody(marta: Page) -> None:
    marta.goto("/admin/crm/auditentry/")
    expect(marta.locator("tbody tr").first).to_be_visible()
    found = [
        one for one in Axe().run(marta, options=LEFT_TO_UNFOLD).response["violations"] if one["impact"] == "critical"
    ]
    assert found == [], [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]
