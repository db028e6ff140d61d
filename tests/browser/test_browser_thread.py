"""A thread in the browser: albums, the viewer, voices, searching inside, far messages, what one does with a bubble."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from tests.browser.customers import Customer, Simulation
from tests.browser.desks import ANA, LUIS, MARTA, Desk
from tests.browser.watching import OpenDesk, Watch

pytestmark = pytest.mark.browser

FAR = 340  # more than a page of the browser holds at once


def with_customer(open_desk: OpenDesk, customer: Customer, email: str = ANA, **options: object) -> Desk:
    """A desk with the customer's conversation open; the customer has said hello."""
    customer.writes("Hola, buenas")
    desk = open_desk(email, **options)
    desk.open(customer)
    expect(desk.bubble("Hola, buenas")).to_be_visible()
    return desk


@pytest.fixture(scope="module")
def talkative(product: object) -> Customer:
    """Somebody with a long history."""
    simulation = Simulation(product.url)  # type: ignore[attr-defined]
    customer = simulation.customer("Larga")
    customer.writes_many([f"línea {number:03}" for number in range(FAR)])
    return customer


def opened_at_its_end(open_desk: OpenDesk, customer: Customer) -> Desk:
    ana = open_desk(ANA)
    ana.open(customer)
    bottom = ana.page.get_by_test_id("to-bottom")
    if bottom.is_visible():
        bottom.click()
    expect(bottom).to_be_hidden()
    return ana


def scroll_up_to_the_start(desk: Desk) -> None:
    for _ in range(40):
        desk.log.evaluate("(log) => { log.scrollTop = 0; }")
        desk.page.wait_for_timeout(60)
        if desk.log.get_attribute("data-before") == "":
            return


def test_pictures_sent_together_stand_in_a_grid_and_open_in_the_viewer(
    open_desk: OpenDesk, simulation: Simulation
) -> None:
    customer = simulation.customer("Álbum")
    ana = with_customer(open_desk, customer)
    for _ in range(3):
        customer.does(type="image")
    customer.does(type="image", image={"caption": "La última"})
    pictures = ana.page.get_by_test_id("picture")
    expect(pictures).to_have_count(4)
    expect(ana.page.locator(".msg.album")).to_have_count(3)
    expect(ana.page.locator(".msg.album.whole")).to_have_count(1)
    first, second = (ana.page.locator(".msg.album").nth(place).bounding_box() for place in (0, 1))
    assert first
    assert second
    assert abs(first["y"] - second["y"]) < 2, "side by side"

    pictures.nth(1).click()
    viewer = ana.page.get_by_test_id("viewer")
    expect(viewer).to_be_visible()
    ana.page.keyboard.press("ArrowRight")
    ana.page.keyboard.press("ArrowRight")
    expect(ana.page.get_by_test_id("viewer-caption")).to_have_text("La última")
    expect(ana.page.get_by_test_id("viewer-next")).to_be_disabled()
    ana.page.get_by_test_id("zoom-in").click()
    expect(viewer.locator("[data-stage] img")).to_have_attribute("style", re.compile(r"scale\(1\.5\)"))
    ana.page.keyboard.press("r")
    expect(viewer.locator("[data-stage] img")).to_have_attribute("style", re.compile(r"rotate\(90deg\)"))
    with ana.page.expect_download() as download:
        ana.page.get_by_test_id("download").click()
    assert download.value.suggested_filename
    ana.page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    expect(pictures.nth(1)).to_be_focused()


def test_a_voice_message_plays_remembers_its_speed_and_is_moved_by_keys(
    open_desk: OpenDesk, simulation: Simulation
) -> None:
    customer = simulation.customer("Voz")
    ana = with_customer(open_desk, customer)
    customer.does(type="voice")
    sound = ana.page.get_by_test_id("sound")
    play, seek, speed = (sound.get_by_test_id(name) for name in ("play", "seek", "speed"))
    expect(play).to_be_visible()
    play.click()
    expect(play).to_have_attribute("aria-pressed", "true")
    speed.click()
    expect(speed).to_have_text("1.5×")
    play.click()
    expect(play).to_have_attribute("aria-pressed", "false")
    seek.focus()
    before = float(seek.input_value())
    ana.page.keyboard.press("ArrowRight")
    assert float(seek.input_value()) > before
    ana.page.reload()
    expect(play).to_be_visible()
    play.click()
    expect(speed).to_have_text("1.5×")
    play.click()


def test_searching_inside_finds_what_is_far_and_the_way_back_is_one_click(
    open_desk: OpenDesk, talkative: Customer
) -> None:
    ana = opened_at_its_end(open_desk, talkative)
    ana.log.focus()
    ana.page.keyboard.press("Control+f")
    field = ana.page.get_by_test_id("finder-text")
    expect(field).to_be_focused()
    count = ana.page.get_by_test_id("finder-count")
    field.fill("LINEA 00")  # 000 to 009, 100, 200, 300
    expect(count).to_have_text(re.compile(r"^1 (de|of) 13$"))
    ana.page.keyboard.press("ArrowUp")
    expect(count).to_have_text(re.compile(r"^2 (de|of) 13$"))
    field.fill("línea 007")
    expect(count).to_have_text(re.compile(r"^1 (de|of) 1$"))
    expect(ana.bubble("línea 007")).to_be_in_viewport()
    field.fill("no existe tal cosa")
    expect(count).to_have_text(re.compile("nada|Nothing", re.IGNORECASE))
    ana.page.keyboard.press("Escape")
    expect(field).to_be_hidden()

    talkative.writes("mientras tanto")
    expect(ana.page.locator("[data-bottom-count]")).to_have_text("1")
    expect(ana.bubble("mientras tanto")).to_have_count(0)
    ana.page.get_by_test_id("to-bottom").click()
    expect(ana.bubble("mientras tanto")).to_be_in_viewport()


def test_a_long_thread_keeps_three_hundred_bubbles_and_gets_the_rest_again(
    open_desk: OpenDesk, talkative: Customer
) -> None:
    ana = opened_at_its_end(open_desk, talkative)
    scroll_up_to_the_start(ana)
    expect(ana.bubble("línea 000")).to_have_count(1)
    assert ana.bubbles.count() == 300
    assert ana.log.get_attribute("data-after")
    ids = ana.ids()
    assert len(ids) == len(set(ids))
    ana.page.get_by_test_id("to-bottom").click()
    expect(ana.bubble(f"línea {FAR - 1}")).to_have_count(1)
    expect(ana.bubbles.last).to_be_in_viewport()
    assert ana.log.get_attribute("data-after") == ""


def test_scrolling_up_does_not_move_what_one_reads(open_desk: OpenDesk, talkative: Customer) -> None:
    ana = opened_at_its_end(open_desk, talkative)
    for _ in range(4):
        count = ana.bubbles.count()
        mark = ana.log.evaluate(
            "(log) => { log.scrollTop = 300; const top = log.getBoundingClientRect().top;"
            "const seen = [...log.querySelectorAll('.msg')].find((one) => one.getBoundingClientRect().top > top);"
            "return [seen.id, seen.getBoundingClientRect().top]; }"
        )
        expect(ana.bubbles).not_to_have_count(count)
        ana.page.wait_for_timeout(200)
        now = ana.page.evaluate("(id) => document.getElementById(id).getBoundingClientRect().top", mark[0])
        assert abs(now - mark[1]) <= 1


def test_a_link_opens_the_thread_at_its_message(open_desk: OpenDesk, talkative: Customer, watch: Watch) -> None:
    ana = opened_at_its_end(open_desk, talkative)
    ana.log.focus()
    ana.page.keyboard.press("Control+f")
    ana.page.get_by_test_id("finder-text").fill("línea 050")
    expect(ana.bubble("línea 050")).to_be_in_viewport()
    message = (ana.bubble("línea 050").get_attribute("id") or "").removeprefix("m-")
    path = ana.thread.get_attribute("data-url") or ""
    ana.page.goto(f"{path}?view=all&at={message}")
    expect(ana.bubble("línea 050")).to_be_in_viewport()
    expect(ana.bubble("línea 050")).to_be_focused()
    assert ana.log.get_attribute("data-after")
    ana.page.goto(f"{path}?view=all&at=00000000-0000-0000-0000-000000000000")
    expect(ana.page.get_by_test_id("to-bottom")).to_be_hidden()
    ana.page.goto(f"{path}?view=all&at=nonsense")
    expect(ana.page.get_by_test_id("to-bottom")).to_be_hidden()


def test_a_quote_far_up_is_fetched(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Cita")
    wamid = customer.writes("la primera de todas")
    customer.writes_many([f"relleno {number}" for number in range(120)])
    customer.writes("¿se acuerda?", context={"id": wamid})
    ana = opened_at_its_end(open_desk, customer)
    expect(ana.bubble("la primera de todas").locator("[data-txt]", has_text="la primera")).to_have_count(0)
    ana.bubble("¿se acuerda?").locator(".quoted").click()
    first = ana.page.locator(".msg", has=ana.page.locator("[data-txt]", has_text="la primera de todas"))
    expect(first).to_be_in_viewport()
    expect(first).to_be_focused()


def test_the_bubbles_menu_copies_notes_and_tells_everything(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Menú")
    marta = with_customer(open_desk, customer, MARTA, permissions=["clipboard-read", "clipboard-write"])
    marta.send("Son 30 € *al mes*")
    marta.state("Son 30 €", "read")
    answer, hello = marta.bubble("Son 30 €"), marta.bubble("Hola, buenas")
    answer.hover()
    answer.get_by_test_id("bubble-menu-button").click()
    menu = marta.page.get_by_test_id("bubble-menu")
    expect(menu.get_by_test_id("menu-unread")).to_be_hidden()
    marta.page.keyboard.press("ArrowDown")
    marta.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    answer.hover()
    answer.get_by_test_id("bubble-menu-button").click()
    menu.get_by_test_id("menu-copy").click()
    assert marta.page.evaluate("navigator.clipboard.readText()") == "Son 30 € al mes"

    answer.hover()
    answer.get_by_test_id("bubble-menu-button").click()
    menu.get_by_test_id("menu-info").click()
    info = marta.page.get_by_test_id("info")
    expect(info.get_by_test_id("wamid")).to_contain_text("wamid.")
    expect(info.get_by_test_id("tries").locator("li")).to_have_count(1)
    info.locator("summary").click()
    expect(info.locator("pre")).to_contain_text("Authorization: Bearer $TOKEN")
    marta.page.keyboard.press("Escape")
    expect(info).to_have_count(0)

    hello.hover()
    hello.get_by_test_id("bubble-menu-button").click()
    menu.get_by_test_id("menu-note").click()
    expect(marta.text).to_have_value(re.compile(r"^> .*Hola, buenas"))
    marta.page.get_by_test_id("reply-tab").click()

    hello.hover()
    hello.get_by_test_id("bubble-menu-button").click()
    menu.get_by_test_id("menu-unread").click()
    expect(marta.row(customer).get_by_test_id("unread")).to_have_attribute("data-unread", "1")


def test_arrow_keys_walk_from_bubble_to_bubble(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Teclas")
    ana = with_customer(open_desk, customer)
    customer.writes("la segunda")
    expect(ana.bubble("la segunda")).to_be_visible()
    ana.log.focus()
    ana.page.keyboard.press("ArrowUp")
    expect(ana.bubble("la segunda")).to_be_focused()
    ana.page.keyboard.press("ArrowUp")
    expect(ana.bubble("Hola, buenas")).to_be_focused()
    ana.page.keyboard.press("Tab")
    expect(ana.bubble("Hola, buenas").get_by_test_id("quote")).to_be_focused()


def test_what_comes_late_stays_with_its_conversation(open_desk: OpenDesk, simulation: Simulation) -> None:
    other = simulation.customer("Otra")
    other.writes("Soy otra")
    ana = with_customer(open_desk, simulation.customer("Primera"))
    held: list[Route] = []
    ana.page.route("**/reactions/", lambda route: held.append(route))
    bubble = ana.bubble("Hola, buenas")
    bubble.hover()
    bubble.locator('[data-act="react"]').click()
    ana.page.locator("#react-bar [data-emoji]").first.click()
    ana.open(other)
    expect(ana.bubble("Soy otra")).to_be_visible()
    with ana.page.expect_response("**/reactions/"):
        held[0].continue_()
    ana.page.wait_for_timeout(300)
    expect(ana.bubble("Hola, buenas")).to_have_count(0)


def test_who_comes_back_to_the_tab_sees_how_it_is_now(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Oculta")
    ana = with_customer(open_desk, customer)
    look = """(hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    ana.page.evaluate(look, True)
    luis = open_desk(LUIS)
    luis.open(customer)
    luis.page.get_by_test_id("resolve").click()
    expect(luis.page.get_by_test_id("status-chip")).to_be_visible()
    ana.page.evaluate(look, False)
    expect(ana.page.get_by_test_id("status-chip")).to_be_visible()
    expect(ana.page.locator(".event")).to_have_count(1)


@pytest.mark.parametrize(("width", "height"), [(320, 256), (390, 420)])
def test_enlarged_four_times_one_still_reads_and_writes(
    open_desk: OpenDesk, simulation: Simulation, width: int, height: int
) -> None:
    ana = open_desk(viewport={"width": width, "height": height})
    customer = simulation.customer("Grande")
    customer.writes("Hola, buenas")
    ana.row(customer).click()
    expect(ana.bubble("Hola, buenas")).to_be_visible()
    assert (ana.log.bounding_box() or {})["height"] >= 115
    ana.text.fill("Se puede")
    expect(ana.page.get_by_test_id("send")).to_be_in_viewport()
    ana.text.press("Enter")
    expect(ana.bubble("Se puede")).to_be_visible()
    assert ana.fits()


def test_a_reaction_that_whatsapp_refuses_disappears(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Rechazo")
    ana = with_customer(open_desk, customer)
    hello = ana.bubble("Hola, buenas")
    simulation.settings(fail={"code": 131026, "count": 1})
    hello.hover()
    hello.get_by_test_id("react").click()
    ana.page.get_by_test_id("react-bar").get_by_text("👍").click()
    expect(hello.get_by_test_id("reaction")).to_have_count(0)


def test_on_a_phone_everything_fits_and_the_menu_is_within_reach(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Móvil")
    customer.writes("Hola, buenas")
    customer.does(type="image")
    customer.does(type="image")
    customer.does(type="voice")
    ana = open_desk(ANA, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    ana.row(customer).tap()
    hello = ana.bubble("Hola, buenas")
    expect(hello).to_be_visible()
    expect(ana.page.locator(".msg.album")).to_have_count(2)
    assert ana.fits()
    hello.locator(".bubble").tap()
    button = hello.get_by_test_id("bubble-menu-button")
    box = button.bounding_box()
    assert box
    assert min(box["width"], box["height"]) >= 44
    button.tap()
    menu = ana.page.get_by_test_id("bubble-menu")
    expect(menu.locator("[data-do=react]")).to_be_visible()
    menu.locator("[data-do=react]").tap()
    expect(ana.page.get_by_test_id("react-bar")).to_be_visible()


def obstacles(desk: Desk, context: str) -> list[str]:
    """What axe finds that hinders people."""
    found = Axe().run(desk.page, context=context).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_of_the_thread_hinders_people(open_desk: OpenDesk, simulation: Simulation, scheme: str) -> None:
    customer = simulation.customer("Accesible")
    ana = with_customer(open_desk, customer, MARTA, color_scheme=scheme)
    for kind in ("image", "image", "voice", "video", "document", "order", "contacts", "location", "call"):
        customer.does(type=kind)
    expect(ana.page.get_by_test_id("film")).to_be_visible()
    expect(ana.page.locator(".msg.album")).to_have_count(2)
    ana.log.focus()
    ana.page.keyboard.press("Control+f")
    ana.page.get_by_test_id("finder-text").fill("buenas")
    expect(ana.page.get_by_test_id("finder-count")).not_to_be_empty()
    assert obstacles(ana, ".log") == []
    assert obstacles(ana, "[data-finder]") == []
    ana.page.keyboard.press("Escape")
    ana.bubble("Hola, buenas").hover()
    ana.bubble("Hola, buenas").get_by_test_id("bubble-menu-button").click()
    assert obstacles(ana, "#bubble-menu") == []
    ana.page.get_by_test_id("menu-info").click()
    expect(ana.page.get_by_test_id("info")).to_be_visible()
    assert obstacles(ana, ".info") == []
    ana.page.keyboard.press("Escape")
    ana.page.get_by_test_id("picture").first.click()
    expect(ana.page.get_by_test_id("viewer")).to_be_visible()
    assert obstacles(ana, ".viewer") == []
