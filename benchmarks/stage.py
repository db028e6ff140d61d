"""What the programs share: private servers, one migrated database to copy, folders, cores, and how long to measure."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql

from benchmarks import environments
from benchmarks.processes import (
    ALL_CORES,
    ROOT,
    START_SECONDS,
    Child,
    Failed,
    Server,
    Side,
    allow_many_sockets,
    cores,
    free_port,
    on,
)
from scripts.servers import PrivatePostgres, PrivateRedis

KEY = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
TEMPLATE = "migrated"


@dataclass(frozen=True)
class Profile:
    """How much to measure: rounds, seconds and numbers of things shrink together in a smoke test."""

    name: str
    rounds: int
    seconds: float
    scale: float

    def many(self, count: int, least: int = 1) -> int:
        """A number of things, scaled."""
        return max(int(count * self.scale), least)


FULL = Profile("full", 3, 3.0, 1.0)
QUICK = Profile("quick", 3, 1.0, 0.2)
SMOKE = Profile("smoke", 1, 0.15, 0.01)


@dataclass(frozen=True)
class Installation:
    """An installation of the product: its folder and environment, to start processes in."""

    data: Path
    env: dict[str, str]

    def with_(self, **more: str) -> dict[str, str]:
        """The environment of one of its processes."""
        return self.env | more


class Stage:
    """Private PostgreSQL and Redis, started when first asked for; everything ends with the `with` block."""

    def __init__(self, profile: Profile, keep: Path) -> None:
        self.profile, self.keep = profile, keep
        self.is_smoke = profile.name == "smoke"
        self.servers_core, self.clients_core = (set(ALL_CORES), set(ALL_CORES)) if self.is_smoke else cores()
        self._stack = contextlib.ExitStack()
        self._offices: dict[str, Side] = {}
        self._count = 0

    def __enter__(self) -> Self:
        allow_many_sockets()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ventanilla-bench-")))
        self._stack.enter_context(on(self.clients_core))  # this process, its databases and its clients
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def enter[T](self, thing: contextlib.AbstractContextManager[T]) -> T:
        """Keep something open until the stage closes."""
        return self._stack.enter_context(thing)

    @cached_property
    def postgres(self) -> PrivatePostgres:
        """PostgreSQL with the durability of a real installation."""
        return self._stack.enter_context(PrivatePostgres(durable=not self.is_smoke, max_connections=200))

    @cached_property
    def redis(self) -> PrivateRedis:
        """Redis for hints between processes."""
        return self._stack.enter_context(PrivateRedis())

    @cached_property
    def static(self) -> Path:
        """What collectstatic makes, once for all installations."""
        installation = Installation(self.folder, self._env(self.folder, "sqlite:///:memory:"))
        self.manage(installation, "collectstatic", "--noinput", "--verbosity", "0")
        return self.folder / "static"

    @cached_property
    def _template(self) -> str:
        url = self.postgres.create_database(TEMPLATE)
        self.manage(Installation(self.folder, self._env(self.folder, url)), "migrate", "--verbosity", "0")
        return TEMPLATE

    @cached_property
    def _sqlite_template(self) -> Path:
        path = self.folder / "template.sqlite3"
        installation = Installation(self.folder, self._env(self.folder, f"sqlite:///{path}"))
        self.manage(installation, "migrate", "--verbosity", "0")
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path

    def database(self) -> str:
        """A new, empty PostgreSQL database; its address."""
        self._count += 1
        return self.postgres.create_database(f"bench_{self._count}")

    def installation(self, vendor: str = "postgresql", **more: str) -> Installation:
        """A migrated installation without data on PostgreSQL or SQLite; `more` goes into its environment."""
        self._count += 1
        data = self.folder / f"installation-{self._count}"
        data.mkdir()
        (data / "static").symlink_to(self.static, target_is_directory=True)
        if vendor == "sqlite":
            shutil.copy(self._sqlite_template, data / "db.sqlite3")
            return Installation(data, self._env(data, f"sqlite:///{data}/db.sqlite3") | more)
        template, name = self._template, f"bench_{self._count}"
        with psycopg.connect(self.postgres.url_of("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        return Installation(data, self._env(data, self.postgres.url_of(name)) | more)

    def of_database(self, url: str, **more: str) -> Installation:
        """An installation on a database that is there already."""
        self._count += 1
        data = self.folder / f"installation-{self._count}"
        data.mkdir()
        (data / "static").symlink_to(self.static, target_is_directory=True)
        return Installation(data, self._env(data, url) | more)

    def web(self, installation: Installation, **more: Any) -> Server:
        """A web process of the product, on the servers' core unless `where` says otherwise."""
        port = free_port()
        where = more.pop("where", self.servers_core)
        env = installation.with_(PORT=str(port), **more)
        return Server(
            sys.executable, "-m", "config.serve", port=port, env=env, log=installation.data / "web.log", where=where
        )  # fmt: skip

    def worker(self, installation: Installation, **more: Any) -> Child:
        """A worker process of the product, ready to work."""
        where = more.pop("where", ALL_CORES)
        self._count += 1
        log = installation.data / f"worker-{self._count}.log"
        env = installation.with_(PYTHONUNBUFFERED="1", **more)
        worker = Child(sys.executable, "manage.py", "work", env=env, log=log, where=where)
        deadline = time.monotonic() + START_SECONDS
        while "ready" not in log.read_text():
            if worker.process.poll() is not None or time.monotonic() > deadline:
                worker.end()
                raise worker.fail("a worker did not start")
            time.sleep(0.02)
        return worker

    def asgi(self, app: str, name: str, **more: str) -> Server:
        """Another ASGI application on the same server with the same settings."""
        port = free_port()
        return Server(
            sys.executable, "-m", "benchmarks.serving", app, str(port), port=port, env=self.bare_env(**more),
            log=self.folder / f"{name}.log", where=self.servers_core,
        )  # fmt: skip

    def side(self, module: str, installation: Installation | None = None, **more: Any) -> Side:
        """A side; on the servers' core unless `where` says otherwise."""
        env = installation.env if installation else self.bare_env(**more.pop("more", {}))
        folder = installation.data if installation else self.folder
        where = more.pop("where", self.servers_core)
        return Side(module, env=env, log=folder / f"{module}.log", where=where, **more)

    def office(self, installation: Installation) -> Side:
        """A side that sets installations up, at this one from now on; one process for all of a kind of database."""
        url = installation.env["DATABASE_URL"]
        kind = url.partition(":")[0]
        if kind not in self._offices:
            self._offices[kind] = self.enter(self.side("benchmarks.sides.office", installation, where=ALL_CORES))
        self._offices[kind].ask("move", name=url.removeprefix("sqlite:///") if kind == "sqlite" else url.split("/")[-1])
        return self._offices[kind]

    def peers(self) -> str:
        """The Python of the peers' environment; raises NotThere."""
        if self.is_smoke:
            raise environments.NotThere("peers from PyPI are no part of a smoke test")
        return environments.peers(self.keep)

    def manage(self, installation: Installation, *arguments: str, lines: str = "") -> str:
        """Run a management command; returns what it prints. Raises Failed."""
        return self.run(sys.executable, "manage.py", *arguments, env=installation.env, lines=lines)

    def run(self, *command: str, env: dict[str, str], lines: str = "") -> str:
        """Run a command to its end on any core; returns what it prints. Raises Failed."""
        with on(ALL_CORES):
            done = subprocess.run(command, cwd=ROOT, env=env, input=lines, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{' '.join(command[:3])}: {done.stdout}{done.stderr}")
        return done.stdout

    def bare_env(self, **more: str) -> dict[str, str]:
        """The environment of a process that is not the product."""
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder), "PYTHONPATH": str(ROOT)} | more

    def _env(self, data: Path, database_url: str) -> dict[str, str]:
        return self.bare_env(
            DATA_DIR=str(data),
            SECRET_KEY="only-for-the-benchmark-0123456789-0123456789",
            ENCRYPTION_KEYS=KEY,
            ALLOWED_HOSTS="127.0.0.1",
            HTTPS="0",
            MANAGERS_NEED_SECOND_FACTOR="0",
            DATABASE_URL=database_url,
            WORK="none",
            LOG_LEVEL="WARNING",
            UNDO_SEND_SECONDS="0",
            DJANGO_SETTINGS_MODULE="config.settings",
        )
