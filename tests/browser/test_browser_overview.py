"""Managers in a browser: cards and their lists, a thread as agents see it, a number set up by a button, a message in
doubt settled; in both themes and on a phone.
"""

# ruff: noqa: F811 (fixtures)

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.test_browser_administration import (  # noqa: F401 (fixtures)
    LEFT_TO_UNFOLD,
    OpenAdmin,
    choose,
    first_of,
    marta,
    open_admin,
)

pytestmark = pytest.mark.browser

LISTS = "/admin/conversations/"
PAGES = (
    "/admin/", f"{LISTS}conversation/@/change/", f"{LISTS}message/@/change/", f"{LISTS}inbox/@/setup/",
    f"{LISTS}whatsappaccount/@/change/", f"{LISTS}sendfence/",
)  # fmt: skip


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_each_card_leads_to_a_list_with_its_number_and_the_period_stays(marta: Page) -> None:
    marta.get_by_test_id("periods").get_by_role("link").nth(3).click()
    expect(marta).to_have_url(re.compile(r"\?period=30$"))
    cards = marta.locator("[data-card]:not([data-card=answers])")
    found = [(card.get_attribute("href"), card.locator("[data-value]").inner_text()) for card in cards.all()]
    assert len(found) == 7
    for address, number in found:
        marta.goto(address)
        expect(marta.get_by_test_id("count")).to_have_text(re.compile(rf"^{re.escape(number)} "))


def test_a_thread_is_read_as_agents_see_it_and_opens_at_its_end(marta: Page) -> None:
    marta.goto(f"{LISTS}message/?set=failed")
    marta.locator("#result_list tbody a[href*='?at=']").first.click()
    aimed = marta.locator(".msg.aimed")
    expect(aimed).to_be_in_viewport()
    expect(aimed.get_by_test_id("error-text")).to_be_visible()
    expect(aimed.get_by_test_id("retry")).to_be_hidden()
    marta.goto(marta.url.partition("?")[0])
    expect(marta.get_by_test_id("bubble").last).to_be_in_viewport()
    marta.get_by_role("link", name=re.compile("Abrir en la bandeja|Open in the inbox")).click()
    expect(marta.get_by_test_id("thread-title")).to_be_visible()


def test_meta_is_asked_by_a_button_and_all_is_well(marta: Page) -> None:
    marta.goto(f"{LISTS}inbox/{first_of(marta, f'{LISTS}inbox/')}/setup/")
    expect(marta.locator("[data-finding=token]")).to_have_attribute("data-state", "unknown")
    marta.get_by_test_id("ask").click()
    expect(marta.locator("[data-finding][data-state=ok]")).to_have_count(10)


def test_a_message_in_doubt_is_settled(marta: Page) -> None:
    marta.goto(f"{LISTS}message/?set=unknown")
    marta.locator("#result_list tbody a[href*='/change/']:not([href*='?at='])").first.click()
    marta.get_by_test_id("deeds").get_by_role("button").first.click()
    expect(marta.locator("body")).to_contain_text(re.compile("1 message settled|1 mensaje aclarado"))
    expect(marta.get_by_test_id("deeds")).to_have_count(0)
    marta.goto("/admin/")
    expect(marta.locator("[data-card=unknown] [data-value]")).to_have_text("0")


@pytest.mark.parametrize(
    ("width", "language", "theme"), [(1280, "english", "oscuro|dark"), (390, "español", "claro|light")]
)
def test_pages_fit_in_both_languages_themes_and_on_a_phone(
    open_admin: OpenAdmin, width: int, language: str, theme: str
) -> None:
    page = open_admin(1440)
    choose(page, language)
    choose(page, theme)
    page.set_viewport_size({"width": width, "height": 900})
    for address in PAGES:
        if "@" in address:
            address = address.replace("@", first_of(page, address.partition("@")[0]))
        assert page.goto(address).status == 200
        assert fits(page), address


def test_the_overview_and_a_thread_are_readable_for_everybody(marta: Page) -> None:
    for address in ("/admin/", f"{LISTS}conversation/{first_of(marta, f'{LISTS}conversation/')}/change/"):
        marta.goto(address)
        found = Axe().run(marta, options=LEFT_TO_UNFOLD).response["violations"]
        critical = [one for one in found if one["impact"] == "critical"]
        assert critical == [], [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in critical]
