"""How much may come through the door: large, deep, slow, compressed and very many bodies."""

import asyncio
import gzip
import json

import pytest

from conversations.ingest import pipeline, receiver, storing
from conversations.ingest.models import RefusedWebhooks, WebhookEvent
from conversations.messaging.models import Message
from tests.hardening.mutations import nested
from tests.hardening.signing import NAME, signed
from tests.webhooks import ANA, ask, body, call, change, messages, recorded, text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("inbox", "fresh_keys", "writer")]

BODY = json.dumps(recorded("text"), ensure_ascii=False).encode()
GOOD = signed(BODY)[0][1]
MB = 1024 * 1024
LIMIT = 4 * MB


async def pour(size, *, declared=None, piece=64 * 1024, extra=(), method="POST"):
    """Send `size` spaces in pieces and count what is read of them: (status, bytes taken in)."""
    taken, sent = 0, []

    async def receive():
        nonlocal taken
        part = min(piece, size - taken)
        taken += part
        return {"type": "http.request", "body": b" " * part, "more_body": taken < size}

    async def send(message):
        sent.append(message)

    headers = [*extra] + ([(b"content-length", str(declared).encode())] if declared is not None else [])
    await receiver.receive_webhook({"method": method, "query_string": b"", "headers": headers}, receive, send)
    return sent[0]["status"], taken


@pytest.mark.covers("F21")
@pytest.mark.parametrize("size", [2_621_440, 2_621_441, 3 * MB, LIMIT])
@pytest.mark.parametrize("declares", [True, False], ids=["with its length", "in pieces"])
def test_what_meta_may_send_is_taken_whole_and_processed(size, declares):
    few = json.dumps(messages(text("w", "grande")), ensure_ascii=False).encode()
    raw = few[:-1] + b" " * (size - len(few)) + b"}"
    headers = signed(raw) + ([(b"content-length", str(size).encode())] if declares else [])
    assert ask(raw, headers=headers, chunk=64 * 1024)[0] == 200
    pipeline.drain()
    assert WebhookEvent.objects.get().body == raw
    assert Message.objects.get().text == "grande"


@pytest.mark.covers("F21", "W16")
@pytest.mark.usefixtures("nothing_done")
@pytest.mark.parametrize("size", [LIMIT + 1, 50 * MB])
@pytest.mark.parametrize("declared", ["truly", "not", "as less"])
def test_more_is_413_and_no_more_than_the_limit_is_ever_held(size, declared):
    length = {"truly": size, "not": None, "as less": 10}[declared]
    status, taken = asyncio.run(pour(size, declared=length, extra=[(NAME, GOOD)]))
    assert status == 413
    assert taken <= (0 if declared == "truly" else LIMIT + 64 * 1024)


@pytest.mark.covers("F21", "W16")
@pytest.mark.usefixtures("nothing_done")
def test_a_byte_at_a_time_is_408_when_the_time_for_reading_is_over(monkeypatch):
    monkeypatch.setattr(receiver, "READ_SECONDS", 0.2)

    async def slowly():
        sent = []

        async def receive():
            await asyncio.sleep(0)  # others have their turn; the time for reading goes by all the same
            return {"type": "http.request", "body": b" ", "more_body": True}

        async def send(message):
            sent.append(message)

        scope = {"method": "POST", "query_string": b"", "headers": [(NAME, GOOD)]}
        await asyncio.wait_for(receiver.receive_webhook(scope, receive, send), 30)
        return sent[0]["status"]

    assert asyncio.run(slowly()) == 408


@pytest.mark.covers("F21", "W16")
def test_many_who_send_slowly_fill_no_memory_and_give_way_to_webhooks_that_come_in_pieces(monkeypatch):
    monkeypatch.setattr(receiver, "READING_BYTES_MAX", 3 * MB)
    large = BODY[:-1] + b" " * MB + b"}"
    statuses, most = {}, []

    async def stranger(name, goes_on, waits, *, parts):
        left = iter(range(parts))

        async def receive():
            most.append(receiver._Reading.held)
            if next(left, None) is None:
                waits.set()
                await goes_on.wait()
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": b" " * MB, "more_body": True}

        async def send(message):
            statuses.setdefault(name, message.get("status"))

        scope = {"method": "POST", "query_string": b"", "headers": [(NAME, GOOD)]}
        await receiver.receive_webhook(scope, receive, send)

    async def crowd():
        goes_on = asyncio.Event()
        slow = []
        for number in range(3):
            waits = asyncio.Event()
            slow.append(asyncio.create_task(stranger(number, goes_on, waits, parts=1)))
            await waits.wait()
        taken = [(await call(large, chunk=MB // 2))[0] for _ in range(5)] + [(await call(BODY))[0]]
        goes_on.set()
        await asyncio.gather(*slow)
        await stranger("alone", goes_on, waits, parts=4)
        return taken

    assert asyncio.run(crowd()) == [200] * 6
    assert statuses == {0: 503, 1: 400, 2: 400, "alone": 503}, "the oldest gave way; the others hung up"
    assert max(most) <= 3 * MB
    assert receiver._Reading.held == 0
    assert not receiver._Reading.bodies
    assert not receiver._Reading.stopped


@pytest.mark.covers("F21")
def test_compressed_bytes_are_never_blown_up():
    bomb = gzip.compress(b" " * (64 * MB), 1)
    encoded = [(b"content-encoding", b"gzip")]
    assert ask(bomb, headers=encoded)[0] == 401
    assert ask(bomb, headers=signed(bomb) + encoded)[0] == 200
    pipeline.drain()
    event = WebhookEvent.objects.get()
    assert (event.state, event.body) == ("quarantined", bomb)


@pytest.mark.covers("F22")
@pytest.mark.parametrize(("depth", "ends"), [(100, "processed"), (1_000, "either"), (100_000, "quarantined")])
def test_deep_json_is_200_and_set_aside_if_it_cannot_be_read(depth, ends):
    """How deep Python's parser goes depends on its version: a thousand levels are read and cut off, or set aside."""
    value = {"id": "w", "from": ANA, "type": "deep", "deep": "@"}
    deep = json.dumps(nested(depth)).encode() if depth == 100 else b"[" * depth + b"]" * depth
    raw = json.dumps(messages(value, text("w.after"))).encode().replace(b'"@"', deep)
    assert ask(raw)[0] == 200
    pipeline.drain()
    event = WebhookEvent.objects.get()
    assert event.body == raw
    assert event.state == ends or (ends == "either" and event.state in ("processed", "quarantined"))
    assert Message.objects.count() == (2 if event.state == "processed" else 0)


@pytest.mark.covers("F22")
@pytest.mark.usefixtures("nothing_done")
@pytest.mark.parametrize("depth", [100, 1_000, 100_000])
def test_deep_json_without_our_signature_is_401_unparsed(depth):
    raw = b"[" * depth + b"]" * depth
    assert ask(raw, headers=[])[0] == 401
    assert ask(raw, headers=signed(raw, "another"))[0] == 401


@pytest.mark.covers("F24", "W16")
def test_hundreds_of_bad_webhooks_beside_good_ones_write_nothing_and_hold_nothing_up(monkeypatch):
    stored, real = [], storing.store
    monkeypatch.setattr(storing, "store", lambda received: (stored.extend(received), real(received)))
    good = [json.dumps(body(change(messages=[text(f"w.{number}")]))).encode() for number in range(20)]

    async def flood():
        bad = [call(BODY, headers=signed(BODY, "wrong") if number % 2 else []) for number in range(400)]
        fine = [call(raw) for raw in good]
        mixed = [one for number in range(20) for one in (*bad[number * 20 : number * 20 + 20], fine[number])]
        return [status for status, *_ in await asyncio.gather(*mixed)]

    answers = asyncio.run(flood())
    assert answers == ([401] * 20 + [200]) * 20
    assert sorted(raw for raw, _mark, _signers in stored) == sorted(good)
    assert WebhookEvent.objects.count() == 20
    assert not RefusedWebhooks.objects.exists(), "counted in memory, written every few seconds"
