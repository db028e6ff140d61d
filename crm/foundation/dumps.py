"""The whole database as one file, and back: pg_dump and psql for PostgreSQL, a consistent copy for SQLite.

Passwords travel in the environment of these programs, never on their command line.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

ON_DEBIAN = Path("/usr/lib/postgresql")
ENVIRONMENT = {
    "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
    "service": "PGSERVICE", "passfile": "PGPASSFILE",
}  # fmt: skip


class DumpFailed(Exception):
    """The database could not be written or read; the text says why and what to do."""


def file_name() -> str:
    """What the dump of this kind of database is called."""
    return "database.dump" if connection.vendor == "postgresql" else "database.sqlite3"


def server_version() -> str:
    """Name and version of the database that answers."""
    if connection.vendor != "postgresql":
        return f"SQLite {sqlite3.sqlite_version}"
    with _postgres() as server:
        return f"PostgreSQL {server.info.server_version // 10000}"


def write(path: Path, tables: Sequence[str]) -> dict[str, int]:
    """Write the database to `path` as it is at one moment, whatever is being written; returns how many rows each of
    `tables` has in the dump. Raises DumpFailed.
    """
    return _write_postgres(path, tables) if connection.vendor == "postgresql" else _write_sqlite(path, tables)


def restore(path: Path, statements: Sequence[str]) -> None:
    """Fill the empty database from `path` and run `statements`, all or nothing. Raises DumpFailed."""
    if connection.vendor == "postgresql":
        _restore_postgres(path, statements)
    else:
        _restore_sqlite(path, statements)


def count(tables: Sequence[str]) -> dict[str, int]:
    """How many rows each table has now."""
    if connection.vendor == "postgresql":
        with _postgres() as server:
            return _count(server, tables)
    with contextlib.closing(sqlite3.connect(_sqlite_path())) as file:
        return {table: file.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}


def tables_there() -> int:
    """How many tables the database has; 0: it is empty."""
    if connection.vendor == "postgresql":
        query = sql.SQL("SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
        with _postgres() as server:
            return _number(server, query)
    path = _sqlite_path()
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(path)) as file:
        return int(file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def others_connected() -> int:
    """How many other connections the database has (always 0 on SQLite, which cannot tell)."""
    if connection.vendor != "postgresql":
        return 0
    query = sql.SQL(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
        " AND pid <> pg_backend_pid()"
    )
    with _postgres() as server:
        return _number(server, query)


def _count(server: psycopg.Connection, tables: Sequence[str]) -> dict[str, int]:
    return {
        table: _number(server, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))) for table in tables
    }


def _number(server: psycopg.Connection, query: sql.Composed | sql.SQL) -> int:
    row = server.execute(query).fetchone()
    return int(row[0]) if row else 0


@contextlib.contextmanager
def _postgres() -> Iterator[psycopg.Connection]:
    """A connection of our own: outside the pool, without the limits of requests."""
    with psycopg.connect(**_parameters(), connect_timeout=5) as server:
        yield server


def _parameters() -> dict[str, Any]:
    known = connection.get_connection_params()
    return {name: known[name] for name in ENVIRONMENT if known.get(name)}


def _environment() -> dict[str, str]:
    own = {ENVIRONMENT[name]: str(value) for name, value in _parameters().items()}
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"} | own


def _write_postgres(path: Path, tables: Sequence[str]) -> dict[str, int]:
    with _postgres() as server:
        program = _program("pg_dump", server.info.server_version // 10000)
        server.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = server.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        command = [program, "--format=custom", "--no-password", f"--snapshot={row[0]}", f"--file={path}"]
        with _errors() as errors, subprocess.Popen(command, env=_environment(), stderr=errors) as dump:
            counts = _count(server, tables)
            if dump.wait():
                raise DumpFailed(f"pg_dump failed: {_tail(errors)}")
    return counts


def _write_sqlite(path: Path, tables: Sequence[str]) -> dict[str, int]:
    with (
        contextlib.closing(sqlite3.connect(_sqlite_path(), timeout=20)) as live,
        contextlib.closing(sqlite3.connect(path)) as copy,
    ):
        live.backup(copy)  # all pages in one step: one moment, and nobody waits for it
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, no companions
        return {table: copy.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}


def _restore_postgres(path: Path, statements: Sequence[str]) -> None:
    with _postgres() as server:
        version = server.info.server_version // 10000
    read = [_program("pg_restore", version), "--no-owner", "--no-privileges", "--no-comments", "--file=-", str(path)]
    write = [_program("psql", version), "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, "-f", "-"]
    with (
        _errors() as errors,
        subprocess.Popen(read, env=_environment(), stdout=subprocess.PIPE, stderr=errors) as source,
        subprocess.Popen(
            write, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        ) as target,
    ):
        assert source.stdout is not None
        assert target.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                # Not -1: with it psql commits whatever it has when its input ends, so also when this process is killed.
                target.stdin.write(b"BEGIN;\n")
                shutil.copyfileobj(source.stdout, target.stdin)
            source.stdout.close()
            if source.wait():
                raise DumpFailed(f"the dump cannot be read: {_tail(errors)}")
            with contextlib.suppress(BrokenPipeError):
                target.stdin.write("".join(f"{statement};\n" for statement in [*statements, "COMMIT"]).encode())
                target.stdin.close()
            if target.wait():
                raise DumpFailed(f"nothing was restored: {_tail(errors)}")
        except BaseException:
            target.kill()
            source.kill()
            raise


def _restore_sqlite(path: Path, statements: Sequence[str]) -> None:
    target = _sqlite_path()
    part = target.with_name(f"{target.name}.restoring")
    part.unlink(missing_ok=True)
    shutil.copyfile(path, part)
    try:
        with contextlib.closing(sqlite3.connect(part)) as copy, copy:
            for statement in statements:
                copy.execute(statement)
        connection.close()
        if tables_there():
            raise DumpFailed("nothing was restored: somebody else has begun to use the database meanwhile")
        for companion in ("-wal", "-shm"):
            target.with_name(target.name + companion).unlink(missing_ok=True)
        part.replace(target)
    except sqlite3.Error as error:
        raise DumpFailed(f"nothing was restored: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _sqlite_path() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _program(name: str, version: int) -> str:
    """The client program that fits a server of this major version; an older one cannot read newer servers."""
    fitting = ON_DEBIAN / str(version) / "bin" / name
    found = str(fitting) if fitting.exists() else shutil.which(name)
    if found is None:
        raise DumpFailed(f"{name} is not installed. Install the PostgreSQL client, version {version} or newer.")
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    major = next((int(word.split(".")[0]) for word in told.split() if word[:1].isdigit()), 0)
    if major < version:
        raise DumpFailed(f"{name} is version {major}, the server {version}. Install the PostgreSQL client {version}.")
    return found


@contextlib.contextmanager
def _errors() -> Iterator[Any]:
    with tempfile.TemporaryFile() as file:
        yield file


def _tail(errors: Any) -> str:
    errors.seek(0)
    return str(errors.read()[-2000:].decode(errors="replace")).strip()
