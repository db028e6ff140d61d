"""Backup while everything runs, restore elsewhere: the same rows and files, and not a word to a customer."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from conversations.management import backups
from crm.foundation import dumps
from tests.graph_side import GraphSide, raw, says
from tests.product import ROOT, Product, fresh_database_url

pytestmark = pytest.mark.sqlite_too
FROZEN = (
    "SELECT id, text, sort_at, external_id FROM conversations_message ORDER BY id",
    "SELECT id, name, phone FROM crm_contact ORDER BY id",
    "SELECT id, file, sha256 FROM conversations_attachment ORDER BY id",
    "SELECT id, access_token FROM conversations_whatsappaccount",
)
AFTER = (
    *FROZEN,
    "SELECT status, count(*) FROM conversations_message GROUP BY status ORDER BY status",
    "SELECT count(*) FROM django_session",
    "SELECT count(*) FROM conversations_message WHERE lease IS NOT NULL",
    "SELECT count(*) FROM conversations_conversation WHERE last_status = 'unknown'",
    "SELECT outcome FROM conversations_attempt",
)
FILL = """
import os, uuid, datetime as dt
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import django; django.setup()
from django.db import connection
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.base import ContentFile
from conversations.channels.base import Text
from conversations.ingest.models import WebhookEvent
from conversations.messaging import outbound
from conversations.messaging.models import Attachment, Attempt, Conversation, Message
from crm.foundation import clock
from crm.foundation.secrets import seal
from tests.factories import AccountFactory, ConversationFactory, InboxFactory, MessageFactory, UserFactory
UserFactory(manager=True, email="boss@example.test")
inbox = InboxFactory(account=AccountFactory(graph_base_url="GRAPH"), phone_number_id="555")
messages = []
for number in range(5):
    conversation = ConversationFactory(inbox=inbox)
    seen = MessageFactory(conversation=conversation)
    messages.append(outbound.compose(conversation, by=None, content=Text(f"answer {number}"), origin="agent")[0])
held = {"lease": uuid.uuid4(), "lease_until": clock.real() + dt.timedelta(minutes=1)}
Message.objects.filter(pk=messages[3].pk).update(status="claimed", **held)
Message.objects.filter(pk=messages[4].pk).update(status="sending", **held)
Conversation.objects.filter(pk=messages[4].conversation_id).update(last_status="sending")
Attempt.objects.create(message=messages[4])
of = {"message": seen, "conversation": conversation, "kind": "image"}
Attachment.objects.create(**of, state="stored", file=ContentFile(b"picture", "x"))
Attachment.objects.create(**of, external_id="777000")
WebhookEvent.objects.create(sealed_body=seal(b"{}"), state="processed", processed_at=clock.real())
SessionStore().create()
if pool := getattr(connection, "pool", None):
    pool.close()  # else Python waits for its threads
"""
# Everything is in psql's hands but what comes last: the fence and the end of the transaction.
KILLED = """
import os, signal
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import django; django.setup()
from pathlib import Path
from crm.foundation import dumps
def dies(source, target):
    target.write(source.read())
    target.flush()
    os.kill(os.getpid(), signal.SIGKILL)
dumps.shutil.copyfileobj = dies
dumps.restore(Path("DUMP"), [])
"""


@pytest.fixture(scope="module")
def graph():
    side = GraphSide().start()
    side.answers_at("/v24.0/777000", says({"url": f"{side.url}/file", "mime_type": "image/jpeg"}))
    side.answers_at("/file", raw(b"another picture"))
    yield side
    side.stop()


@contextlib.contextmanager
def installation(product=None):
    """One that does its own background work; with nothing in it, not even a table, unless given."""
    with product or Product(database_url=fresh_database_url()) as house:
        house.env["WORK"] = "threads"
        yield house


@pytest.fixture(scope="module")
def house(graph):
    """An installation with a little of everything."""
    with installation(Product.ready()) as house:
        python(house, FILL.replace("GRAPH", graph.url))
        yield house


@pytest.fixture(scope="module")
def backup(house):
    """Its backup, made while somebody writes."""
    folder, over, written = house.data / "backups" / "now", threading.Event(), []

    def write():
        while not over.is_set():
            query(house, f"INSERT INTO crm_tag (name, colour) VALUES ('{len(written)}', 0) RETURNING id")
            written.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: written)
        house.manage("backup", str(folder))
    finally:
        over.set()
        writer.join(20)
    return folder


@pytest.fixture(scope="module")
def restored(house, backup):
    """Another installation with that backup, what the command said, and what was in it before anything ran."""
    with installation() as other:
        told = other.manage("restore", str(backup), "--yes")
        yield other, told, [query(other, statement) for statement in AFTER]


@pytest.fixture(scope="module")
def empty():
    """An installation nothing may be restored into; each test leaves it empty."""
    with installation() as other:
        yield other


def is_empty(other):
    assert not [path for path in (other.data / "media").rglob("*") if path.is_file()]
    if "sqlite" in other.env["DATABASE_URL"]:
        return not (other.data / "db.sqlite3").exists()
    return query(other, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def python(house, code):
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=house.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def query(house, statement):
    url = house.env["DATABASE_URL"]
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)) as file, file:
            return file.execute(statement).fetchall()
    with psycopg.connect(url) as server:
        return server.execute(statement).fetchall()


def refused(house, *arguments, **env):
    """The last line of a command that fails."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=house.env | env, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def wait_until(what):
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_backup_under_load_restored_elsewhere_is_the_same(house, backup, restored):
    other, told, rows = restored
    assert "0 tables differ" in told
    assert rows[: len(FROZEN)] == [query(house, statement) for statement in FROZEN]
    [(name,)] = query(house, "SELECT file FROM conversations_attachment WHERE state = 'stored'")
    assert (other.data / "media" / name).read_bytes() == b"picture"
    manifest = json.loads((backup / "manifest.json").read_bytes())
    [(tags,)] = query(other, "SELECT count(*) FROM crm_tag")
    assert tags == manifest["counts"]["crm_tag"] > 0
    assert manifest["media_files"] == 1


def test_a_restored_installation_says_nothing_until_a_manager_lets_it(restored, graph):
    other, _told, rows = restored
    statuses, *counts, attempts = rows[len(FROZEN) :]
    assert statuses == [("queued", 4), ("received", 5), ("unknown", 1)]
    assert counts == [[(0,)], [(0,)], [(1,)]]
    assert attempts == [("unknown",)]
    before = len(graph.sent)
    other.start()
    files = "SELECT count(*) FROM conversations_attachment WHERE state = 'stored'"
    wait_until(lambda: query(other, files) == [(2,)])  # the drains are at work, and files come in
    time.sleep(3)  # three ticks of every drain
    assert len(graph.sent) == before
    assert "4 messages wait" in other.manage("fence")
    other.manage("fence", "--lift")
    wait_until(lambda: len(graph.sent) >= before + 4)
    time.sleep(2)
    texts = sorted(sent["text"]["body"] for sent in graph.sent[before:])
    assert texts == ["answer 0", "answer 1", "answer 2", "answer 3"], "each once, the unconfirmed one never"


def test_a_place_that_is_not_empty_is_refused(house, backup, empty):
    with pytest.raises(backups.BadBackup, match="not empty"):
        backups.write(backup)
    assert "The database is not empty" in refused(house, "restore", str(backup), "--yes")
    old = empty.data / "media" / "old"
    old.parent.mkdir(exist_ok=True)
    old.write_text("old")
    assert "is not empty. Move it away" in refused(empty, "restore", str(backup), "--yes")
    old.unlink()
    assert is_empty(empty)


def test_an_interrupted_backup_is_none(tmp_path):
    (tmp_path / "half.partial").mkdir()
    with pytest.raises(backups.BadBackup, match="was interrupted"):
        backups.write(tmp_path / "half")
    with pytest.raises(backups.BadBackup, match="not a whole backup"):
        backups.read(tmp_path / "half.partial")


@pytest.fixture
def damaged(backup, tmp_path):
    """A copy of the backup, to be spoilt."""
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(backup), str(copy)], check=True)
    return copy


def spoil(copy, how):
    if how == "dump":
        [dump] = copy.glob("database.*")
        data = bytearray(dump.read_bytes())
        data[len(data) // 2] ^= 1
        dump.write_bytes(data)
    elif how == "media":
        next(path for path in (copy / "media").rglob("*") if path.is_file()).unlink()
    else:
        manifest = json.loads((copy / "manifest.json").read_bytes())
        manifest["migrations"].append(["crm", "9999_from_the_future"])
        (copy / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("how", "sentence"), [("dump", "damaged"), ("media", "has 0 files"), ("future", "Install that version")]
)
def test_a_backup_that_is_not_whole_is_known_before_anything_is_restored(damaged, how, sentence):
    spoil(damaged, how)
    with pytest.raises(backups.BadBackup, match=sentence):
        backups.read(damaged)


def test_a_damaged_dump_restores_nothing(damaged, empty):
    spoil(damaged, "dump")
    assert "damaged" in refused(empty, "restore", str(damaged), "--yes")
    assert is_empty(empty)


def test_a_dump_that_breaks_off_leaves_nothing_behind(damaged, empty):
    [dump] = damaged.glob("database.*")
    size = 4000 if dump.suffix == ".dump" else dump.stat().st_size - 50
    dump.write_bytes(dump.read_bytes()[:-size])
    manifest = json.loads((damaged / "manifest.json").read_bytes())
    manifest["database_sha256"] = backups.checksum(dump)
    (damaged / "manifest.json").write_text(json.dumps(manifest))
    refused(empty, "restore", str(damaged), "--yes")
    assert is_empty(empty), "files neither: the next try finds an empty place"


def test_a_restore_that_is_killed_leaves_the_database_empty(backup, empty):
    if "sqlite" in empty.env["DATABASE_URL"]:
        pytest.skip("SQLite gets its file by one rename")
    code = KILLED.replace("DUMP", str(backup / "database.dump"))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=empty.env, check=False)
    assert done.returncode == -signal.SIGKILL
    alive = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    wait_until(lambda: query(empty, alive + " AND backend_type = 'client backend'") == [(0,)])
    assert is_empty(empty)


def test_without_the_keys_it_says_which_are_missing(house, backup):
    with installation() as other:
        other.env["ENCRYPTION_KEYS"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        told = refused(other, "restore", str(backup), "--yes")
        [key] = json.loads((backup / "manifest.json").read_bytes())["keys"]
        assert "secrets cannot be read" in told
        assert key in told
        assert house.env["ENCRYPTION_KEYS"] not in (backup / "manifest.json").read_text()
        assert query(other, "SELECT reason FROM conversations_sendfence") == [("restored",)]


def test_no_secret_is_on_a_command_line_or_in_the_manifest(house, backup):
    text = (backup / "manifest.json").read_text()
    assert house.env["SECRET_KEY"] not in text
    assert "access-token" not in text
    assert os.stat(backup).st_mode & 0o077 == 0


def test_a_server_at_work_is_not_restored_into(backup, empty):
    if "sqlite" in empty.env["DATABASE_URL"]:
        pytest.skip("SQLite cannot tell")
    with psycopg.connect(empty.env["DATABASE_URL"]):
        assert "1 other connections" in refused(empty, "restore", str(backup), "--yes")
    assert is_empty(empty)


@pytest.mark.parametrize(("found", "sentence"), [(None, "not installed"), ("13.2", "is version 13, the server 15")])
def test_a_client_that_does_not_fit_is_named(monkeypatch, tmp_path, found, sentence):
    program = tmp_path / "pg_dump"
    program.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {found} (Debian 13.2-1)'\n")
    program.chmod(0o755)
    monkeypatch.setattr(dumps, "ON_DEBIAN", Path("/nowhere"))
    monkeypatch.setattr(dumps.shutil, "which", lambda name: str(program) if found else None)
    with pytest.raises(dumps.DumpFailed, match=sentence):
        dumps._program("pg_dump", 15)
