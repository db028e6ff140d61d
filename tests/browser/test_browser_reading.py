"""Finding one's way: the list, the keyboard, the thread's scroll, and the reply window that closes while one looks."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.browser.customers import Customer, Simulation
from tests.browser.desks import ANA, LUIS, Desk
from tests.browser.watching import OpenDesk, Watch

pytestmark = pytest.mark.browser

DAY_AND_AN_HOUR = 25 * 3600
LONG_THREAD = "Transportes Aguilar"
# Notes where the first visible bubble stands; then how far it has moved.
ANCHOR = """() => {
  const log = document.querySelector("[data-log]"), top = log.getBoundingClientRect().top;
  window.anchor = [...log.querySelectorAll(".msg")].find((found) => found.getBoundingClientRect().bottom > top);
  window.anchorTop = window.anchor.getBoundingClientRect().top;
}"""
MOVED = "Math.abs(window.anchor.getBoundingClientRect().top - window.anchorTop)"


def focused(desk: Desk) -> str:
    """What has the focus, by its test id or class."""
    return desk.page.evaluate("document.activeElement.dataset.testid ?? document.activeElement.className")


def place(desk: Desk, customer: Customer) -> int:
    """How many rows stand above the customer's."""
    names = desk.page.locator(".row-name").all_text_contents()
    return next(row for row, name in enumerate(names) if customer.name in name)


def test_the_window_closes_and_opens_while_one_looks(open_desk: OpenDesk, simulation: Simulation, watch: Watch) -> None:
    watch.allow("status of 422")
    customer = simulation.customer("Hilda")
    customer.writes("Hasta mañana")
    ana = open_desk(ANA)
    ana.open(customer)
    expect(ana.strip).to_have_attribute("data-state", "open")
    expect(ana.strip).to_contain_text("Puedes responder hasta las")
    ana.text.fill("a medio escribir")
    simulation.move_clock(offset=DAY_AND_AN_HOUR)
    expect(ana.strip).to_have_attribute("data-state", "closed")
    expect(ana.strip).to_contain_text(f"Pasaron más de 24 h desde el último mensaje de ~{customer.name}")
    expect(ana.text).to_be_hidden()
    expect(ana.page.get_by_test_id("thread-header").get_by_test_id("window-chip")).to_have_attribute(
        "data-state", "closed"
    )
    refused = ana.post(ana.thread.get_attribute("data-url-messages"), text="Hola", client_id=str(uuid.uuid4()))
    assert (refused["status"], refused["error"]) == (422, "window_closed")
    assert "plantilla" in refused["text"]
    assert customer.received() == []

    ana.strip.locator("[data-mode-tab=note]").click()
    ana.send("Llamarla mañana")
    expect(ana.bubble("Llamarla mañana")).to_have_class(re.compile("note"))
    ana.page.get_by_test_id("reply-tab").click()
    simulation.move_clock(offset=0)
    expect(ana.strip).to_have_attribute("data-state", "open")
    expect(ana.text).to_have_value("a medio escribir")


def test_a_window_about_to_close_warns(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Irene")
    customer.writes("¿Y bien?")
    ana = open_desk(ANA)
    ana.open(customer)
    simulation.move_clock(offset=23 * 3600)
    expect(ana.strip).to_have_attribute("data-state", "closing")
    expect(ana.strip).to_contain_text("La ventana se cierra en")
    expect(ana.row(customer).get_by_test_id("window-chip")).to_have_attribute("data-state", "closing")


def test_the_keyboard_does_it_all(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Jana")
    customer.writes("Con el teclado")
    ana = open_desk(ANA)
    expect(ana.row(customer)).to_be_visible()
    press = ana.page.keyboard.press
    at = place(ana, customer)
    for _row in range(at + 2):
        press("j")
    expect(ana.rows.nth(at + 1).locator(".row-link")).to_be_focused()
    press("k")
    expect(ana.row(customer).locator(".row-link")).to_be_focused()
    press("Enter")
    expect(ana.page.get_by_test_id("thread-title")).to_contain_text(customer.name)
    press("n")
    expect(ana.page.get_by_test_id("note-tab")).to_have_attribute("aria-pressed", "true")
    expect(ana.text).to_be_focused()
    press("Escape")
    expect(ana.log).to_be_focused()
    press("r")
    expect(ana.page.get_by_test_id("reply-tab")).to_have_attribute("aria-pressed", "true")
    expect(ana.text).to_be_focused()
    press("Escape")
    press("i")
    expect(ana.page.get_by_test_id("assign")).to_have_value("me")
    expect(ana.page.get_by_test_id("event")).to_contain_text("Ana Torres")
    press("e")
    expect(ana.page.get_by_test_id("reopen")).to_be_visible()
    press("e")
    expect(ana.page.get_by_test_id("resolve")).to_be_visible()
    press("/")
    expect(ana.page.get_by_test_id("search")).to_be_focused()
    press("Escape")
    press("?")
    expect(ana.page.get_by_test_id("help")).to_be_visible()
    press("e")
    expect(ana.page.get_by_test_id("resolve")).to_be_attached()
    press("Escape")
    expect(ana.page.get_by_test_id("help")).to_be_hidden()


def test_typing_in_the_box_triggers_nothing(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Kike")
    customer.writes("Hola")
    ana = open_desk(ANA)
    ana.open(customer)
    ana.text.focus()
    ana.page.keyboard.type("@ € / ? e i j k n r")
    expect(ana.text).to_have_value("@ € / ? e i j k n r")
    expect(ana.page.get_by_test_id("help")).to_be_hidden()
    ana.log.focus()
    ana.text.evaluate("(box) => box.blur()")
    ana.log.evaluate(
        """(log) => log.dispatchEvent(new KeyboardEvent("keydown",
          { key: "e", ctrlKey: true, altKey: true, modifierAltGraph: true, bubbles: true }))"""
    )
    expect(ana.page.get_by_test_id("resolve")).to_be_visible()
    expect(ana.page.get_by_test_id("event")).to_have_count(0)


def test_single_keys_can_be_switched_off(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Lola")
    customer.writes("Hola")
    ana = open_desk(ANA)
    ana.open(customer)
    ana.page.keyboard.press("?")
    with ana.page.expect_response("**/inbox/settings/"):  # else the reload may overtake it
        ana.page.get_by_test_id("help").get_by_role("checkbox").uncheck()
    ana.page.keyboard.press("Escape")
    ana.log.focus()
    ana.page.keyboard.press("n")
    expect(ana.page.get_by_test_id("reply-tab")).to_have_attribute("aria-pressed", "true")
    expect(ana.text).not_to_be_focused()
    ana.page.reload()
    ana.page.locator("body[data-ready]").wait_for()
    ana.page.keyboard.press("?")
    expect(ana.page.get_by_test_id("help")).to_be_hidden()
    ana.page.locator("[data-help]").click()
    ana.page.get_by_test_id("help").get_by_role("checkbox").check()  # it goes with the person, not with the device
    ana.page.keyboard.press("Escape")
    ana.page.keyboard.press("?")
    expect(ana.page.get_by_test_id("help")).to_be_visible()


def test_the_list_does_not_move_under_the_pointer(open_desk: OpenDesk, simulation: Simulation) -> None:
    first, second = simulation.customer("Mila"), simulation.customer("Nora")
    ana = open_desk(ANA)
    first.writes("Yo primero")
    ana.page.wait_for_timeout(1100)  # WhatsApp counts in seconds: within one, the order is open
    second.writes("Y yo")
    expect(ana.preview(first)).to_contain_text("Yo primero")
    expect(ana.preview(second)).to_contain_text("Y yo")
    top = ana.page.locator(".row[data-pin]").count()
    assert [place(ana, second), place(ana, first)] == [top, top + 1]
    ana.row(first).hover()
    order = ana.page.locator(".row-name").all_text_contents()
    ana.page.wait_for_timeout(1100)
    first.writes("¿Y lo mío?")
    pill = ana.page.get_by_test_id("new-pill")
    expect(pill).to_be_visible()
    expect(ana.preview(first)).to_contain_text("¿Y lo mío?")
    assert ana.page.locator(".row-name").all_text_contents() == order
    third = simulation.customer("Paz")
    third.writes("Soy nueva")
    expect(pill).to_contain_text("1")
    pill.click()
    expect(pill).to_be_hidden()
    for row, person in enumerate((third, first, second), top):
        expect(ana.rows.nth(row)).to_contain_text(person.name)


def test_the_title_and_the_row_count_what_is_unread(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Remedios")
    customer.writes("Uno")
    customer.writes("Dos")
    luis = open_desk(LUIS)
    expect(luis.row(customer).get_by_test_id("unread")).to_have_attribute("data-unread", "2")
    weight = luis.row(customer).locator(".row-name").evaluate("(name) => Number(getComputedStyle(name).fontWeight)")
    assert weight >= 600
    expect(luis.page).to_have_title(re.compile(r"^\(\d+\) "))
    luis.open(customer)
    expect(luis.row(customer).get_by_test_id("unread")).to_have_count(0)


def test_a_thread_opens_at_what_is_unread(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Silvia")
    ana = open_desk(ANA)
    customer.writes("Leído")
    ana.open(customer)
    expect(ana.bubble("Leído")).to_be_visible()
    expect(ana.row(customer).get_by_test_id("unread")).to_have_count(0)
    ana.page.goto("/inbox/?view=all")
    customer.writes_many(["uno", "dos", "tres"])
    expect(ana.row(customer).get_by_test_id("unread")).to_have_attribute("data-unread", "3")
    ana.open(customer)
    divider = ana.page.get_by_test_id("unread-divider")
    expect(divider).to_have_text("3 mensajes no leídos")
    expect(divider).to_be_in_viewport()
    customer.writes("cuatro")
    expect(ana.bubble("cuatro")).to_be_visible()
    expect(divider).to_have_text("3 mensajes no leídos")


def test_a_thread_with_pictures_opens_at_its_end(open_desk: OpenDesk) -> None:
    ana = open_desk(ANA)
    ana.rows.filter(has_text="Nuria Salas").click()
    expect(ana.bubbles).to_have_count(12)
    expect(ana.page.locator(".msg img").first).to_be_visible()
    for _frame in range(3):
        ana.page.wait_for_timeout(100)
        expect(ana.bubbles.last).to_be_in_viewport()
    expect(ana.page.get_by_test_id("to-bottom")).to_be_hidden()


def test_older_pages_come_without_a_jump(open_desk: OpenDesk) -> None:
    ana = open_desk(ANA)
    ana.page.get_by_test_id("search").fill(LONG_THREAD)
    row = ana.rows.filter(has_text=LONG_THREAD)
    expect(ana.rows).to_have_count(1)
    row.click()
    expect(ana.page.get_by_test_id("thread-title")).to_contain_text(LONG_THREAD)
    ana.page.mouse.move(900, 300)
    announced = ana.page.get_by_test_id("announcer").inner_text()
    for _page in range(3):
        before = ana.bubbles.count()
        ana.log.evaluate("(log) => { log.scrollTop = 380; }")
        ana.page.evaluate(ANCHOR)
        ana.page.wait_for_timeout(50)
        expect(ana.bubbles).not_to_have_count(before)
        assert ana.page.evaluate(MOVED) <= 1
    ids = ana.ids()
    assert len(ids) >= 120
    assert len(set(ids)) == len(ids)
    assert ana.page.get_by_test_id("announcer").inner_text() == announced
    days = ana.page.eval_on_selector_all("[data-day-chip]", "found => found.map((chip) => chip.dataset.dayChip)")
    assert days == sorted(set(days))


def test_what_arrives_while_one_reads_further_up_moves_nothing(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Trini")
    customer.writes_many([f"línea {number}" for number in range(30)])
    ana = open_desk(ANA)
    ana.open(customer)
    button = ana.page.get_by_test_id("to-bottom")
    ana.log.evaluate("(log) => { log.scrollTop = log.scrollHeight; }")
    expect(button).to_be_hidden()
    ana.log.evaluate("(log) => { log.scrollTop -= 500; }")
    expect(button).to_be_visible()
    ana.page.evaluate(ANCHOR)
    top = ana.log.evaluate("(log) => log.scrollTop")
    customer.writes("mientras lees")
    expect(button).to_contain_text("1")
    assert ana.log.evaluate("(log) => log.scrollTop") == top
    assert ana.page.evaluate(MOVED) == 0
    button.click()
    expect(ana.bubble("mientras lees")).to_be_in_viewport()
    expect(button).to_be_hidden()
    customer.writes("y otra")
    expect(ana.bubble("y otra")).to_be_in_viewport()
