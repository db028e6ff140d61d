"""The list at work: views and filters in the address, selection by key and pointer, bulk changes with undo, search, and
a list that keeps one's place after a gap.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.customers import Simulation
from tests.browser.desks import ANA, LUIS, Desk
from tests.browser.watching import OpenDesk, Watch

pytestmark = pytest.mark.browser

# What the live connection says after it has missed too much.
RESYNC = """async () => {
  const names = performance.getEntriesByType("resource").map((entry) => entry.name);
  (await import(names.find((name) => /inbox\\/ui[.\\w]*\\.js/.test(name)))).emit("resync");
}"""


def focused_row(desk: Desk) -> str:
    """The id of the row that has the focus."""
    return desk.page.evaluate("document.activeElement.closest('.row')?.id ?? ''")


def order(desk: Desk) -> list[str]:
    return desk.page.eval_on_selector_all(".row", "found => found.map((row) => row.id)")


def test_views_and_filters_live_in_the_address(open_desk: OpenDesk) -> None:
    ana = open_desk(ANA)
    page = ana.page
    page.get_by_test_id("more-views").click()
    page.get_by_test_id("menu-view-waiting").click()
    expect(page).to_have_url(re.compile(r"view=waiting$"))
    expect(page.locator("[data-more-name]")).to_have_text(re.compile(r"\w"))
    expect(page.get_by_test_id("more-views")).to_have_attribute("data-current", "")
    page.get_by_test_id("view-all").click()
    page.get_by_test_id("only-unread").click()
    expect(page.get_by_test_id("only-unread")).to_have_attribute("aria-pressed", "true")
    page.get_by_test_id("filters").click()
    dialog = page.get_by_test_id("filter-dialog")
    expect(dialog.locator("[name=unread]")).to_be_checked()
    dialog.get_by_test_id("assignee-filter").select_option("me")
    dialog.get_by_test_id("status-filter").select_option("all")
    dialog.get_by_test_id("filter-apply").click()
    expect(page).to_have_url(re.compile(r"view=all&status=all&assignee=me&unread=1$"))
    expect(page.get_by_test_id("filter-chip")).to_have_count(2)
    page.get_by_test_id("filter-chip").nth(1).click()
    expect(page).to_have_url(re.compile(r"view=all&status=all&unread=1$"))
    page.get_by_test_id("sort").select_option("oldest")
    expect(page).to_have_url(re.compile(r"sort=oldest$"))
    expect(page.locator("#list[aria-busy]")).to_have_count(0)
    rows = order(ana)
    page.reload()
    expect(page.get_by_test_id("sort")).to_have_value("oldest")
    assert order(ana) == rows
    page.go_back()
    expect(page.get_by_test_id("sort")).to_have_value("")
    expect(page.get_by_test_id("filter-chip")).to_have_count(1)


def test_a_view_is_saved_renamed_and_deleted(open_desk: OpenDesk) -> None:
    ana = open_desk(ANA, "/inbox/?view=all&priority=3")
    page = ana.page
    page.get_by_test_id("save-view").click()
    page.get_by_test_id("view-name").fill("Prioritarias")
    page.get_by_test_id("view-save").click()
    expect(page.get_by_test_id("filter-dialog")).to_have_count(0)
    expect(page.locator("[data-more-name]")).to_have_text("Prioritarias")
    page.reload()
    expect(page.locator("[data-more-name]")).to_have_text("Prioritarias")
    page.get_by_test_id("more-views").click()
    line = page.locator(".saved-view", has_text="Prioritarias")
    line.get_by_test_id("rename-view").click()
    page.get_by_test_id("rename-name").fill("Las de hoy")
    page.get_by_test_id("rename-name").press("Enter")
    expect(page.locator(".saved-view", has_text="Las de hoy")).to_have_count(1)
    if not page.get_by_test_id("views-menu").is_visible():
        page.get_by_test_id("more-views").click()
    page.locator(".saved-view", has_text="Las de hoy").get_by_test_id("delete-view").click()
    page.get_by_test_id("delete-sure").click()
    expect(page.locator(".saved-view", has_text="Las de hoy")).to_have_count(0)


def test_several_are_resolved_at_once_and_taken_back(open_desk: OpenDesk, simulation: Simulation) -> None:
    people = [simulation.customer(name) for name in ("Bulka", "Bulkb", "Bulkc")]
    for person in people:
        person.writes("Hola")
    luis = open_desk(LUIS)
    page = luis.page
    for person in people:
        expect(luis.row(person)).to_be_visible()
    boxes = [luis.row(person).get_by_test_id("pick") for person in people]
    places = sorted(order(luis).index(luis.row(person).get_attribute("id") or "") for person in people)
    luis.rows.nth(places[0]).hover()
    luis.rows.nth(places[0]).get_by_test_id("pick").click()
    expect(page.get_by_test_id("bulk-count")).to_have_text(re.compile(r"\b1\b"))
    luis.rows.nth(places[-1]).hover()
    luis.rows.nth(places[-1]).get_by_test_id("pick").click(modifiers=["Shift"])
    for box in boxes:
        expect(box).to_be_checked()
    count = page.locator("[data-pick]:checked").count()
    page.get_by_test_id("bulk-resolve").click()
    expect(page.get_by_test_id("bulk-toast")).to_contain_text(str(count))
    expect(page.get_by_test_id("bulk")).to_be_hidden()
    page.mouse.move(900, 300)
    for person in people:
        expect(luis.row(person)).to_have_count(0)
    page.locator(".row-link[tabindex='0']").focus()
    page.keyboard.press("Tab")
    if page.locator("[data-more]:focus").count():
        page.keyboard.press("Tab")
    expect(page.get_by_test_id("bulk-undo")).to_be_focused()
    page.keyboard.press("Enter")
    for person in people:
        expect(luis.row(person)).to_be_visible()


def test_back_finds_list_conversation_and_place(open_desk: OpenDesk) -> None:
    ana = open_desk(ANA, "/inbox/?view=all&status=all")
    page, body = ana.page, ana.page.locator("[data-list-body]")
    ana.rows.last.scroll_into_view_if_needed()
    ana.rows.nth(45).scroll_into_view_if_needed()
    link = ana.rows.nth(44).locator(".row-link")
    opened = link.get_attribute("data-open") or ""
    link.click()
    expect(ana.thread).to_have_attribute("data-c", opened)
    place = body.evaluate("(body) => body.scrollTop")
    page.get_by_test_id("view-mine").click()
    expect(page).to_have_url(re.compile("view=mine$"))
    ana.rows.nth(1).locator(".row-link").click()
    expect(ana.thread).not_to_have_attribute("data-c", opened)
    page.go_back()
    expect(ana.thread).to_have_attribute("data-c", opened)
    page.go_back()
    expect(page.locator("body")).to_have_attribute("data-view", "all")
    page.wait_for_function(
        "(top) => Math.abs(document.querySelector('[data-list-body]').scrollTop - top) <= 2", arg=place
    )
    expect(ana.thread).to_have_attribute("data-c", opened)


def test_what_cannot_be_loaded_leaves_everything_as_it_was(open_desk: OpenDesk, watch: Watch) -> None:
    watch.allow_lost_network()
    ana = open_desk(ANA)
    page, rows = ana.page, order(ana)
    page.route("**/inbox/list/**", lambda route: route.abort())
    page.get_by_test_id("only-unread").click()
    expect(page.get_by_test_id("toasts")).not_to_be_empty()
    expect(page.get_by_test_id("only-unread")).to_have_attribute("aria-pressed", "false")
    assert page.url.endswith("/inbox/?view=all")
    assert order(ana) == rows
    page.unroute("**/inbox/list/**")
    page.get_by_test_id("only-unread").click()
    expect(page).to_have_url(re.compile("unread=1$"))


def test_rows_are_selected_by_key(open_desk: OpenDesk) -> None:
    ana = open_desk(ANA)
    press = ana.page.keyboard.press
    press("j")
    press("x")
    expect(ana.rows.nth(0).get_by_test_id("pick")).to_be_checked()
    press("Shift+J")
    press("Shift+J")
    expect(ana.page.get_by_test_id("bulk-count")).to_contain_text("3")
    assert focused_row(ana) == order(ana)[2]
    press("Control+a")
    expect(ana.page.get_by_test_id("bulk-count")).to_contain_text(str(ana.rows.count()))
    press("Escape")
    expect(ana.page.get_by_test_id("bulk")).to_be_hidden()
    assert focused_row(ana) == order(ana)[2]


def test_search_finds_people_and_messages_anywhere(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Ximena")
    customer.writes("Busco el jarrón marroquí de la vitrina")
    ana = open_desk(ANA, "/inbox/?view=mine")
    page = ana.page
    page.keyboard.press("/")
    page.keyboard.type("JARRON marroqui")
    hit = page.get_by_test_id("found-message")
    expect(hit).to_have_count(1)
    expect(hit.locator("mark")).to_have_text(["jarrón", "marroquí"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("thread-title")).to_contain_text(customer.name)
    expect(ana.bubble("jarrón marroquí")).to_be_visible()
    page.get_by_test_id("search").fill(customer.name)
    expect(page.get_by_test_id("found-person")).to_contain_text(customer.name)
    page.get_by_test_id("search").fill("")
    expect(page.locator("[data-results]")).to_be_hidden()


def test_a_draft_and_a_typing_teammate_show_in_the_row(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer, other = simulation.customer("Yago"), simulation.customer("Zulema")
    for person in (other, customer):
        person.writes("¿Hola?")
    ana, luis = open_desk(ANA), open_desk(LUIS)
    ana.open(customer)
    ana.text.fill("Te llamo mañana")
    ana.open(other)
    expect(ana.row(customer).get_by_test_id("row-alt")).to_contain_text("Te llamo mañana")
    luis.open(customer)
    luis.text.press_sequentially("hola", delay=30)
    expect(ana.row(customer).get_by_test_id("row-alt")).to_contain_text("Luis Romero")
    ana.page.reload()
    expect(ana.row(customer).get_by_test_id("row-alt")).to_contain_text("Te llamo mañana")


def test_a_gap_leaves_focus_selection_and_place(open_desk: OpenDesk, simulation: Simulation, watch: Watch) -> None:
    customer = simulation.customer("Hueco")
    ana = open_desk(ANA)
    page = ana.page
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    kept, before = focused_row(ana), order(ana)
    customer.writes("Mientras tanto")
    page.evaluate(RESYNC)
    pill = page.get_by_test_id("new-pill")
    expect(pill).to_be_visible()
    page.wait_for_timeout(800)
    assert focused_row(ana) == kept
    assert order(ana) == before
    expect(page.locator(f"#{kept} [data-pick]")).to_be_checked()
    pill.click()
    expect(ana.row(customer)).to_be_visible()


def test_a_click_outlives_the_renewal_of_its_row(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Pulsa")
    customer.writes("uno")
    ana = open_desk(ANA)
    expect(ana.preview(customer)).to_contain_text("uno")
    ana.row(customer).hover()
    ana.page.mouse.down()
    customer.writes("dos")
    expect(ana.preview(customer)).to_contain_text("dos")
    ana.page.mouse.up()
    expect(ana.page.get_by_test_id("thread-title")).to_contain_text(customer.name)
