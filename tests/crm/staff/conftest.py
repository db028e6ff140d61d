"""What the tests of signing in share: browsers at addresses, codes of an app, letters."""

import base64
import hashlib
import hmac
import struct
import time

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client

from crm.foundation import mail
from tests.product import PASSWORD

LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def swift_hashing(monkeypatch):
    """Hash as the product does, in a hundredth of the time."""
    monkeypatch.setattr(Argon2PasswordHasher, "time_cost", 1)
    monkeypatch.setattr(Argon2PasswordHasher, "memory_cost", 64)


@pytest.fixture
def browser():
    """A browser at an address of its own."""

    def browser(address="192.0.2.1"):
        return Client(REMOTE_ADDR=address)

    return browser


@pytest.fixture
def enter():
    """Tries to sign in."""

    def enter(client, email, password=PASSWORD, **data):
        return client.post(LOGIN, {"username": email, "password": password} | data)

    return enter


@pytest.fixture
def is_in():
    """Whether somebody is signed in."""
    return lambda client: client.get("/accounts/").status_code == 200


@pytest.fixture
def code_of():
    """What an authenticator app shows for a secret (RFC 6238)."""

    def code_of(secret):
        counter = int(time.time()) // 30
        digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", counter), hashlib.sha1).digest()
        start = digest[-1] & 15
        return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06}"

    return code_of


@pytest.fixture
def with_app(code_of, django_capture_on_commit_callbacks):
    """Sets up an authenticator app in a browser; returns its secret."""

    def with_app(client):
        secret = client.get("/accounts/app/add/").context["form"].secret
        with django_capture_on_commit_callbacks(execute=True):
            response = client.post("/accounts/app/add/", {"code": code_of(secret)})
        assert response.headers.get("Location") in ("/accounts/codes/", "/accounts/second-factor/"), response.content
        return secret

    return with_app


@pytest.fixture
def letters(mailoutbox, django_capture_on_commit_callbacks):
    """What a request sends by mail."""

    def letters(act):
        del mailoutbox[:]
        with django_capture_on_commit_callbacks(execute=True):
            act()
        mail.flush()
        return list(mailoutbox)

    return letters
