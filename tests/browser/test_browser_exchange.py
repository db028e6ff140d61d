"""A file of contacts in a browser: uploaded, mapped, tried, imported, taken back; one too big is not sent at all."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.desks import MARTA, PASSWORD
from tests.browser.watching import OpenContext, Watch

pytestmark = pytest.mark.browser

CONTACTS = "/admin/crm/contact/"
PEOPLE = (
    "Nombre;Móvil;Correo;Empresa;Etiquetas;Acepta marketing\n"
    "Íñigo Zabala;688 111 901;inigo@zabala.example;Zabala e Hijos;Feria;sí\n"
    "Nekane Otxoa;688 111 902;;=1+1;Feria;no\n"
    "Nekane otra vez;+34 688-111-902;;;;\n"
    "Sin número;12;;;;\n"
).encode("cp1252")
# Of Unfold's own shell, not of our pages.
LEFT_TO_UNFOLD = {"rules": {name: {"enabled": False} for name in ("region", "landmark-unique", "heading-order")}}


@pytest.fixture
def page(open_context: OpenContext, desks: Any) -> Page:
    """The manager's list of contacts."""
    page = open_context(accept_downloads=True).new_page()
    desks.sign_in(page, MARTA, PASSWORD)
    page.goto(CONTACTS)
    return page


def done(page: Page, step: str) -> None:
    """Wait until the job's page says by itself that the step is over."""
    job = page.locator(f'[data-testid=job][data-step="{step}"]')
    expect(job).to_have_attribute("data-state", "done")


def facts(page: Page) -> list[str]:
    """New, updated, unchanged, duplicates, errors."""
    return page.locator(".wc-job-facts dd").all_inner_texts()


def flawless(page: Page) -> None:
    assert Axe().run(page, context="#content", options=LEFT_TO_UNFOLD).response["violations"] == []


def bring_in(page: Page) -> None:
    """From the list to the end of the dry run."""
    page.get_by_test_id("matching").locator("a[href*=importjob]").click()
    page.locator("#file").set_input_files({"name": "feria.csv", "mimeType": "text/csv", "buffer": PEOPLE})
    page.get_by_test_id("upload").locator("[type=submit]").click()
    mapping = page.get_by_test_id("mapping")
    chosen = mapping.locator("tbody select").evaluate_all("all => all.map((one) => one.value)")
    assert chosen == ["name", "phone", "email", "company", "tags", "consent.marketing"]
    page.locator("[name=country]").select_option("ES")
    page.locator("[name=check]").click()
    expect(mapping.locator(".wc-problem")).to_have_count(2)  # where the consents come from, and when
    flawless(page)
    page.locator("[name=consent_source]").fill("Feria de Bilbao")
    page.locator("[name=consent_at]").fill("2026-01-31")
    page.locator("[name=check]").click()
    done(page, "check")


def test_a_file_is_tried_imported_reported_on_and_taken_back(page: Page, watch: Watch) -> None:
    watch.allow("422")  # the mapping without where the consents come from
    bring_in(page)
    assert facts(page) == ["2", "0", "0", "1", "1"]
    flawless(page)
    page.locator(".wc-job-facts dd a").last.click()
    expect(page.get_by_test_id("rows").locator("tbody tr")).to_have_count(1)
    expect(page.get_by_test_id("rows").locator("[data-outcome=error]")).to_contain_text("5")
    flawless(page)
    page.go_back()
    page.locator("button[value=commit]").click()
    done(page, "commit")
    assert facts(page) == ["2", "0", "0", "1", "1"]
    with page.expect_download() as download:
        page.locator("a[href*='/report/']").click()
    rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
    assert [row[0] for row in rows[1:]] == ["2", "3", "4", "5"]
    assert rows[2][7] == "'=1+1"
    address = page.url
    page.goto(f"{CONTACTS}?q=688111901")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.goto(address)
    page.locator("button[value=undo]").click()
    done(page, "undo")
    page.goto(f"{CONTACTS}?q=688111901")
    expect(page.locator("#result_list tbody tr")).to_have_count(0)


def test_a_file_too_big_is_not_sent(page: Page) -> None:
    page.goto("/admin/crm/importjob/uploads/")
    form = page.get_by_test_id("upload")
    expect(form.get_by_role("alert")).to_be_hidden()
    form.evaluate("form => { form.dataset.most = 10; }")
    page.locator("#file").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": PEOPLE})
    expect(form.get_by_role("alert")).to_contain_text("100 MB")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    form.locator("[type=submit]").click()
    expect(form.get_by_role("alert")).to_be_visible()
    assert "POST" not in sent
