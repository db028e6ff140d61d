"""SQLite lets waiting writers race; here they queue. Without it p99 of a write beside two busy threads was 1–2 s.

And what a session's settings are on PostgreSQL: doors that this connection has opened, which triggers ask for. Programs
that are not this product lack the function, so that to them they are shut.
"""

import collections
import threading
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from crm.foundation.search import plain

WAIT_SECONDS = 20
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "ALTER", "DROP", "VACUUM", "REINDEX")


class FifoLock:
    """A lock handed over in the order of asking; `acquire` answers False after `timeout` seconds."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: collections.deque[threading.Event] = collections.deque()
        self._held = False

    def acquire(self, timeout: float) -> bool:
        """Wait for the turn, at most `timeout` seconds."""
        with self._guard:
            if not self._held:
                self._held = True
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(timeout):
            return True
        with self._guard:
            if turn.is_set():  # handed over at the very last moment
                return True
            self._waiting.remove(turn)
            return False

    def release(self) -> None:
        """Hand over to the next in line."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False


_locks: dict[str, FifoLock] = {}
_locks_guard = threading.Lock()


def lock_of(path: str) -> FifoLock:
    """The write lock of one database file in this process."""
    with _locks_guard:
        return _locks.setdefault(path, FifoLock())


def _fold(text: Any) -> str:
    return plain(text) if isinstance(text, str) else ""


class DatabaseWrapper(base.DatabaseWrapper):
    """Queues before every BEGIN and around each writing statement in autocommit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._holds_write_lock = False
        self.open_doors: set[str] = set()

    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.create_function("is_door_open", 1, self.open_doors.__contains__)
        connection.create_function("fold_text", 1, _fold, deterministic=True)
        return connection

    def acquire_write_lock(self) -> bool:
        """Take the file's write lock; True if this call took it. Raises OperationalError after 20 s, as SQLite itself
        would.
        """
        if self._holds_write_lock:
            return False
        if not lock_of(str(self.settings_dict["NAME"])).acquire(WAIT_SECONDS):
            raise OperationalError("database is locked")
        self._holds_write_lock = True
        return True

    def release_write_lock(self) -> None:
        """Give the write lock back, if held."""
        if self._holds_write_lock:
            self._holds_write_lock = False
            lock_of(str(self.settings_dict["NAME"])).release()

    def _start_transaction_under_autocommit(self) -> None:
        self.acquire_write_lock()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self.release_write_lock()
            raise

    def _commit(self) -> Any:
        result = super()._commit()  # type: ignore[misc]
        self.release_write_lock()
        return result

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self.release_write_lock()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]
        finally:
            self.release_write_lock()

    def create_cursor(self, name: str | None = None) -> Any:
        cursor: QueueingCursor = self.connection.cursor(factory=QueueingCursor)
        cursor.wrapper = self
        return cursor


class QueueingCursor(base.SQLiteCursorWrapper):
    """A cursor that queues for a writing statement outside a transaction."""

    wrapper: DatabaseWrapper

    def execute(self, query: str, params: Any = None) -> Any:
        with _Turn(self.wrapper, query):
            return super().execute(query, params)

    def executemany(self, query: str, param_list: Any) -> Any:
        with _Turn(self.wrapper, query):
            return super().executemany(query, param_list)


class _Turn:
    def __init__(self, wrapper: DatabaseWrapper, query: str) -> None:
        self.wrapper = wrapper
        outside = not wrapper.in_atomic_block and not wrapper.connection.in_transaction
        self.needed = outside and query.lstrip()[:8].upper().startswith(_WRITES)
        self.taken = False

    def __enter__(self) -> None:
        if self.needed:
            self.taken = self.wrapper.acquire_write_lock()

    def __exit__(self, *exc: object) -> None:
        if self.taken:
            self.wrapper.release_write_lock()
