"""Redis carries hints to other processes; without it nothing breaks."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from channels.layers import get_channel_layer

from conversations.live import publish
from crm.foundation import aio
from tests.conftest import ON_SQLITE

pytestmark = pytest.mark.skipif(ON_SQLITE, reason="one process needs no Redis")
ROOT = Path(__file__).resolve().parents[3]
ELSEWHERE = """
import django; django.setup()
import time
from conversations.live import publish
from crm.foundation import aio
publish.publish([(["u.7"], {"v": 1, "id": 4711, "t": "message.created", "c": 5})])
while publish._pending or not aio._loop: time.sleep(0.01)
time.sleep(0.2)
aio.close()
"""


class Ear:
    def __init__(self):
        self.heard = []

    def deliver(self, frame):
        self.heard.append(frame)


async def until(true, seconds=10):
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 (what is waited for sets no event)
            await asyncio.sleep(0.01)


@pytest.fixture
async def subscription():
    task = asyncio.create_task(publish.subscribe())
    layer = get_channel_layer()
    await until(lambda: any(publish.LAYER_GROUP in name for name in layer.groups))
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await layer.flush()


async def test_a_hint_of_another_process_reaches_our_sockets_and_is_remembered(subscription, registry):
    ear, stranger = Ear(), Ear()
    registry.add(ear, ["u.7"])
    registry.add(stranger, ["u.8"])
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", ELSEWHERE, cwd=ROOT, env=dict(os.environ))
    assert await other.wait() == 0
    await until(lambda: ear.heard)
    assert ear.heard == ['{"v":1,"id":4711,"t":"message.created","c":5}']
    assert stranger.heard == []
    assert registry.has_heard(4711)


async def test_our_own_hint_reaches_our_sockets_once(subscription, registry):
    ear = Ear()
    registry.add(ear, ["u.7", "inbox.1"])
    registry.loop = asyncio.get_running_loop()
    await asyncio.to_thread(publish.publish, [(["u.7", "inbox.1"], {"id": 3, "t": "x"})])
    await until(lambda: ear.heard)
    await asyncio.sleep(0.2)
    assert len(ear.heard) == 1


async def test_the_subscription_survives_a_message_from_a_newer_version(subscription, registry):
    ear = Ear()
    registry.add(ear, ["u.7"])
    layer = get_channel_layer()
    await layer.group_send(publish.LAYER_GROUP, {"type": "live.other", "from": "another", "groups": ["u.7"]})
    await layer.group_send(
        publish.LAYER_GROUP, {"type": "live.hints", "from": "another", "hints": [[["u.7"], "{}", 1]]}
    )
    await until(lambda: ear.heard)


@pytest.fixture
def no_redis(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [settings.REDIS_URL]},
        }
    }


async def test_without_redis_publishing_neither_raises_nor_loses_our_own_sockets(no_redis, registry):
    ear = Ear()
    registry.add(ear, ["u.7"])
    registry.loop = asyncio.get_running_loop()
    await asyncio.to_thread(publish.publish, [(["u.7"], {"id": 1, "t": "x"})])
    await until(lambda: ear.heard)
    assert await asyncio.to_thread(aio.run, publish._to_other_processes({"hints": [(["u.7"], "{}", 1)]}), 20) is None


def test_hints_do_not_pile_up_behind_a_redis_that_hangs(monkeypatch):
    monkeypatch.setattr(publish, "_pending", publish.MAX_PENDING)

    def layer():
        raise AssertionError("asked")

    monkeypatch.setattr(publish, "get_channel_layer", layer)
    aio.run(publish._to_other_processes({"hints": [(["u.1"], "{}", 1)]}), 5)
    assert publish._pending == publish.MAX_PENDING
