"""The head of a thread in the browser: menus by mouse and keyboard, quick changes, snoozing, on a phone."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.browser.customers import Customer, Simulation
from tests.browser.desks import ANA, LUIS, MARTA, Desk
from tests.browser.watching import OpenContext, OpenDesk, Watch

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def with_customer(open_desk: OpenDesk, customer: Customer, email: str = ANA, **options: Any) -> Desk:
    """A desk with the customer's conversation open; the customer has said hello."""
    customer.writes("Hola, buenas")
    desk = open_desk(email, **options)
    desk.open(customer)
    return desk


def part(desk: Desk, name: str) -> Locator:
    """Something of the head by its test id."""
    return desk.page.get_by_test_id("thread-header").get_by_test_id(name)


def choose(desk: Desk, menu: str, name: str) -> None:
    """Open a menu of the head and press one of its entries."""
    part(desk, menu).click()
    part(desk, name).click()


def test_quick_changes_one_after_the_other_all_count(open_desk: OpenDesk, simulation: Simulation) -> None:
    ana = with_customer(open_desk, simulation.customer("Prisa"))
    ana.page.evaluate(
        """() => {
          const find = (id) => document.querySelector(`.thread-head [data-testid="${id}"]`);
          find("assign-me").click();
          find("priority-4").click();
          const team = find("team");
          team.selectedIndex = 1;
          team.dispatchEvent(new Event("change", { bubbles: true }));
          find("priority-2").click();
          find("resolve").click();
        }"""
    )
    expect(part(ana, "reopen")).to_be_visible()
    expect(part(ana, "assign")).to_have_value("me")
    expect(part(ana, "team")).not_to_have_value("")
    expect(part(ana, "priority-2")).to_have_attribute("aria-pressed", "true")
    expect(part(ana, "conflict")).to_have_count(0)
    expect(ana.page.get_by_test_id("event")).to_have_count(5)


def test_what_is_refused_is_said_and_the_head_shows_what_is(
    open_desk: OpenDesk, simulation: Simulation, watch: Watch
) -> None:
    watch.allow("status of 400")
    ana = with_customer(open_desk, simulation.customer("Ayer"))
    part(ana, "snooze").click()
    field = part(ana, "snooze-pick")
    field.evaluate("(box) => { box.min = ''; box.value = '2020-01-01T10:00'; }")
    part(ana, "snooze-until").click()
    expect(ana.page.get_by_test_id("toasts")).to_contain_text(re.compile("pasado|over", re.IGNORECASE))
    expect(part(ana, "status-chip")).to_have_count(0)
    choose(ana, "priority", "priority-3")
    expect(part(ana, "priority-3")).to_have_attribute("aria-pressed", "true")


def test_snoozed_until_they_write_and_then_they_write(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Siesta")
    ana = with_customer(open_desk, customer)
    choose(ana, "snooze", "snooze-reply")
    expect(part(ana, "status-chip")).to_be_visible()
    expect(part(ana, "snooze")).to_be_focused()
    customer.writes("¿Sigues ahí?")
    expect(ana.bubble("¿Sigues ahí?")).to_be_visible()
    ana.log.focus()
    customer.writes("Hola otra vez")
    expect(part(ana, "status-chip")).to_have_count(0)
    expect(ana.page.get_by_test_id("event")).to_have_count(2)


def test_snoozed_until_a_moment_comes_back_when_the_moment_comes(open_desk: OpenDesk, simulation: Simulation) -> None:
    ana = with_customer(open_desk, simulation.customer("Mañana"))
    choose(ana, "snooze", "snooze-tomorrow")
    expect(part(ana, "status-chip")).to_contain_text("9:00")
    expect(ana.page.get_by_test_id("toasts")).to_contain_text("9:00")
    choose(ana, "snooze", "wake")
    expect(part(ana, "status-chip")).to_have_count(0)
    part(ana, "snooze").click()
    part(ana, "snooze-pick").press("Enter")
    expect(part(ana, "status-chip")).to_contain_text("9:00")
    ana.log.focus()
    simulation.move_clock(offset=34 * 3600)  # past nine tomorrow, whatever hour it is now
    expect(part(ana, "status-chip")).to_have_count(0)


def test_tags_by_keyboard_with_the_menu_open_all_the_while(open_desk: OpenDesk, simulation: Simulation) -> None:
    marta = with_customer(open_desk, simulation.customer("Etiqueta"), MARTA)
    press = marta.page.keyboard.press
    part(marta, "tags").focus()
    press("Enter")
    search = part(marta, "tag-search")
    expect(search).to_be_focused()
    expect(part(marta, "tag-choice").first).to_be_visible()
    search.fill("vip")
    press("Enter")  # at once: the first of those that match, not of those still shown
    expect(part(marta, "tag")).to_have_text(["VIP"])
    expect(search).to_be_focused()
    search.fill("Recién hecha")
    expect(part(marta, "make-tag")).to_be_visible()
    press("ArrowDown")
    expect(part(marta, "make-tag")).to_be_focused()
    press("Enter")
    expect(part(marta, "tag")).to_have_text(["Recién hecha", "VIP"])
    expect(part(marta, "tags-menu")).to_be_visible()
    expect(search).to_be_focused()
    expect(part(marta, "tag-choice").first).to_be_checked()
    press("ArrowDown")
    press("Space")
    expect(part(marta, "tag")).to_have_text(["VIP"])
    press("Escape")
    expect(part(marta, "tags-menu")).to_be_hidden()
    expect(part(marta, "tags")).to_be_focused()


def test_a_tag_that_could_not_be_set_is_not_ticked(open_desk: OpenDesk, simulation: Simulation, watch: Watch) -> None:
    watch.allow("500")
    ana = with_customer(open_desk, simulation.customer("Sin red"))
    ana.page.route(
        "**/tags/",
        lambda route: route.fulfill(status=500, body="") if route.request.method == "POST" else route.continue_(),
    )
    part(ana, "tags").click()
    first = part(ana, "tag-choice").first
    first.click()
    expect(ana.page.get_by_test_id("toasts")).to_have_text(re.compile(".+"))
    expect(first).not_to_be_checked()


def test_an_agent_is_told_who_makes_tags(open_desk: OpenDesk, simulation: Simulation) -> None:
    ana = with_customer(open_desk, simulation.customer("Sin permiso"))
    part(ana, "tags").click()
    part(ana, "tag-search").fill("no existe")
    expect(part(ana, "no-tags")).to_be_visible()
    expect(part(ana, "make-tag")).to_have_count(0)


def test_resolve_and_next_opens_the_next_and_unread_goes_back_to_the_list(
    open_desk: OpenDesk, simulation: Simulation
) -> None:
    simulation.customer("Primera").writes("Hola")
    ana = with_customer(open_desk, simulation.customer("Segunda"))
    here = ana.rows.locator(".row-link[aria-current]")
    expect(here).to_have_count(1)
    following = ana.page.locator(".row:has([aria-current]) + .row")
    name = following.locator(".row-name").inner_text()
    choose(ana, "resolve-more", "resolve-next")
    expect(ana.page.get_by_test_id("thread-title")).to_have_text(name.strip())
    expect(here).to_be_focused()
    row = ana.page.locator(".row:has([aria-current])")
    expect(row).not_to_have_class(re.compile("unread"))
    row_id = row.get_attribute("id")
    choose(ana, "more", "unread")
    expect(ana.thread).to_have_count(0)
    row = ana.page.locator(f"#{row_id}")
    expect(row).to_have_class(re.compile("unread"))
    expect(row.locator(".row-link")).to_be_focused()


def test_a_pin_and_what_one_copies(open_desk: OpenDesk, simulation: Simulation, open_context: OpenContext) -> None:
    customer = simulation.customer("Chincheta")
    ana = with_customer(open_desk, customer, permissions=["clipboard-read", "clipboard-write"])
    choose(ana, "more", "pin")
    expect(part(ana, "pinned")).to_be_visible()
    part(ana, "copy-number").click()
    expect(ana.page.get_by_test_id("toasts")).to_be_visible()
    assert ana.page.evaluate("navigator.clipboard.readText()").startswith("+")
    choose(ana, "more", "copy-link")
    expect(ana.page.get_by_test_id("toasts").locator(".toast")).to_have_count(2)
    assert re.search(r"^http.*/inbox/c/\d+/$", ana.page.evaluate("navigator.clipboard.readText()"))


def test_an_open_menu_survives_what_others_change(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Ajetreo")
    ana, luis = with_customer(open_desk, customer), open_desk(LUIS)
    luis.open(customer)
    part(ana, "snooze").click()
    expect(part(ana, "snooze-menu")).to_be_visible()
    choose(luis, "priority", "priority-4")
    expect(part(luis, "priority-4")).to_have_attribute("aria-pressed", "true")
    ana.page.wait_for_timeout(700)
    expect(part(ana, "snooze-menu")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone_menus_are_sheets_with_large_targets(
    open_desk: OpenDesk, simulation: Simulation, theme: str
) -> None:
    customer = simulation.customer(f"Móvil {theme}")
    ana = with_customer(open_desk, customer, **PHONE, color_scheme=theme)
    assert ana.fits()
    for button, menu in (("snooze", "snooze-menu"), ("tags", "tags-menu"), ("more", "more-menu")):
        part(ana, button).tap()
        expect(part(ana, menu)).to_be_visible()
        if button == "tags":
            expect(part(ana, "tag-choice").first).to_be_visible()
        sheet = part(ana, menu).bounding_box()
        assert sheet
        assert sheet["x"] >= 0
        assert sheet["x"] + sheet["width"] <= 390
        assert sheet["y"] + sheet["height"] <= 844
        heights = (
            part(ana, menu)
            .locator(".menu-item")
            .evaluate_all("found => found.map((item) => item.getBoundingClientRect().height)")
        )
        assert min(heights) >= 44
        found = Axe().run(ana.page, context=".thread-head").response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
        ana.page.keyboard.press("Escape")
        expect(part(ana, menu)).to_be_hidden()
    assert ana.fits()
