"""The phone and the clerk's page: what a customer does reaches the inbox, and what goes wrong is made to go wrong."""

import json
import re
import time
import urllib.request
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.customers import SALES, Customer, Simulation
from tests.browser.desks import Desk, now, say
from tests.browser.watching import OpenContext, OpenDesk, Watch
from tests.product import Product

pytestmark = pytest.mark.browser

SEND_READ_MARKS = "from conversations.inboxes.models import Inbox; Inbox.objects.update(read_receipts=True)"
# The words that do not fit where they stand.
CUT = """() => {
  const pen = document.createElement("canvas").getContext("2d"), cut = [];
  for (const select of document.querySelectorAll(".controls select")) {
    pen.font = getComputedStyle(select).font;
    const room = select.clientWidth - 44;
    cut.push(...[...select.options].map((option) => option.text).filter((text) => pen.measureText(text).width > room));
  }
  for (const node of document.querySelectorAll("button, .switch, .who strong, .who > span")) {
    if (node.offsetParent && node.scrollWidth > node.clientWidth + 1) cut.push(node.textContent.trim());
  }
  return cut;
}"""


class Phone:
    """One of the phones on the page."""

    def __init__(self, page: Page, place: int = 0) -> None:
        self.page = page
        self.node = page.get_by_test_id("handset").nth(place)
        self.mine, self.theirs = self.node.get_by_test_id("mine"), self.node.get_by_test_id("theirs")
        self.text = self.node.get_by_test_id("text")
        self.toast = self.node.get_by_test_id("toast")

    def hand_to(self, customer: Customer) -> None:
        """Put the phone into the hands of a customer."""
        self.node.get_by_test_id("customer").select_option(label=customer.name)
        expect(self.node.get_by_test_id("owner-id")).to_contain_text(customer.number)

    def write(self, text: str) -> None:
        """Write and press Enter."""
        self.text.fill(text)
        self.text.press("Enter")

    def do(self, *names: str) -> None:
        """Tap through sheets: attach or phone-menu, then what is in it."""
        self.node.get_by_test_id(names[0]).click()
        for name in names[1:]:
            self.node.get_by_test_id(f"do-{name}").click()

    def submit(self, **fields: str) -> None:
        """Fill the form of the open sheet and send it."""
        for name, value in fields.items():
            self.node.get_by_test_id(f"field-{name}").fill(value)
        self.node.get_by_test_id("sheet-submit").click()

    def menu(self, line: Locator, name: str) -> None:
        """Open a message's sheet and tap."""
        line.hover()
        line.get_by_test_id("acts").click()
        self.node.get_by_test_id(f"do-{name}").click()


def phone_page(open_context: OpenContext, path: str = "/simulator/", **options: Any) -> Page:
    """The page of phones, once the first phone shows whose it is."""
    page = open_context(**options).new_page()
    page.goto(path)
    expect(page.get_by_test_id("owner-id").first).to_contain_text(re.compile(r"\d{5}"))
    return page


def desk_and_phone(
    open_desk: OpenDesk, open_context: OpenContext, customer: Customer, **options: Any
) -> tuple[Desk, Phone]:
    """A desk with the customer's conversation open, and a phone in the customer's hands."""
    customer.writes("Hola, buenas")
    desk = open_desk()
    desk.open(customer)
    phone = Phone(phone_page(open_context, **options))
    phone.hand_to(customer)
    expect(phone.mine).to_have_count(1)
    return desk, phone


def serious(page: Page) -> list[str]:
    """What axe finds that hinders people."""
    found = Axe().run(page).response["violations"]
    return [f"{item['id']}: {item['nodes'][0]['html']}" for item in found if item["impact"] in ("serious", "critical")]


def test_a_message_is_in_the_inbox_within_a_second_and_ticks_go_both_ways(
    product: Product, open_desk: OpenDesk, open_context: OpenContext, simulation: Simulation
) -> None:
    product.manage("shell", "-v0", "-c", SEND_READ_MARKS)
    desk, phone = desk_and_phone(open_desk, open_context, simulation.customer("Berta"))
    desk.stopwatch("[data-items]", "¿Cubre el robo?")
    phone.text.fill("¿Cubre el robo?")
    start = now()
    phone.text.press("Enter")
    say("phone to inbox", desk.seen_after(start))
    expect(phone.mine.last).to_have_attribute("data-state", "read")
    desk.send("Sí, también")
    expect(phone.theirs.filter(has_text="Sí, también")).to_be_visible()
    desk.state("Sí, también", "read")


def test_duplicates_and_disorder_add_nothing(
    open_desk: OpenDesk, open_context: OpenContext, simulation: Simulation
) -> None:
    desk, phone = desk_and_phone(open_desk, open_context, simulation.customer("Celia"))
    page = phone.page
    page.get_by_test_id("set-duplicate").check()
    page.get_by_test_id("set-shuffle").check()
    expect(page.get_by_test_id("behave")).to_be_visible()
    for text in ("uno", "dos", "tres"):
        phone.write(text)
    for text in ("uno", "dos", "tres"):
        expect(desk.bubble(text)).to_have_count(1)
    page.wait_for_timeout(1000)
    assert [desk.bubble(text).count() for text in ("uno", "dos", "tres")] == [1, 1, 1]
    page.get_by_test_id("behave").click()
    expect(page.get_by_test_id("set-duplicate")).not_to_be_checked()
    assert simulation.call("settings")["duplicate"] == 0


def test_a_day_later_the_window_is_closed_on_both_sides(
    open_desk: OpenDesk, open_context: OpenContext, simulation: Simulation
) -> None:
    desk, phone = desk_and_phone(open_desk, open_context, simulation.customer("Damián"))
    simulation.moved = True
    phone.page.get_by_test_id("plus-25h").click()
    expect(phone.page.get_by_test_id("offset")).to_have_text("+25 h")
    expect(phone.node.get_by_test_id("strip")).to_be_visible()
    expect(desk.strip).to_have_attribute("data-state", "closed")
    phone.write("Sigo aquí")
    expect(phone.node.get_by_test_id("strip")).to_be_hidden()
    expect(desk.strip).not_to_have_attribute("data-state", "closed")
    phone.page.get_by_test_id("reset-clock").click()
    expect(phone.page.get_by_test_id("offset")).to_be_hidden()


def test_a_template_button_answers_in_context(
    product: Product, open_desk: OpenDesk, open_context: OpenContext, simulation: Simulation
) -> None:
    customer = simulation.customer("Elsa")
    desk, phone = desk_and_phone(open_desk, open_context, customer)
    token = product.manage("create_token", "--user", "manager@demo.test", "--scope", "read", "write").split()[-1]
    parameters = [{"type": "text", "text": word} for word in ("Elsa", "A-7")]
    template = {
        "name": "seguimiento_caso",
        "language": "es",
        "components": [{"type": "body", "parameters": parameters}],
    }
    request = urllib.request.Request(
        f"{product.url}/api/v1/conversations/{desk.thread.get_attribute('data-c')}/messages/",
        json.dumps({"template": template}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status in (201, 202)
    shown = phone.theirs.filter(has_text="tenemos novedades sobre tu caso A-7")
    shown.get_by_test_id("option").filter(has_text="Sí, seguimos").click()
    expect(phone.mine.last).to_contain_text("Sí, seguimos")
    tapped = desk.bubble("Sí, seguimos").last
    expect(tapped.locator(".quoted")).to_be_visible()


def test_what_a_phone_can_send_arrives(open_desk: OpenDesk, open_context: OpenContext, simulation: Simulation) -> None:
    desk, phone = desk_and_phone(open_desk, open_context, simulation.customer("Fermín"))
    phone.do("attach", "location")
    phone.submit(name="Plaza Mayor")
    expect(desk.bubble("Plaza Mayor")).to_be_visible()
    phone.do("attach", "contact")
    phone.submit(name="Rita Sol", phone="+34 611 222 333")
    expect(desk.bubble("Rita Sol")).to_be_visible()
    phone.do("attach", "cart")
    expect(phone.node.get_by_test_id("send-cart")).to_be_disabled()
    phone.node.get_by_test_id("more").nth(2).click(click_count=2)
    phone.node.get_by_test_id("cart-note").fill("¿En dos plazos?")
    phone.node.get_by_test_id("send-cart").click()
    expect(desk.bubble("¿En dos plazos?")).to_contain_text("192")
    phone.do("attach", "sample-voice")
    expect(desk.page.locator(".k-audio, .k-voice")).to_have_count(1)
    phone.text.fill("así quedó")
    with phone.page.expect_file_chooser() as chooser:
        phone.do("attach", "document")
    chooser.value.set_files({"name": "parte.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4\n%%EOF"})
    expect(desk.bubble("así quedó")).to_contain_text("parte.pdf")
    expect(phone.text).to_have_value("")


def test_quotes_reactions_edits_and_deletions(
    open_desk: OpenDesk, open_context: OpenContext, simulation: Simulation
) -> None:
    desk, phone = desk_and_phone(open_desk, open_context, simulation.customer("Gema"))
    desk.send("¿La matrícula?")
    theirs = phone.theirs.filter(has_text="¿La matrícula?")
    phone.menu(theirs, "reply")
    expect(phone.node.get_by_test_id("quoting")).to_contain_text("¿La matrícula?")
    phone.write("1234 KLM")
    expect(desk.bubble("1234 KLM").locator(".quoted")).to_contain_text("¿La matrícula?")
    theirs.hover()
    theirs.get_by_test_id("acts").click()
    phone.node.get_by_test_id("heart").first.click()
    expect(desk.bubble("¿La matrícula?").first.get_by_test_id("reaction")).to_have_text("👍")
    expect(theirs.get_by_test_id("reactions")).to_have_text("👍")
    mine = phone.mine.filter(has_text="1234 KLM")
    phone.menu(mine, "edit")
    expect(phone.text).to_have_value("1234 KLM")
    phone.write("1234 KLN")
    expect(desk.bubble("1234 KLN")).to_be_visible()
    phone.menu(phone.mine.filter(has_text="1234 KLN"), "delete")
    expect(phone.mine.last).not_to_contain_text("KLN")
    expect(desk.page.locator(".msg.revoked")).to_have_count(1)


def test_a_recorded_voice_note_can_be_dropped_or_sent(
    open_desk: OpenDesk, open_context: OpenContext, simulation: Simulation
) -> None:
    customer = simulation.customer("Hugo")
    desk, phone = desk_and_phone(open_desk, open_context, customer)
    # a headless browser has no microphone: a tone stands in for it
    phone.page.evaluate("""() => { navigator.mediaDevices.getUserMedia = async () => {
      const sound = new AudioContext(), tone = sound.createOscillator(), out = sound.createMediaStreamDestination();
      tone.connect(out); tone.start(); return out.stream; }; }""")
    phone.node.get_by_test_id("voice").click()
    expect(phone.node.get_by_test_id("recording")).to_be_visible()
    phone.node.get_by_test_id("drop-voice").click()
    expect(phone.node.get_by_test_id("recording")).to_be_hidden()
    expect(phone.mine).to_have_count(1)
    phone.node.get_by_test_id("voice").click()
    phone.page.wait_for_timeout(700)
    phone.node.get_by_test_id("send-voice").click()
    expect(phone.mine).to_have_count(2)
    expect(desk.page.locator(".k-audio, .k-voice")).to_have_count(1)


def test_calls_promotions_and_a_new_number(
    open_desk: OpenDesk, open_context: OpenContext, simulation: Simulation
) -> None:
    customer = simulation.customer("Irene")
    desk, phone = desk_and_phone(open_desk, open_context, customer)
    phone.node.get_by_test_id("call").click()
    phone.node.get_by_test_id("hang-up").click()
    expect(phone.mine).to_have_count(2)
    expect(desk.page.locator(".k-call").first).to_be_visible()
    phone.do("phone-menu", "stop")
    expect(phone.node.get_by_test_id("event")).to_have_count(1)
    phone.do("phone-menu", "change-number")
    phone.submit(phone="12")
    expect(phone.node.get_by_test_id("problem")).to_be_visible()
    new = f"347{customer.number[3:]}"
    phone.submit(phone=new)
    expect(phone.node.get_by_test_id("owner-id")).to_contain_text(new)
    phone.write("Soy yo, con otro número")
    expect(desk.bubble("Soy yo, con otro número")).to_be_visible()
    desk.send("Anotado")
    expect(phone.theirs.filter(has_text="Anotado")).to_be_visible()


def test_somebody_without_a_number_writes_and_is_answered(
    open_desk: OpenDesk, open_context: OpenContext, simulation: Simulation, watch: Watch
) -> None:
    watch.allow("400 (Bad Request)")
    phone = Phone(phone_page(open_context))
    name = f"Jara {int(time.time()) % 10**6}"
    phone.node.get_by_test_id("new-customer").click()
    phone.submit(name=name)
    expect(phone.node.get_by_test_id("problem")).to_be_visible()
    phone.submit(name=name, user_id=f"ES.{time.time_ns()}")
    expect(phone.node.get_by_test_id("owner-id")).to_contain_text("ES.")
    phone.write("No tengo número visible")
    desk = open_desk()
    desk.rows.filter(has_text=name).click()
    expect(desk.bubble("No tengo número visible")).to_be_visible()
    desk.send("No hace falta")
    expect(phone.theirs.filter(has_text="No hace falta")).to_be_visible()


def test_an_offline_phone_catches_up_and_a_forced_failure_shows_in_the_inbox(
    open_desk: OpenDesk, open_context: OpenContext, simulation: Simulation
) -> None:
    desk, phone = desk_and_phone(open_desk, open_context, simulation.customer("Lara"))
    phone.do("phone-menu", "offline")
    expect(phone.text).to_be_disabled()
    desk.send("¿Estás ahí?")
    desk.state("¿Estás ahí?", "sent")
    expect(phone.theirs).to_have_count(0)
    phone.do("phone-menu", "offline")
    expect(phone.theirs).to_have_count(1)
    desk.state("¿Estás ahí?", "read")
    phone.page.get_by_test_id("set-fail").select_option("131026")
    phone.page.get_by_test_id("fail-1").click()
    expect(phone.page.get_by_test_id("mischief-state")).to_contain_text("1")
    desk.send("Esto no llega")
    desk.state("Esto no llega", "failed")
    expect(phone.theirs).to_have_count(1)
    expect(phone.page.get_by_test_id("mischief-state")).to_be_empty()


def test_phones_side_by_side_are_different_people(open_context: OpenContext, simulation: Simulation) -> None:
    people = [simulation.customer(name) for name in ("Mara", "Nico")]
    for person in people:
        person.writes(f"Soy {person.name}")
    page = phone_page(open_context, "/simulator/?phones=2")
    phones = [Phone(page, place) for place in range(2)]
    assert len({phone.node.get_by_test_id("customer").input_value() for phone in phones}) == 2
    for phone, person in zip(phones, people, strict=True):
        phone.hand_to(person)
        expect(phone.mine.last).to_contain_text(person.name)
    page.get_by_test_id("add-phone").click()
    expect(page.get_by_test_id("handset")).to_have_count(3)
    assert "phones=3" in page.url
    page.get_by_test_id("remove-phone").nth(2).click()
    page.reload()
    expect(phones[0].mine.last).to_contain_text(people[0].name)
    expect(phones[1].mine.last).to_contain_text(people[1].name)
    phones[0].node.get_by_test_id("back").click()
    phones[0].node.get_by_test_id("chat-row").nth(1).click()
    phones[0].write("A la otra tienda")
    expect(phones[0].mine).to_have_count(1)
    assert simulation.call(f"conversations?number={SALES}&contact={people[0].number}")["messages"]


def test_the_clerk_decides_and_the_inbox_hears_of_it(open_context: OpenContext, simulation: Simulation) -> None:
    page = open_context().new_page()
    page.goto("/simulator/clerk/")
    card = page.get_by_test_id("template").and_(page.locator('[data-name="recordatorio_cita"]'))
    card.get_by_test_id("choose-reject").select_option("PROMOTIONAL")
    card.get_by_test_id("decide-reject").click()
    expect(card).to_have_attribute("data-status", "REJECTED")
    expect(card.get_by_test_id("reason")).to_be_visible()
    card.get_by_test_id("decide-approve").click()
    expect(card).to_have_attribute("data-status", "APPROVED")
    card.get_by_test_id("choose-quality").select_option("RED")
    card.get_by_test_id("decide-quality").click()
    expect(card.get_by_test_id("quality")).to_contain_text("Baja")
    card.get_by_test_id("decide-pause").click()
    expect(card).to_have_attribute("data-status", "PAUSED")
    deadline = time.monotonic() + 10
    while simulation.call("health")["pending_webhooks"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert serious(page) == []


@pytest.mark.parametrize(
    ("width", "height", "scheme", "locale"),
    [
        (1280, 800, "light", "es-ES"),
        (390, 844, "dark", "en-GB"),
        (390, 844, "light", "es-ES"),
        (1280, 800, "dark", "en-GB"),
    ],
)
def test_the_pages_fit_and_hinder_nobody(
    open_context: OpenContext, simulation: Simulation, width: int, height: int, scheme: str, locale: str
) -> None:
    simulation.customer("Olalla").writes("Hola")
    options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme, "locale": locale}
    page = phone_page(open_context, "/simulator/?phones=2", **options)
    phone = Phone(page)
    expect(page.locator("html")).to_have_attribute("lang", locale[:2])
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    assert serious(page) == []
    for name in ("attach", "phone-menu"):
        phone.node.get_by_test_id(name).click()
        expect(phone.node.get_by_test_id("sheet")).to_be_visible()
        page.wait_for_timeout(250)
        assert serious(page) == []
        page.keyboard.press("Escape")
        expect(phone.node.get_by_test_id("sheet")).to_be_hidden()
        expect(phone.node.get_by_test_id(name)).to_be_focused()
    page.goto("/simulator/clerk/")
    expect(page.get_by_test_id("template").first).to_be_visible()
    assert page.evaluate(fits)
    assert serious(page) == []


def test_no_label_of_the_controls_is_cut(open_context: OpenContext, simulation: Simulation) -> None:
    for locale in ("es-ES", "en-GB"):
        page = phone_page(open_context, "/simulator/?phones=3", locale=locale)
        cut = page.evaluate(CUT)
        assert cut == []
