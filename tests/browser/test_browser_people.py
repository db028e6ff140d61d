"""What managers do with a person's data, in a browser: two contacts merged and parted again; a person erased."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.desks import MARTA, PASSWORD, PATIENCE
from tests.browser.watching import OpenContext

pytestmark = pytest.mark.browser

CONTACTS = "/admin/crm/contact/"


@pytest.fixture
def marta(open_context: OpenContext, desks: Any) -> Page:
    """A manager's page, in English."""
    page = open_context(viewport={"width": 1280, "height": 900}, locale="en-US").new_page()
    desks.sign_in(page, MARTA, PASSWORD)
    return page


def press(page: Page, button: Any) -> None:
    """And wait for the page it leads to."""
    with page.expect_navigation():
        button.click()


def test_two_contacts_are_compared_merged_and_parted_again(marta: Page) -> None:
    marta.goto(CONTACTS)
    rows = marta.locator("tr:has(input.action-select)")
    for number in (4, 5):
        rows.nth(number).locator("input.action-select").check()
    marta.locator("select[name=action]").select_option("compare")
    press(marta, marta.locator("button[name=index]"))
    links = marta.get_by_test_id("compare").locator("thead a")
    expect(links).to_have_count(2)
    names = links.all_inner_texts()
    gone = str(links.nth(1).get_attribute("href"))
    press(marta, marta.get_by_test_id("keep-first"))
    expect(marta).to_have_url(re.compile(r"/crm/mergerecord/\d+/change/$"))
    record = marta.url
    expect(marta.locator("main, #main, body").last).to_contain_text(names[1])
    marta.goto(gone)
    expect(marta.locator("[name=name]")).to_be_visible()  # its address leads to the one it is part of
    assert not marta.url.endswith(gone)
    marta.goto(record)
    press(marta, marta.locator("button[value=take_back]"))
    expect(marta.locator("button[value=take_back]")).to_have_count(0)
    marta.goto(gone)
    assert marta.url.endswith(gone)
    expect(marta.locator("[name=name]")).to_be_visible()


def test_a_person_asks_to_be_erased_and_only_a_certificate_is_left(marta: Page) -> None:
    marta.goto(CONTACTS)
    link = marta.locator("tr:has(input.action-select)").nth(7).locator("th a").first
    name, address = link.inner_text().splitlines()[0].strip(), str(link.get_attribute("href")).partition("?")[0]
    marta.goto(f"/admin/crm/privacyrequest/add/?contact={re.search(r'\d+', address).group()}&kind=erasure")
    marta.locator("[name=verified_by]").fill("wrote from the number")
    press(marta, marta.locator("[name=_save]"))
    marta.locator("#result_list tbody a").first.click()
    acts = marta.get_by_test_id("acts")
    press(marta, acts.locator("button[value=start]"))
    expect(acts).to_be_visible()  # nobody has said that they are sure
    acts.locator("[name=sure]").check()
    press(marta, acts.locator("button[value=start]"))
    wait_for(marta, lambda: re.search(r"Conta\w+: 1\b", marta.content()))
    assert name not in marta.content()
    assert marta.goto(address).url != address
    marta.goto(f"{CONTACTS}?q={name}")
    expect(marta.locator("tr:has(input.action-select)")).to_have_count(0)


def wait_for(page: Page, is_there: Callable[[], Any]) -> None:
    """Load the page again until the background has done it."""
    for _again in range(PATIENCE // 250):
        page.reload()
        if is_there():
            return
        page.wait_for_timeout(250)
    raise AssertionError(page.locator("body").inner_text()[:2000])
