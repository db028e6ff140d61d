"""What the webhook address counts: refused signatures, handshakes, the last webhook; never a write per request."""

import asyncio
import json
import threading
import urllib.parse
from unittest.mock import Mock

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from config import asgi
from conversations.inboxes.models import WhatsAppAccount
from conversations.ingest import tallies as module
from conversations.ingest.models import RefusedWebhooks
from conversations.ingest.tallies import Tallies
from crm.foundation import clock
from tests.factories import AccountFactory
from tests.webhooks import ask, recorded

FLOOD = 300


@pytest.fixture
def tallies(monkeypatch):
    own = Tallies()
    monkeypatch.setattr("conversations.ingest.receiver.tallies", own)
    return own


@pytest.mark.sqlite_too
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fresh_keys", "writer")
@pytest.mark.covers("F24")
def test_refused_webhooks_handshakes_and_events_are_counted(inbox, tallies):
    wrong = [(b"x-hub-signature-256", b"sha256=" + b"0" * 64)]
    for _ in range(5):
        assert ask(b"{}", headers=wrong)[0] == 401
    assert not RefusedWebhooks.objects.exists()
    token = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": inbox.account.verify_token}
    assert ask(b"", "GET", [], urllib.parse.urlencode(token))[0] == 200
    assert ask(str(recorded("text")).encode())[0] == 200
    tallies.write()
    row = RefusedWebhooks.objects.get()
    assert (row.count, row.day) == (5, clock.real().date())
    account = WhatsAppAccount.objects.get(pk=inbox.account_id)
    assert account.webhook_verified_at
    assert account.last_event_at


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fresh_keys", "writer")
@pytest.mark.covers("W03")
def test_a_refused_webhook_is_noted_with_the_account_it_names_and_with_nobody_elses(inbox, tallies):
    other = AccountFactory()
    spaced = {"entry": [{"changes": [{"value": {"metadata": {"phone_number_id": inbox.phone_number_id}}}]}]}
    for raw, named in (
        (b'{"id": "1", "phone_number_id": 7, "x": "\xff', None),
        (b" " * 5000 + json.dumps(recorded("text")).encode(), None),
        (json.dumps(recorded("text"), separators=(",", ":")).encode(), inbox.account),
        (json.dumps(spaced, indent=2).encode(), inbox.account),
    ):
        WhatsAppAccount.objects.update(refused_at=None)
        assert ask(raw, headers=[])[0] == 401
        tallies.write()
        noted = WhatsAppAccount.objects.exclude(refused_at=None)
        assert list(noted) == ([named] if named else []), raw
    assert other not in noted
    assert RefusedWebhooks.objects.get().count == 4


@pytest.mark.django_db
@pytest.mark.covers("F24", "W16")
def test_a_flood_of_bad_signatures_is_written_in_a_few_statements(tallies):
    async def flood():
        for _ in range(FLOOD):
            tallies.note_refused()

    for _ in range(2):
        asyncio.run(flood())
        with CaptureQueriesContext(connection) as queries:
            tallies.write()
        assert len(queries) <= 7
    assert RefusedWebhooks.objects.get().count == 2 * FLOOD


@pytest.mark.covers("F24")
def test_many_requests_are_one_writing(tallies, monkeypatch):
    written, stored = threading.Event(), []

    def store(counts):
        stored.append(counts)
        written.set()

    monkeypatch.setattr(module, "_store", store)
    monkeypatch.setattr(module, "WRITE_SECONDS", 0.01)

    async def flood():
        for _ in range(FLOOD):
            tallies.note_refused()
        assert await asyncio.to_thread(written.wait, 30)

    asyncio.run(flood())
    assert [sum(counts.refused.values()) for counts in stored] == [FLOOD]


def test_after_a_writing_that_failed_comes_another_without_a_new_webhook(tallies, monkeypatch):
    written, stored = threading.Event(), []

    def store(counts):
        stored.append(counts)
        if len(stored) == 1:
            raise OperationalError
        written.set()

    monkeypatch.setattr(module, "_store", store)
    monkeypatch.setattr(module, "WRITE_SECONDS", 0.01)

    async def one():
        tallies.note_refused()
        assert await asyncio.to_thread(written.wait, 30)

    asyncio.run(one())
    assert [sum(counts.refused.values()) for counts in stored] == [1, 1]


@pytest.mark.django_db(transaction=True)
def test_what_was_counted_is_written_when_the_process_ends(tallies, monkeypatch):
    async def one():
        tallies.note_refused()

    asyncio.run(one())
    monkeypatch.setattr(asgi, "tallies", tallies)
    for other in ("work", "batcher", "aio"):
        monkeypatch.setattr(asgi, other, Mock())
    asgi._stop()
    assert RefusedWebhooks.objects.get().count == 1
    monkeypatch.setattr(module, "_store", Mock(side_effect=OperationalError))
    asyncio.run(one())
    tallies.stop()


def test_what_cannot_be_written_is_counted_on(tallies, monkeypatch):
    async def one(day_of):
        tallies.note_refused()
        tallies.note_event([day_of])

    def away(counts):
        raise OperationalError

    asyncio.run(one(1))
    monkeypatch.setattr(module, "_store", away)
    with pytest.raises(OperationalError):
        tallies.write()
    asyncio.run(one(2))
    stored = []
    monkeypatch.setattr(module, "_store", stored.append)
    tallies.write()
    assert sum(stored[0].refused.values()) == 2
    assert set(stored[0].heard_at) == {1, 2}
