"""Signing in, in a browser: passkeys (Chromium plays the device), an app's codes, and ending sessions elsewhere."""

import base64
import hashlib
import hmac
import re
import struct
import time
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.desks import ANA, MARTA, PASSWORD
from tests.browser.watching import OpenContext
from tests.product import Product

pytestmark = pytest.mark.browser

DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip
NARROW = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """A demo in which managers need a second factor, under a name: no passkey is made for a bare address."""
    with Product(demo=True) as product:
        product.env["MANAGERS_NEED_SECOND_FACTOR"] = "1"
        product.furnish().start()
        product.url = product.url.replace("127.0.0.1", "localhost")
        yield product


def sign_in(page: Page, email: str) -> None:
    """With the password."""
    page.locator("[name=username]").fill(email)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_test_id("login-submit").click()


def code_of(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238)."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def fits_and_is_accessible(page: Page) -> None:
    """Nothing sticks out on a phone, and axe finds nothing serious."""
    page.wait_for_load_state()
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, page.url
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert found == [], (page.url, [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found])


def test_a_manager_sets_up_a_passkey_and_signs_in_with_it_alone(open_context: OpenContext) -> None:
    context = open_context(color_scheme="dark")
    page = context.new_page()
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable", {"enableUI": False})
    device.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    page.goto("/accounts/login/")
    fits_and_is_accessible(page)
    sign_in(page, MARTA)
    expect(page.get_by_test_id("factor-needed")).to_be_visible()
    page.goto("/inbox/")
    expect(page.get_by_test_id("factor-needed")).to_be_visible()
    fits_and_is_accessible(page)
    page.get_by_test_id("passkey-add").click()
    fits_and_is_accessible(page)
    page.get_by_test_id("passkey-make").click()
    expect(page.get_by_test_id("codes").locator("li")).to_have_count(10)
    fits_and_is_accessible(page)
    page.get_by_test_id("codes-kept").click()
    expect(page.get_by_test_id("passkey")).to_have_count(1)
    expect(page.get_by_test_id("factor-needed")).to_have_count(0)
    page.get_by_test_id("logout").click()
    page.get_by_test_id("remember").check()
    page.get_by_test_id("passkey-login").click()
    page.wait_for_url("**/admin/")
    cookie = next(one for one in context.cookies() if one["name"] == "session")
    assert cookie["expires"] > time.time() + 13 * 24 * 3600
    page.goto("/accounts/again/passkey/?next=/accounts/password/")
    page.get_by_test_id("passkey-use").click()
    expect(page.get_by_test_id("save-password")).to_be_visible()
    fits_and_is_accessible(page)


def test_a_refused_passkey_says_so(open_context: OpenContext) -> None:
    context = open_context()
    page = context.new_page()
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable", {"enableUI": False})
    device.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE | {"isUserVerified": False}})
    page.goto("/accounts/login/")
    page.get_by_test_id("passkey-login").click()
    expect(page.locator("[data-passkey-trouble]")).to_be_visible()
    expect(page.get_by_test_id("login-submit")).to_be_enabled()


def test_an_app_asks_for_a_code_and_other_sessions_end(open_context: OpenContext) -> None:
    elsewhere = open_context().new_page()
    elsewhere.goto("/inbox/")
    sign_in(elsewhere, ANA)
    elsewhere.locator("body[data-ready]").wait_for()
    page = open_context().new_page()
    page.goto("/inbox/")
    sign_in(page, ANA)
    page.get_by_test_id("user-menu").click()
    page.get_by_test_id("account-link").click()
    expect(page.get_by_test_id("session")).to_have_count(2)
    fits_and_is_accessible(page)
    page.get_by_test_id("end-others").click()
    expect(page.get_by_test_id("session")).to_have_count(1)
    expect(elsewhere.get_by_test_id("session-banner")).to_be_visible()
    page.get_by_test_id("app-add").click()
    page.locator("summary").click()
    secret = str(page.get_by_test_id("app-secret").text_content())
    fits_and_is_accessible(page)
    page.get_by_test_id("code").fill(code_of(secret))
    page.get_by_test_id("app-confirm").click()
    codes = page.get_by_test_id("codes").locator("code").all_text_contents()
    page.get_by_test_id("codes-kept").click()
    page.get_by_test_id("logout").click()
    sign_in(page, ANA)
    fits_and_is_accessible(page)
    page.get_by_test_id("code").fill("000 000")
    page.get_by_test_id("code-submit").click()
    expect(page.get_by_role("alert").first).to_be_focused()
    page.get_by_test_id("code").fill(f" {codes[0][:4]} {codes[0][4:]} ")
    page.get_by_test_id("code-submit").click()
    expect(page).to_have_url(re.compile("/inbox/"))


def test_who_forgot_the_password_is_told_the_same_in_both_languages(open_context: OpenContext) -> None:
    page = open_context().new_page()
    for language in ("es", "en"):
        page.goto("/accounts/login/")
        page.get_by_test_id(f"lang-{language}").click()
        page.get_by_test_id("forgotten").click()
        expect(page.locator("html")).to_have_attribute("lang", language)
        fits_and_is_accessible(page)
        page.locator("[name=email]").fill("nobody@demo.test")
        page.get_by_test_id("send-link").click()
        expect(page.get_by_test_id("sent")).to_be_visible()
        fits_and_is_accessible(page)
