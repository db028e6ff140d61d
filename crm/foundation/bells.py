"""How a bell gets from a web process to a worker: one thread per process rings for everybody, outside every
transaction, and coalesces what was rung meanwhile.

A worker that is on call for a kind (it runs the kind's job) hears of a bell by NOTIFY; if nobody is, a job is
deferred and the worker that takes it goes on call. So a busy kind costs one job every ten seconds, not one a message.
"""

import threading

import structlog
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from crm.foundation import work

log = structlog.get_logger(__name__)

TASK = "drain"
CHANNEL = "ventanilla_bells"
HEARTBEAT_SECONDS = 1
SILENT_SECONDS = 3  # a worker without a heartbeat for that long is not counted as on call
PAUSE_SECONDS = (
    0.005  # between two rounds of ringing: webhooks by the hundred must not become statements by the hundred
)
RETRY_SECONDS = 1

# Tells everybody on call, and says of which kinds nobody is and no job waits.
RING = """
SELECT kind, pg_notify(%s, kind)::text FROM unnest(%s::text[]) AS kind WHERE EXISTS (
  SELECT FROM procrastinate_jobs AS job LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
  WHERE job.queueing_lock = kind
    AND (job.status = 'todo' OR job.status = 'doing' AND worker.last_heartbeat > now() - make_interval(secs => %s))
)
"""


class BellRinger:
    """The thread that rings, and what it has to ring for."""

    def __init__(self) -> None:
        self._rung: set[str] = set()
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread and take over this process's bells."""
        self._stop.clear()
        work.pass_bells_to(self.ring)
        self._thread = threading.Thread(target=self._run, name="bells", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ring what was rung and end."""
        work.pass_bells_to(None)
        self._stop.set()
        self._bell.set()
        if self._thread is not None:
            self._thread.join(2)
            self._thread = None

    def ring(self, kind: str) -> None:
        """Remember to ring for `kind`; safe in any thread, touches no database."""
        with self._lock:
            self._rung.add(kind)
        self._bell.set()

    def _run(self) -> None:
        while not self._stop.is_set() or self._rung:
            self._bell.wait()
            self._bell.clear()
            with self._lock:
                kinds, self._rung = sorted(self._rung), set()
            try:
                if kinds:
                    ring_now(kinds)
                self._stop.wait(PAUSE_SECONDS)
            except Exception as error:  # noqa: BLE001 (whatever it was: try again, meanwhile the ticks do the work)
                log.warning("bells not rung", error=type(error).__name__)
                connection.close()
                if self._stop.wait(RETRY_SECONDS):
                    break
                for kind in kinds:
                    self.ring(kind)
        connection.close()


def ring_now(kinds: list[str]) -> None:
    """Wake the workers for these kinds; raises database errors. Call outside transactions."""
    with connection.cursor() as cursor:
        cursor.execute(RING, [CHANNEL, kinds, SILENT_SECONDS])
        heard = {kind for kind, _ in cursor.fetchall()}
    for kind in kinds:
        if kind not in heard:
            defer(kind)


def defer(kind: str) -> bool:
    """Leave a job for the workers; False if one is waiting already."""
    try:
        app.configure_task(TASK, queueing_lock=kind).defer(kind=kind)
    except AlreadyEnqueued:
        return False
    return True


ringer = BellRinger()
