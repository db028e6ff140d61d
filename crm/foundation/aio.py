"""One event loop thread per process, and the HTTP session that lives on it: how synchronous code speaks to the
network.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import aiohttp

try:  # a third of the cost of a request; not there on Windows
    import uvloop
except ImportError:
    uvloop = None  # type: ignore[assignment]

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_session: aiohttp.ClientSession | None = None
_thread: threading.Thread | None = None

# All that may be out at once: sends (outbox), uploads, read marks, downloads. Waiting for a place counts as connecting.
CONNECTIONS = 128
STOP_SECONDS = 2


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        if left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        loop.close()


def loop() -> asyncio.AbstractEventLoop:
    """This process's background loop, started at the first use."""
    global _loop, _thread
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = (uvloop or asyncio).new_event_loop()
            _thread = threading.Thread(target=_run, args=(_loop,), name="aio", daemon=True)
            _thread.start()
        return _loop


def run[T](coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
    """Run a coroutine on the background loop and wait for its result; raises what it raises, TimeoutError after
    `timeout` seconds.
    """
    future = asyncio.run_coroutine_threadsafe(coroutine, loop())
    try:
        return future.result(timeout)
    except TimeoutError:
        future.cancel()
        raise


async def session() -> aiohttp.ClientSession:
    """The process's HTTP session; call on the background loop only. At most CONNECTIONS at once, no cookies."""
    global _session
    if _session is None or _session.closed:
        _session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=4),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
    return _session


def close() -> None:
    """Close the HTTP session and stop the loop; for an orderly end of the process."""
    global _loop, _session, _thread
    with _lock:
        if _loop is None or _thread is None:
            return
        if _session is not None:
            asyncio.run_coroutine_threadsafe(_session.close(), _loop).result(5)
        _loop.call_soon_threadsafe(_loop.stop)
        _thread.join(STOP_SECONDS)
        _loop, _session, _thread = None, None, None
