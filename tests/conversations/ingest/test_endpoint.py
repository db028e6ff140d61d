"""The webhook endpoint as a server calls it: who may speak, and what is answered."""

import asyncio
import hashlib
import hmac
import json
import urllib.parse

import pytest
from django.core.management import call_command

from conversations.graphapi.signature import sign
from conversations.inboxes.models import AppSecret, WhatsAppAccount
from conversations.ingest import pipeline, receiver
from conversations.ingest.keyring import key_ring
from conversations.ingest.models import WebhookEvent
from conversations.messaging.models import Message
from tests.webhooks import SECRET, ask, recorded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_too, pytest.mark.usefixtures("fresh_keys")]

BODY = json.dumps(recorded("text"), ensure_ascii=False).encode()
LIMIT = 4 * 1024 * 1024


def handshake(token, challenge="1158201444", mode="subscribe"):
    values = {"hub.mode": mode, "hub.verify_token": token, "hub.challenge": challenge}
    return ask(b"", "GET", [], urllib.parse.urlencode(values))


@pytest.mark.covers("W12")
def test_the_handshake_repeats_the_challenge_as_plain_text(inbox):
    status, headers, body, _ = handshake(inbox.account.verify_token)
    assert (status, body) == (200, b"1158201444")
    assert headers[b"content-type"].startswith(b"text/plain")
    assert headers[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize("token", ["", "wrong", "é", "\ud800".encode("utf-8", "replace").decode(), "x" * 10_000])
@pytest.mark.covers("W22")
def test_a_wrong_verify_token_is_refused(inbox, token):
    assert handshake(token)[0] == 403


def test_another_mode_is_refused(inbox):
    assert handshake(inbox.account.verify_token, mode="unsubscribe")[0] == 403


@pytest.mark.parametrize("challenge", ["<script>alert(1)</script>", "", "é", "1" * 201, "12\r\nSet-Cookie: a=b"])
@pytest.mark.covers("W12")
def test_a_challenge_that_is_no_number_is_never_echoed(inbox, challenge):
    status, _headers, body, _ = handshake(inbox.account.verify_token, challenge)
    assert status == 400
    assert b"script" not in body


@pytest.mark.covers("W22")
def test_an_empty_verify_token_opens_nothing(inbox):
    WhatsAppAccount.objects.update(verify_token="")
    key_ring.forget()
    assert handshake("")[0] == 403


@pytest.mark.covers("W08")
def test_200_means_the_exact_bytes_are_stored(inbox, writer):
    body = '{"entry": [], "é": "🚗 \\/ \\u00e9"}'.encode()
    status, headers, _body, _ = ask(body)
    assert status == 200
    assert headers[b"cache-control"] == b"no-store"
    event = WebhookEvent.objects.get()
    assert event.body == body
    assert event.signer_ids == [inbox.account_id]
    assert body not in bytes(event.sealed_body)


@pytest.mark.covers("W08")
def test_escaped_and_raw_letters_are_different_bytes(inbox, writer):
    escaped = json.dumps(recorded("text")).encode()
    assert escaped != BODY
    signature = [(b"x-hub-signature-256", sign(SECRET, escaped).encode())]
    assert ask(escaped, headers=signature)[0] == 200
    assert ask(BODY, headers=signature)[0] == 401


GOOD = sign(SECRET, BODY).encode()
SHA1 = b"sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest().encode()
NAME = b"x-hub-signature-256"
BAD = {
    "missing": [],
    "empty": [(NAME, b"")],
    "prefix only": [(NAME, b"sha256=")],
    "no prefix": [(NAME, GOOD.removeprefix(b"sha256="))],
    "upper case": [(NAME, b"sha256=" + GOOD.removeprefix(b"sha256=").upper())],
    "63 digits": [(NAME, GOOD[:-1])],
    "65 digits": [(NAME, GOOD + b"0")],
    "one digit off": [(NAME, GOOD[:-1] + (b"0" if GOOD[-1:] != b"0" else b"1"))],
    "another secret": [(NAME, sign("not-ours", BODY).encode())],
    "the empty key": [(NAME, b"sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest().encode())],
    "sha-1 header": [(b"x-hub-signature", SHA1)],
    "sha-1 in the sha-256 header": [(NAME, SHA1)],
    "two headers": [(NAME, GOOD), (NAME, GOOD)],
    "a list": [(NAME, GOOD + b"," + GOOD)],
    "not ascii": [(NAME, b"sha256=" + "é".encode() * 32)],
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.covers("W01", "W02", "W04", "W05", "W10", "F24")
def test_a_bad_signature_is_401_and_leaves_nothing(inbox, writer, case):
    status, _headers, body, _ = ask(BODY, headers=BAD[case])
    assert status == 401
    assert GOOD not in body
    assert not WebhookEvent.objects.exists()


@pytest.mark.covers("W07")
def test_one_changed_byte_is_401(inbox, writer):
    assert ask(BODY + b" ", headers=[(NAME, GOOD)])[0] == 401


@pytest.mark.parametrize("secret", [None, "", "   "])
@pytest.mark.covers("W03", "W04")
def test_without_a_secret_nothing_is_accepted(inbox, writer, secret):
    AppSecret.objects.all().delete()
    if secret is not None:
        AppSecret.objects.create(account=inbox.account, secret=secret)
    key_ring.forget()
    empty = b"sha256=" + hmac.new((secret or "").encode(), BODY, hashlib.sha256).hexdigest().encode()
    assert ask(BODY, headers=[(NAME, empty)])[0] == 401
    assert ask(BODY, headers=[(NAME, GOOD)])[0] == 401


@pytest.mark.covers("W02")
def test_while_a_secret_is_rotated_both_sign_and_the_retired_one_does_not(inbox, writer):
    AppSecret.objects.create(account=inbox.account, secret="the-next-one")
    key_ring.forget()
    assert ask(BODY, headers=[(NAME, sign("the-next-one", BODY).encode())])[0] == 200
    assert ask(BODY, headers=[(NAME, GOOD)])[0] == 200
    AppSecret.objects.filter(account=inbox.account).order_by("pk").first().delete()
    key_ring.forget()
    assert ask(BODY, headers=[(NAME, GOOD)])[0] == 401


@pytest.mark.covers("F21", "W16")
def test_more_than_four_megabytes_declared_is_413_before_reading(inbox, writer):
    status, *_, read = ask(BODY, headers=[(NAME, GOOD), (b"content-length", str(LIMIT + 1).encode())])
    assert (status, read) == (413, 0)


@pytest.mark.parametrize("length", [b"9" * 5000, b"99999999999999999999999"])
@pytest.mark.covers("F21")
def test_an_absurd_declared_length_is_413(inbox, length):
    assert ask(BODY, headers=[(b"content-length", length)])[0] == 413


@pytest.mark.covers("F21", "W16")
def test_more_than_four_megabytes_streamed_stops_reading(inbox, writer):
    status, *_, read = ask(b" " * (6 * 1024 * 1024), headers=[(NAME, GOOD)])
    assert (status, read) == (413, 5)


@pytest.mark.covers("F21")
def test_more_than_four_megabytes_in_one_piece_of_no_declared_length_are_413(inbox, writer):
    assert ask(b" " * (LIMIT + 1), chunk=LIMIT + 1)[0] == 413
    assert not WebhookEvent.objects.exists()


@pytest.mark.covers("F21")
def test_exactly_four_megabytes_are_taken(inbox, writer):
    body = b'{"entry": []' + b" " * (LIMIT - 13) + b"}"
    assert len(body) == LIMIT
    assert ask(body)[0] == 200
    assert WebhookEvent.objects.get().body == body


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "HEAD", "PATCH"])
@pytest.mark.covers("W15")
def test_other_methods_are_405(inbox, method):
    assert ask(BODY, method)[0] == 405


@pytest.mark.parametrize(
    "kind", [b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"text/html"]
)
@pytest.mark.covers("W15")
def test_other_content_types_are_415(inbox, writer, kind):
    assert ask(BODY, headers=[(NAME, GOOD), (b"content-type", kind)])[0] == 415


def test_a_client_that_hangs_up_leaves_nothing(inbox, writer):
    sent = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {"method": "POST", "query_string": b"", "headers": [(NAME, GOOD)]}
    asyncio.run(receiver.receive_webhook(scope, receive, send))
    assert sent[0]["status"] == 400
    assert not WebhookEvent.objects.exists()


@pytest.mark.covers("F20")
def test_signed_nonsense_is_200_quarantined_and_can_be_replayed(inbox, writer, capsys):
    body = b'{"entry": [' + b"[" * 50
    assert ask(body)[0] == 200
    assert pipeline.drain() is True
    event = WebhookEvent.objects.get()
    assert (event.state, event.reason, event.body) == ("quarantined", "not JSON: JSONDecodeError", body)
    call_command("replay")
    assert capsys.readouterr().out.strip() == "1 replayed, 1 still in quarantine."


@pytest.mark.covers("F20", "F27")
def test_replay_applies_what_was_quarantined_once_the_cause_is_gone(inbox, writer, capsys):
    inbox.phone_number_id, ours = "elsewhere", inbox.phone_number_id
    inbox.save()
    assert ask(BODY)[0] == 200
    pipeline.drain()
    event = WebhookEvent.objects.get()
    assert event.state == "quarantined"
    inbox.phone_number_id = ours
    inbox.save()
    call_command("replay", str(event.pk))
    event.refresh_from_db()
    assert (event.state, event.reason) == ("processed", "")
    assert Message.objects.count() == 1
    call_command("replay")
    assert capsys.readouterr().out.splitlines() == [
        "1 replayed, 0 still in quarantine.",
        "0 replayed, 0 still in quarantine.",
    ]
