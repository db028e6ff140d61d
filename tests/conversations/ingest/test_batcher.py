"""200 means stored: webhooks are committed together, and answered in time when the database is not there."""

import asyncio
import json
import threading
import time

import pytest
from django.db import OperationalError, connection

from conversations.ingest import batcher as batching
from conversations.ingest import pipeline, receiver
from conversations.ingest.models import WebhookEvent
from conversations.messaging.models import Message
from tests.webhooks import ask, call, messages, recorded, store, text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_too, pytest.mark.usefixtures("fresh_keys")]

BODY = json.dumps(recorded("text")).encode()


@pytest.mark.covers("F25")
def test_webhooks_that_come_together_are_committed_together(inbox, writer, monkeypatch):
    commits, slow = [], threading.Event()
    real = batching.Batcher._commit

    def commit(self, arrivals):
        slow.wait(1) if not commits else None
        commits.append(len(arrivals))
        real(self, arrivals)

    monkeypatch.setattr(batching.Batcher, "_commit", commit)

    async def many():
        tasks = [asyncio.create_task(call(BODY)) for _ in range(50)]
        await asyncio.sleep(0.2)
        slow.set()
        return await asyncio.gather(*tasks)

    answers = asyncio.run(many())
    assert {status for status, *_ in answers} == {200}
    assert WebhookEvent.objects.count() == sum(commits) == 50
    assert len(commits) <= 3


@pytest.mark.parametrize("limit", ["QUEUE_MAX", "QUEUE_BYTES_MAX"])
def test_above_its_bounds_the_queue_refuses_at_once(inbox, writer, monkeypatch, limit):
    monkeypatch.setattr(batching, limit, 0)
    assert asyncio.run(call(BODY))[0] == 503
    assert WebhookEvent.objects.count() == 0


def test_nothing_is_answered_before_its_commit(inbox, writer, monkeypatch):
    hold = threading.Event()
    real = batching.Batcher._commit

    def commit(self, arrivals):
        hold.wait(1.5)
        real(self, arrivals)

    monkeypatch.setattr(batching.Batcher, "_commit", commit)

    async def one():
        task = asyncio.create_task(call(BODY))
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
            assert release.wait(30)
        raise OperationalError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(batching.Batcher, "_commit", commit)
        status, headers, *_ = ask(BODY)  # answered while the database still hangs
        assert (status, headers[b"retry-after"]) == (503, b"5")
        release.set()
        time.sleep(0.1)
    assert ask(BODY)[0] == 200
    assert WebhookEvent.objects.count() == 1


@pytest.mark.parametrize("away", ["refused", "hanging"])
def test_secrets_that_cannot_be_read_are_503_within_two_seconds(inbox, writer, monkeypatch, away):
    release = threading.Event()

    def refresh():
        if away == "hanging":
            assert release.wait(30)
        raise OperationalError("connection refused")

    monkeypatch.setattr(receiver.key_ring, "refresh", refresh)

    async def asked():
        status, *_ = await call(BODY)
        release.set()
        return status

    assert asyncio.run(asked()) == 503


def test_reading_secrets_and_storing_share_the_two_seconds(inbox, writer, monkeypatch):
    real, left = receiver.key_ring.refresh, []

    def refresh():
        time.sleep(1.2)
        real()

    async def put(self, body, signature, signer_ids, *, seconds):
        left.append(seconds)
        raise batching.Overloaded

    monkeypatch.setattr(receiver.key_ring, "refresh", refresh)
    monkeypatch.setattr(batching.Batcher, "put", put)
    assert ask(BODY)[0] == 503
    assert left[0] <= 2 - 1.2
    assert receiver.ANSWER_SECONDS < 2


def test_a_full_queue_is_503_at_once(inbox, monkeypatch):
    monkeypatch.setattr(batching, "QUEUE_MAX", 3)
    own = batching.Batcher()  # nobody empties it
    monkeypatch.setattr(receiver, "batcher", own)

    async def fill():
        tasks = [asyncio.create_task(call(BODY)) for _ in range(3)]
        await asyncio.sleep(0.3)
        status, *_ = await call(BODY)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return status

    assert asyncio.run(fill()) == 503


def test_a_queue_of_large_bodies_is_full_sooner(inbox, monkeypatch):
    monkeypatch.setattr(batching, "QUEUE_BYTES_MAX", len(BODY) - 1)
    monkeypatch.setattr(receiver, "batcher", batching.Batcher())
    assert ask(BODY)[0] == 503


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
        first = asyncio.create_task(call(BODY))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(call(BODY))
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


@pytest.mark.covers("F14", "F15")
def test_ten_threads_with_the_first_message_of_a_person_make_one_person(inbox):
    """Each thread has a message of its own and one that all have."""
    from_all = messages(text("w.all", "a la vez"))
    stored = [[store(inbox, messages(text(f"w.{index}"))), store(inbox, from_all)] for index in range(10)]
    together = threading.Barrier(10)

    def run(events):
        together.wait()
        pipeline.process(events)
        connection.close()

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
