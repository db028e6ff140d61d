"""Bells on their way to the workers: after the commit, many as one, a job only if nobody is on call, never lost for
long.
"""

import asyncio
import os
import threading
import time

import pytest
from django.db import OperationalError, connection, transaction

from crm.foundation import work

pytestmark = [
    pytest.mark.skipif(os.environ.get("TEST_DATABASE") == "sqlite", reason="procrastinate needs PostgreSQL"),
    pytest.mark.django_db(transaction=True),
]
bells = pytest.importorskip("crm.foundation.bells") if os.environ.get("TEST_DATABASE") != "sqlite" else None


@pytest.fixture
def rounds(monkeypatch):
    """A ringer that has taken over the bells of this process; what it rang for, round by round."""
    rung: list[list[str]] = []
    monkeypatch.setattr(bells, "ring_now", lambda kinds: rung.append(list(kinds)))
    ringer = bells.BellRinger()
    ringer.start()
    yield rung
    ringer.stop()


def rows(statement: str, *values: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def wait_for(true) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_nothing_is_rung_inside_a_transaction_nor_after_a_rollback(rounds):
    with transaction.atomic():
        work.ring("outbox")
        time.sleep(0.1)
        assert rounds == []
    wait_for(lambda: rounds == [["outbox"]])
    with transaction.atomic():
        work.ring("outbox")
        transaction.set_rollback(True)
    time.sleep(0.1)
    assert rounds == [["outbox"]]


def test_bells_rung_while_the_last_ones_are_on_their_way_are_one(monkeypatch):
    going, on = threading.Event(), threading.Event()
    rung: list[list[str]] = []

    def slow(kinds: list[str]) -> None:
        rung.append(list(kinds))
        going.set()
        on.wait(5)

    monkeypatch.setattr(bells, "ring_now", slow)
    ringer = bells.BellRinger()
    ringer.start()
    try:
        work.ring("pipeline")
        assert going.wait(5)
        for _ in range(500):
            work.ring("pipeline")
            work.ring("media")
        on.set()
        wait_for(lambda: len(rung) == 2)
    finally:
        ringer.stop()
    assert rung == [["pipeline"], ["media", "pipeline"]]


def test_bells_are_kept_while_the_database_is_away(monkeypatch):
    monkeypatch.setattr(bells, "RETRY_SECONDS", 0.01)
    rung: list[list[str]] = []

    def away_at_first(kinds: list[str]) -> None:
        rung.append(list(kinds))
        if len(rung) < 3:
            raise OperationalError

    monkeypatch.setattr(bells, "ring_now", away_at_first)
    ringer = bells.BellRinger()
    ringer.start()
    try:
        work.ring("pipeline")
        wait_for(lambda: len(rung) == 3)
    finally:
        ringer.stop()
    assert rung == [["pipeline"]] * 3


def test_one_job_waits_per_kind_however_often_it_is_rung():
    for _ in range(3):
        bells.ring_now(["pipeline", "media"])
    jobs = rows("SELECT queueing_lock, status, args FROM procrastinate_jobs ORDER BY queueing_lock")
    assert [(lock, status) for lock, status, _ in jobs] == [("media", "todo"), ("pipeline", "todo")]
    assert not bells.defer("pipeline")


def test_a_kind_somebody_is_on_call_for_costs_no_job_unless_that_worker_is_dead():
    bells.ring_now(["pipeline"])
    ((worker,),) = rows("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    rows("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s RETURNING id", worker)
    bells.ring_now(["pipeline"])
    assert rows("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'") == [(0,)]
    rows("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute' RETURNING id")
    bells.ring_now(["pipeline"])
    assert rows("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'") == [(1,)]


def test_a_worker_hears_only_the_bells_it_is_on_call_for(monkeypatch):
    worker = pytest.importorskip("crm.foundation.worker")
    monkeypatch.setattr(worker, "ON_CALL_SECONDS", 0.01)
    woken: list[str] = []
    monkeypatch.setattr(work, "wake", woken.append)
    on_call = worker.OnCall()

    async def play() -> None:
        await on_call.hear("any", "pipeline")
        await on_call.serve("pipeline")
        await on_call.hear("any", "media")
        await on_call.hear("any", "pipeline")  # the end of its job is still being written

    asyncio.run(play())
    assert woken == ["pipeline", "pipeline"]
