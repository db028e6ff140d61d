"""The suite's own PostgreSQL and Redis, and the settings' environment, both there before Django reads its settings."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.db.backends.base.operations import BaseDatabaseOperations
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from scripts.servers import PrivatePostgres, PrivateRedis
from tests.product import ON_SQLITE, TEMPLATE, installed

SERVERS = pytest.StashKey[contextlib.ExitStack]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL once per run, and whatever each process that tests has of its own."""
    servers = config.stash[SERVERS] = contextlib.ExitStack()
    config.add_cleanup(servers.close)
    is_worker = hasattr(config, "workerinput")
    if not is_worker:
        folder = os.environ["TESTS_FOLDER"] = tempfile.mkdtemp(prefix="ventanilla-tests-")
        servers.callback(shutil.rmtree, folder, ignore_errors=True)
    if not is_worker and not ON_SQLITE:
        postgres = servers.enter_context(PrivatePostgres(durable=False, max_connections=200))
        os.environ["DATABASE_URL"] = postgres.url
    if is_worker or not config.getoption("numprocesses", None):
        configure_settings(servers)


def configure_settings(servers: contextlib.ExitStack) -> None:
    """Give this process a data folder, keys and, with PostgreSQL, a Redis whose channels no other process hears."""
    data = tempfile.mkdtemp(dir=os.environ["TESTS_FOLDER"])
    Path(data, "static").mkdir()  # what collectstatic would make
    for name in ("DEMO", "REDIS_URL", "PORT"):
        os.environ.pop(name, None)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "only-for-the-tests",
        "ENCRYPTION_KEYS": ",".join(Fernet.generate_key().decode() for _ in range(2)),
        "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
        "DATA_DIR": data,
        "HTTPS": "0",
        "MANAGERS_NEED_SECOND_FACTOR": "0",
        "WORK": "none",
        "UNDO_SEND_SECONDS": "0",
        "API_PER_TOKEN": "0",
        "API_PER_ADDRESS": "0",
    }
    if ON_SQLITE:
        os.environ["DATABASE_URL"] = f"sqlite:///{data}/db.sqlite3"
    else:
        os.environ["REDIS_URL"] = servers.enter_context(PrivateRedis()).url
    # Pages are tested without collectstatic; the test of the manifest asks for its storage itself.
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"


WHOLE = (
    "tests/browser/", "tests/test_benchmarks.py", "tests/test_cluster.py", "tests/test_message_path.py",
    "tests/test_migrations.py", "tests/conversations/test_backup.py", "tests/conversations/test_plans.py",
)  # fmt: skip


class DearModulesWhole(LoadScopeScheduling):
    """Hands tests out one by one; modules whose tests share servers or a browser, or take long, whole and first."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if module.startswith(WHOLE) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> DearModulesWhole:
    """Used instead of --dist=loadgroup, whose marks xdist 3.8 loses under pytest 9.2."""
    return DearModulesWhole(config, log)


@pytest.fixture(scope="session", autouse=True)
def _emptying_a_database_opens_every_door() -> Iterator[None]:
    """Between tests with transactions of their own all tables are emptied, which some refuse to others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            BaseDatabaseOperations, "execute_sql_flush", _with_open_door(BaseDatabaseOperations.execute_sql_flush)
        )
        yield


def _with_open_door(execute: Any) -> Any:
    def flush(operations: Any, statements: Any) -> None:
        keeping, ledger = map(import_module, ("crm.audit.keeping", "crm.consent.ledger"))  # need the settings
        with keeping.opened(), ledger.opened():
            execute(operations, statements)

    return flush


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """On SQLite test in a file: a database in memory cannot be shared by threads. On PostgreSQL begin with a copy of a
    migrated one.
    """
    test = settings.DATABASES["default"].setdefault("TEST", {})
    if ON_SQLITE:
        test["NAME"] = str(Path(settings.DATA_DIR, "test.sqlite3"))
    else:
        installed()
        test["TEMPLATE"] = TEMPLATE


@pytest.fixture(autouse=True)
def _nobody_has_looked_yet() -> None:
    """A process remembers for a minute who looked at whom, by keys that a rolled back test leaves to others."""
    accesses = sys.modules.get("crm.privacy.accesses")
    if accesses is not None:
        accesses._noted.clear()
