"""The contact panel in the browser: fields saved in place, two people at once, tags, notes, history, every screen."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.customers import Customer, Simulation
from tests.browser.desks import ANA, LUIS, MARTA, Desk
from tests.browser.watching import OpenDesk, Watch

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SAVED = re.compile("Guardado|Saved")
DRAWER = {"viewport": {"width": 1100, "height": 800}}


def with_panel(open_desk: OpenDesk, customer: Customer, email: str = ANA, **options: object) -> Desk:
    """A desk with the customer's conversation and its panel open."""
    desk = open_desk(email, **options)
    desk.open(customer)
    desk.page.get_by_test_id("panel-toggle").click()
    expect(desk.page.get_by_test_id("panel-content")).to_be_visible()
    return desk


@pytest.fixture
def customer(simulation: Simulation) -> Customer:
    """Somebody who has written."""
    customer = simulation.customer("Rosa")
    customer.writes("Hola, buenas")
    return customer


def field(desk: Desk, name: str) -> Locator:
    return desk.page.get_by_test_id(f"field-{name}").locator("[name=value]")


def posts_of(page: Page) -> list[str]:
    """Every POST to the contact from now on."""
    seen: list[str] = []
    page.on(
        "request",
        lambda request: seen.append(request.url) if request.method == "POST" and "/contact/" in request.url else None,
    )
    return seen


def test_a_field_is_saved_by_one_request_and_esc_restores_it(
    open_desk: OpenDesk, customer: Customer, watch: Watch
) -> None:
    ana = with_panel(open_desk, customer)
    posts, name = posts_of(ana.page), field(ana, "name")
    expect(name).to_have_attribute("placeholder", f"~{customer.name}")
    name.fill("Rosa Ibáñez")
    name.press("Enter")
    expect(ana.page.get_by_test_id("panel-status")).to_have_text(SAVED)
    expect(ana.page.get_by_test_id("thread-title")).to_have_text("Rosa Ibáñez")
    expect(ana.page.get_by_test_id("panel-title")).to_have_text("Rosa Ibáñez")
    field(ana, "name").press("Tab")
    assert len(posts) == 1
    company = field(ana, "company")
    company.fill("Nobody wants this")
    company.press("Escape")
    expect(company).to_have_value("")
    expect(ana.page.get_by_test_id("panel")).to_be_visible()
    watch.allow("422")
    field(ana, "phone").fill("600 12")
    field(ana, "phone").press("Tab")
    error = ana.page.get_by_test_id("field-error")
    expect(error).to_contain_text("+34 600 123 456")
    expect(field(ana, "phone")).to_have_value("600 12")
    expect(field(ana, "phone")).to_have_attribute("aria-invalid", "true")
    field(ana, "phone").press("Escape")
    expect(error).to_have_count(0)
    expect(field(ana, "phone")).to_have_value(re.compile(r"^\+34 79"))
    field(ana, "language").select_option("en")
    expect(ana.page.get_by_test_id("panel-status")).to_have_text(SAVED)
    assert len(posts) == 3


def test_a_late_answer_stays_with_its_contact(open_desk: OpenDesk, customer: Customer, simulation: Simulation) -> None:
    other = simulation.customer("Otra")
    other.writes("Soy otra")
    ana, held = with_panel(open_desk, customer), list[Route]()
    ana.page.route("**/contact/", lambda route: held.append(route))
    field(ana, "company").fill("Of Rosa")
    field(ana, "company").press("Enter")
    ana.open(other)
    expect(ana.page.get_by_test_id("panel-title")).to_contain_text("Otra")
    with ana.page.expect_response("**/contact/"):
        held[0].continue_()
    ana.page.wait_for_timeout(300)
    expect(field(ana, "company")).to_have_value("")
    ana.page.unroute("**/contact/")
    ana.open(customer)
    expect(field(ana, "company")).to_have_value("Of Rosa")


def test_who_is_late_sees_both_values(open_desk: OpenDesk, customer: Customer, watch: Watch) -> None:
    ana, luis = with_panel(open_desk, customer), with_panel(open_desk, customer, LUIS)
    field(ana, "company").fill("Of Ana")
    field(luis, "company").fill("Of Luis")
    field(luis, "company").press("Enter")
    expect(luis.page.get_by_test_id("panel-status")).to_have_text(SAVED)
    watch.allow("409")
    field(ana, "company").press("Enter")
    page = ana.page
    expect(page.get_by_test_id("theirs")).to_have_text("Of Luis")
    expect(page.get_by_test_id("mine")).to_have_text("Of Ana")
    page.get_by_test_id("save-mine").click()
    expect(page.get_by_test_id("field-conflict")).to_have_count(0)
    expect(field(ana, "company")).to_have_value("Of Ana")
    expect(field(luis, "company")).to_have_value("Of Ana")  # told, and nobody reloaded


def test_tags_notes_and_history(open_desk: OpenDesk, customer: Customer) -> None:
    marta = with_panel(open_desk, customer, MARTA)
    page = marta.page
    page.get_by_test_id("contact-tag-add").click()
    expect(page.get_by_test_id("contact-tag-search")).to_be_focused()
    page.get_by_test_id("contact-tag-search").fill("Muy nueva")
    page.get_by_test_id("contact-tag-search").press("Enter")
    expect(page.get_by_test_id("contact-tag")).to_have_text("Muy nueva")
    page.get_by_test_id("contact-tag-search").press("Escape")
    expect(page.get_by_test_id("contact-tag-search")).not_to_be_visible()
    page.get_by_test_id("contact-note-text").fill("Llamar por la tarde")
    page.get_by_test_id("contact-note-text").press("Control+Enter")
    note = page.get_by_test_id("contact-note")
    expect(note).to_contain_text("Llamar por la tarde")
    expect(page.get_by_test_id("contact-note-text")).to_have_value("")
    note.get_by_test_id("contact-note-edit").click()
    note.locator("textarea").fill("Llamar por la mañana")
    note.get_by_test_id("contact-note-save").click()
    expect(page.get_by_test_id("contact-note")).to_contain_text("Llamar por la mañana")
    page.get_by_test_id("timeline-section").locator("summary").click()
    lines = page.get_by_test_id("timeline-line")
    expect(lines.first).to_contain_text("Llamar por la mañana")
    page.get_by_test_id("timeline-kind").select_option("tags")
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("Muy nueva")
    note = page.get_by_test_id("contact-note")
    note.get_by_test_id("contact-note-delete").click()
    note.get_by_test_id("contact-note-gone").click()
    expect(note).to_have_count(0)
    page.get_by_test_id("contact-tag").get_by_role("button").click()
    expect(page.get_by_test_id("contact-tag")).to_have_count(0)


def test_the_column_is_remembered_and_follows_the_conversation(
    open_desk: OpenDesk, simulation: Simulation, customer: Customer
) -> None:
    other = simulation.customer("Otra")
    other.writes("Yo también")
    ana = with_panel(open_desk, customer)
    page, title = ana.page, ana.page.get_by_test_id("panel-title")
    expect(title).to_contain_text(customer.name)
    page.get_by_test_id("contact-note-text").fill("Half a note")
    ana.open(other)
    expect(title).to_contain_text(other.name)
    expect(page.get_by_test_id("contact-note-text")).to_have_value("")
    ana.open(customer)
    expect(page.get_by_test_id("contact-note-text")).to_have_value("Half a note")
    page.reload()
    expect(title).to_contain_text(customer.name)
    expect(page.get_by_test_id("panel-toggle")).to_have_attribute("aria-expanded", "true")
    page.locator("[data-log]").focus()
    page.keyboard.press("d")
    expect(page.get_by_test_id("panel")).not_to_be_visible()
    assert ana.fits()
    page.reload()
    expect(ana.bubble("Hola, buenas")).to_be_visible()
    expect(page.get_by_test_id("panel")).not_to_be_visible()


def test_a_drawer_closes_by_esc_and_gives_the_focus_back(open_desk: OpenDesk, customer: Customer) -> None:
    ana = open_desk(ANA, **DRAWER)
    ana.open(customer)
    ana.page.locator("[data-log]").focus()
    ana.page.keyboard.press("d")
    panel = ana.page.get_by_test_id("panel")
    expect(panel).to_be_focused()
    expect(ana.page.get_by_test_id("panel-content")).to_be_visible()
    width = ana.log.bounding_box()
    ana.page.keyboard.press("Escape")
    expect(panel).not_to_be_visible()
    assert panel.evaluate(
        "(panel) => !panel.contains(document.activeElement) && document.activeElement !== document.body"
    )
    assert ana.log.bounding_box() == width


def test_on_a_phone_it_is_a_page_and_back_leaves_it(open_desk: OpenDesk, customer: Customer) -> None:
    ana = open_desk(ANA, **PHONE)
    ana.row(customer).locator(".row-link").tap()
    expect(ana.log).to_be_in_viewport()
    panel = ana.page.get_by_test_id("panel")
    for leave in (ana.page.go_back, lambda: panel.locator(".panel-back").tap()):
        ana.page.get_by_test_id("more").tap()
        ana.page.get_by_test_id("more-panel").tap()
        expect(ana.page.get_by_test_id("panel-title")).to_contain_text(customer.name)
        expect(ana.log).not_to_be_visible()
        assert ana.fits()
        leave()
        expect(panel).not_to_be_visible()
        expect(ana.log).to_be_visible()
    ana.page.go_back()
    expect(ana.page.get_by_test_id("list")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_in_it_hinders_anybody(open_desk: OpenDesk, customer: Customer, theme: str) -> None:
    marta = with_panel(open_desk, customer, MARTA)
    page = marta.page
    page.locator("html").evaluate("(root, theme) => { root.dataset.theme = theme; }", theme)
    page.get_by_test_id("contact-tag-add").click()
    page.get_by_test_id("contact-tag-option").first.click()
    expect(page.get_by_test_id("contact-tag")).to_have_count(1)
    page.get_by_test_id("contact-note-text").fill("Nota")
    page.get_by_test_id("contact-note-text").press("Control+Enter")
    expect(page.get_by_test_id("contact-note")).to_have_count(1)
    closed = page.locator(".sec:not([open]) > summary")
    while closed.count():
        closed.first.click()
    expect(page.get_by_test_id("timeline-line").first).to_be_visible()
    found = Axe().run(page, context="#panel").response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []
