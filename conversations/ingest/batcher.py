"""Group commit: webhooks that arrive while one commit runs are stored together by the next; an answer waits for its
commit.
"""

import asyncio
import contextlib
import queue
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.db import connection

from conversations.ingest import storing
from conversations.ingest.connections import leave_pool
from conversations.ingest.deadlines import deadlines
from crm.foundation import work

log = structlog.get_logger(__name__)

QUEUE_MAX = 2000
QUEUE_BYTES_MAX = 128 * 1024 * 1024
BATCH_MAX = 200
BATCH_BYTES_MAX = 16 * 1024 * 1024
TRIES = 2  # the second for a connection that had died unnoticed


class Overloaded(Exception):
    """The queue is full or the database did not take the webhook in time: answer 503, the provider tries again."""


@dataclass(slots=True, eq=False)
class _Arrival:
    body: bytes
    signature: str
    signer_ids: list[int]
    done: "asyncio.Future[None]"  # done before its commit: given up, not to be stored


class Batcher:
    """One writer thread with one connection."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[_Arrival | None] = queue.SimpleQueue()  # None: the end
        self._bytes_in = 0  # changed by the server's loop only
        self._bytes_out = 0  # changed by the writer only
        self._is_ending = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the writer; called by the server's lifespan."""
        self._is_ending = False
        self._thread = threading.Thread(target=self._write, name="webhook-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Store what is queued and end."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(3)
            self._thread = None

    async def put(self, body: bytes, signature: str, signer_ids: list[int], *, seconds: float) -> None:
        """Return after the bytes are committed; raises Overloaded after at most `seconds` otherwise."""
        if self._queue.qsize() >= QUEUE_MAX or self._bytes_in - self._bytes_out + len(body) > QUEUE_BYTES_MAX:
            raise Overloaded("queue full")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        deadlines.add(done, seconds, _give_up)
        self._bytes_in += len(body)
        self._queue.put(_Arrival(body, signature, signer_ids, done))
        try:
            await done
        finally:
            deadlines.drop(done)

    def _write(self) -> None:
        leave_pool()
        try:
            while not self._is_ending:
                self._store(self._next())
        finally:
            connection.close()

    def _next(self) -> list[_Arrival]:
        """What has arrived, at least one webhook; waits for it."""
        arrivals: list[_Arrival] = []
        size = 0
        with contextlib.suppress(queue.Empty):
            while len(arrivals) < BATCH_MAX and size < BATCH_BYTES_MAX:
                arrival = self._queue.get_nowait() if arrivals else self._queue.get()
                if arrival is None:
                    self._is_ending = True
                    break
                arrivals.append(arrival)
                size += len(arrival.body)
        self._bytes_out += size
        return arrivals

    def _store(self, arrivals: list[_Arrival]) -> None:
        for _try in range(TRIES):
            waiting = [arrival for arrival in arrivals if not arrival.done.done()]
            if not waiting:
                return
            try:
                self._commit(waiting)
            except Exception as error:  # noqa: BLE001 (whatever it was, the provider gets a 503 and tries again)
                log.warning("webhooks not stored", count=len(waiting), error=type(error).__name__)
                with contextlib.suppress(Exception):
                    connection.close()
            else:
                _answer(waiting, is_stored=True)
                work.ring("pipeline")
                return
        _answer(arrivals, is_stored=False)

    def _commit(self, arrivals: Sequence[_Arrival]) -> None:
        storing.store([(arrival.body, arrival.signature, arrival.signer_ids) for arrival in arrivals])


def _answer(arrivals: Sequence[_Arrival], *, is_stored: bool) -> None:
    """Tell all of them, with one call into their loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = defaultdict(list)
    for arrival in arrivals:
        by_loop[arrival.done.get_loop()].append(arrival.done)
    for loop, waiting in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop that asked has ended
            loop.call_soon_threadsafe(_settle, waiting, is_stored)


def _settle(waiting: list["asyncio.Future[None]"], is_stored: bool) -> None:
    for done in waiting:
        if done.done():
            continue
        if is_stored:
            done.set_result(None)
        else:
            done.set_exception(Overloaded("database away"))


def _give_up(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_exception(Overloaded("database too slow"))


batcher = Batcher()
