"""A worker process: the drains, and the procrastinate worker through which it hears the bells of other processes.

The drains have a tick of their own and go on without bells; whatever happens to the connection that brings them, it
is made anew.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable

import structlog
from django.db import connections
from procrastinate import App
from procrastinate.contrib.django import connector_params
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from procrastinate.psycopg_connector import PsycopgConnector

from crm.foundation import aio, work
from crm.foundation.bells import CHANNEL, HEARTBEAT_SECONDS, TASK

log = structlog.get_logger(__name__)

ON_CALL_SECONDS = 10.0  # then another worker may have the bells
GRACE_SECONDS = 1.0  # for bells rung while the end of a job is being written
RETRY_SECONDS = 1.0
SWEEP_SECONDS = 10.0
STALLED_SECONDS = 30.0
POOL_SECONDS = 3.0
STOP_SECONDS = 2.0


class WorkerEnded(Exception):
    """procrastinate's worker stopped without being asked."""


class OnCall:
    """Which kinds this worker is on call for."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    async def serve(self, kind: str) -> None:
        """Wake the drain of `kind`, and hear its bells for ten seconds."""
        self._until[kind] = time.monotonic() + ON_CALL_SECONDS + GRACE_SECONDS
        work.wake(kind)
        await asyncio.sleep(ON_CALL_SECONDS)

    async def hear(self, channel: str, payload: str) -> None:
        """A bell by NOTIFY: wake the drain if this worker is on call for it."""
        if time.monotonic() < self._until.get(payload, 0.0):
            work.wake(payload)


def run(on_ready: Callable[[], None]) -> None:
    """Work until SIGTERM or Ctrl-C, then end within five seconds; `on_ready` is called once, when bells are heard."""
    work.start_drains()
    try:
        asyncio.run(_run(on_ready))
    finally:
        aio.close()
        for connection in connections.all():
            connection.close()
            connection.close_pool()  # type: ignore[attr-defined]


async def _run(on_ready: Callable[[], None]) -> None:
    stop, ready = asyncio.Event(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    hearing = asyncio.create_task(_hear_for_ever(ready))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([stopped, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    if ready.is_set():
        on_ready()
    await stopped
    hearing.cancel()
    await asyncio.gather(asyncio.wait([hearing], timeout=STOP_SECONDS), asyncio.to_thread(work.stop, STOP_SECONDS))


async def _hear_for_ever(ready: asyncio.Event) -> None:
    while True:
        try:
            await _hear(ready)
        except ExceptionGroup as group:
            log.warning("bells not heard", error=", ".join(type(error).__name__ for error in group.exceptions))
        except Exception as error:  # noqa: BLE001 (the drains' ticks go on; bells come back when the database does)
            log.warning("bells not heard", error=type(error).__name__)
        await asyncio.sleep(RETRY_SECONDS)


async def _hear(ready: asyncio.Event) -> None:
    """Be a procrastinate worker; returns only by an exception."""
    on_call = OnCall()
    app = App(connector=PsycopgConnector(kwargs=connector_params(), min_size=1, max_size=3, timeout=POOL_SECONDS))

    @app.task(name=TASK)
    async def drain(kind: str) -> None:
        await on_call.serve(kind)

    async with app.open_async(), asyncio.TaskGroup() as tasks:
        tasks.create_task(_work_off_jobs(app))
        tasks.create_task(app.connector.listen_notify(on_call.hear, [CHANNEL]))
        tasks.create_task(_sweep(app))
        ready.set()


async def _work_off_jobs(app: App) -> None:
    await app.run_worker_async(
        name="ventanilla",
        concurrency=2 * len(work.kinds()),
        delete_jobs="always",
        install_signal_handlers=False,
        shutdown_graceful_timeout=0.01,
        update_heartbeat_interval=HEARTBEAT_SECONDS,
        stalled_worker_timeout=STALLED_SECONDS,
    )
    raise WorkerEnded  # a part of it failed: begin anew


async def _sweep(app: App) -> None:
    """Delete the jobs of workers that were killed; they hold up nobody, but would stay for ever."""
    while True:
        await app.job_manager.prune_stalled_workers(STALLED_SECONDS)
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
            if job.id is not None:
                with contextlib.suppress(ConnectorException):  # another worker was first
                    await app.job_manager.finish_job_by_id_async(job.id, Status.FAILED, delete_job=True)
        await asyncio.sleep(SWEEP_SECONDS)
