"""Who works without a pointer, without eyes or by touch: axe on every page, a round by keys, large targets."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.customers import Customer, Simulation
from tests.browser.desks import ANA, LUIS, MARTA, Desk
from tests.browser.watching import OpenContext, OpenDesk

pytestmark = pytest.mark.browser

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
# What can be pressed, in sight, and smaller than 44 px: links within a text may be, and what lies under its own label.
SMALL = """(scope) => [...document.querySelectorAll(scope)]
  .flatMap((root) => [...root.querySelectorAll("button, a[href], select, input, summary, textarea, label.icon-button")])
  .filter((found) => found.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
  .filter((found) => !found.closest(".txt, .sr"))
  .map((found) => found.matches("[type=checkbox], [type=radio]") && found.closest("label") || found)
  .map((found) => [found, found.getBoundingClientRect()])
  .filter(([, box]) => box.width > 2 && box.height > 2 && box.right > 0 && box.left < innerWidth)
  .filter(([found, box]) => Math.min(box.width, box.height) < (found.matches(".reaction") ? 31.5 : 43.5))
  .map(([found, box]) => `${Math.round(box.width)}x${Math.round(box.height)} ${found.outerHTML.slice(0, 140)}`)"""

# A key as AltGr makes it where the system tells of no other modifier.
WITH_ALTGR = """(element) => element.dispatchEvent(
  new KeyboardEvent("keydown", { key: "e", modifierAltGraph: true, bubbles: true, cancelable: true }))"""
# Keeps everything the announcer says.
LISTEN = """() => {
  const announcer = document.querySelector("[data-announcer]");
  window.said = [];
  new MutationObserver(() => { window.said.push(announcer.textContent); }).observe(announcer, { childList: true });
}"""
# Of all rows: chips that are cut at the side, and avatars that do not stand whole within their row.
CUT = """() => [...document.querySelectorAll(".row")].flatMap((row) => {
  const facts = row.querySelector(".row-facts"), frame = facts.getBoundingClientRect();
  const edge = row.getBoundingClientRect(), face = row.querySelector(".avatar.mini")?.getBoundingClientRect();
  const cut = [...facts.querySelectorAll(".chip")].map((chip) => [chip, chip.getBoundingClientRect()])
    .filter(([, box]) => box.width && box.top < frame.bottom - 1)
    .filter(([, box]) => box.right > frame.right + .5 || box.left < frame.left - .5);
  const lost = face && (face.width < 20 || face.left < frame.right - .5 || face.right > edge.right);
  return [...cut.map(([chip]) => chip.outerHTML.slice(0, 120)), ...(lost ? [`avatar of ${row.id}`] : [])];
})"""


def obstacles(page: Page, context: str = "html") -> list[str]:
    """What axe finds that hinders people."""
    found = Axe().run(page, context=context).response["violations"]
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def with_thread(open_desk: OpenDesk, customer: Customer, **options: Any) -> Desk:
    """A desk with a conversation that has a few kinds of message."""
    customer.writes("Hola, buenas")
    for kind in ("image", "voice", "location"):
        customer.does(type=kind)
    desk = open_desk(**options)
    desk.row(customer).locator(".row-link").click()
    expect(desk.page.get_by_test_id("thread-title")).to_contain_text(customer.name)
    expect(desk.bubbles).to_have_count(4)
    return desk


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_of_the_pages_hinders_people(open_desk: OpenDesk, simulation: Simulation, theme: str) -> None:
    desk = with_thread(open_desk, simulation.customer("Accesible"), email=MARTA, color_scheme=theme)
    page, found = desk.page, {"page": obstacles(desk.page)}
    for key, opened in (("?", "help"), (",", "settings-dialog"), ("Control+k", "palette")):
        desk.log.focus()
        page.keyboard.press(key)
        expect(page.get_by_test_id(opened)).to_be_visible()
        if opened == "palette":
            expect(page.get_by_test_id("palette-option").first).to_be_visible()
        found[opened] = obstacles(page, "dialog[open]")
        page.keyboard.press("Escape")
        expect(page.get_by_test_id(opened)).to_be_hidden()
    page.get_by_test_id("filters").click()
    expect(page.get_by_test_id("filter-dialog")).to_be_visible()
    found["filters"] = obstacles(page, "dialog[open]")
    page.keyboard.press("Escape")
    page.get_by_test_id("place").click()
    expect(page.get_by_test_id("place-dialog")).to_be_visible()
    found["place"] = obstacles(page, "dialog[open]")
    page.keyboard.press("Escape")
    desk.rows.first.locator(".row-link").focus()
    page.keyboard.press("x")
    expect(page.get_by_test_id("bulk-count")).to_be_visible()
    found["bulk"] = obstacles(page, ".list")
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_of_the_sign_in_page_hinders_people(open_context: OpenContext, theme: str) -> None:
    page = open_context(color_scheme=theme).new_page()
    page.goto("/accounts/login/")
    assert obstacles(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone_nothing_hinders_people_and_every_target_is_large(
    open_desk: OpenDesk, simulation: Simulation, theme: str
) -> None:
    customer = simulation.customer("Táctil")
    small: dict[str, list[str]] = {}
    desk = with_thread(open_desk, customer, email=LUIS, color_scheme=theme, **PHONE)
    page = desk.page
    assert obstacles(page) == []
    small["thread"] = page.evaluate(SMALL, ".pane")
    page.get_by_test_id("plus").tap()
    expect(page.get_by_test_id("place")).to_be_visible()
    small["plus"] = page.evaluate(SMALL, ".more-tools")
    page.get_by_test_id("place").tap()
    expect(page.get_by_test_id("place-dialog")).to_be_visible()
    small["place"] = page.evaluate(SMALL, "dialog[open]")
    page.keyboard.press("Escape")
    page.locator(".back").tap()
    expect(desk.row(customer)).to_be_visible()
    assert obstacles(page) == []
    small["list"] = page.evaluate(SMALL, ".shell")
    page.get_by_test_id("filters").tap()
    expect(page.get_by_test_id("filter-dialog")).to_be_visible()
    small["filters"] = page.evaluate(SMALL, "dialog[open]")
    page.keyboard.press("Escape")
    page.get_by_test_id("user-menu").tap()
    page.get_by_test_id("open-settings").tap()
    expect(page.get_by_test_id("settings")).to_be_visible()
    small["settings"] = page.evaluate(SMALL, "dialog[open]")
    page.keyboard.press("Escape")
    desk.row(customer).locator(".row-link").tap()
    expect(desk.bubbles).to_have_count(4)
    page.get_by_test_id("more").tap()
    page.get_by_test_id("more-panel").tap()
    expect(page.get_by_test_id("panel")).to_be_visible()
    expect(page.get_by_test_id("panel").locator("input:visible, button:visible").nth(3)).to_be_visible()
    small["panel"] = page.evaluate(SMALL, ".panel")
    assert {name: lines for name, lines in small.items() if lines} == {}


def test_a_round_without_a_pointer(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer, other = simulation.customer("Nogal"), simulation.customer("Nogal")
    customer.writes("¿Hay alguien?")
    other.writes("Yo también espero")
    ana = open_desk(ANA)
    page, press = ana.page, ana.page.keyboard.press
    press("g")
    press("e")
    expect(page.locator("body")).to_have_attribute("data-view", "waiting")
    press("/")
    page.keyboard.type("nogal")
    expect(ana.rows).to_have_count(2)
    press("Escape")
    press("j")
    expect(ana.row(customer).locator(".row-link")).to_be_focused()  # who waits longest stands first
    press("Enter")
    expect(page.get_by_test_id("thread-title")).to_contain_text(customer.name)
    press("r")
    page.keyboard.type("Sí, dime")
    press("Enter")
    ana.state("Sí, dime", "read")
    assert customer.texts() == ["Sí, dime"]
    press("Escape")
    press("n")
    page.keyboard.type("Cliente de siempre")
    press("Enter")
    expect(ana.bubble("Cliente de siempre")).to_have_class(re.compile(r"\bnote\b"))
    press("Escape")
    press("i")
    expect(page.get_by_test_id("assign")).to_have_value("me")
    expect(page.get_by_test_id("event")).to_contain_text("Ana Torres")
    press("Shift+E")
    expect(page.get_by_test_id("thread-title")).to_contain_text(other.name)
    expect(ana.row(customer)).to_have_count(0)
    assert customer.texts() == ["Sí, dime"]


def test_ctrl_enter_always_sends_and_altgr_is_no_shortcut(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Tomás")
    customer.writes("Hola")
    luis = open_desk(LUIS)
    luis.open(customer)
    luis.log.focus()
    luis.log.evaluate(WITH_ALTGR)
    luis.page.keyboard.press("d")  # a later key that does something: the former has had its time
    expect(luis.page.get_by_test_id("panel")).to_be_visible()
    expect(luis.page.get_by_test_id("resolve")).to_be_visible()
    expect(luis.page.get_by_test_id("event")).to_have_count(0)
    luis.page.keyboard.press(",")
    luis.page.locator('[name="send_with"][value="ctrl_enter"]').check()
    expect(luis.page.get_by_test_id("settings-saved")).not_to_be_empty()
    luis.page.keyboard.press("Escape")
    luis.text.fill("Uno")
    luis.text.press("Enter")
    luis.text.press_sequentially("dos")
    expect(luis.text).to_have_value("Uno\ndos")
    luis.text.press("Control+Enter")
    customer.waits_for(1)
    luis.page.keyboard.press("Escape")
    luis.page.keyboard.press(",")
    luis.page.locator('[name="send_with"][value="enter"]').check()
    expect(luis.page.get_by_test_id("settings-saved")).not_to_be_empty()
    luis.page.keyboard.press("Escape")
    luis.text.fill("Tres")
    luis.text.press("Control+Enter")
    luis.send("Cuatro")
    customer.waits_for(3)
    assert customer.texts() == ["Uno\ndos", "Tres", "Cuatro"]


def test_what_arrives_is_announced_once(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Úrsula")
    customer.writes("Hola")
    ana = open_desk(ANA)
    ana.page.evaluate(LISTEN)
    ana.open(customer)
    for text in ("¿Me oyes?", "¿Y ahora?"):
        customer.writes(text)
        expect(ana.page.get_by_test_id("announcer")).to_have_text(re.compile(rf"{customer.name}: {re.escape(text)}$"))
    said = [line for line in ana.page.evaluate("window.said") if customer.name in line]
    assert [line.partition(": ")[2] for line in said] == ["¿Me oyes?", "¿Y ahora?"]


def test_ctrl_click_opens_a_tab_and_several_are_assigned_at_once(open_desk: OpenDesk, simulation: Simulation) -> None:
    people = [simulation.customer(name) for name in ("Vera", "Vito")]
    for person in people:
        person.writes("Hola")
    luis = open_desk(LUIS)
    page = luis.page
    for person in people:
        expect(luis.row(person)).to_be_visible()
    with page.context.expect_page() as opened:
        luis.row(people[0]).locator(".row-link").click(modifiers=["Control"])
    tab = opened.value
    expect(tab.get_by_test_id("thread-title")).to_contain_text(people[0].name)
    tab.close()
    expect(luis.thread).to_have_count(0)
    for person in people:
        luis.row(person).hover()
        luis.row(person).get_by_test_id("pick").click()
    expect(page.get_by_test_id("bulk-count")).to_have_text(re.compile(r"\b2\b"))
    page.get_by_test_id("bulk-assign").click()
    page.locator("#bulk-assign").get_by_role("button", name="Ana Torres").click()
    expect(page.get_by_test_id("bulk-toast")).to_contain_text("2")
    for person in people:
        expect(luis.row(person).get_by_test_id("row-assignee")).to_contain_text("Ana Torres")
    page.get_by_test_id("bulk-undo").click()
    for person in people:
        expect(luis.row(person).get_by_test_id("row-assignee")).to_have_count(0)


def test_no_chip_of_a_row_is_cut(open_desk: OpenDesk) -> None:
    luis = open_desk(LUIS)
    expect(luis.page.locator(".row .avatar.mini").first).to_be_visible()
    assert luis.page.evaluate(CUT) == []
    edge = luis.page.get_by_role("separator")
    edge.focus()
    for _step in range(12):
        luis.page.keyboard.press("ArrowLeft")
    expect(edge).to_have_attribute("aria-valuenow", "280")
    assert luis.page.evaluate(CUT) == []
