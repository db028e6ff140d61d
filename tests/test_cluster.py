"""The production shape: web processes, workers, and what happens when one of them is killed or the database crashes."""

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import psycopg
import pytest

from scripts.cluster import Cluster
from tests.product import signed
from tests.test_private_servers import is_running


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two web processes, two workers; nobody sends, so there is no simulator and no Redis."""
    with Cluster(graph_url="http://127.0.0.1:9", with_redis=False, with_static=False) as cluster:
        yield cluster


class Road:
    """Webhooks in, messages out."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def post(self, name: str, web: int = 0) -> None:
        """A customer's message; raises unless it was stored."""
        message = {"from": "34600111222", "id": f"wamid.{name}", "timestamp": str(int(time.time())), "type": "text"}
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "34600000001", "phone_number_id": "200"},
            "contacts": [{"profile": {"name": "Pilar"}, "wa_id": "34600111222"}],
            "messages": [message | {"text": {"body": name}}],
        }
        entry = [{"id": "100", "changes": [{"field": "messages", "value": value}]}]
        body = json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode()
        url = f"{self.cluster.webs[web].url}/webhooks/whatsapp/"
        with urllib.request.urlopen(
            urllib.request.Request(url, data=body, headers=signed(body, self.cluster.app_secret)), timeout=5
        ) as answer:
            assert answer.status == 200

    def has_arrived(self, name: str) -> bool:
        """Whether it is a message now."""
        return bool(self.rows("SELECT 1 FROM conversations_message WHERE external_id = %s", f"wamid.{name}"))

    def rows(self, statement: str, *values: object) -> list[tuple]:
        with psycopg.connect(self.cluster.postgres.url) as connection:
            return connection.execute(statement, values).fetchall()


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


@pytest.fixture
def road(cluster: Cluster) -> Road:
    for part in [*cluster.webs, *cluster.workers]:
        if part.pid is None:
            part.start()
    return Road(cluster)


def test_a_worker_does_what_any_web_process_has_stored_and_no_finished_job_stays(road: Road):
    for web in range(2):
        road.post(f"by-{web}", web)
    wait_until(lambda: road.has_arrived("by-0") and road.has_arrived("by-1"))
    finished = "SELECT 1 FROM procrastinate_jobs WHERE status NOT IN ('todo', 'doing')"
    assert road.rows(finished) == []


def test_killed_workers_hold_up_nobody(road: Road):
    road.post("before")
    wait_until(lambda: road.has_arrived("before"))
    road.cluster.workers[0].stop(by=signal.SIGKILL)
    road.post("with one worker")
    wait_until(lambda: road.has_arrived("with one worker"))
    road.cluster.workers[1].stop(by=signal.SIGKILL)
    road.post("with none")
    road.cluster.workers[0].start()
    wait_until(lambda: road.has_arrived("with none"))


def test_workers_and_web_processes_outlive_a_crash_of_the_database(road: Road):
    road.post("before the crash")
    road.cluster.postgres.stop(by=signal.SIGKILL)
    road.cluster.postgres.start()

    def is_taken() -> bool:
        try:
            road.post("after the crash")
        except urllib.error.HTTPError as error:  # 503: Meta comes again
            return error.code != 503
        return True

    wait_until(is_taken)
    wait_until(lambda: road.has_arrived("before the crash") and road.has_arrived("after the crash"))
    assert not any(part.has_died for part in road.cluster.parts)


def test_parts_end_by_sigterm_with_code_0(road: Road):
    for part in (road.cluster.webs[1], road.cluster.workers[1]):
        process = part._process
        part.stop()
        assert process is not None
        assert process.returncode == 0


def test_a_cluster_ends_whole_and_takes_its_folders_along(road: Road):
    """The last test: nothing is left for the others."""
    parts = road.cluster.parts
    pids = [part.pid for part in parts]
    assert all(pid and is_running(pid) for pid in pids)
    road.cluster.close()
    assert not any(is_running(pid) for pid in pids if pid)
    assert not any(part.folder.exists() for part in parts)
