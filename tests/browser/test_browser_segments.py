"""The builder of segments in a browser: rows, the count that follows, late answers, keyboard, what a row gets wrong."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.desks import MARTA, PASSWORD
from tests.browser.watching import OpenContext

pytestmark = pytest.mark.browser

NEW = "/admin/crm/segment/add/"
# The first answer comes two and a half seconds late, whatever the page does to stop it.
LATE = """() => {
  const real = window.fetch;
  let asked = 0;
  window.fetch = (address, options) => {
    if (!String(address).includes("/count/")) return real(address, options);
    const answer = real(address, { ...options, signal: undefined });
    window.asked = ++asked;
    if (asked > 1) return answer;
    return answer.then((late) => new Promise((go) => setTimeout(() => { window.cameLate = true; go(late); }, 2500)));
  };
}"""


@pytest.fixture(scope="module")
def signed_in() -> dict:
    """The manager's cookies, once they are signed in."""
    return {}


@pytest.fixture
def page(open_context: OpenContext, signed_in: dict) -> Page:
    """A new segment, counted once."""
    context = open_context(storage_state=signed_in.get("state"), viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(NEW)
    if not signed_in:
        page.locator("[name=username]").fill(MARTA)
        page.locator("[name=password]").fill(PASSWORD)
        page.get_by_test_id("login-submit").click()
        page.wait_for_url(lambda url: "/accounts/" not in url)
        signed_in["state"] = context.storage_state()
        page.goto(NEW)
    expect(page.locator("[data-total]")).to_be_visible()
    return page


def add_row(page: Page, field: str, op: str) -> None:
    """A condition in the outermost group, by the keyboard's focus."""
    page.get_by_test_id("add-row").last.click()
    row = page.locator("[data-row]").last
    expect(row.locator("[data-field]")).to_be_focused()
    row.locator("[data-field]").select_option(field)
    expect(page.locator("[data-row]").last.locator("[data-op]")).to_be_focused()
    page.locator("[data-row]").last.locator("[data-op]").select_option(op)
    expect(page.locator("[data-row]").last.locator("[data-value]").first).to_be_focused()


def test_a_segment_is_built_counted_saved_and_opened(page: Page) -> None:
    everybody = int(page.locator("[data-total]").get_attribute("data-number"))
    expect(page.locator("[data-count] .wc-warn")).to_be_visible()  # no conditions yet
    add_row(page, "name", "contains")
    page.keyboard.type("a")
    expect(page.locator("[data-sentence]")).to_contain_text(re.compile("[“«]a[”»]"))
    assert 0 < int(page.locator("[data-total]").get_attribute("data-number")) < everybody
    assert page.locator("[data-sample]").count() == 10
    findings = Axe().run(page, context=".wc-builder")
    assert findings.response["violations"] == []
    page.locator("[name=name]").fill("With an a")
    page.locator("[name=_save]").click()
    page.locator("#result_list").get_by_role("link", name="With an a").click()
    expect(page.locator("[data-row] [data-value]")).to_have_value("a")
    expect(page.get_by_test_id("freeze")).to_be_visible()


def test_a_late_answer_never_overwrites_a_newer_one(page: Page) -> None:
    add_row(page, "name", "contains")
    expect(page.locator("[data-problem]")).to_be_visible()
    page.evaluate(LATE)
    value = page.locator("[data-row] [data-value]")
    value.fill("zzzz")
    page.wait_for_function("() => window.asked === 1")
    value.fill("a")
    expect(page.locator("[data-sentence]")).to_contain_text(re.compile("[“«]a[”»]"))
    before = page.locator("[data-count]").inner_html()
    page.wait_for_function("() => window.cameLate === true")
    page.evaluate("() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
    assert page.locator("[data-count]").inner_html() == before


def test_an_unfinished_rule_is_marked_at_its_row_and_kept(page: Page) -> None:
    page.locator("[name=name]").fill("Unfinished")
    add_row(page, "name", "contains")
    page.get_by_test_id("add-group").first.click()
    expect(page.locator("[data-group] [data-group] [data-row]")).to_have_count(1)
    page.locator("[name=_save]").click()
    expect(page.locator(".wc-row-bad")).to_have_count(2)
    expect(page.locator("[data-row] [data-op]").first).to_have_value("contains")
    page.locator("[data-group] [data-group] [data-remove]").first.click()
    expect(page.locator("[data-group]")).to_have_count(1)
