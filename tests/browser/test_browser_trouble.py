"""When network, WhatsApp or session fail: nothing is lost, nothing leaves twice, and the page says what to do."""

import re

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.customers import SALES, Simulation
from tests.browser.desks import ANA, LUIS, MARTA, PASSWORD, Desk, now, say
from tests.browser.watching import OpenDesk, Watch
from tests.product import Product

pytestmark = pytest.mark.browser


# The number is tried again a minute after such an error.
A_MINUTE_LATER = "from conversations.inboxes.models import Inbox; Inbox.objects.update(circuit_until=None)"


def cut(desk: Desk) -> None:
    """Take the network away, as a lift does."""
    desk.page.context.set_offline(True)


def restore(desk: Desk) -> None:
    desk.page.context.set_offline(False)


def test_what_is_written_offline_waits_in_order_and_leaves_once(
    open_desk: OpenDesk, simulation: Simulation, watch: Watch
) -> None:
    watch.allow_lost_network()
    customer = simulation.customer("Abel")
    customer.writes("¿Hay alguien?")
    ana = open_desk(ANA)
    ana.open(customer)
    cut(ana)
    ana.send("Sí, dime")
    ana.send("Perdona la espera")
    expect(ana.page.get_by_test_id("offline-banner")).to_be_visible()
    for text in ("Sí, dime", "Perdona la espera"):
        ana.state(text, "pending")
    order = ana.page.locator("[data-items]").inner_text()
    assert order.index("Sí, dime") < order.index("Perdona la espera")
    assert customer.texts() == []
    restore(ana)
    expect(ana.page.get_by_test_id("offline-banner")).to_be_hidden()
    for text in ("Sí, dime", "Perdona la espera"):
        ana.state(text, "read")
        expect(ana.bubble(text)).to_have_count(1)
    assert customer.texts() == ["Sí, dime", "Perdona la espera"]


IN_PAGE = 300  # more bubbles do not stand in the page at once; further up they come by scrolling


@pytest.mark.parametrize("missed", [7, 400])
def test_what_arrived_during_a_cut_is_there_afterwards(
    open_desk: OpenDesk, simulation: Simulation, watch: Watch, missed: int
) -> None:
    watch.allow_lost_network()
    customer = simulation.customer("Berta")
    customer.writes("Empiezo")
    ana = open_desk(ANA)
    ana.open(customer)
    expect(ana.bubble("Empiezo")).to_be_visible()
    cut(ana)
    start = now()
    customer.writes_many([f"mensaje {number:03}." for number in range(missed)])
    say(f"{missed} webhooks answered after", round((now() - start) * 1000))
    assert len(ana.ids()) == 1
    start = now()
    restore(ana)
    shown = min(missed + 1, IN_PAGE)
    expect(ana.bubbles).to_have_count(shown, timeout=30_000)
    say(f"{missed} missed messages there after", round((now() - start) * 1000))
    ids = ana.ids()
    assert len(set(ids)) == len(ids)
    found = _numbers(ana)
    expect(ana.preview(customer)).to_contain_text("mensaje")
    customer.writes("y el último")
    expect(ana.bubble("y el último")).to_be_in_viewport()
    deadline = now() + 20
    while len(found) < missed and now() < deadline:
        ana.log.evaluate("(log) => { log.scrollTop = 0; }")
        ana.page.wait_for_timeout(100)
        found |= _numbers(ana)
    assert found == set(range(missed))


def _numbers(desk: Desk) -> set[int]:
    """Of the messages that stand in the page, each once."""
    numbers = re.findall(r"mensaje (\d+)\.", desk.page.locator("[data-items]").text_content() or "")
    assert len(numbers) == len(set(numbers))
    return {int(number) for number in numbers}


def test_without_the_live_connection_news_still_come(open_desk: OpenDesk, simulation: Simulation, watch: Watch) -> None:
    customer = simulation.customer("Celso")
    customer.writes("Buenas")
    ana = open_desk(ANA)
    ana.open(customer)
    ana.page.route_web_socket(re.compile("/ws/inbox/"), close_at_once)
    cut(ana)
    watch.allow_lost_network()
    restore(ana)
    expect(ana.page.get_by_test_id("slow-banner")).to_be_visible()
    customer.writes("¿Me leéis?")
    expect(ana.bubble("¿Me leéis?")).to_be_visible(timeout=15_000)


def close_at_once(socket: WebSocketRoute) -> None:
    socket.close(code=1011)


def test_a_refused_message_says_why_and_can_be_tried_again(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Delia")
    customer.writes("Hola")
    ana = open_desk(ANA)
    ana.open(customer)
    simulation.settings(fail={"code": 131026, "count": 1})
    ana.send("¿Te llega esto?")
    failed = ana.bubble("¿Te llega esto?")
    ana.state("¿Te llega esto?", "failed")
    expect(failed.get_by_test_id("error-text")).to_contain_text("WhatsApp")
    failed.get_by_test_id("retry").click()
    ana.state("¿Te llega esto?", "read")
    expect(failed).to_have_count(1)
    expect(failed.get_by_test_id("retry")).to_have_count(0)
    assert customer.texts() == ["¿Te llega esto?"] * 2  # one attempt each; Meta refused the first


def test_an_unknown_outcome_is_shown_as_such_and_not_sent_again(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer("Eloy")
    customer.writes("Hola")
    ana = open_desk(ANA)
    ana.open(customer)
    simulation.settings(accept_then_drop=1, statuses=False)
    ana.send("¿Ha salido?")
    ana.state("¿Ha salido?", "unknown")
    expect(ana.bubble("¿Ha salido?").get_by_test_id("tick")).to_contain_text("Sin confirmar")
    ana.send("Sigo aquí")
    expect(ana.bubble("Sigo aquí")).to_have_attribute("data-mid", re.compile(r"\d"))
    sent = customer.waits_for(2)
    assert customer.texts() == ["¿Ha salido?", "Sigo aquí"]

    tracking = {name: sent[0][name] for name in ("biz_opaque_callback_data",) if name in sent[0]}
    simulation.call("statuses", {"wamid": sent[0]["wamid"], "status": "delivered", **tracking})
    ana.state("¿Ha salido?", "delivered")


def test_a_revoked_token_says_what_a_manager_must_do_and_the_message_waits(
    open_desk: OpenDesk, simulation: Simulation, product: Product
) -> None:
    customer = simulation.customer("Fabio", to=SALES)
    customer.writes("Hola")
    ana = open_desk(ANA)
    ana.open(customer)
    simulation.settings(fail={"code": 190, "count": 1})
    ana.send("Te preparo el presupuesto")
    expect(ana.strip).to_have_attribute("data-state", "circuit")
    expect(ana.strip).to_contain_text(re.compile("administrador|responsable|gestor", re.IGNORECASE))
    ana.state("Te preparo el presupuesto", "pending")
    assert customer.received() == []
    product.manage("shell", "-c", A_MINUTE_LATER)
    ana.state("Te preparo el presupuesto", "read")
    expect(ana.strip).to_have_attribute("data-state", "open")
    assert customer.texts() == ["Te preparo el presupuesto"]


def test_a_session_that_ended_asks_to_sign_in_and_keeps_what_was_written(
    open_desk: OpenDesk, simulation: Simulation, watch: Watch
) -> None:
    watch.allow("status of 401", "status of 403")
    customer = simulation.customer("Gala")
    customer.writes("¿Seguís ahí?")
    luis = open_desk(LUIS)
    luis.open(customer)
    luis.page.context.clear_cookies()
    luis.send("Sí, un segundo")
    expect(luis.page.get_by_test_id("session-banner")).to_be_visible()
    luis.state("Sí, un segundo", "pending")
    luis.text.fill("y esto queda como borrador")
    luis.page.get_by_test_id("session-banner").get_by_role("link").click()
    luis.page.locator("[name=username]").fill(LUIS)
    luis.page.locator("[name=password]").fill(PASSWORD)
    luis.page.get_by_test_id("login-submit").click()
    expect(luis.page.get_by_test_id("thread-title")).to_contain_text(customer.name)
    luis.state("Sí, un segundo", "read")
    expect(luis.text).to_have_value("y esto queda como borrador")
    assert customer.texts() == ["Sí, un segundo"]


def test_while_sending_is_stopped_everybody_knows_and_a_manager_lets_it_go_on(
    open_desk: OpenDesk, simulation: Simulation, product: Product
) -> None:
    customer = simulation.customer("Greta")
    customer.writes("¿Seguís ahí?")
    ana, marta = open_desk(ANA), open_desk(MARTA)
    ana.open(customer)
    product.manage("fence", "--raise")
    for desk in (ana, marta):
        expect(desk.page.get_by_test_id("fence-banner")).to_be_visible()
        assert desk.fits()
    ana.send("Sí, aquí estamos")
    expect(ana.page.get_by_test_id("fence-review")).to_have_count(0)
    ana.state("Sí, aquí estamos", "pending")
    marta.page.reload()
    marta.page.get_by_test_id("fence-review").click()
    assert customer.texts() == []
    marta.page.get_by_test_id("fence-send").click()
    ana.state("Sí, aquí estamos", "read")
    assert customer.texts() == ["Sí, aquí estamos"]
    expect(ana.page.get_by_test_id("fence-banner")).to_have_count(0)
