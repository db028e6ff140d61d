"""The simulator's memory: one SQLite file, used from one thread of its own so that no handler waits for the disk."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS customers (
    id INTEGER PRIMARY KEY, wa_id TEXT UNIQUE, user_id TEXT UNIQUE, name TEXT NOT NULL, username TEXT
);
-- when a customer last wrote to a number: what the 24-hour window is counted from
CREATE TABLE IF NOT EXISTS windows (
    phone_number_id TEXT NOT NULL, customer_id INTEGER NOT NULL, wrote_at REAL NOT NULL,
    PRIMARY KEY (phone_number_id, customer_id)
) WITHOUT ROWID;
-- direction: in (customer), out (business), echo (the business's own phone), mark (read call); body: JSON
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, wamid TEXT NOT NULL, phone_number_id TEXT NOT NULL, customer_id INTEGER,
    direction TEXT NOT NULL, time REAL NOT NULL, recipient TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_by_wamid ON messages (wamid);
CREATE INDEX IF NOT EXISTS messages_of_customer ON messages (customer_id, phone_number_id, id);
CREATE TABLE IF NOT EXISTS media (
    id TEXT PRIMARY KEY, waba_id TEXT NOT NULL, mime_type TEXT NOT NULL, filename TEXT, sha256 TEXT NOT NULL,
    file_size INTEGER NOT NULL, expires_at REAL NOT NULL
);
-- how a customer uses the phone; no row: online, tells when it has read, shows its number, takes promotions
CREATE TABLE IF NOT EXISTS habits (
    customer_id INTEGER PRIMARY KEY, network TEXT NOT NULL, reads INTEGER NOT NULL, hides_phone INTEGER NOT NULL,
    stopped INTEGER NOT NULL
);
-- facts: the template as the Graph API shows it, JSON
CREATE TABLE IF NOT EXISTS templates (
    id TEXT PRIMARY KEY, waba_id TEXT NOT NULL, name TEXT NOT NULL, language TEXT NOT NULL, facts TEXT NOT NULL,
    UNIQUE (waba_id, name, language)
);
-- webhooks nobody has answered with 200 yet; due and created are real time, whatever the clock's offset
CREATE TABLE IF NOT EXISTS webhooks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, phone_number_id TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL,
    due REAL NOT NULL, created REAL NOT NULL, message_id INTEGER, state TEXT
);
"""


class Store:
    """Runs each piece of work as one transaction on the simulator's database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._opened_at = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="simulator-store")

    async def open(self) -> None:
        """Make or open the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    async def close(self) -> None:
        """Close the file once the work begun has ended."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    async def version(self) -> str:
        """A word that changes with whatever this process writes, and with each start."""
        return await self.run(lambda connection: f"{self._opened_at:x}-{connection.total_changes}")

    async def run[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in one transaction in the store's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._in_transaction, work)

    async def fact(self, key: str, default: str) -> str:
        """A remembered word; the default is remembered where there is none."""

        def read(connection: sqlite3.Connection) -> str:
            connection.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (key, default))
            row = connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
            return str(row["value"])

        return await self.run(read)

    async def remember(self, key: str, value: str) -> None:
        """Keep a word under a key."""
        sql = "INSERT OR REPLACE INTO facts VALUES (?, ?)"
        await self.run(lambda connection: connection.execute(sql, (key, value)))

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=10)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(SCHEMA)
        self._connection, self._opened_at = connection, time.time_ns()

    def _close(self) -> None:
        if self._connection is not None:
            with closing(self._connection):
                self._connection = None

    def _in_transaction[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            raise RuntimeError("The simulator has not been started.")
        with self._connection:
            return work(self._connection)
