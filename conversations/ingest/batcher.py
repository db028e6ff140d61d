"""Group commit: webhooks that arrive while one commit runs are stored together by the next; an answer waits for its
commit.
"""

import asyncio
import contextlib
import threading
from collections import deque
from dataclasses import dataclass, field

import structlog
from django.db import close_old_connections, connection, transaction

from conversations.ingest.models import WebhookEvent
from crm.foundation import clock, work
from crm.foundation.secrets import seal

log = structlog.get_logger(__name__)

QUEUE_MAX = 2000
QUEUE_BYTES_MAX = 128 * 1024 * 1024
BATCH_MAX = 200


class Overloaded(Exception):
    """The queue is full or the database did not take the webhook in time: answer 503, the provider tries again."""


@dataclass
class _Arrival:
    body: bytes
    signature: str
    signer_ids: list[int]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[None]"
    abandoned: threading.Event = field(default_factory=threading.Event)


class Batcher:
    """One writer thread with one connection."""

    def __init__(self) -> None:
        self._queue: deque[_Arrival] = deque()
        self._queued_bytes = 0  # changed under the lock only, by the server's loop and by the writer
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the writer; called by the server's lifespan."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="webhook-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Store what is queued and end."""
        self._stop.set()
        self._bell.set()
        if self._thread is not None:
            self._thread.join(3)

    async def put(self, body: bytes, signature: str, signer_ids: list[int], *, seconds: float) -> None:
        """Return after the bytes are committed; raises Overloaded after at most `seconds` otherwise."""
        if len(self._queue) >= QUEUE_MAX or self._queued_bytes + len(body) > QUEUE_BYTES_MAX:
            raise Overloaded("queue full")
        loop = asyncio.get_running_loop()
        arrival = _Arrival(body, signature, signer_ids, loop, loop.create_future())
        with self._lock:
            self._queue.append(arrival)
            self._queued_bytes += len(body)
        self._bell.set()
        try:
            await asyncio.wait_for(asyncio.shield(arrival.done), seconds)
        except TimeoutError as error:
            arrival.abandoned.set()
            arrival.done.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody waits any more
            raise Overloaded("database too slow") from error

    def _run(self) -> None:
        while True:
            self._bell.wait()
            self._bell.clear()
            while self._queue:
                self._store(self._next())
            if self._stop.is_set():
                connection.close()
                return

    def _next(self) -> list[_Arrival]:
        with self._lock:
            arrivals = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
            self._queued_bytes -= sum(len(arrival.body) for arrival in arrivals)
        return arrivals

    def _store(self, arrivals: list[_Arrival]) -> None:
        waiting = [arrival for arrival in arrivals if not arrival.abandoned.is_set()]
        failure: Exception | None = None
        try:
            if waiting:
                self._commit(waiting)
        except Exception as error:  # noqa: BLE001 (whatever it was, the provider gets a 503 and tries again)
            log.warning("webhooks not stored", count=len(waiting), error=type(error).__name__)
            failure = Overloaded("database away")
            close_old_connections()
            connection.close()
        for arrival in waiting:
            with contextlib.suppress(RuntimeError):  # the loop that asked has ended
                arrival.loop.call_soon_threadsafe(_answer, arrival.done, failure)

    def _commit(self, arrivals: list[_Arrival]) -> None:
        close_old_connections()
        now = clock.real()
        with transaction.atomic():
            WebhookEvent.objects.bulk_create(
                WebhookEvent(
                    sealed_body=seal(arrival.body),
                    signature=arrival.signature,
                    signer_ids=arrival.signer_ids,
                    received_at=now,
                )
                for arrival in arrivals
            )
        work.ring("pipeline")


def _answer(done: "asyncio.Future[None]", failure: Exception | None) -> None:
    if done.done():
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)


batcher = Batcher()
