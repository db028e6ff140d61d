"""The two data sets, 10 k and 1 M contacts, generated once into a PostgreSQL that is kept in var/bench."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks import loading_administration
from benchmarks.loading import Sizes, fill
from benchmarks.stage import Installation, Stage
from scripts.servers import PrivatePostgres

SMALL = Sizes(contacts=10_000, conversations=3_000, open=1_600, long=1)
LARGE = Sizes(contacts=1_000_000, conversations=300_000, open=1_600, long=10)
TINY = Sizes(contacts=400, conversations=200, open=100, long=1)
WEBHOOKS, ENTRIES = 1_000_000, 1_000_000
SMALL_WORDS, LARGE_WORDS = "10 k contacts, 50 k messages", "1 M contacts, 5 M messages"
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "2GB", "checkpoint_timeout": "15min"}


class KeptPostgres(PrivatePostgres):
    """A private server whose data stays: the folder that goes at the end only holds a link to it."""

    def __init__(self, kept: Path) -> None:
        super().__init__(max_connections=100)
        self.kept = kept
        self._link = self.folder / "data"

    def start(self) -> "KeptPostgres":
        """Make the data folder the first time; start the server and wait for it."""
        if not (self.kept / "complete").exists():
            shutil.rmtree(self.kept, ignore_errors=True)
            self.kept.mkdir(parents=True)
            self._initialise()
            shutil.move(self._link, self.kept / "data")
            (self.kept / "complete").touch()
        if not self._link.exists():
            self._link.symlink_to(self.kept / "data", target_is_directory=True)
        super().start()
        return self

    def _command(self) -> list[str]:
        return super()._command() + [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]


def installations(stage: Stage) -> tuple[Installation, Installation]:
    """The small and the large one, generated if need be and migrated; tiny ones in a smoke test."""
    if stage.is_smoke:
        one = stage.installation()
        _fill(stage, one, TINY)
        return one, one
    server = stage.enter(KeptPostgres(stage.keep / "postgres"))
    return _ready(stage, server, "small", SMALL), _ready(stage, server, "large", LARGE)


def administered(stage: Stage) -> Installation:
    """The large one with webhooks and an audit log."""
    if stage.is_smoke:
        one = stage.installation()
        _fill(stage, one, TINY)
        loading_administration.fill(one.env["DATABASE_URL"], TINY.contacts, TINY.contacts)
        return one
    server = stage.enter(KeptPostgres(stage.keep / "postgres"))
    large = _ready(stage, server, "large", LARGE)
    loading_administration.fill(large.env["DATABASE_URL"], WEBHOOKS, ENTRIES)
    return large


def _ready(stage: Stage, server: PrivatePostgres, name: str, sizes: Sizes) -> Installation:
    """The database by that name; under another name while it is being made."""
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        known = {row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()}
        making = f"{name}_in_the_making"
        if name not in known:
            begun = time.monotonic()
            if making not in known:
                server.create_database(making)
            installation = stage.of_database(server.url_of(making))
            stage.manage(installation, "migrate", "--verbosity", "0")
            _fill(stage, installation, sizes)
            connection.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(making), sql.Identifier(name))
            )
            sys.stderr.write(f"data set {name}: made in {time.monotonic() - begun:.0f} s\n")
    installation = stage.of_database(server.url_of(name))
    stage.manage(installation, "migrate", "--verbosity", "0")
    return installation


def _fill(stage: Stage, installation: Installation, sizes: Sizes) -> None:
    office, url = stage.office(installation), installation.env["DATABASE_URL"]
    office.ask("add_office")
    office.ask("move", name=url.split("/")[-1])  # closes its connections: the database can be renamed
    fill(url, sizes)


def disk_use(folder: Path) -> str:
    """What the kept data take on disk, for people."""
    done = subprocess.run(["du", "-sh", str(folder)], capture_output=True, text=True, check=False)
    return done.stdout.split()[0] if done.stdout else "unknown"
