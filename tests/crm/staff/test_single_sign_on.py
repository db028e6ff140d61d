"""Signing in at a provider of OpenID Connect: a small one of our own, over HTTP (reliability.md, U08)."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ImproperlyConfigured

from config.single_sign_on import provider
from crm.audit.models import AuditEntry
from crm.staff.models import User
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
ANA = {"sub": "ana-1", "email": "ana@example.test", "email_verified": True, "name": "Ana"}


class Answers(BaseHTTPRequestHandler):
    """Who asks with any code is the person that the test has set."""

    def do_GET(self):
        base = f"http://127.0.0.1:{self.server.server_port}"
        if "well-known" in self.path:
            names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
            return self.say({"issuer": base} | {name: f"{base}/{name}" for name in names})
        return self.say(self.server.person)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append({name: values[0] for name, values in parse_qs(body).items()})
        self.say({"access_token": "t", "token_type": "bearer"})

    def say(self, answer):
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def idp(settings):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.person, server.asked = dict(ANA), []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    known = provider("https://idp.example.test", "us", "secret", name="Example", trusts_email=False)
    known["apps"][0]["settings"]["server_url"] = f"http://127.0.0.1:{server.server_port}"
    settings.OIDC, settings.SOCIALACCOUNT_PROVIDERS = known, {"openid_connect": {"APPS": known["apps"]}}
    yield server
    server.shutdown()
    server.server_close()


URL = "/accounts/oidc/idp-example-test/login/"


def leave(client):
    """To the provider; what we tell it."""
    target = client.post(URL)["Location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}


def come_back(client, state):
    return client.get(f"{URL}callback/", {"code": "c", "state": state})


@pytest.fixture
def enter_there(browser):
    def enter_there():
        client = browser()
        return client, come_back(client, leave(client)["state"])

    return enter_there


def test_a_verified_address_of_a_user_opens_the_account(idp, enter_there, is_in):
    user = UserFactory(email=ANA["email"])
    client, answer = enter_there()
    assert answer["Location"] == "/inbox/"
    assert is_in(client)
    assert SocialAccount.objects.get().user == user
    assert "code_verifier" in idp.asked[0]  # PKCE: a code that somebody else fetched is of no use


@pytest.mark.covers("U08")
@pytest.mark.parametrize("verified", [False, None, "false", "true", 1, []])
def test_u08_an_address_that_is_not_verified_merges_nothing(idp, enter_there, is_in, verified):
    UserFactory(email=ANA["email"])
    idp.person["email_verified"] = verified
    client, answer = enter_there()
    assert (answer["Location"], is_in(client)) == ("/accounts/login/", False)
    assert not SocialAccount.objects.exists()
    assert 'role="alert"' in client.get("/accounts/login/").content.decode()


@pytest.mark.covers("U08")
@pytest.mark.parametrize("person", [{"email": "stranger@example.test"}, {"email": ""}, {"email": "ana@evil.test"}])
def test_u08_nobody_signs_up(idp, enter_there, is_in, person):
    UserFactory(email=ANA["email"])
    idp.person |= person
    client, answer = enter_there()
    assert (answer["Location"], is_in(client)) == ("/accounts/login/", False)
    assert User.objects.count() == 1


@pytest.mark.covers("U08")
def test_u08_without_the_state_of_this_browser_nothing_happens(idp, browser, is_in):
    UserFactory(email=ANA["email"])
    client, other = browser(), browser()
    state = leave(other)["state"]
    for wrong in ("", "x", state):
        assert come_back(client, wrong)["Location"] == "/accounts/login/"
    assert not is_in(client)
    assert not idp.asked


@pytest.mark.covers("U08")
def test_u08_who_was_here_before_is_known_by_the_providers_name_for_them_and_not_by_the_address(
    idp, enter_there, is_in
):
    user = UserFactory(email=ANA["email"])
    enter_there()
    other = UserFactory(email="new@example.test")
    idp.person["email"] = other.email  # renamed at the provider: still Ana
    client, _answer = enter_there()
    assert client.session["_auth_user_id"] == str(user.pk)
    User.objects.filter(pk=user.pk).update(is_active=False)
    client, answer = enter_there()
    assert (answer["Location"], is_in(client)) == ("/accounts/login/", False)


def test_the_second_step_is_asked_for_all_the_same(idp, enter_there, enter, browser, with_app):
    user, client = UserFactory(email=ANA["email"]), browser()
    enter(client, user.email)
    with_app(client)
    _client, answer = enter_there()
    assert answer["Location"] == "/accounts/code/"


def test_the_sign_in_page_may_lead_there_and_no_other_page(idp, client):
    page = client.get("/accounts/login/")
    assert "Example" in page.content.decode()
    assert "form-action 'self' https://idp.example.test" in page["Content-Security-Policy"]
    assert "form-action 'self';" in client.get("/accounts/forgotten/")["Content-Security-Policy"] + ";"
    assert client.get(URL).status_code == 405


def test_without_a_provider_there_is_no_such_door(client):
    assert client.post(URL).status_code == 404
    assert "oidc" not in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize("issuer", ["http://idp.example.test", "idp.example.test", "https://"])
def test_half_a_configuration_is_refused(issuer):
    with pytest.raises(ImproperlyConfigured):
        provider(issuer, "us", "s", name="x", trusts_email=False)
    with pytest.raises(ImproperlyConfigured):
        provider("https://idp.example.test", "", "s", name="x", trusts_email=False)
    assert provider("", "", "", name="x", trusts_email=False) == {}


@pytest.mark.covers("U08")
@pytest.mark.parametrize("process", ["connect", "redirect", "x"])
def test_u08_the_provider_is_asked_for_nothing_but_signing_in(idp, browser, enter, process):
    client = browser()
    enter(client, UserFactory(email=ANA["email"]).email)
    assert client.post(f"{URL}?process={process}").status_code == 400
    assert client.post(URL, {"process": process}).status_code == 400
    assert client.post(URL, {"process": "login"}).status_code == 302
    assert not SocialAccount.objects.exists()


def test_a_link_is_told_seen_and_ended(idp, enter_there, browser, enter, is_in, letters):
    user, manager = UserFactory(email=ANA["email"], language="en"), UserFactory(manager=True)
    found = []
    [letter] = letters(lambda: found.append(enter_there()))
    assert (letter.to, "single sign-on" in letter.body) == ([user.email], True)
    client, _answer = found[0]
    assert 'data-testid="sso"' in client.get("/accounts/").content.decode()
    theirs = browser()
    enter(theirs, manager.email)
    assert "linked" in theirs.get(f"/admin/crm/user/{user.pk}/change/").content.decode()
    path = f"/admin/crm/user/{user.pk}/unlink/"
    assert theirs.get(path).status_code == 200
    assert SocialAccount.objects.exists()
    assert theirs.post(path).status_code == 302
    assert (SocialAccount.objects.exists(), is_in(client)) == (False, False)
    assert AuditEntry.objects.get(action="sso_unlinked").user == manager
    idp.person["email"] = "renamed@example.test"  # who was Ana at the provider is nobody here now
    client, _answer = enter_there()
    assert not is_in(client)
