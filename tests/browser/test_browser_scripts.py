"""All the scripts that people might write, at once: none of them runs in the inbox or in the administration."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.customers import Simulation
from tests.browser.desks import ANA, MARTA
from tests.browser.watching import OpenDesk
from tests.security.corpus import PAYLOADS

pytestmark = pytest.mark.browser

COUNT = "window.ran = 0; window.alert = window.confirm = window.prompt = () => { window.ran += 1; };"


def ran(page: Page) -> int:
    """How many of them ran; those that want a pointer or a focus are given one."""
    page.mouse.move(640, 400)
    page.keyboard.press("Tab")
    return page.evaluate("window.ran + document.querySelectorAll('[onerror], [onload], [onclick], [onfocus]').length")


@pytest.mark.covers("I01", "I10")
def test_i01_no_script_of_a_customer_runs_anywhere(open_desk: OpenDesk, simulation: Simulation) -> None:
    customer = simulation.customer('"><img src=x onerror=alert(1)><script>alert(1)</script>')
    for payload in PAYLOADS:
        customer.writes(payload)
    last = "Eso era todo"
    customer.writes(last)
    for person, addresses in ((ANA, ()), (MARTA, ("contact", "conversation", "message"))):
        desk = open_desk(person)
        page = desk.page
        page.add_init_script(COUNT)
        page.goto("/inbox/?view=all")
        row = desk.rows.filter(has_text=last)
        row.locator("a").first.click()
        expect(desk.bubbles.filter(has_text=last)).to_be_visible()
        assert ran(page) == 0
        for name in addresses:
            app = "crm" if name == "contact" else "conversations"
            page.goto(f"/admin/{app}/{name}/")
            assert ran(page) == 0, name
            page.goto(f"/admin/{app}/{name}/{re.search(rf'/{name}/(\d+)/change', page.content())[1]}/change/")
            page.wait_for_load_state()
            assert ran(page) == 0, name
        page.goto("/admin/crm/contact/?q=alert") if addresses else None
        assert ran(page) == 0
