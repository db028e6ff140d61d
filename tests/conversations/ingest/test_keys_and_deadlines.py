"""The ring of secrets is read aside and never too old; waits are given up in time."""

import asyncio
import threading
import time

import pytest
from django.db import OperationalError

from conversations.inboxes.models import AppSecret
from conversations.ingest import keyring, receiver
from conversations.ingest.deadlines import Deadlines
from conversations.ingest.keyring import KeyRing, KeyRingUnavailable
from tests.webhooks import SECRET, ask, call

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_too]


@pytest.fixture
def ring(inbox):
    return KeyRing()


def knows(ring) -> bool:
    return SECRET in ring._accounts


def test_a_ring_that_is_due_is_used_while_it_is_read_anew(ring, monkeypatch):
    asyncio.run(ring.ensure_fresh(5))
    assert knows(ring)
    release, real = threading.Event(), ring.refresh

    def slow():
        release.wait(10)
        real()

    monkeypatch.setattr(ring, "refresh", slow)
    AppSecret.objects.all().delete()
    ring._read_at = time.monotonic() - keyring.DUE_SECONDS
    asyncio.run(ring.ensure_fresh(0))
    assert knows(ring), "nobody waited"
    release.set()
    ring._reading.result(10)
    assert not knows(ring)


def test_a_ring_that_is_too_old_is_waited_for(ring):
    asyncio.run(ring.ensure_fresh(5))
    AppSecret.objects.all().delete()
    ring._read_at = time.monotonic() - keyring.FRESH_SECONDS
    asyncio.run(ring.ensure_fresh(5))
    assert not knows(ring)


def test_too_old_and_unreadable_is_refused_by_all_with_one_reading(ring, monkeypatch):
    asyncio.run(ring.ensure_fresh(5))
    readings, release = [], threading.Event()

    def hanging():
        readings.append(1)
        release.wait(10)
        raise OperationalError

    monkeypatch.setattr(ring, "refresh", hanging)
    ring._read_at = time.monotonic() - keyring.FRESH_SECONDS

    async def many():
        return await asyncio.gather(*(ring.ensure_fresh(0.1) for _ in range(50)), return_exceptions=True)

    assert {type(one) for one in asyncio.run(many())} == {KeyRingUnavailable}
    assert len(readings) == 1
    release.set()
    ring._reading.exception(10)
    with pytest.raises(KeyRingUnavailable):
        asyncio.run(ring.ensure_fresh(5))
    assert len(readings) == 1, "after a failure there is a pause"


def test_what_is_dropped_in_time_is_not_given_up_and_the_rest_is():
    limits, over = Deadlines(), []

    async def wait_for(name):
        ended = asyncio.Event()

        def give_up(wait):
            over.append(wait)
            ended.set()

        limits.add("kept", 0.05, give_up)
        limits.add(name, 0.05, give_up)
        limits.add("much later", 30, give_up)
        limits.drop("kept")
        await asyncio.wait_for(ended.wait(), 5)

    asyncio.run(wait_for("late"))
    asyncio.run(wait_for("late in the next loop"))
    assert over == ["late", "late in the next loop"]


@pytest.mark.covers("F21", "W16")
def test_a_sender_that_trickles_is_408(inbox, writer, fresh_keys, monkeypatch):
    monkeypatch.setattr(receiver, "READ_SECONDS", 0.05)
    sent = []

    async def receive():
        await asyncio.sleep(0.03)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {"method": "POST", "query_string": b"", "headers": []}
    asyncio.run(receiver.receive_webhook(scope, receive, send))
    assert sent[0]["status"] == 408
    assert not receiver._Reading.stopped


def test_a_request_that_is_cancelled_stays_cancelled(inbox, writer, fresh_keys):
    async def cancel():
        task = asyncio.create_task(receiver.receive_webhook({"method": "POST", "headers": []}, asyncio.Event().wait, 0))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())


def test_a_connection_that_died_costs_nothing(inbox, writer, fresh_keys):
    """The writer's connection is broken off between two webhooks."""
    assert ask(b"{}")[0] == 200
    own = []
    real = type(writer)._commit

    def broken_off_once(self, arrivals):
        if not own:
            own.append(1)
            raise OperationalError("terminating connection due to administrator command")
        real(self, arrivals)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(writer), "_commit", broken_off_once)
        assert asyncio.run(call(b'{"entry":[]}'))[0] == 200
    assert own
