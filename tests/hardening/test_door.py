"""The door for webhooks: who may speak, in what form, how much; whoever may not leaves nothing behind."""

import hashlib
import hmac
import json
import urllib.parse

import pytest
import structlog
from django.test import RequestFactory

from conversations.graphapi import signature
from conversations.graphapi.signature import sign
from conversations.inboxes.models import AppSecret
from conversations.ingest import keyring, pipeline, receiver
from conversations.ingest.keyring import key_ring
from conversations.ingest.models import WebhookEvent
from conversations.messaging.models import Message
from crm.contacts.models import Contact
from crm.foundation import clock
from crm.staff.middleware import address_of
from tests.factories import AccountFactory, InboxFactory
from tests.hardening.signing import NAME, signed
from tests.webhooks import ANA, DISPLAY, SECRET, ask, body, change, messages, recorded, text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("inbox", "fresh_keys", "writer")]

BODY = json.dumps(recorded("text"), ensure_ascii=False).encode()
GOOD = sign(SECRET, BODY).encode()


@pytest.mark.covers("W01", "W02", "W04", "W05", "F24")
@pytest.mark.usefixtures("nothing_done")
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(NAME, b"")],
        [(NAME, b"sha256=")],
        signed(BODY, "the secret of another app"),
        [(NAME, b"sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest().encode())],
        [(NAME, GOOD.upper())],
        [(NAME, GOOD), (NAME, GOOD)],
        [(NAME, GOOD + b", " + GOOD)],
        [(NAME, "sha256=é".encode() * 8)],
        [(b"x-hub-signature", b"sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest().encode())],
    ],
    ids=["none", "empty", "prefix", "another app", "empty key", "upper case", "two", "list", "not ascii", "sha-1"],
)
def test_without_our_signature_a_webhook_is_401_and_does_nothing_at_all(headers):
    assert ask(BODY, headers=headers)[0] == 401


@pytest.mark.covers("W02", "W14")
def test_the_secret_of_another_account_of_ours_opens_nothing_but_its_own(inbox):
    other = InboxFactory(account=AccountFactory(waba_id="310000000000009", app_secret="theirs"), phone_number_id="329")
    key_ring.forget()
    assert ask(BODY, headers=signed(BODY, "theirs"))[0] == 200
    assert WebhookEvent.objects.get().signer_ids == [other.account_id]
    pipeline.drain()
    assert WebhookEvent.objects.get().state == "quarantined"
    assert not inbox.conversations.exists()
    assert not other.conversations.exists()
    assert not Contact.objects.exists()
    AppSecret.objects.filter(account=other.account).update(is_active=False)
    key_ring.forget()
    assert ask(BODY, headers=signed(BODY, "theirs"))[0] == 401
    assert WebhookEvent.objects.count() == 1


@pytest.mark.covers("W03", "W04")
@pytest.mark.parametrize("secret", [None, "", " ", "\t\n "])
def test_an_account_without_a_secret_takes_nothing_however_it_is_signed(inbox, secret):
    AppSecret.objects.all().delete()
    if secret is not None:
        AppSecret.objects.create(account=inbox.account, secret=secret)
    key_ring.forget()
    for key in {b"", b" ", (secret or "").encode()}:
        mark = b"sha256=" + hmac.new(key, BODY, hashlib.sha256).hexdigest().encode()
        assert ask(BODY, headers=[(NAME, mark)])[0] == 401
    with pytest.raises(ValueError, match="empty"):
        sign(secret or "", BODY)
    assert not WebhookEvent.objects.exists()


@pytest.mark.covers("W07", "W08")
@pytest.mark.usefixtures("nothing_done")
@pytest.mark.parametrize(
    "changed",
    [
        BODY[:-1],
        BODY + b" ",
        BODY.replace(b": ", b":", 1),
        BODY.replace(b"Hola", b"hola"),
        json.dumps(recorded("text")).encode(),
        json.dumps(recorded("text"), ensure_ascii=False, sort_keys=True).encode(),
        b"\xef\xbb\xbf" + BODY,
    ],
    ids=["shorter", "a space", "fewer spaces", "one letter", "escaped", "keys in order", "a byte order mark"],
)
def test_any_other_bytes_than_the_signed_ones_are_401(changed):
    assert changed != BODY
    assert ask(changed, headers=[(NAME, GOOD)])[0] == 401


@pytest.mark.covers("W08")
def test_text_escaped_as_meta_does_it_is_taken_and_read():
    raw = b'"\\u00a1Ol\\u00e9! \\ud83d\\ude97 https:\\/\\/example.com"'
    escaped = json.dumps(messages(text("w", "@"))).encode().replace(b'"@"', raw)
    assert ask(escaped)[0] == 200
    pipeline.drain()
    assert Message.objects.get().text == "¡Olé! 🚗 https://example.com"


@pytest.mark.covers("W09")
def test_signatures_and_tokens_are_compared_whole_as_bytes_with_every_secret(monkeypatch, inbox):
    for number in range(3):
        AppSecret.objects.create(account=inbox.account, secret=f"another-{number}")
    key_ring.refresh()
    compared, real = [], hmac.compare_digest

    def compare(given, known):
        compared.append((given, known))
        return real(given, known)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    first = b"sha256=" + (b"1" if GOOD[7:8] != b"1" else b"2") + GOOD[8:]
    last = GOOD[:-1] + (b"1" if GOOD[-1:] != b"1" else b"2")
    for header in (GOOD, first, last):
        compared.clear()
        key_ring.signers(header, BODY)
        assert len(compared) == 4, "no secret is skipped, wherever the first difference is"
        assert {len(given) == len(known) == 71 for given, known in compared} == {True}
        key_ring.verified_by("x" * 8)
    assert all(type(one) is bytes for pair in compared for one in pair)
    assert signature.hmac is keyring.hmac is hmac


@pytest.mark.covers("W10")
@pytest.mark.parametrize("headers", [[], signed(BODY, "wrong"), [(NAME, GOOD[:-1])]], ids=["none", "wrong", "short"])
def test_answer_and_log_of_a_bad_signature_tell_nothing(headers, capfd, caplog):
    with structlog.testing.capture_logs() as lines:
        status, answered, content, _read = ask(BODY, headers=headers)
    told = content.decode() + repr(answered) + repr(lines) + caplog.text + "".join(capfd.readouterr())
    assert status == 401
    for private in (GOOD[7:].decode(), SECRET, "Hola", ANA, "wamid", *[value.decode() for _name, value in headers]):
        assert private not in told


@pytest.mark.covers("W12")
@pytest.mark.parametrize("challenge", ["<script>alert(1)</script>", "1 2", "１２３", "1\r\nX: y", "-1", "a" * 201])
def test_the_handshake_echoes_nothing_but_letters_and_digits_as_plain_text(inbox, challenge):
    def shake(challenge):
        values = {"hub.mode": "subscribe", "hub.verify_token": inbox.account.verify_token, "hub.challenge": challenge}
        return ask(b"", "GET", [], urllib.parse.urlencode(values))

    for given, expected in ((challenge, 400), ("1158201444", 200)):
        status, headers, content, _read = shake(given)
        assert status == expected
        assert headers[b"content-type"] == b"text/plain; charset=utf-8"
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert content == (b"1158201444" if expected == 200 else b"malformed challenge")
    assert not WebhookEvent.objects.exists()


@pytest.mark.covers("W15")
@pytest.mark.usefixtures("nothing_done")
@pytest.mark.parametrize(
    ("method", "kind", "status"),
    [
        *[(method, b"application/json", 405) for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "HEAD", "X")],
        *[
            ("POST", kind, 415)
            for kind in (b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=b", b"text/plain", b"x")
        ],
    ],
)
def test_other_methods_and_kinds_of_content_are_refused_though_they_are_signed(method, kind, status):
    assert ask(BODY, method, headers=[(NAME, GOOD), (b"content-type", kind)])[0] == status


@pytest.mark.covers("W18")
@pytest.mark.usefixtures("nothing_done")
@pytest.mark.parametrize("host", [b"evil.test", b"localhost.evil.test", b"", b"a b", b"\xff", b"localhost:80:80"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_host_that_is_not_ours_is_400(host, method):
    assert ask(BODY, method, headers=[(NAME, GOOD), (b"host", host)])[0] == 400
    assert ask(BODY, method, headers=[(b"host", b"localhost"), (NAME, GOOD), (b"host", host)])[0] == 400


@pytest.mark.covers("W18")
@pytest.mark.parametrize("host", [b"localhost", b"127.0.0.1:8000", b"LOCALHOST:443"])
def test_our_own_hosts_are_taken(host):
    assert ask(BODY, headers=[(NAME, GOOD), (b"host", host)])[0] == 200


@pytest.mark.covers("W17")
@pytest.mark.usefixtures("nothing_done")
def test_headers_about_where_one_comes_from_open_nothing():
    forged = [(name, b"127.0.0.1") for name in (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"x-forwarded-host")]
    assert ask(BODY, headers=forged)[0] == 401
    assert ask(b"", "GET", forged, "hub.mode=subscribe&hub.challenge=1&hub.verify_token=x")[0] == 403


@pytest.mark.covers("W17")
@pytest.mark.parametrize(
    ("behind_proxy", "noted", "expected"),
    [
        (False, "10.0.0.1", "203.0.113.9"),
        (False, "127.0.0.1, 10.0.0.1", "203.0.113.9"),
        (True, "127.0.0.1, 198.51.100.7", "198.51.100.7"),
        (True, "", "203.0.113.9"),
        (True, "198.51.100.7, <script>", None),
    ],
)
def test_limits_count_the_real_peer_or_what_our_one_proxy_noted(settings, behind_proxy, noted, expected):
    settings.BEHIND_PROXY = behind_proxy
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9", headers={"X-Forwarded-For": noted})
    assert address_of(request) == expected


@pytest.mark.covers("W17", "P19")
def test_a_forged_address_does_not_dodge_the_limit_of_the_api(settings, client, monkeypatch):
    settings.API_PER_ADDRESS = 2
    at = clock.real()
    monkeypatch.setattr(clock, "real", lambda: at)  # all of it within one minute
    forged = [{"X-Forwarded-For": f"10.9.8.{number}"} for number in range(4)]
    asked = [client.get("/api/v1/contacts/", headers=one, REMOTE_ADDR="203.0.113.77") for one in forged]
    assert [answer.status_code for answer in asked] == [401, 401, 429, 429]
    assert int(asked[-1].headers["Retry-After"]) > 0


@pytest.mark.covers("P19")
def test_one_customers_ipv6_addresses_are_one_address_to_the_api(settings, client, monkeypatch):
    settings.API_PER_ADDRESS = 2
    at = clock.real()
    monkeypatch.setattr(clock, "real", lambda: at)
    near, far = [f"2001:db8:7:7::{number}" for number in range(3)], "2001:db8:7:8::1"
    asked = [client.get("/api/v1/contacts/", REMOTE_ADDR=one).status_code for one in (*near, far)]
    assert asked == [401, 401, 429, 401]


@pytest.mark.covers("W22")
@pytest.mark.usefixtures("nothing_done")
def test_the_address_is_the_same_for_everybody_and_knowing_it_gives_nothing(inbox):
    assert receiver.PATH == "/webhooks/whatsapp/"
    own = [str(inbox.account_id), inbox.account.waba_id, inbox.phone_number_id, inbox.account.verify_token, SECRET]
    assert not any(secret in receiver.PATH for secret in own)
    assert ask(b"", "GET", [])[0] == 403
    assert ask(BODY, headers=[])[0] == 401
    every_id = urllib.parse.urlencode({"hub.mode": "subscribe", "hub.verify_token": DISPLAY, "hub.challenge": "1"})
    assert ask(b"", "GET", [], every_id)[0] == 403


@pytest.mark.covers("F27", "W14")
@pytest.mark.parametrize("phone", ["", "elsewhere", None, 5])
def test_a_number_that_is_not_ours_is_200_and_set_aside_and_comes_back_when_it_is_connected(inbox, phone):
    raw = json.dumps(body(change(messages=[text("w")], phone=phone))).encode()
    assert ask(raw)[0] == 200
    pipeline.drain()
    event = WebhookEvent.objects.get()
    assert (event.state, event.items.get().outcome) == ("quarantined", "quarantined")
    assert not inbox.conversations.exists()
    assert not Contact.objects.exists()
    if phone == "elsewhere":
        new = InboxFactory(account=inbox.account, phone_number_id=phone)
        pipeline.replay([event.pk])
        assert new.conversations.get().messages.get().external_id == "w"
