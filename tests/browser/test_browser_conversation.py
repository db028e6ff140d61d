"""Two agents and a customer: what one does the others see, and what must not leave does not."""

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Route, expect

from tests.browser.customers import Customer, Simulation
from tests.browser.desks import ANA, LUIS, Desk, now, say
from tests.browser.watching import OpenDesk, Watch
from tests.product import PASSWORD, Product

pytestmark = pytest.mark.browser

PDF = FilePayload(
    name="póliza.pdf", mimeType="application/pdf", buffer=b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF"
)
# Hands the element a file as the browser does when somebody pastes or drops one.
HAND_OVER = """(element, [deed, name, type, content]) => {
  const transfer = new DataTransfer(), bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  transfer.items.add(new File([bytes], name, { type }));
  const how = { bubbles: true, cancelable: true };
  element.dispatchEvent(deed === "paste"
    ? new ClipboardEvent("paste", { ...how, clipboardData: transfer })
    : new DragEvent(deed, { ...how, dataTransfer: transfer }));
}"""
PROGRAM = b"MZ" + bytes(60) + b"\x40" + bytes(3) + b"PE\0\0" + bytes(200)
MEGABYTE = 1024 * 1024
GOOGLE_LINK = (
    "https://www.google.com/maps/place/Museo+del+Prado/@40.4150,-3.6940,17z/data=!3m1!4b1!4m6!3m5!1s0xd42289:0xe"
    "!8m2!3d40.4137818!4d-3.6921271!16zL20v"
)


def picture() -> FilePayload:
    """A PNG of some size."""
    file = io.BytesIO()
    Image.effect_mandelbrot((320, 240), (-2, -1.2, 1, 1.2), 60).save(file, "PNG")
    return FilePayload(name="coche.png", mimeType="image/png", buffer=file.getvalue())


def with_customer(open_desk: OpenDesk, customer: Customer, email: str = ANA) -> Desk:
    """A desk with the customer's conversation open; the customer has said hello."""
    customer.writes("Hola, buenas")
    desk = open_desk(email)
    desk.open(customer)
    expect(desk.bubble("Hola, buenas")).to_be_visible()
    return desk


def test_an_inbound_message_stands_in_both_agents_lists_and_threads(
    open_desk: OpenDesk, simulation: Simulation
) -> None:
    customer = simulation.customer("Nieves")
    ana, luis = with_customer(open_desk, customer), open_desk(LUIS)
    luis.open(customer)
    luis.text.fill("un borrador a medias")
    luis.text.evaluate("(box) => box.setSelectionRange(3, 3)")

    for desk in (ana, luis):
        desk.stopwatch("[data-items]", "¿Cubre el granizo?")
    start = now()
    customer.writes("¿Cubre el granizo?")
    say("webhook to Ana's thread", ana.seen_after(start))
    say("webhook to Luis's thread", luis.seen_after(start))
    expect(ana.page.get_by_test_id("announcer")).to_contain_text("¿Cubre el granizo?")
    ana.stopwatch("[data-rows]", "¿Y la lluvia?")
    start = now()
    customer.writes("¿Y la lluvia?")
    say("webhook to Ana's list", ana.seen_after(start))
    for desk in (ana, luis):
        expect(desk.bubble("¿Y la lluvia?")).to_have_count(1)
        expect(desk.preview(customer)).to_contain_text("¿Y la lluvia?")
    expect(luis.text).to_have_value("un borrador a medias")
    expect(luis.text).to_be_focused()
    assert luis.text.evaluate("(box) => box.selectionStart") == 3


def test_a_reply_is_pending_at_once_climbs_to_read_and_shows_at_the_other_agent(
    open_desk: OpenDesk, simulation: Simulation
) -> None:
    customer = simulation.customer("Olga")
    ana, luis = with_customer(open_desk, customer), open_desk(LUIS)
    luis.open(customer)
    luis.text.fill("lo mío")
    simulation.settings(delay=0.5)
    ana.record_states("Sí, también")
    ana.stopwatch("[data-items]", "Sí, también")
    luis.stopwatch("[data-items]", "Sí, también")
    ana.text.fill("Sí, también")
    start = now()
    ana.text.press("Enter")
    say("Enter to the agent's own bubble", ana.seen_after(start))
    say("Enter to the other agent's thread", luis.seen_after(start))
    expect(ana.text).to_have_value("")
    for desk in (ana, luis):
        desk.state("Sí, también", "read")
    say("Enter to read", round((now() - start) * 1000))
    climbed = ["pending", "sent", "delivered", "read"]
    assert ana.states() == [state for state in climbed if state in ana.states()]
    assert ana.states()[0] == "pending"
    assert customer.texts() == ["Sí, también"]
    expect(luis.text).to_have_value("lo mío")
    expect(luis.text).to_be_focused()

    simulation.call("statuses", {"wamid": customer.received()[0]["wamid"], "status": "delivered"})
    customer.writes("Gracias")
    expect(ana.bubble("Gracias")).to_be_visible()
    ana.state("Sí, también", "read")


def test_a_double_click_sends_once(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Pepa")
    ana = with_customer(open_desk, customer)
    ana.text.fill("Solo una vez")
    ana.page.get_by_test_id("send").dblclick()
    ana.state("Solo una vez", "read")
    ana.text.fill("Esta tampoco dos")
    ana.text.press("Enter")
    ana.text.press("Enter")
    ana.state("Esta tampoco dos", "read")
    expect(ana.bubble("Solo una vez")).to_have_count(1)
    assert customer.texts() == ["Solo una vez", "Esta tampoco dos"]


def test_a_private_note_shows_to_the_team_and_never_leaves(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Quique")
    ana, luis = with_customer(open_desk, customer), open_desk(LUIS)
    luis.open(customer)
    ana.page.get_by_test_id("note-tab").click()
    ana.send("Ojo: debe dos recibos")
    for desk in (ana, luis):
        note = desk.bubble("Ojo: debe dos recibos")
        expect(note).to_have_class(re.compile(r"\bnote\b"))
        expect(note).to_contain_text("Nota de Ana Torres")
    colours = luis.page.eval_on_selector_all(
        ".msg.note .bubble, .msg.in .bubble", "found => found.map((bubble) => getComputedStyle(bubble).backgroundColor)"
    )
    assert len(set(colours)) == 2
    ana.page.get_by_test_id("reply-tab").click()
    ana.send("Un momento, por favor")
    ana.state("Un momento, por favor", "read")
    assert customer.texts() == ["Un momento, por favor"]
    assert "recibos" not in str(simulation.call("sent"))


def test_a_quoted_reply_reaches_the_customer_as_one(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Rocío")
    ana = with_customer(open_desk, customer)
    wamid = customer.writes("¿Qué franquicia tengo?")
    question = ana.bubble("¿Qué franquicia tengo?")
    question.hover()
    question.get_by_test_id("quote").click()
    expect(ana.text).to_be_focused()
    ana.send("De 150 €")
    ana.state("De 150 €", "read")
    expect(ana.bubble("De 150 €").locator(".quoted")).to_contain_text("¿Qué franquicia tengo?")
    assert customer.received()[0]["context"] == {"message_id": wamid}

    answer = customer.received()[0]["wamid"]
    customer.writes("¿Segura?", context={"id": answer})
    expect(ana.bubble("¿Segura?").locator(".quoted")).to_contain_text("De 150 €")


def test_reactions_go_both_ways_and_can_be_taken_back(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Santi")
    ana = with_customer(open_desk, customer)
    hello = ana.bubble("Hola, buenas")
    hello.hover()
    hello.get_by_test_id("react").click()
    ana.page.get_by_test_id("react-bar").get_by_text("🙏").click()
    expect(hello.get_by_test_id("reaction")).to_have_attribute("aria-pressed", "true")
    hello.get_by_test_id("reaction").click()
    expect(hello.get_by_test_id("reaction")).to_have_count(0)
    sent = [message["reaction"]["emoji"] for message in customer.waits_for(2)]
    assert sent == ["🙏", ""]

    ana.send("Dígame, Santi")
    ana.state("Dígame, Santi", "read")
    wamid = customer.received()[-1]["wamid"]
    customer.does(type="reaction", message_id=wamid, emoji="❤️")
    chip = ana.bubble("Dígame, Santi").get_by_test_id("reaction")
    expect(chip).to_have_text("❤️")
    expect(chip).to_have_attribute("aria-pressed", "false")
    customer.does(type="reaction", message_id=wamid, emoji="")
    expect(chip).to_have_count(0)


def test_a_picture_and_a_document_reach_the_customer(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Tere")
    ana, luis = with_customer(open_desk, customer), open_desk(LUIS)
    luis.open(customer)
    ana.page.get_by_test_id("attach").set_input_files(picture())
    expect(ana.page.locator(".tray-item.done")).to_have_count(1)
    ana.send("Así quedó")
    ana.state("Así quedó", "read")
    ana.page.get_by_test_id("attach").set_input_files(PDF)
    expect(ana.page.locator(".tray-item.done")).to_have_count(1)
    ana.page.get_by_test_id("send").click()
    ana.state("póliza.pdf", "read")
    image, document = customer.received()
    assert image["image"]["id"]
    assert image["image"]["caption"] == "Así quedó"
    assert document["document"]["id"]
    assert document["document"]["filename"] == "póliza.pdf"
    for desk in (ana, luis):
        shown = desk.bubble("Así quedó").locator("img")
        expect(shown).to_be_visible()
        assert shown.evaluate("async (img) => { await img.decode(); return img.naturalWidth; }") == 320


def test_what_is_pasted_or_dropped_waits_in_the_tray(open_desk: OpenDesk, simulation: Simulation) -> None:
    ana = with_customer(open_desk, simulation.customer("Tino"))
    items, image = ana.page.locator(".tray-item.done"), picture()
    pasted = ["paste", image["name"], image["mimeType"], base64.b64encode(image["buffer"]).decode()]
    ana.text.evaluate(HAND_OVER, pasted)
    expect(items).to_have_count(1)
    thumbnail = items.first.locator("img")
    expect(thumbnail).to_be_visible()
    assert thumbnail.evaluate("async (img) => { await img.decode(); return img.naturalWidth; }") == 320
    dropped = [PDF["name"], PDF["mimeType"], base64.b64encode(PDF["buffer"]).decode()]
    ana.log.evaluate(HAND_OVER, ["dragenter", *dropped])
    expect(ana.page.locator("[data-drop]")).to_be_visible()
    ana.log.evaluate(HAND_OVER, ["drop", *dropped])
    expect(ana.page.locator("[data-drop]")).to_be_hidden()
    expect(items).to_have_count(2)
    expect(items.last).to_contain_text("póliza.pdf")


def test_a_place_from_a_link_reaches_the_customer(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Telma")
    ana = with_customer(open_desk, customer)
    field, error = lambda name: ana.page.get_by_test_id(f"place-{name}"), ana.page.get_by_test_id("place-error")
    ana.page.get_by_test_id("place").click()
    expect(field("link")).to_be_visible()
    field("link").press_sequentially("https://maps.app.goo.gl/AbC\n")  # sent too early: what to do about it is said
    expect(field("link")).to_be_focused()
    for line, latitude, longitude in (
        ("https://www.openstreetmap.org/?mlat=40.4138&mlon=-3.6921#map=16/40.5/-3.5", "40.4138", "-3.6921"),
        ("https://www.openstreetmap.org/#map=16/40.5/-3.5", "40.5", "-3.5"),
        ("https://www.google.com/maps?q=-33.45%2C-70.66", "-33.45", "-70.66"),
        ("geo:1.5,2.5?z=3", "1.5", "2.5"),
        ("40,4168; -3,7038", "40.4168", "-3.7038"),
        (GOOGLE_LINK, "40.4137818", "-3.6921271"),
    ):
        field("link").fill(line)
        expect(field("latitude")).to_have_value(latitude)
        expect(field("longitude")).to_have_value(longitude)
    expect(field("name")).to_have_value("Museo del Prado")
    field("link").fill("junto al parque")
    expect(error).to_contain_text("40.4168")
    field("latitude").fill("95")
    field("send").click()
    expect(error).to_contain_text("-90")
    expect(field("latitude")).to_be_focused()
    field("latitude").fill("40,4137818")
    field("address").fill("Calle Ruiz de Alarcón, 23")
    field("send").click()
    expect(ana.page.get_by_test_id("place-dialog")).to_be_hidden()
    expect(ana.text).to_be_focused()
    ana.state("Museo del Prado", "read")
    assert customer.received()[0]["location"] == {
        "latitude": 40.4137818,
        "longitude": -3.6921271,
        "name": "Museo del Prado",
        "address": "Calle Ruiz de Alarcón, 23",
    }


def test_what_arrives_while_a_thread_is_on_its_way_is_in_it(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Tania")
    customer.writes("Hola, buenas")
    ana = open_desk(ANA)
    expect(ana.row(customer)).to_be_visible()

    def late(route: Route) -> None:
        answer = route.fetch()
        customer.writes("¿Hay alguien?")
        expect(ana.preview(customer)).to_contain_text("¿Hay alguien?")
        route.fulfill(response=answer)

    ana.page.route(re.compile(r"/inbox/c/\d+/\?"), late, times=1)
    ana.open(customer)
    expect(ana.bubble("¿Hay alguien?")).to_have_count(1)


def test_a_customers_picture_shows_by_itself(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Toñi")
    ana = with_customer(open_desk, customer)
    start = now()
    customer.does(type="image", image={"caption": "El golpe"})
    expect(ana.bubble("El golpe").locator("img")).to_be_visible()
    say("webhook to the picture", round((now() - start) * 1000))
    expect(ana.bubble("El golpe")).to_have_count(1)


def test_files_that_whatsapp_would_refuse_are_refused_with_the_reason(
    open_desk: OpenDesk, simulation: Simulation, watch: Watch, tmp_path: Path
) -> None:
    watch.allow("status of 422")
    customer = simulation.customer("Uxía")
    ana = with_customer(open_desk, customer)
    error = ana.page.get_by_test_id("composer-error")
    attach = ana.page.get_by_test_id("attach")
    huge = tmp_path / "mural.png"
    huge.write_bytes(picture()["buffer"] + bytes(17 * MEGABYTE))
    attach.set_input_files(huge)
    expect(error).to_contain_text("5 MB")
    expect(error).to_contain_text("mural.png")
    attach.set_input_files(FilePayload(name="virus.exe", mimeType="application/x-msdownload", buffer=PROGRAM))
    expect(error).to_contain_text("virus.exe")
    expect(error).to_contain_text("PDF")
    attach.set_input_files(FilePayload(name="foto.png", mimeType="image/png", buffer=PROGRAM))
    expect(error).to_contain_text("foto.png")
    expect(ana.page.locator(".tray-item")).to_have_count(0)
    attach.set_input_files(picture())
    expect(error).to_be_hidden()
    expect(ana.page.locator(".tray-item.done")).to_have_count(1)
    assert customer.received() == []


def test_the_server_refuses_a_huge_picture_too(open_desk: OpenDesk, simulation: Simulation, watch: Watch) -> None:
    watch.allow("status of 422")
    customer = simulation.customer("Vera")
    ana = with_customer(open_desk, customer)
    answer = ana.page.evaluate(
        """async (conversation) => {
          const png = new Uint8Array(17 * 1024 * 1024);
          png.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
          const body = new FormData();
          body.append("conversation", conversation);
          body.append("file", new Blob([png], { type: "image/png" }), "mural.png");
          const token = document.querySelector('meta[name="csrf-token"]').content;
          const answer = await fetch("/inbox/uploads/", { method: "POST", body, headers: { "X-CSRFToken": token } });
          return [answer.status, await answer.json()];
        }""",
        ana.thread.get_attribute("data-c"),
    )
    assert answer[0] == 422
    assert "5" in answer[1]["detail"]
    assert "MB" in answer[1]["detail"]


def test_a_text_that_is_too_long_stays_in_the_box_with_the_reason(
    open_desk: OpenDesk, simulation: Simulation, watch: Watch
) -> None:
    watch.allow("status of 422")
    customer = simulation.customer("Walter")
    ana = with_customer(open_desk, customer)
    ana.send("a" * 4097)
    expect(ana.page.get_by_test_id("counter")).to_have_text("4097 / 4096")
    expect(ana.page.get_by_test_id("composer-error")).to_contain_text("4096")
    expect(ana.text).to_have_value("a" * 4097)
    url = ana.thread.get_attribute("data-url-messages")
    client_id = "6b0f0a6e-5f0a-4a6e-9d7e-0f6d2b1c3a4e"
    refused = ana.post(url, text="a" * 4097, client_id=client_id)
    assert (refused["status"], refused["error"]) == (422, "too_long")
    ana.send("a" * 4096)
    expect(ana.bubbles).to_have_count(2)
    expect(ana.bubbles.last).to_have_attribute("data-st", "read")
    assert customer.texts() == ["a" * 4096]


def test_somebody_elses_conversation_does_not_exist(
    open_desk: OpenDesk, simulation: Simulation, product: Product, watch: Watch
) -> None:
    watch.allow("status of 404")
    product.manage("add_user", "sole@demo.test", "--name", "Sole Paz", "--team", "Ventas", lines=f"{PASSWORD}\n")
    customer = simulation.customer("Ximena")
    ana = with_customer(open_desk, customer)
    sole = open_desk("sole@demo.test", password=PASSWORD)
    expect(sole.rows.first).to_be_visible()
    expect(sole.row(customer)).to_have_count(0)
    answer = sole.page.goto(ana.page.url)
    assert answer is not None
    assert answer.status == 404
    expect(sole.page.locator("h1")).to_have_text("Aquí no hay nada")
    sole.page.get_by_role("link", name="Ir a la bandeja").click()
    expect(sole.page.get_by_test_id("list")).to_be_visible()
    assert sole.post(ana.thread.get_attribute("data-url-messages"), text="hola", client_id="x")["status"] == 404


def test_of_two_changes_at_once_the_second_is_shown_the_first(
    open_desk: OpenDesk, simulation: Simulation, watch: Watch
) -> None:
    watch.allow("status of 409", "net::ERR_FAILED")
    customer = simulation.customer("Yago")
    ana, luis = with_customer(open_desk, customer), open_desk(LUIS)
    luis.open(customer)
    luis.page.route("**/header/", lambda route: route.abort())  # he has not yet seen it
    ana.page.get_by_test_id("resolve").click()
    expect(ana.page.get_by_test_id("reopen")).to_be_visible()
    luis.page.get_by_test_id("resolve").click()
    expect(luis.page.get_by_test_id("conflict")).to_be_visible()
    expect(luis.page.get_by_test_id("reopen")).to_be_visible()
    expect(luis.page.get_by_test_id("event")).to_have_count(1)
