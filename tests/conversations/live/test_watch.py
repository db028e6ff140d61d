"""What each process looks at once a second: the log's head, hints that did not come, the clock."""
# ruff: noqa: F811 (fixtures)

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async

from conversations.desk import presence
from conversations.live import replay
from conversations.live.models import LiveHint
from tests.conversations.live.desk_tabs import agent, inbox, settle, signed_in, team  # noqa: F401 (fixtures)

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_watch_goes_on_when_the_database_is_away_for_a_while(registry, monkeypatch):
    heads = iter([presence.DatabaseAway("gone"), 5])
    checked = []

    def read(last, top):
        value = next(heads, 7)
        checked.append(value)
        if isinstance(value, Exception):
            raise value
        return value, []

    real_sleep = asyncio.sleep
    monkeypatch.setattr(presence, "_read_log", read)
    monkeypatch.setattr(presence.asyncio, "sleep", lambda seconds: real_sleep(0.001))
    task = asyncio.create_task(presence.watch_over_sockets())
    async with asyncio.timeout(5):
        while registry.settled != 7:
            await real_sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(checked) >= 3


async def test_a_jump_of_the_clock_tells_every_tab_to_fetch_anew(registry, agent, signed_in, monkeypatch):
    opened = await signed_in(agent)
    await settle(registry)
    offsets = iter([0, 0])
    monkeypatch.setattr(presence.clock, "offset", lambda: next(offsets, 90_000))
    monkeypatch.setattr(presence, "_read_log", lambda last, top: (12, []))
    real_sleep = asyncio.sleep
    monkeypatch.setattr(presence.asyncio, "sleep", lambda seconds: real_sleep(0.01))
    task = asyncio.create_task(presence.watch_over_sockets())
    frame = {"t": "pong"}
    while frame["t"] == "pong":
        frame = json.loads(await opened.receive_text())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert frame == {"v": 1, "t": "resync", "head": 12}


async def test_a_hint_that_did_not_come_is_handed_out_from_the_log_and_only_once(registry, agent, inbox, signed_in):
    """It was made by another process, and no Redis brought it."""
    opened = await signed_in(agent)
    await settle(registry)
    watch = presence.Watch()
    await watch.look()
    lost, came, others = [
        await sync_to_async(LiveHint.objects.create)(groups=[group], payload={"t": "x", "n": number})
        for number, group in enumerate((f"inbox.{inbox.pk}", f"u.{agent.pk}", "u.0"))
    ]
    registry.deliver(came.groups, '{"t":"came"}', came.pk)
    assert json.loads(await opened.receive_text())["t"] == "came"
    frames = []
    async with asyncio.timeout(20):
        while not frames:
            await watch.look()
            while not await opened.receive_nothing(timeout=0.05):
                frames.append(json.loads(await opened.receive_text()))
            frames = [frame for frame in frames if frame["t"] != "pong"]
    assert frames == [{"v": 1, "id": lost.pk, "t": "x", "n": 0}]
    assert registry.has_heard(others.pk)
    for _ in range(3):
        await watch.look()
    assert await opened.receive_nothing(timeout=0.1)


async def test_more_lost_hints_than_can_be_handed_out_are_one_resync(registry, agent, signed_in, monkeypatch):
    opened = await signed_in(agent)
    await settle(registry)
    monkeypatch.setattr(presence, "_read_log", lambda last, top: (top + 1, list(range(replay.MOST + 1))))
    await presence.Watch().look()
    assert json.loads(await opened.receive_text()) == {"v": 1, "t": "resync", "head": 1}


async def test_a_new_tab_is_told_the_head_once_more(registry, agent, signed_in, monkeypatch):
    """A hint may go by between the page's making and the socket's opening."""
    opened = await signed_in(agent)
    await settle(registry)
    heads = iter([5, 6, 7, 8])
    monkeypatch.setattr(presence, "_read_log", lambda last, top: (next(heads), []))
    watch = presence.Watch()
    for _ in range(4):
        await watch.look()
    assert json.loads(await opened.receive_text()) == {"v": 1, "t": "pong", "head": 6}
    assert await opened.receive_nothing(timeout=0.1)
