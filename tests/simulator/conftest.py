"""The simulator behind a real server, and a real callback server that records what it is sent."""

import pytest

from tests.simulator.playing import Callback, free_port, listening, running


@pytest.fixture
def callback_port():
    return free_port()


@pytest.fixture
async def callback(callback_port):
    callback = Callback()
    async with listening(callback, callback_port):
        yield callback
    assert callback.problems == []


@pytest.fixture
async def client(tmp_path, callback, callback_port, monkeypatch):
    monkeypatch.setattr(
        "simulator.statuses.USUAL", (("sent", 0.05), ("delivered", 0.1), ("read", 0.15), ("played", 0.2))
    )
    async with running(tmp_path, callback_port) as client:
        yield client
