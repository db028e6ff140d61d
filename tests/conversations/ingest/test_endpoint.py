"""The webhook endpoint as a server calls it: who may speak, what is answered, and that 200 means stored."""

import asyncio
import hashlib
import hmac
import json
import threading
import time
import urllib.parse

import pytest
from django.core.management import call_command
from django.db import OperationalError, transaction

from conversations.graphapi.signature import sign
from conversations.inboxes.models import AppSecret, WhatsAppAccount
from conversations.ingest import batcher as batching
from conversations.ingest import pipeline, receiver
from conversations.ingest.keyring import key_ring
from conversations.ingest.models import WebhookEvent
from conversations.messaging.models import Message
from tests.webhooks import SECRET, make_inbox, messages, recorded, text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_too]

BODY = json.dumps(recorded("text"), ensure_ascii=False).encode()
LIMIT = 4 * 1024 * 1024


@pytest.fixture
def inbox(transactional_db):
    key_ring.forget()
    yield make_inbox()
    key_ring.forget()


@pytest.fixture
def writer(monkeypatch):
    """A batcher of its own, with its thread."""
    own = batching.Batcher()
    monkeypatch.setattr(receiver, "batcher", own)
    own.start()
    yield own
    own.stop()


async def call(method="POST", body=BODY, headers=None, query="", chunk=1 << 20):
    """One request straight into the ASGI route: (status, headers, body, how many chunks were read)."""
    chunks = [body[start : start + chunk] for start in range(0, len(body), chunk)] or [b""]
    read, sent = [], []

    async def receive():
        read.append(1)
        more = len(read) < len(chunks)
        return {"type": "http.request", "body": chunks[len(read) - 1], "more_body": more}

    async def send(message):
        sent.append(message)

    if headers is None:
        headers = [(b"x-hub-signature-256", sign(SECRET, body).encode())]
    scope = {
        "type": "http",
        "method": method,
        "path": receiver.PATH,
        "query_string": query.encode(),
        "headers": headers,
    }
    await receiver.receive_webhook(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"], len(read)


def ask(*args, **kwargs):
    return asyncio.run(call(*args, **kwargs))


def handshake(token, challenge="1158201444", mode="subscribe"):
    values = {"hub.mode": mode, "hub.verify_token": token, "hub.challenge": challenge}
    return ask("GET", b"", [], urllib.parse.urlencode(values))


def test_the_handshake_repeats_the_challenge_as_plain_text(inbox):
    status, headers, body, _ = handshake(inbox.account.verify_token)
    assert (status, body) == (200, b"1158201444")
    assert headers[b"content-type"].startswith(b"text/plain")
    assert headers[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize("token", ["", "wrong", "é", "\ud800".encode("utf-8", "replace").decode(), "x" * 10_000])
def test_a_wrong_verify_token_is_refused(inbox, token):
    assert handshake(token)[0] == 403


def test_another_mode_is_refused(inbox):
    assert handshake(inbox.account.verify_token, mode="unsubscribe")[0] == 403


@pytest.mark.parametrize("challenge", ["<script>alert(1)</script>", "", "é", "1" * 201, "12\r\nSet-Cookie: a=b"])
def test_a_challenge_that_is_no_number_is_never_echoed(inbox, challenge):
    status, _headers, body, _ = handshake(inbox.account.verify_token, challenge)
    assert status == 400
    assert b"script" not in body


def test_an_empty_verify_token_opens_nothing(inbox):
    WhatsAppAccount.objects.update(verify_token="")
    key_ring.forget()
    assert handshake("")[0] == 403


def test_200_means_the_exact_bytes_are_stored(inbox, writer):
    body = '{"entry": [], "é": "🚗 \\/ \\u00e9"}'.encode()
    status, headers, _body, _ = ask(body=body)
    assert status == 200
    assert headers[b"cache-control"] == b"no-store"
    event = WebhookEvent.objects.get()
    assert event.body == body
    assert event.signer_ids == [inbox.account_id]
    assert body not in bytes(event.sealed_body)


def test_escaped_and_raw_letters_are_different_bytes(inbox, writer):
    escaped = json.dumps(recorded("text")).encode()
    assert escaped != BODY
    signature = [(b"x-hub-signature-256", sign(SECRET, escaped).encode())]
    assert ask(body=escaped, headers=signature)[0] == 200
    assert ask(body=BODY, headers=signature)[0] == 401


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
def test_a_bad_signature_is_401_and_leaves_nothing(inbox, writer, case):
    status, _headers, body, _ = ask(headers=BAD[case])
    assert status == 401
    assert GOOD not in body
    assert not WebhookEvent.objects.exists()


def test_one_changed_byte_is_401(inbox, writer):
    assert ask(body=BODY + b" ", headers=[(NAME, GOOD)])[0] == 401


@pytest.mark.parametrize("secret", [None, "", "   "])
def test_without_a_secret_nothing_is_accepted(inbox, writer, secret):
    AppSecret.objects.all().delete()
    if secret is not None:
        AppSecret.objects.create(account=inbox.account, secret=secret)
    key_ring.forget()
    empty = b"sha256=" + hmac.new((secret or "").encode(), BODY, hashlib.sha256).hexdigest().encode()
    assert ask(headers=[(NAME, empty)])[0] == 401
    assert ask(headers=[(NAME, GOOD)])[0] == 401


def test_while_a_secret_is_rotated_both_sign_and_the_retired_one_does_not(inbox, writer):
    AppSecret.objects.create(account=inbox.account, secret="the-next-one")
    key_ring.forget()
    assert ask(headers=[(NAME, sign("the-next-one", BODY).encode())])[0] == 200
    assert ask(headers=[(NAME, GOOD)])[0] == 200
    AppSecret.objects.filter(account=inbox.account).order_by("pk").first().delete()
    key_ring.forget()
    assert ask(headers=[(NAME, GOOD)])[0] == 401


def test_more_than_four_megabytes_declared_is_413_before_reading(inbox, writer):
    status, *_, read = ask(headers=[(NAME, GOOD), (b"content-length", str(LIMIT + 1).encode())])
    assert (status, read) == (413, 0)


@pytest.mark.parametrize("length", [b"9" * 5000, b"99999999999999999999999"])
def test_an_absurd_declared_length_is_413(inbox, length):
    assert ask(headers=[(b"content-length", length)])[0] == 413


def test_more_than_four_megabytes_streamed_stops_reading(inbox, writer):
    status, *_, read = ask(body=b" " * (6 * 1024 * 1024), headers=[(NAME, GOOD)])
    assert (status, read) == (413, 5)


def test_exactly_four_megabytes_are_taken(inbox, writer):
    body = b'{"entry": []' + b" " * (LIMIT - 13) + b"}"
    assert len(body) == LIMIT
    assert ask(body=body)[0] == 200
    assert WebhookEvent.objects.get().body == body


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "HEAD", "PATCH"])
def test_other_methods_are_405(inbox, method):
    assert ask(method)[0] == 405


@pytest.mark.parametrize(
    "kind", [b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"text/html"]
)
def test_other_content_types_are_415(inbox, writer, kind):
    assert ask(headers=[(NAME, GOOD), (b"content-type", kind)])[0] == 415


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


def test_signed_nonsense_is_200_quarantined_and_can_be_replayed(inbox, writer, capsys):
    body = b'{"entry": [' + b"[" * 50
    assert ask(body=body)[0] == 200
    assert pipeline.drain() is True
    event = WebhookEvent.objects.get()
    assert (event.state, event.reason, event.body) == ("quarantined", "not JSON: JSONDecodeError", body)
    call_command("replay")
    assert capsys.readouterr().out.strip() == "1 replayed, 1 still in quarantine."


def test_replay_applies_what_was_quarantined_once_the_cause_is_gone(inbox, writer, capsys):
    inbox.phone_number_id, ours = "elsewhere", inbox.phone_number_id
    inbox.save()
    assert ask()[0] == 200
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


def test_webhooks_that_come_together_are_committed_together(inbox, writer, monkeypatch):
    commits, slow = [], threading.Event()
    real = batching.Batcher._commit

    def commit(self, arrivals):
        slow.wait(1) if not commits else None
        commits.append(len(arrivals))
        real(self, arrivals)

    monkeypatch.setattr(batching.Batcher, "_commit", commit)

    async def many():
        tasks = [asyncio.create_task(call()) for _ in range(50)]
        await asyncio.sleep(0.2)
        slow.set()
        return await asyncio.gather(*tasks)

    answers = asyncio.run(many())
    assert {status for status, *_ in answers} == {200}
    assert WebhookEvent.objects.count() == sum(commits) == 50
    assert len(commits) <= 3


def test_nothing_is_answered_before_its_commit(inbox, writer, monkeypatch):
    hold = threading.Event()
    real = batching.Batcher._commit

    def commit(self, arrivals):
        hold.wait(1.5)
        real(self, arrivals)

    monkeypatch.setattr(batching.Batcher, "_commit", commit)

    async def one():
        task = asyncio.create_task(call())
        await asyncio.sleep(0.3)
        assert not task.done()
        hold.set()
        return await task

    assert asyncio.run(one())[0] == 200


@pytest.mark.parametrize("away", ["refused", "hanging"])
def test_an_absent_database_is_503_within_two_seconds_and_then_all_is_well_again(inbox, writer, monkeypatch, away):
    release = threading.Event()

    def commit(self, arrivals):
        if away == "hanging":
            release.wait(10)
        raise OperationalError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(batching.Batcher, "_commit", commit)
        started = time.monotonic()
        status, headers, *_ = ask()
        assert (status, headers[b"retry-after"]) == (503, b"5")
        assert time.monotonic() - started < 2
        release.set()
        time.sleep(0.1)
    assert ask()[0] == 200
    assert WebhookEvent.objects.count() == 1


@pytest.mark.parametrize("away", ["refused", "hanging"])
def test_secrets_that_cannot_be_read_are_503_within_two_seconds(inbox, writer, monkeypatch, away):
    release = threading.Event()

    def refresh():
        if away == "hanging":
            release.wait(3)
        raise OperationalError("connection refused")

    monkeypatch.setattr(receiver.key_ring, "refresh", refresh)

    async def timed():
        started = time.monotonic()
        status, *_ = await call()
        took = time.monotonic() - started
        release.set()
        return status, took

    status, took = asyncio.run(timed())
    assert status == 503
    assert took < 2


def test_reading_secrets_and_storing_share_the_two_seconds(inbox, writer, monkeypatch):
    release = threading.Event()
    real = receiver.key_ring.refresh

    def refresh():
        time.sleep(1.2)
        real()

    monkeypatch.setattr(receiver.key_ring, "refresh", refresh)
    monkeypatch.setattr(batching.Batcher, "_commit", lambda self, arrivals: release.wait(3))
    started = time.monotonic()
    assert ask()[0] == 503
    assert time.monotonic() - started < 2
    release.set()


def test_a_full_queue_is_503_at_once(inbox, monkeypatch):
    monkeypatch.setattr(batching, "QUEUE_MAX", 3)
    own = batching.Batcher()  # nobody empties it
    monkeypatch.setattr(receiver, "batcher", own)

    async def fill():
        tasks = [asyncio.create_task(call()) for _ in range(3)]
        await asyncio.sleep(0.3)
        started = time.monotonic()
        status, *_ = await call()
        took = time.monotonic() - started
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return status, took

    status, took = asyncio.run(fill())
    assert status == 503
    assert took < 0.5


def test_a_webhook_answered_503_is_not_stored_later(inbox, writer, monkeypatch):
    hold = threading.Event()
    real = batching.Batcher._commit
    seen = []

    def commit(self, arrivals):
        if not seen:
            seen.append(1)
            hold.wait(5)
            raise OperationalError("gone")
        real(self, arrivals)

    monkeypatch.setattr(batching.Batcher, "_commit", commit)

    async def both():
        first = asyncio.create_task(call())
        await asyncio.sleep(0.1)
        second = asyncio.create_task(call())
        answers = await asyncio.gather(first, second)
        hold.set()
        return [status for status, *_ in answers]

    assert asyncio.run(both()) == [503, 503]
    writer.stop()
    assert seen
    assert not WebhookEvent.objects.exists()


def test_stopping_stores_what_is_queued(inbox, writer):
    async def put_and_stop():
        tasks = [asyncio.create_task(writer.put(BODY, "", [], seconds=5)) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.to_thread(writer.stop)
        await asyncio.gather(*tasks)

    asyncio.run(put_and_stop())
    assert WebhookEvent.objects.count() == 3


def test_ten_threads_with_the_first_message_of_a_person_make_one_person(inbox):
    """Each thread has a message of its own and one that all have."""
    from_all = messages(text("w.all", "a la vez"))
    stored = [
        [
            WebhookEvent.objects.create(
                sealed_body=batching.seal(json.dumps(body).encode()), signer_ids=[inbox.account_id]
            )
            for body in (messages(text(f"w.{index}", "primero")), from_all)
        ]
        for index in range(10)
    ]
    together = threading.Barrier(10)

    def run(events):
        together.wait()
        pipeline.process(events)
        transaction.get_connection().close()

    threads = [threading.Thread(target=run, args=(events,)) for events in stored]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deadline = time.monotonic() + 20
    while WebhookEvent.objects.filter(state="pending").exists() and time.monotonic() < deadline:
        pipeline.drain()
        time.sleep(0.2)
    message = Message.objects.get(external_id="w.all")
    assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}
    assert Message.objects.count() == 11
    conversation = message.conversation
    assert conversation.messages.count() == conversation.inbound_count == 11
    assert type(conversation).objects.count() == 1
    assert type(conversation.identity).objects.count() == type(conversation.contact).objects.count() == 1
