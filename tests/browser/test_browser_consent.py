"""Consent in the browser: what a person writes of marketing reaches the agent, who records what they were told."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.customers import Simulation
from tests.browser.desks import ANA
from tests.browser.watching import OpenDesk, Watch

pytestmark = pytest.mark.browser


def test_an_ambiguous_word_is_asked_about_and_an_agent_records_a_reason(
    open_desk: OpenDesk, simulation: Simulation, watch: Watch
) -> None:
    customer = simulation.customer("Rosa")
    customer.writes("Hola, buenas")
    desk = open_desk(ANA)
    desk.open(customer)
    page: Page = desk.page
    page.get_by_test_id("panel-toggle").click()
    consents = page.get_by_test_id("contact-consents")
    marketing = consents.locator("[data-purpose=marketing]")
    expect(marketing).to_have_attribute("data-state", "")
    customer.writes("Parar")
    question = page.get_by_test_id("bubble").filter(has_text="promociones").last
    expect(question).to_contain_text("[Dejar de recibirlas]")
    customer.writes("BAJA")
    expect(marketing).to_have_attribute("data-state", "withdrawn")
    assert [message["type"] for message in customer.waits_for(2)] == ["interactive", "text"]
    watch.allow("422")
    marketing.get_by_test_id("consent-change").click()
    marketing.get_by_test_id("consent-grant").click()
    expect(marketing.get_by_test_id("consent-error")).to_be_visible()
    marketing.get_by_test_id("consent-reason").fill("Nos ha llamado: quiere volver a recibirlas")
    marketing.get_by_test_id("consent-grant").click()
    expect(marketing).to_have_attribute("data-state", "granted")
    expect(marketing).to_contain_text(re.compile("Nos ha llamado"))
    violations = Axe().run(page, context="#panel").response["violations"]
    assert [one["id"] for one in violations] == []
