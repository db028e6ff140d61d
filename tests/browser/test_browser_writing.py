"""The composer in a browser: what an agent writes, takes back, sends later, records, and shares with colleagues."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.customers import SALES, Simulation
from tests.browser.desks import LUIS, MARTA
from tests.product import Product

pytestmark = pytest.mark.browser
MICROPHONE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63606060f80f0001040100"
    "5fe5c34b0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """A demo in which what was sent can be undone for four seconds."""
    with Product(demo=True, undo_send_seconds=4) as product:
        yield product.furnish().start()


@pytest.fixture(scope="module")
def chromium(product: Product) -> Iterator[Browser]:
    """A browser with a microphone that hums."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *MICROPHONE])
        yield browser
        browser.close()


@pytest.fixture
def customer(simulation: Simulation):
    found = simulation.customer("Rosa")
    found.writes("Hello?")
    return found


def test_what_was_just_sent_can_be_undone(open_desk, customer):
    ana = open_desk()
    ana.open(customer)
    ana.send("Oops, wrong person")
    undo = ana.bubble("Oops").get_by_test_id("cancel")
    expect(undo).to_have_text(re.compile(r"\d"))
    undo.click()
    expect(ana.text).to_have_value("Oops, wrong person")
    expect(ana.bubble("Oops")).to_have_count(0)
    ana.text.fill("Right person")
    ana.text.press("Enter")
    customer.waits_for(1)
    assert customer.texts() == ["Right person"]


def test_a_draft_follows_to_another_device(open_desk, customer):
    ana = open_desk()
    number = ana.open(customer)
    with ana.page.expect_request(lambda request: request.url.endswith("/draft/")):
        ana.text.press_sequentially("Half a thought")
    other = open_desk(path=f"/inbox/c/{number}/?view=all")
    expect(other.text).to_have_value("Half a thought")
    other.text.fill("")
    with other.page.expect_request(lambda request: request.url.endswith("/draft/")):
        other.text.press("a")
    other.text.fill("")
    other.page.wait_for_timeout(2500)
    ana.page.reload()
    expect(ana.text).to_have_value("")


def test_quick_answers_are_inserted_where_one_writes(open_desk, customer):
    ana = open_desk()
    ana.open(customer)
    ana.text.press_sequentially("First. /hola")
    option = ana.page.get_by_test_id("option").first
    expect(option).to_have_attribute("aria-selected", "true")
    ana.text.press("Enter")
    expect(ana.text).to_have_value(re.compile(r"^First\. .*Rosa"))
    expect(ana.page.get_by_test_id("suggest")).to_be_hidden()
    ana.text.fill("Dear {{contact.company}}, hello")
    ana.text.press("Enter")
    expect(ana.page.get_by_test_id("composer-error")).to_contain_text("{{contact.company}}")
    assert ana.page.evaluate("getSelection().toString()") == "{{contact.company}}"
    assert customer.texts() == []


def test_managers_write_quick_answers_from_the_inbox(open_desk, customer, watch):
    watch.allow("422")
    marta = open_desk(MARTA)
    marta.open(customer)
    marta.text.press_sequentially("Parking is behind the house /")
    marta.page.get_by_test_id("option-all").click()
    dialog = marta.page.get_by_test_id("answers")
    expect(dialog.get_by_test_id("answer-body").first).to_have_value("Parking is behind the house")
    dialog.get_by_test_id("answer-shortcut").first.fill("two words")
    dialog.get_by_test_id("answer-save").first.click()
    expect(dialog.get_by_test_id("answer-error")).to_be_visible()
    marta.page.keyboard.press("ControlOrMeta+a")
    marta.page.keyboard.type("parking")
    dialog.get_by_test_id("answer-save").first.click()
    expect(dialog.get_by_test_id("answers-done")).to_be_visible()
    marta.page.keyboard.press("Escape")
    marta.text.fill("")
    marta.text.press_sequentially("/park")
    marta.page.get_by_test_id("option").filter(has_text="/parking").click()
    expect(marta.text).to_have_value("Parking is behind the house")


def test_a_mention_reaches_the_colleague(open_desk, customer):
    ana, marta = open_desk(), open_desk(MARTA)
    ana.open(customer)
    ana.page.get_by_test_id("note-tab").click()
    ana.text.press_sequentially("Look at this @mar")
    expect(ana.page.get_by_test_id("option").first).to_contain_text("Marta")
    ana.text.press("Enter")
    expect(ana.text).to_have_value(re.compile("@Marta .+ $"))
    ana.text.press("Enter")
    expect(ana.bubble("Look at this")).to_have_class(re.compile("note"))
    marta.page.goto("/inbox/?view=mentions")
    expect(marta.row(customer)).to_be_visible()


def test_sent_later(open_desk, customer, simulation, watch):
    watch.allow("422")
    ana = open_desk()
    ana.open(customer)
    ana.text.fill("See you tomorrow")
    ana.page.get_by_test_id("later").click()
    dialog = ana.page.get_by_test_id("later-dialog")
    dialog.get_by_test_id("later-at").fill("2020-01-01T10:00")
    dialog.get_by_test_id("later-save").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.locator('[data-pick="hour"]').click()
    dialog.get_by_test_id("later-save").click()
    planned = ana.page.get_by_test_id("planned-item")
    expect(planned).to_contain_text("See you tomorrow")
    expect(ana.text).to_have_value("")
    planned.get_by_test_id("planned-edit").click()
    dialog.get_by_test_id("later-text").fill("See you soon")
    dialog.get_by_test_id("later-save").click()
    expect(planned).to_contain_text("See you soon")
    simulation.move_clock(advance=3700)
    customer.waits_for(1)
    expect(planned).to_have_count(0)
    expect(ana.bubble("See you soon")).to_be_visible()
    assert customer.texts() == ["See you soon"]


def test_a_voice_message_is_recorded_and_arrives_as_one(open_desk, customer):
    ana = open_desk(permissions=["microphone"])
    ana.open(customer)
    ana.page.get_by_test_id("record").click()
    expect(ana.page.get_by_test_id("record-time")).to_have_text("0:02")
    ana.page.get_by_test_id("record-stop").click()
    expect(ana.page.locator("[data-rec-play]")).to_be_visible()
    ana.page.get_by_test_id("record-send").click()
    expect(ana.page.get_by_test_id("recorder")).to_be_hidden()
    [message] = customer.waits_for(1)
    assert message["type"] == "audio"
    assert message["audio"]["voice"] is True


def test_a_recording_is_discarded_with_the_conversation(open_desk, customer, simulation):
    other = simulation.customer("Paco")
    other.writes("Hi")
    ana = open_desk(permissions=["microphone"])
    ana.open(customer)
    ana.page.get_by_test_id("record").click()
    expect(ana.page.get_by_test_id("record-send")).to_be_visible()
    expect(ana.page.get_by_test_id("note-tab")).to_be_hidden()  # what is recorded as a reply stays one
    ana.page.keyboard.press("n")
    ana.open(other)
    expect(ana.page.get_by_test_id("recorder")).to_be_hidden()
    expect(ana.text).to_be_visible()
    assert customer.received() == []


def test_files_with_captions_of_their_own(open_desk, customer):
    ana = open_desk()
    ana.open(customer)
    files = [{"name": f"{name}.png", "mimeType": "image/png", "buffer": PNG} for name in ("one", "two")]
    ana.page.get_by_test_id("attach").set_input_files(files)
    captions = ana.page.get_by_test_id("caption")
    expect(captions.nth(1)).to_be_visible()
    captions.nth(1).fill("the second")
    ana.text.fill("the first")
    ana.text.press("Enter")
    assert [message["image"].get("caption") for message in customer.waits_for(2)] == ["the first", "the second"]


def test_an_undone_file_is_back_in_the_tray(open_desk, customer):
    ana = open_desk()
    ana.open(customer)
    ana.page.get_by_test_id("attach").set_input_files([{"name": "a.png", "mimeType": "image/png", "buffer": PNG}])
    expect(ana.page.get_by_test_id("caption")).to_be_visible()
    ana.text.fill("look")
    ana.text.press("Enter")
    ana.bubble("look").get_by_test_id("cancel").click()
    expect(ana.page.get_by_test_id("tray-item")).to_contain_text("a.png")
    ana.text.fill("look again")
    ana.text.press("Enter")
    assert customer.waits_for(1)[0]["image"]["caption"] == "look again"


def test_an_undone_place_is_asked_for_again(open_desk, customer):
    ana = open_desk()
    ana.open(customer)
    ana.page.get_by_test_id("place").click()
    ana.page.get_by_test_id("place-link").fill("40.4168, -3.7038")
    ana.page.get_by_test_id("place-name").fill("Sol")
    ana.page.get_by_test_id("place-send").click()
    ana.bubble("Sol").get_by_test_id("cancel").click()
    expect(ana.page.get_by_test_id("place-longitude")).to_have_value("-3.7038")
    expect(ana.page.get_by_test_id("place-name")).to_have_value("Sol")
    expect(ana.bubble("Sol")).to_have_count(0)


def test_what_waits_in_a_conversation_waits_until_one_comes_back(open_desk, customer, simulation):
    other = simulation.customer("Paco")
    other.writes("Hi")
    ana = open_desk()
    number = ana.open(customer)
    ana.page.get_by_test_id("attach").set_input_files([{"name": "a.png", "mimeType": "image/png", "buffer": PNG}])
    ana.page.get_by_test_id("caption").fill("of the first")
    ana.text.fill("Only for Rosa")
    ana.row(customer).click()  # the open one again
    expect(ana.page.get_by_test_id("tray-item")).to_contain_text("a.png")
    ana.open(other)
    expect(ana.page.get_by_test_id("tray-item")).to_have_count(0)
    expect(ana.text).to_have_value("")
    expect(ana.row(customer)).to_contain_text("Only for Rosa")
    ana.open(customer)
    expect(ana.page.get_by_test_id("caption")).to_have_value("of the first")
    expect(ana.text).to_have_value("Only for Rosa")
    me = ana.page.locator("body").get_attribute("data-user")
    keys = ana.page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('draft:'))")
    assert keys == [f"draft:{me}:{number}:reply"]


def test_what_is_undone_and_left_waits_in_its_conversation(open_desk, customer, simulation):
    other = simulation.customer("Paco")
    other.writes("Hi")
    ana = open_desk()
    ana.open(customer)
    held = []
    ana.page.route("**/undo/", lambda route: held.append(route))
    ana.send("Wait, no")
    ana.bubble("Wait, no").get_by_test_id("cancel").click()
    deadline = time.monotonic() + 10
    while not held and time.monotonic() < deadline:
        ana.page.wait_for_timeout(50)
    ana.open(other)
    held[0].continue_()
    expect(ana.row(customer)).to_contain_text("Wait, no")
    expect(ana.page.get_by_test_id("toasts").locator("p")).to_have_count(1)
    expect(ana.text).to_have_value("")
    ana.open(customer)
    expect(ana.text).to_have_value("Wait, no")
    assert customer.texts() == []


def test_what_is_refused_after_one_left_is_told_with_the_way_back(open_desk, customer, simulation, watch):
    watch.allow("422")
    other = simulation.customer("Paco")
    other.writes("Hi")
    ana = open_desk()
    ana.open(customer)
    held = []
    ana.page.route(re.compile(r"/messages/$"), lambda route: held.append(route))
    ana.send("This one is refused")
    ana.open(other)
    held[0].fulfill(status=422, body="<p data-error>Not like this.</p>")
    toast = ana.page.get_by_test_id("toasts")
    expect(toast).to_contain_text(customer.name)
    expect(ana.row(customer)).to_contain_text("⚠️")
    toast.get_by_role("link").click()
    expect(ana.bubble("This one is refused")).to_contain_text("Not like this.")
    ana.bubble("This one is refused").locator('[data-act="local-delete"]').click()
    expect(ana.row(customer)).not_to_contain_text("⚠️")


def test_a_quick_enter_takes_the_answer_and_sends_nothing(open_desk, customer):
    ana = open_desk()
    ana.open(customer)
    ana.text.press_sequentially("/hola")
    ana.text.press("Enter")
    expect(ana.text).to_have_value(re.compile("Rosa"))
    assert customer.texts() == []


def test_emoji_are_found_in_the_agents_language(open_desk, customer):
    ana = open_desk()
    ana.open(customer)
    ana.text.fill("Hola ")
    ana.page.get_by_test_id("emoji").click()
    ana.page.get_by_test_id("emoji-search").fill("pulgar arriba")
    ana.page.get_by_test_id("emoji-grid").get_by_role("button").first.click()
    expect(ana.text).to_have_value(re.compile("Hola 👍"))
    expect(ana.text).to_be_focused()
    ana.page.get_by_test_id("emoji").click()
    expect(ana.page.get_by_test_id("emoji-grid").get_by_role("button").first).to_have_text(re.compile("👍"))


def test_marks_go_around_the_selection_and_away_again(open_desk, customer):
    ana = open_desk()
    ana.open(customer)
    ana.text.fill("word")
    ana.text.select_text()
    ana.text.press("ControlOrMeta+b")
    expect(ana.text).to_have_value("*word*")
    ana.page.get_by_test_id("format").click()
    ana.page.get_by_test_id("italic").click()
    expect(ana.text).to_have_value("*_word_*")
    ana.text.press("ControlOrMeta+z")
    expect(ana.text).to_have_value("*word*")


def test_two_who_answer_at_once(open_desk, simulation, watch):
    watch.allow("409", "net::ERR_FAILED")
    customer = simulation.customer("Rosa", SALES)
    customer.writes("Anybody?")
    luis, marta = open_desk(LUIS), open_desk(MARTA)
    luis.open(customer)
    marta.open(customer)
    luis.text.press_sequentially("I am on it")
    expect(marta.page.get_by_test_id("typing")).to_contain_text("Luis")
    marta.page.route("**/messages/?ids=*", lambda route: route.abort())  # she has not yet seen what he wrote
    marta.page.route("**/messages/?after=*", lambda route: route.abort())
    luis.text.press("Enter")
    expect(luis.bubble("I am on it").get_by_test_id("tick")).to_be_visible()
    expect(luis.text).to_have_value("")
    luis.page.wait_for_timeout(500)
    marta.send("Me too")
    failed = marta.bubble("Me too")
    expect(failed.get_by_test_id("error-text")).to_contain_text("Luis")
    failed.get_by_test_id("retry").click()
    customer.waits_for(2)
    assert customer.texts() == ["I am on it", "Me too"]


def test_arrow_up_in_an_empty_box_quotes_the_last_question(open_desk, customer):
    ana = open_desk()
    ana.open(customer)
    ana.text.press("ArrowUp")
    expect(ana.page.get_by_test_id("quote-bar")).to_contain_text("Hello?")


def test_a_closed_window_offers_template_and_note(open_desk, customer, simulation):
    ana = open_desk()
    ana.open(customer)
    simulation.move_clock(advance=25 * 3600)
    expect(ana.strip).to_have_attribute("data-state", "closed")
    ana.page.get_by_test_id("choose-template").click()
    expect(ana.page.get_by_test_id("templates")).to_be_visible()
    ana.page.keyboard.press("Escape")
    expect(ana.page.get_by_test_id("templates")).to_be_hidden()
    ana.log.focus()
    ana.page.keyboard.press("t")
    expect(ana.page.get_by_test_id("templates")).to_be_visible()
    ana.page.keyboard.press("Escape")
    ana.page.keyboard.press("Control+k")
    ana.page.locator('[data-testid="palette-option"][data-run^="template"]').click()
    expect(ana.page.get_by_test_id("templates")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390])
def test_it_fits_a_phone(open_desk, customer, width):
    ana = open_desk(viewport={"width": width, "height": 800}, has_touch=True, is_mobile=True)
    ana.row(customer).tap()
    expect(ana.text).to_be_visible()
    assert ana.fits()
    page = ana.page
    targets = ["plus", "emoji", "record", "template", "photo", "plus-note", "canned", "later", "format"]
    for name in targets:
        if name == "template":
            page.get_by_test_id("plus").tap()
        box = ana.page.get_by_test_id(name).bounding_box()
        assert box["width"] >= 44
        assert box["height"] >= 44
        assert box["x"] + box["width"] <= width
    with page.expect_file_chooser() as chooser:
        page.get_by_test_id("photo").tap()
    chooser.value.set_files([{"name": "a.png", "mimeType": "image/png", "buffer": PNG}])
    expect(page.get_by_test_id("photo")).to_be_hidden()
    page.locator("[data-remove]").tap()
    expect(page.get_by_test_id("send")).to_be_hidden()
    ana.text.fill("x")
    expect(ana.page.get_by_test_id("send")).to_be_visible()
    expect(ana.page.get_by_test_id("record")).to_be_hidden()
