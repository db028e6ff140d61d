"""Signing in, signing out, language and theme."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from crm.staff.models import User
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"
ATTRIBUTES = re.compile(r'([a-z]+)="([^"]*)"')


def try_to_sign_in(client, email, password, **data):
    return client.post(LOGIN, {"username": email, "password": password} | data)


def error_in(response):
    html = response.content.decode()
    return html.partition('data-testid="login-error"')[2].partition("<span>")[2].partition("</span>")[0]


@pytest.mark.parametrize("spelling", [str, str.upper, str.title, lambda email: f"  {email} "])
def test_the_right_password_leads_to_the_inbox(client, agent, spelling):
    response = try_to_sign_in(client, spelling(agent.email), PASSWORD)
    assert (response.status_code, response["Location"]) == (302, "/inbox/")
    assert client.get("/inbox/").status_code == 200


@pytest.mark.covers("U02")
def test_every_failure_reads_the_same(agent):
    UserFactory(email="gone@example.test", is_active=False)
    sentences = {
        error_in(try_to_sign_in(Client(), email, password))
        for email, password in [
            (agent.email, "wrong"),
            ("nobody@example.test", PASSWORD),
            ("gone@example.test", PASSWORD),
            (agent.email, PASSWORD + " "),
            (agent.email, "x" * 5000),
        ]
    }
    assert len(sentences) == 1
    assert len(sentences.pop()) > 10


@pytest.mark.parametrize("email", ["", "no address", "a\x00@b.test", "x" * 3000 + "@b.test", "' OR 1=1 --", "ñ@b.test"])
def test_what_is_no_address_is_refused_in_words(client, agent, email):
    response = try_to_sign_in(client, email, PASSWORD)
    assert response.status_code == 200
    assert len(error_in(response)) > 10
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    ("target", "lands"),
    [
        ("/inbox/c/7/", "/inbox/c/7/"),
        ("/inbox/?view=all&q=a", "/inbox/?view=all&q=a"),
        ("http://testserver/inbox/", "http://testserver/inbox/"),
        ("https://evil.test/", "/inbox/"),
        ("//evil.test/", "/inbox/"),
        ("/\\evil.test", "/inbox/"),
        ("javascript:alert(1)", "/inbox/"),
        ("http:evil.test", "/inbox/"),
        ("\x08//evil.test", "/inbox/"),
        ("", "/inbox/"),
    ],
)
def test_after_signing_in_one_stays_on_this_site(client, agent, target, lands):
    assert try_to_sign_in(client, agent.email, PASSWORD, next=target)["Location"] == lands


@pytest.mark.covers("U03")
def test_the_session_is_a_new_one(client, agent):
    client.get(LOGIN)
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["session"] = before = session.session_key
    try_to_sign_in(client, agent.email, PASSWORD)
    assert client.cookies["session"].value != before


@pytest.mark.covers("U07")
def test_the_cookies_are_not_for_scripts_and_not_for_other_sites(client, agent):
    client.get(LOGIN)
    response = try_to_sign_in(client, agent.email, PASSWORD)
    for name in ("session", "csrftoken"):
        assert response.cookies[name]["httponly"]
        assert response.cookies[name]["samesite"] == "Lax"


@pytest.mark.covers("U07")
def test_signing_out_ends_the_session_on_the_server(desk):
    stolen = Client()
    stolen.cookies["session"] = desk.cookies["session"].value
    assert stolen.get("/inbox/").status_code == 200
    response = desk.post(reverse("account_logout"))
    assert (response.status_code, response["Location"]) == (302, LOGIN)
    assert stolen.get("/inbox/").status_code == 302


@pytest.mark.covers("U04")
def test_a_changed_password_ends_other_sessions(desk, agent):
    agent.set_password("another-long-password")
    agent.save()
    assert desk.get("/inbox/").status_code == 302


def test_an_integrator_may_sign_in_but_finds_no_desk(client):
    user = UserFactory(integrator=True)
    assert try_to_sign_in(client, user.email, PASSWORD).status_code == 302
    assert client.get("/inbox/").status_code == 403
    assert client.get(LOGIN).status_code == 302


def test_who_is_signed_in_does_not_see_the_form_again(desk):
    assert desk.get(LOGIN)["Location"] == "/inbox/"


def test_the_form_speaks_spanish_unless_the_cookie_says_english(client):
    assert '<html lang="es"' in client.get(LOGIN).content.decode()
    client.cookies["django_language"] = "en"
    html = client.get(LOGIN).content.decode()
    assert '<html lang="en"' in html
    assert "Sign in" in html
    client.cookies["django_language"] = "xx'\"<"
    assert '<html lang="es"' in client.get(LOGIN).content.decode()


def test_the_page_speaks_the_users_language(desk, agent):
    for language in ("en", "es"):
        User.objects.filter(pk=agent.pk).update(language=language)
        response = desk.get("/inbox/")
        assert f'<html lang="{language}"' in response.content.decode()
        assert response["Content-Language"] == language


def test_preferences_are_kept(desk, agent):
    response = desk.post("/inbox/preferences/", {"language": "es", "theme": "dark", "next": "/inbox/?view=all"})
    assert (response.status_code, response["Location"]) == (302, "/inbox/?view=all")
    agent.refresh_from_db()
    assert (agent.language, agent.theme) == ("es", "dark")
    html = desk.get("/inbox/").content.decode()
    assert '<html lang="es"' in html
    assert 'data-theme="dark"' in html
    assert desk.cookies["django_language"].value == "es"


@pytest.mark.parametrize("value", ["", "xx", "es\x00", "dark;", "x" * 3000, "<script>"])
def test_preferences_nobody_offers_change_nothing(desk, agent, value):
    before = (agent.language, agent.theme)
    response = desk.post("/inbox/preferences/", {"language": value, "theme": value, "next": "//evil.test"})
    assert (response.status_code, response["Location"]) == (302, "/inbox/")
    agent.refresh_from_db()
    assert (agent.language, agent.theme) == before


def test_password_managers_can_fill_in_the_form(client):
    html = client.get(LOGIN).content.decode()
    inputs = [dict(ATTRIBUTES.findall(tag)) for tag in re.findall(r"<input[^>]*>", html)]
    fields = {found.get("name"): found for found in inputs}
    assert (fields["username"]["type"], fields["username"]["autocomplete"]) == ("email", "username")
    assert (fields["password"]["type"], fields["password"]["autocomplete"]) == ("password", "current-password")
