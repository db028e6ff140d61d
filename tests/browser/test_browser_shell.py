"""The shell of the inbox: keys, palette, preferences, who else is here, notifications, supervision, the phone's bar."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.customers import Simulation
from tests.browser.desks import ANA, LUIS, MARTA
from tests.browser.watching import OpenDesk, Watch

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
# A device that shows notifications: what it was asked to show is kept, and the page can count as out of sight.
DEVICE = """
window.shown = [];
Object.defineProperty(Document.prototype, "hidden", { get: () => Boolean(window.away) });
Object.defineProperty(Notification, "permission", { get: () => "granted" });
if (window.ServiceWorkerRegistration) {
  ServiceWorkerRegistration.prototype.showNotification = (title, { body }) => { window.shown.push([title, body]); };
}
"""


def palette(page: Page, words: str) -> None:
    """Open the palette, type, take the first."""
    page.keyboard.press("Control+k")
    page.get_by_test_id("palette-input").fill(words)
    first = page.get_by_test_id("palette-option").first
    expect(first).to_contain_text(re.compile(re.escape(words), re.IGNORECASE))
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("palette")).to_be_hidden()


def test_every_key_does_what_the_help_says(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Alba")
    customer.writes("Con una tecla")
    luis = open_desk(LUIS)
    luis.open(customer)
    press, page = luis.page.keyboard.press, luis.page
    page.locator("[data-log]").focus()
    for key, menu in (("z", "snooze"), ("l", "tags"), ("!", "priority")):
        press(key)
        opened = page.locator(f"#{menu}-menu-{luis.thread.get_attribute('data-c')}")
        expect(opened).to_be_visible()
        press("Escape")
        expect(opened).to_be_hidden()
    press("a")
    expect(page.get_by_test_id("assign")).to_be_focused()
    press("Escape")
    page.locator("[data-log]").focus()
    press("d")
    expect(page.get_by_test_id("panel")).to_be_visible()
    page.locator("[data-log]").focus()
    press("d")
    expect(page.get_by_test_id("panel")).to_be_hidden()
    press("n")
    expect(luis.text).to_be_focused()
    expect(page.get_by_test_id("note-tab")).to_have_attribute("aria-pressed", "true")
    press("Escape")
    press(",")
    expect(page.get_by_test_id("settings-dialog")).to_be_visible()
    press("Escape")


def test_two_keys_go_to_a_view(open_desk: OpenDesk) -> None:
    luis = open_desk(LUIS)
    for key, view in (("r", "resolved"), ("s", "unassigned"), ("e", "waiting"), ("t", "all"), ("m", "mine")):
        luis.page.keyboard.press("g")
        luis.page.keyboard.press(key)
        expect(luis.page).to_have_url(re.compile(f"view={view}"))
        expect(luis.page.locator("body")).to_have_attribute("data-view", view)
    expect(luis.page.get_by_test_id("rail-mine")).to_have_attribute("aria-current", "page")
    luis.page.go_back()
    expect(luis.page.locator("body")).to_have_attribute("data-view", "all")


def test_a_quick_enter_takes_what_was_typed(open_desk: OpenDesk) -> None:
    luis = open_desk(LUIS)
    luis.page.keyboard.press("Control+k")
    expect(luis.page.get_by_test_id("palette-option").first).to_be_visible()
    luis.page.keyboard.type("resueltas")
    luis.page.keyboard.press("Enter")
    expect(luis.page.locator("body")).to_have_attribute("data-view", "resolved")
    expect(luis.page.get_by_test_id("palette")).to_be_hidden()


def test_the_palette_finds_acts_and_goes(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Berta")
    customer.writes("Por la paleta")
    luis = open_desk(LUIS)
    expect(luis.row(customer)).to_be_visible()
    palette(luis.page, customer.name)
    expect(luis.page.get_by_test_id("thread-title")).to_contain_text(customer.name)
    luis.page.keyboard.press("Control+k")
    luis.page.get_by_test_id("palette-input").fill("zzzzqqq")
    expect(luis.page.get_by_test_id("palette-option")).to_have_count(0)
    expect(luis.page.locator("[data-none]")).to_be_visible()
    luis.page.get_by_test_id("palette-input").fill("")
    shown = luis.page.get_by_test_id("palette-option")
    expect(shown.first).to_have_attribute("aria-selected", "true")
    luis.page.keyboard.press("ArrowDown")
    expect(shown.nth(1)).to_have_attribute("aria-selected", "true")
    luis.page.keyboard.press("ArrowUp")
    luis.page.keyboard.press("ArrowUp")
    expect(shown.last).to_have_attribute("aria-selected", "true")
    luis.page.keyboard.press("Escape")
    luis.page.locator("[data-log]").focus()
    luis.page.keyboard.press("Control+k")
    luis.page.get_by_test_id("palette-option").filter(
        has=luis.page.locator("kbd", has_text=re.compile("^E$"))
    ).first.click()
    expect(luis.page.get_by_test_id("reopen")).to_be_visible()


def test_colleagues_see_who_looks_and_who_types(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Celia")
    customer.writes("¿Quién me atiende?")
    ana, luis = open_desk(ANA), open_desk(LUIS)
    ana.open(customer)
    luis.open(customer)
    faces = ana.page.locator("[data-viewers] .avatar")
    expect(faces).to_have_count(1)
    expect(ana.page.locator("[data-viewers]")).to_have_attribute("title", re.compile("Luis"))
    luis.text.press_sequentially("Hola")
    expect(ana.page.get_by_test_id("typing").first).to_contain_text("Luis")
    luis.text.fill("")
    expect(ana.page.get_by_test_id("typing").first).to_be_hidden()
    luis.page.get_by_test_id("rail-resolved").click()
    luis.page.goto("/inbox/")
    expect(faces).to_have_count(0)


def test_preferences_hold_at_once_in_every_tab_and_after_a_reload(open_desk: OpenDesk) -> None:
    luis = open_desk(LUIS)
    other = luis.page.context.new_page()
    other.goto("/inbox/?view=all")
    luis.page.wait_for_timeout(300)
    luis.page.keyboard.press(",")
    luis.page.locator('input[name="density"][value="compact"]').check()
    expect(luis.page.get_by_test_id("settings-saved")).not_to_be_empty()
    luis.page.get_by_test_id("own-menu").click()
    luis.page.get_by_test_id("theme").select_option("dark")
    for page in (luis.page, other):
        expect(page.locator("body")).to_have_attribute("data-density", "compact")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert luis.rows.first.bounding_box()["height"] < 80
    luis.page.get_by_test_id("open-settings").click()
    luis.page.get_by_test_id("settings-dnd").select_option("60")
    expect(luis.page.get_by_test_id("settings-dnd").locator("option").first).to_have_text(re.compile(r"\d\d:\d\d"))
    luis.page.reload()
    expect(luis.page.locator("body[data-ready]")).to_have_attribute("data-density", "compact")
    luis.open_menu()
    luis.page.get_by_test_id("language").select_option("en")
    expect(luis.page.locator("html[lang=en] body[data-ready]")).to_be_visible()
    luis.open_menu()
    luis.page.get_by_test_id("language").select_option("es")
    expect(luis.page.locator("html")).to_have_attribute("lang", "es")


def test_who_looks_elsewhere_is_told_once(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Delia")
    customer.writes("Primero")
    ana = open_desk(ANA, permissions=["notifications"])
    ana.page.context.add_init_script(DEVICE)
    ana.page.reload()
    ana.open(customer)
    ana.page.keyboard.press("i")
    expect(ana.page.get_by_test_id("assign")).to_have_value("me")
    other = ana.page.context.new_page()
    other.goto("/inbox/")
    for page in (ana.page, other):
        page.evaluate("window.away = true")
    other.wait_for_timeout(500)
    customer.writes("¿Seguís ahí?")
    ana.page.wait_for_timeout(1500)
    shown = [line for page in (ana.page, other) for line in page.evaluate("window.shown")]
    assert len(shown) == 1
    assert customer.name in shown[0][0]
    assert shown[0][1] == "¿Seguís ahí?"
    rang = [page.locator("html").get_attribute("data-rang") for page in (ana.page, other)]
    assert sorted(rang, key=str) == ["1", None]
    expect(other.locator('link[rel="icon"]')).to_have_attribute("href", re.compile("favicon-unread"))


def test_the_inbox_is_an_app(open_desk: OpenDesk) -> None:
    luis = open_desk(LUIS)
    scope = luis.page.evaluate("navigator.serviceWorker.ready.then((found) => new URL(found.scope).pathname)")
    assert scope == "/"
    manifest = luis.page.evaluate(
        "fetch(document.querySelector('link[rel=manifest]').href).then((answer) => answer.json())"
    )
    for icon in manifest["icons"]:
        assert luis.page.evaluate("(src) => fetch(src).then((answer) => answer.status)", icon["src"]) == 200


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone_views_stand_below_and_every_target_is_large(open_desk: OpenDesk, theme: str) -> None:
    luis = open_desk(LUIS, color_scheme=theme, **PHONE)
    bar = luis.page.locator(".rail")
    box = bar.bounding_box()
    assert box["y"] + box["height"] == pytest.approx(844, abs=1)
    for item in bar.locator(".rail-item:visible").all():
        size = item.bounding_box()
        assert size["width"] >= 44
        assert size["height"] >= 44
    luis.page.get_by_test_id("rail-resolved").tap()
    expect(luis.page.locator("body")).to_have_attribute("data-view", "resolved")
    luis.page.get_by_test_id("user-menu").tap()
    luis.page.get_by_test_id("open-settings").tap()
    expect(luis.page.get_by_test_id("settings")).to_be_visible()
    assert luis.fits()


def test_a_manager_looks_on_and_changes_nothing(open_desk: OpenDesk, simulation: Simulation, watch: Watch) -> None:
    customer = simulation.customer("Elsa")
    customer.writes("Para Luis")
    luis = open_desk(LUIS)
    luis.open(customer)
    luis.page.keyboard.press("i")
    expect(luis.page.get_by_test_id("assign")).to_have_value("me")
    marta = open_desk(MARTA)
    marta.page.keyboard.press(",")
    form = marta.page.get_by_test_id("view-as")
    form.locator("select").select_option(label=form.locator("option", has_text="Luis").inner_text())
    form.get_by_role("button").click()
    banner = marta.page.get_by_test_id("viewing-banner")
    expect(banner).to_contain_text("Luis")
    marta.page.goto("/inbox/?view=mine")
    expect(marta.row(customer)).to_be_visible()
    marta.open(customer)
    expect(luis.page.locator("[data-viewers] .avatar")).to_have_count(0)
    marta.page.wait_for_timeout(600)
    assert watch.complaints == []  # it is not marked as read, which would be refused
    watch.allow("422")
    marta.page.locator("[data-log]").focus()
    marta.page.keyboard.press("e")
    expect(marta.page.get_by_test_id("toasts")).not_to_be_empty()
    told, tools = (marta.page.locator(place).bounding_box() for place in (".toast", ".composer"))
    assert told["y"] + told["height"] < tools["y"] - 100
    assert told["x"] >= marta.page.locator("#pane").bounding_box()["x"]
    expect(luis.page.get_by_test_id("resolve")).to_be_visible()
    customer.writes("¿Me ve alguien?")
    expect(marta.bubble("¿Me ve alguien?")).to_be_visible()
    marta.page.get_by_test_id("stop-viewing").click()
    expect(banner).to_have_count(0)


def test_the_width_of_the_list_and_its_place_survive_a_reload(open_desk: OpenDesk) -> None:
    luis = open_desk(LUIS)
    edge = luis.page.get_by_role("separator")
    edge.focus()
    for _ in range(4):
        luis.page.keyboard.press("ArrowRight")
    width = luis.page.get_by_test_id("list").bounding_box()["width"]
    body = luis.page.locator("[data-list-body]")
    body.evaluate("(body) => { body.scrollTop = 700; }")
    luis.page.wait_for_timeout(200)
    luis.page.reload()
    expect(luis.page.get_by_role("separator")).to_have_attribute("aria-valuenow", "404")
    assert luis.page.get_by_test_id("list").bounding_box()["width"] == pytest.approx(width, abs=1)
    luis.page.wait_for_timeout(600)
    assert body.evaluate("(body) => body.scrollTop") == pytest.approx(700, abs=2)
