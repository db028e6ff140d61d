"""Signing in, and every page of the demo in both languages, light and dark, on a desk and on a phone."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.customers import Simulation
from tests.browser.desks import ANA, LUIS, MARTA, PASSWORD, Desk
from tests.browser.watching import OpenContext, OpenDesk, Watch

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def sign_in(page: Page, email: str, password: str) -> None:
    page.locator("[name=username]").fill(email)
    page.locator("[name=password]").fill(password)
    page.get_by_test_id("login-submit").click()


@pytest.mark.parametrize("email", [ANA, "nobody@demo.test"])
def test_a_wrong_password_says_so_and_keeps_the_address(open_context: OpenContext, email: str) -> None:
    page = open_context().new_page()
    page.goto("/inbox/")
    sign_in(page, email, "not-this-one")
    error = page.get_by_role("alert")
    expect(error).to_have_count(1)
    expect(error).to_contain_text("Correo o contraseña incorrectos")
    expect(error).to_be_focused()
    expect(page.locator("[name=username]")).to_have_value(email)
    expect(page.locator("[name=password]")).to_have_value("")


def test_the_eye_shows_the_password(open_context: OpenContext) -> None:
    page = open_context().new_page()
    page.goto("/accounts/login/")
    eye, password = page.locator("#show-password"), page.locator("#password")
    expect(password).to_have_attribute("type", "password")
    eye.click()
    expect(password).to_have_attribute("type", "text")
    expect(eye).to_have_attribute("aria-pressed", "true")
    eye.click()
    expect(password).to_have_attribute("type", "password")


def test_the_sign_in_page_speaks_both_languages(open_context: OpenContext) -> None:
    page = open_context().new_page()
    page.goto("/accounts/login/")
    expect(page.get_by_test_id("login-submit")).to_have_text("Iniciar sesión")
    page.get_by_test_id("lang-en").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_test_id("login-submit")).to_have_text("Sign in")
    page.get_by_test_id("lang-es").click()
    expect(page.get_by_test_id("login-submit")).to_have_text("Iniciar sesión")


def test_one_lands_where_one_wanted_to_go_and_can_leave(open_context: OpenContext) -> None:
    page = open_context().new_page()
    page.goto("/inbox/?view=unassigned")
    sign_in(page, LUIS, PASSWORD)
    expect(page).to_have_url(re.compile(r"/inbox/\?view=unassigned"))
    expect(page.get_by_test_id("view-unassigned")).to_have_attribute("aria-current", "true")
    page.get_by_test_id("user-menu").click()
    page.get_by_test_id("logout").click()
    expect(page.get_by_test_id("login-form")).to_be_visible()
    page.goto("/inbox/")
    expect(page.get_by_test_id("login-form")).to_be_visible()


def choose(desk: Desk, language: str, theme: str) -> None:
    """Set the agent's language and theme through the menu."""
    if desk.page.get_by_test_id("language").input_value() != language:
        desk.open_menu()
        with desk.page.expect_navigation():
            desk.page.get_by_test_id("language").select_option(language)
        desk.page.locator("body[data-ready]").wait_for()
    if desk.page.get_by_test_id("theme").input_value() != theme:
        desk.open_menu()
        desk.page.get_by_test_id("theme").select_option(theme)
        desk.page.keyboard.press("Escape")
    expect(desk.page.locator("html")).to_have_attribute("lang", language)
    expect(desk.page.locator("html")).to_have_attribute("data-theme", theme)


def load_whole_list(desk: Desk) -> None:
    """Scroll until no more rows come."""
    for _page in range(3):
        desk.rows.last.scroll_into_view_if_needed()
        desk.page.wait_for_timeout(100)
    expect(desk.page.locator("[data-more]")).to_have_count(0)


@pytest.mark.parametrize(
    ("language", "theme", "words", "remainder"), [("es", "light", "Responder", 0), ("en", "dark", "Reply", 1)]
)
def test_every_conversation_of_the_demo_opens(
    open_desk: OpenDesk, language: str, theme: str, words: str, remainder: int, watch: Watch
) -> None:
    marta = open_desk(MARTA, "/inbox/?view=all&status=all")
    choose(marta, language, theme)
    load_whole_list(marta)
    links = marta.page.locator(".row-link")
    paths = links.evaluate_all("found => found.map((link) => link.dataset.open)")
    assert len(paths) >= 57  # those that are history only come up in a search
    for pk in paths[remainder::2]:
        marta.page.locator(f'.row-link[data-open="{pk}"]').evaluate("(link) => link.click()")
        expect(marta.thread).to_have_attribute("data-c", pk)
        assert marta.fits()
    expect(marta.page.get_by_test_id("reply-tab")).to_have_text(words)
    expect(marta.page.get_by_test_id("toasts")).to_be_empty()


@pytest.mark.parametrize(("language", "theme"), [("es", "dark"), ("en", "light")])
def test_on_a_phone_nothing_is_too_wide_and_back_returns(open_desk: OpenDesk, language: str, theme: str) -> None:
    marta = open_desk(MARTA, "/inbox/?view=all", **PHONE)
    choose(marta, language, theme)
    assert marta.fits()
    body = marta.page.locator("[data-list-body]")
    marta.rows.nth(9).scroll_into_view_if_needed()
    body.evaluate("(body) => { body.scrollTop = 300; }")
    for index in (4, 6, 8):
        marta.rows.nth(index).locator(".row-link").scroll_into_view_if_needed()
        place = body.evaluate("(body) => body.scrollTop")
        marta.rows.nth(index).locator(".row-link").tap()
        expect(marta.log).to_be_in_viewport()
        expect(marta.page.get_by_test_id("list")).not_to_be_visible()
        assert marta.fits()
        marta.page.locator("[data-back]").tap()
        expect(marta.page.get_by_test_id("list")).to_be_visible()
        assert body.evaluate("(body) => body.scrollTop") == pytest.approx(place, abs=2)
    marta.rows.nth(4).locator(".row-link").tap()
    expect(marta.log).to_be_in_viewport()
    marta.page.go_back()
    expect(marta.page.get_by_test_id("list")).to_be_visible()


def test_a_reply_from_a_phone(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Zoe")
    customer.writes("¿Abren hoy?")
    ana = open_desk(ANA, **PHONE)
    ana.row(customer).locator(".row-link").tap()
    expect(ana.bubble("¿Abren hoy?")).to_be_visible()
    ana.text.fill("Hasta las 20:00")
    ana.text.press("Enter")
    expect(ana.text).to_have_value("Hasta las 20:00\n")
    ana.page.get_by_test_id("send").tap()
    ana.state("Hasta las 20:00", "read")
    assert ana.fits()
    assert customer.texts() == ["Hasta las 20:00"]


def test_views_search_and_status_stand_in_the_address(open_desk: OpenDesk) -> None:
    ana = open_desk(ANA, "/inbox/")
    expect(ana.page.get_by_test_id("view-mine")).to_have_attribute("aria-current", "true")
    assert ana.rows.count() >= 12
    ana.page.get_by_test_id("view-unassigned").click()
    expect(ana.page).to_have_url(re.compile("view=unassigned"))
    assert ana.rows.count() >= 10
    ana.page.get_by_test_id("view-all").click()
    expect(ana.page).to_have_url(re.compile("view=all"))
    ana.page.get_by_test_id("search").fill("Whitfield")
    expect(ana.rows).to_have_count(1)
    expect(ana.page).to_have_url(re.compile("q=Whitfield"))
    ana.page.reload()
    expect(ana.rows).to_have_count(1)
    expect(ana.page.get_by_test_id("search")).to_have_value("Whitfield")
    ana.page.go_back()
    expect(ana.page).to_have_url(re.compile("view=all"))
