"""The private servers: they answer, survive a crash of theirs, and end with the process that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from scripts.servers import PrivatePostgres, PrivateRedis, PrivateServer

STARTS_A_SERVER = """
import sys, time
from scripts import servers
server = getattr(servers, sys.argv[1])().__enter__()
print(server.pid, server.folder, flush=True)
time.sleep(60)
"""


def is_running(pid: int) -> bool:
    """Whether the process is there and no mere zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_postgres_keeps_its_rows_through_a_crash():
    with PrivatePostgres(max_connections=7) as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        server.stop(by=signal.SIGKILL)
        server.start()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]
            settings = "SELECT setting FROM pg_settings WHERE name IN ('fsync', 'max_connections', 'server_encoding')"
            assert set(connection.execute(settings).fetchall()) == {("on",), ("7",), ("UTF8",)}


def test_redis_answers_on_its_own_port():
    with PrivateRedis() as server, redis.Redis.from_url(server.url) as client:
        client.set("key", "value")
        assert client.get("key") == b"value"


@pytest.mark.parametrize("kind", [PrivatePostgres, PrivateRedis])
def test_a_server_and_its_folder_end_with_the_process_that_started_them(kind: type[PrivateServer]):
    command = [sys.executable, "-c", STARTS_A_SERVER, kind.__name__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid, folder = parent.stdout.readline().split()
        assert is_running(int(pid))
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while (is_running(int(pid)) or Path(folder).exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(int(pid))
    assert not Path(folder).exists()
