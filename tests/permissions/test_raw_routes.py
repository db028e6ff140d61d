"""What Django never sees, webhooks, probes and sockets, by every role: as RAW of `table.py` says."""

import ast
import inspect

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings

from config import asgi, probes
from conversations.desk.consumers import PROTOCOL
from conversations.live.registry import registry
from conversations.monitoring import readiness
from tests.conversations.live.tabs import Tab
from tests.permissions.table import RAW, WHO
from tests.permissions.world import World

pytestmark = pytest.mark.covers("P01")

AFAR = "203.0.113.9"


@pytest.fixture
def world(transactional_db, monkeypatch):
    monkeypatch.setattr(probes, "latest_readiness", probes.Latest(readiness.check))
    monkeypatch.setattr(probes, "latest_figures", probes.Latest(probes._read_figures))
    monkeypatch.setattr(settings, "METRICS_TOKEN", "")
    monkeypatch.setattr(registry, "loop", None)
    return World()


def cookies_of(world):
    return {who: {name: one.value for name, one in world.browser(who).cookies.items()} for who in WHO}


def headers_of(cookies):
    text = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return [(b"host", b"testserver"), (b"origin", b"http://testserver"), (b"cookie", text.encode())]


async def asked(path, line, cookies):
    """The cell of one HTTP request."""
    method, _space, afar = line.partition(" ")
    scope = {
        "type": "http", "method": method, "path": path, "headers": headers_of(cookies), "query_string": b"",
        "client": (AFAR if afar else "127.0.0.1", 5),
    }  # fmt: skip
    request = ApplicationCommunicator(asgi.application, scope)
    await request.send_input({"type": "http.request", "body": b"{}", "more_body": False})
    status = (await request.receive_output(30))["status"]
    await request.receive_output(30)
    await request.wait(30)
    return "ok" if status == 200 else str(status)


async def opened(path, cookies):
    """The cell of one socket."""
    tab = Tab(asgi.application, f"/{path}", headers_of(cookies), [PROTOCOL])
    await tab.connect()
    await tab.send_to('{"t": "hello"}')
    output = await tab.receive_output(30)
    await tab.disconnect()
    return "ok" if output["type"] == "websocket.send" else str(output["code"])


def test_every_raw_route_has_its_line_and_every_line_its_route():
    there = {*asgi.raw_routes, *(str(one.pattern) for one in asgi.sockets)}
    assert sorted(there - set(RAW)) == [], "these routes need a line in RAW of tests/permissions/table.py"
    assert sorted(set(RAW) - there) == [], "lines without a route"


def test_no_path_is_answered_before_django_but_by_the_table_of_raw_routes():
    body = ast.parse(inspect.getsource(asgi.application))
    paths = {node.value for node in ast.walk(body) if isinstance(node, ast.Constant) and "/" in str(node.value)}
    assert paths == {"/", "/simulator", "/simulator/"}, "put it into raw_routes"
    assert asgi.simulator is None, "only in a demo"


@pytest.mark.django_db(transaction=True)
async def test_every_raw_route_answers_every_role_as_the_table_says(world, record_property):
    cookies = await sync_to_async(cookies_of)(world)
    wrong, cells = [], 0
    for path, lines in RAW.items():
        for line, row in lines.items():
            for who, expected in zip(WHO, row.split(), strict=True):
                found = await (opened(path, cookies[who]) if line == "socket" else asked(path, line, cookies[who]))
                cells += 1
                if found != expected:
                    wrong.append(f"{line} {path} {who}: {found}, not {expected}")
    record_property("cells", cells)
    assert not wrong, "\n".join(wrong)
