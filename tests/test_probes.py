"""What machines ask: alive, ready, figures; who is told and what is kept from strangers."""

import asyncio
import threading

import orjson
import pytest
from django.db import OperationalError, connection

from config import asgi, probes
from conversations.ingest.models import WebhookEvent
from conversations.messaging.models import SendFence
from conversations.monitoring import readiness
from tests.factories import ConversationFactory, MessageFactory


class Answer:
    """What an ASGI application sends."""

    def __init__(self) -> None:
        self.status, self.body = 0, b""

    async def send(self, message: dict) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")


async def ask(path: str, *, peer: str = "127.0.0.1", headers: dict[str, str] | None = None) -> Answer:
    answer = Answer()
    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": "GET", "path": path, "headers": raw, "query_string": b"", "client": (peer, 5)}

    bodies = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict:
        for body in bodies:
            return body
        return await asyncio.Future()  # nobody hangs up

    await asgi.application(scope, receive, answer.send)
    return answer


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    """Each test takes readings of its own."""
    monkeypatch.setattr(probes, "latest_readiness", probes.Latest(readiness.check))
    monkeypatch.setattr(probes, "latest_figures", probes.Latest(probes._read_figures))
    monkeypatch.setattr(readiness, "_migrations_are_applied", False)


@pytest.mark.sqlite_too
@pytest.mark.django_db(transaction=True)
async def test_a_process_with_its_database_is_ready_and_tells_the_backlog():
    def arrive() -> None:
        WebhookEvent.objects.create(sealed_body=b"x")
        connection.close()

    await asyncio.to_thread(arrive)
    answer = await ask("/readyz/", peer="203.0.113.9")
    found = orjson.loads(answer.body)
    assert (answer.status, found["status"]) == (200, "ready")
    assert found["webhooks_waiting"] == 1
    assert found["oldest_webhook_seconds"] >= 0


@pytest.mark.django_db(transaction=True)
async def test_without_redis_a_process_is_degraded_but_ready(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = await ask("/readyz/")
    assert (answer.status, orjson.loads(answer.body)["status"]) == (200, "degraded")


@pytest.mark.covers("U11")
@pytest.mark.sqlite_too
@pytest.mark.django_db(transaction=True)
async def test_without_the_database_a_process_is_not_ready_and_says_no_details(monkeypatch):
    def away() -> None:
        raise OperationalError("connection to server at 10.1.2.3 failed for user secret")

    monkeypatch.setattr(readiness.figures, "webhooks_waiting", away)
    answer = await ask("/readyz/")
    assert answer.status == 503
    assert orjson.loads(answer.body)["database"] == "away"
    assert b"secret" not in answer.body
    assert (await ask("/healthz/")).body == b"ok"


@pytest.mark.sqlite_too
@pytest.mark.django_db(transaction=True)
async def test_a_process_whose_migrations_are_missing_is_not_ready():
    def forget(name: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET app = %s WHERE app = %s", name)
        connection.close()

    await asyncio.to_thread(forget, ["forgotten", "conversations"])
    try:
        answer = await ask("/readyz/")
    finally:
        await asyncio.to_thread(forget, ["conversations", "forgotten"])
    assert (answer.status, orjson.loads(answer.body)["migrations"]) == (503, "missing")


async def test_a_database_that_never_answers_is_asked_once_and_nobody_waits_for_it(monkeypatch):
    monkeypatch.setattr(probes, "ANSWER_SECONDS", 0.05)
    release, asked = threading.Event(), []

    def hangs() -> readiness.Readiness:
        asked.append(1)
        release.wait(10)
        return readiness.Readiness("ok", "applied", "ok")

    monkeypatch.setattr(probes, "latest_readiness", probes.Latest(hangs))
    answers = [await ask("/readyz/") for _ in range(3)]
    assert [answer.status for answer in answers] == [503] * 3
    assert len(asked) == 1
    release.set()
    monkeypatch.setattr(probes, "ANSWER_SECONDS", 5)
    assert (await ask("/readyz/")).status == 200


@pytest.mark.sqlite_too
@pytest.mark.django_db(transaction=True)
async def test_metrics_show_what_waits_and_what_stands_still():
    def fill() -> None:
        conversation = ConversationFactory()
        MessageFactory(conversation=conversation, outbound=True, status="queued")
        MessageFactory(conversation=conversation, outbound=True, status="unknown")
        conversation.inbox.open_circuit("190")
        WebhookEvent.objects.create(sealed_body=b"x")
        WebhookEvent.objects.create(sealed_body=b"x", state="quarantined")
        SendFence.objects.create(reason="manual")
        connection.close()

    await asyncio.to_thread(fill)
    text = (await ask("/metrics")).body.decode()
    for line in (
        "ventanilla_database_up 1.0",
        "ventanilla_webhooks_pending 1.0",
        "ventanilla_webhooks_quarantined 1.0",
        'ventanilla_outbox{status="queued"} 1.0',
        'ventanilla_outbox{status="sending"} 0.0',
        "ventanilla_outbox_unknown 1.0",
        "ventanilla_fence_up 1.0",
        "ventanilla_sockets 0.0",
        "process_resident_memory_bytes",
    ):
        assert line in text
    assert 'ventanilla_circuit_open{inbox="' in text


@pytest.mark.covers("U11")
@pytest.mark.django_db(transaction=True)
async def test_metrics_are_for_the_token_or_for_this_machine_and_for_nobody_else(settings):
    assert (await ask("/metrics")).status == 200
    assert (await ask("/metrics", peer="203.0.113.9")).status == 403
    assert (await ask("/metrics", peer="203.0.113.9", headers={"X-Forwarded-For": "127.0.0.1"})).status == 403
    settings.BEHIND_PROXY = True
    assert (await ask("/metrics")).status == 403
    settings.METRICS_TOKEN = "a-long-token"
    for given, status in (("Bearer a-long-token", 200), ("Bearer another", 403), ("a-long-token", 403)):
        assert (await ask("/metrics", peer="203.0.113.9", headers={"Authorization": given})).status == status
    assert (await ask("/metrics")).status == 403


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/simulator", "/simulator/", "/simulator/api/messages", "/simulator/graph/v23.0/1"])
async def test_what_is_no_demo_has_no_simulator(path):
    answer = await ask(path, headers={"Host": "localhost"})
    assert answer.status == 404
    assert b"data-testid" not in answer.body
