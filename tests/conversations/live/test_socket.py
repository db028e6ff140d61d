"""The socket of a browser tab: who may open it, what it hears, what closes it."""
# ruff: noqa: F811 (fixtures)

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.models import Session

from conversations.channels.base import Text
from conversations.desk import consumers, presence
from conversations.messaging import outbound
from crm.staff import tokens
from crm.staff.models import Membership, Role, User
from tests.conversations.live.desk_tabs import (  # noqa: F401 (fixtures)
    agent,
    cookie_of,
    inbox,
    settle,
    signed_in,
    tab,
    team,
)
from tests.factories import ConversationFactory, InboxFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.covers("S01")
async def test_without_a_session_the_socket_says_why_and_closes(registry):
    for cookie in ("", f"{settings.SESSION_COOKIE_NAME}=invented"):
        opened = tab(cookie)
        assert await opened.connect() == (True, None)
        assert await opened.close_code() == 4401
    assert registry.sockets == ()


@pytest.mark.covers("S08")
async def test_nothing_in_the_address_opens_a_socket(registry, agent):
    token = await sync_to_async(tokens.issue)(agent, ["read", "write"])
    session = (await sync_to_async(cookie_of)(agent)).partition("=")[2]
    for query in (f"token={token}", f"access_token={token}", f"{settings.SESSION_COOKIE_NAME}={session}"):
        opened = tab()
        opened.scope["query_string"] = query.encode()
        opened.scope["headers"].append((b"authorization", f"Bearer {token}".encode()))
        await opened.connect()
        assert await opened.close_code() == 4401
    assert registry.sockets == ()


@pytest.mark.covers("S01")
async def test_a_session_that_was_signed_out_opens_nothing(agent):
    cookie = await sync_to_async(cookie_of)(agent)
    await Session.objects.all().adelete()
    opened = tab(cookie)
    await opened.connect()
    assert await opened.close_code() == 4401


async def test_an_integrator_has_no_inbox(registry, agent):
    await User.objects.filter(pk=agent.pk).aupdate(role=Role.INTEGRATOR)
    opened = tab(await sync_to_async(cookie_of)(agent))
    await opened.connect()
    assert await opened.close_code() == 4403
    assert registry.sockets == ()


@pytest.mark.covers("S02")
@pytest.mark.parametrize(
    "origin",
    [
        None, "null", "", "http://evil.test", "http://testserver.evil.test", "http://testserver:8001",
        "http://evil.test@testserver", "http://localhost", "file://", "testserver", "https://testserver:443",
    ],
)  # fmt: skip
async def test_a_page_from_elsewhere_gets_nothing(registry, agent, origin):
    opened = tab(await sync_to_async(cookie_of)(agent), origin=origin)
    connected, code = await opened.connect()
    if connected:
        assert await opened.close_code() == 4401
    else:
        assert code in (1000, 4403, 403)
    assert registry.sockets == ()


async def test_hello_and_ping_are_answered_from_memory(registry, agent, signed_in):
    opened = await signed_in(agent, subprotocols=["wcrm.v1"])
    registry.settled = 4711
    await opened.send_to('{"v":1,"t":"hello","since":0}')
    ready = json.loads(await opened.receive_text())
    assert (ready["v"], ready["t"], ready["head"]) == (1, "ready", 4711)
    assert ready["rev"]
    await opened.send_to('{"v":1,"t":"ping"}')
    assert json.loads(await opened.receive_text()) == {"v": 1, "t": "pong", "head": 4711}


async def test_the_subprotocol_is_accepted_only_if_offered(agent):
    for offered, chosen in ((["wcrm.v1"], "wcrm.v1"), (["other"], None), (None, None)):
        opened = tab(await sync_to_async(cookie_of)(agent), subprotocols=offered)
        assert await opened.connect() == (True, chosen)
        await opened.disconnect()


@pytest.mark.covers("S05", "S10")
@pytest.mark.parametrize(
    "frame",
    [
        {"text": "not json"}, {"text": ""}, {"text": "[]"}, {"text": "1"}, {"text": "null"},
        {"text": "{}"}, {"text": '{"t":7}'}, {"text": '{"t":"assign","c":1}'},
        {"text": '{"t":"subscribe","group":"inbox.2"}'}, {"text": "[" * 4000},
        {"text": '{"t":"ping","x":"' + "x" * 5000 + '"}'}, {"text": "x" * 10_000_000},
        {"data": b'{"t":"ping"}'}, {"data": b"\xff\x00"},
    ],
    ids=range(14),
)  # fmt: skip
async def test_a_bad_frame_ends_the_socket(registry, agent, signed_in, frame):
    opened = await signed_in(agent)
    await opened.send_to(**frame)
    assert await opened.close_code() == 4400


@pytest.mark.covers("S05")
async def test_more_than_20_frames_in_10_seconds_end_the_socket(agent, signed_in):
    opened = await signed_in(agent)
    for _ in range(consumers.RATE + 1):
        await opened.send_to('{"t":"ping"}')
    outputs = [await opened.receive_output(timeout=5) for _ in range(consumers.RATE + 1)]
    assert {output["type"] for output in outputs} == {"websocket.send", "websocket.close"}
    [closed] = [output for output in outputs if output["type"] == "websocket.close"]
    assert closed["code"] == 4429


async def test_frames_after_the_end_are_not_answered(agent, signed_in):
    opened = await signed_in(agent)
    for text in ("bad", "bad", '{"t":"ping"}'):
        await opened.send_to(text)
    assert await opened.close_code() == 4400
    assert await opened.receive_nothing(timeout=0.2)


async def test_too_many_tabs_of_one_person(registry, agent, signed_in, monkeypatch):
    monkeypatch.setattr(consumers, "TABS_MAX", 2)
    for _ in range(2):
        await signed_in(agent)
    await settle(registry, 2)
    third = tab(await sync_to_async(cookie_of)(agent))
    await third.connect()
    assert await third.close_code() == 4409


async def test_a_closed_tab_is_forgotten(registry, agent):
    opened = tab(await sync_to_async(cookie_of)(agent))
    await opened.connect()
    await settle(registry)
    await opened.disconnect()
    await settle(registry, 0)
    registry.deliver([f"u.{agent.pk}"], "{}")


@pytest.mark.covers("S03")
async def test_an_agents_tab_hears_its_inboxes_and_itself_only(registry, agent, inbox, signed_in):
    other = await sync_to_async(InboxFactory)(teams=[await sync_to_async(TeamFactory)()])
    opened = await signed_in(agent)
    await settle(registry)
    for group in (f"inbox.{other.pk}", f"u.{agent.pk + 1}", "live", f"inbox.{inbox.pk}0"):
        registry.deliver([group], '{"t":"not for you"}')
    registry.deliver([f"inbox.{inbox.pk}", f"u.{agent.pk}"], '{"t":"for you"}')
    assert await opened.receive_text() == '{"t":"for you"}'
    assert await opened.receive_nothing(timeout=0.1)


@pytest.mark.covers("S03")
async def test_a_restricted_agent_hears_of_themselves_and_their_teams_only(registry, agent, team, inbox, signed_in):
    await User.objects.filter(pk=agent.pk).aupdate(role=Role.RESTRICTED)
    opened = await signed_in(agent)
    await settle(registry)
    registry.deliver([f"inbox.{inbox.pk}"], '{"t":"whole inbox"}')
    registry.deliver([f"team.{team.pk}"], '{"t":"team"}')
    registry.deliver([f"u.{agent.pk}"], '{"t":"me"}')
    assert [await opened.receive_text() for _ in range(2)] == ['{"t":"team"}', '{"t":"me"}']


async def test_a_manager_hears_every_inbox(registry, inbox, signed_in):
    opened = await signed_in(await sync_to_async(UserFactory)(manager=True))
    await settle(registry)
    registry.deliver([f"inbox.{inbox.pk}"], '{"t":"x"}')
    assert await opened.receive_text()


async def test_what_is_written_in_a_thread_arrives_at_the_socket(registry, agent, inbox, signed_in):
    registry.loop = asyncio.get_running_loop()
    opened = await signed_in(agent)
    await settle(registry)
    conversation = await sync_to_async(ConversationFactory)(inbox=inbox)
    message, _made = await sync_to_async(outbound.compose)(
        conversation, by=agent, content=Text("hello there"), origin="agent"
    )
    frame = json.loads(await opened.receive_text())
    assert (frame["t"], frame["c"], frame["m"], frame["dir"]) == (
        "message.created", conversation.pk, str(message.client_id), "out",
    )  # fmt: skip
    assert registry.has_heard(frame["id"])
    assert "hello there" not in str(frame)


async def test_a_reader_too_slow_gets_one_resync_and_memory_stays_bounded(registry, agent, signed_in, monkeypatch):
    gate, real = asyncio.Event(), consumers.DeskConsumer.send

    async def slow(self, *args, **kwargs):
        await gate.wait()
        await real(self, *args, **kwargs)

    monkeypatch.setattr(consumers.DeskConsumer, "send", slow)
    opened = await signed_in(agent)
    await settle(registry)
    [socket] = registry.sockets
    for number in range(5000):
        registry.deliver([f"u.{agent.pk}"], f'{{"t":"x","n":{number}}}')
        assert len(socket.queue) <= consumers.QUEUE_MAX
        if number % 50 == 0:
            await asyncio.sleep(0)
    gate.set()
    heard = []
    while not heard or heard[-1].get("n") != 4999:
        heard.append(json.loads(await opened.receive_text()))
    assert len(heard) <= consumers.QUEUE_MAX + 2
    assert "resync" in [frame["t"] for frame in heard]
    last_resync = max(index for index, frame in enumerate(heard) if frame["t"] == "resync")
    after = [frame["n"] for frame in heard[last_resync + 1 :]]
    assert after == list(range(5000 - len(after), 5000)), "no gap after the resync"


async def leave_team(agent):
    await Membership.objects.filter(user=agent).adelete()


async def deactivate(agent):
    await User.objects.filter(pk=agent.pk).aupdate(is_active=False)


async def become_integrator(agent):
    await User.objects.filter(pk=agent.pk).aupdate(role=Role.INTEGRATOR)


async def become_restricted(agent):
    await User.objects.filter(pk=agent.pk).aupdate(role=Role.RESTRICTED)


async def become_manager(agent):
    await User.objects.filter(pk=agent.pk).aupdate(role=Role.MANAGER)


async def change_password(agent):
    await User.objects.filter(pk=agent.pk).aupdate(password="!")


async def sign_out(agent):
    await Session.objects.all().adelete()


async def let_session_expire(agent):
    await Session.objects.aupdate(expire_date="2020-01-01T00:00:00Z")


async def disappear(agent):
    await User.objects.filter(pk=agent.pk).adelete()


@pytest.mark.covers("S06", "U04")
@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (leave_team, 4401), (deactivate, 4403), (become_integrator, 4403), (become_restricted, 4401),
        (become_manager, 4401), (change_password, 4401), (sign_out, 4401), (let_session_expire, 4401),
        (disappear, 4401),
    ],
)  # fmt: skip
async def test_a_change_of_rights_closes_the_socket_at_the_next_check(registry, agent, signed_in, happens, code):
    opened = await signed_in(agent)
    await settle(registry)
    await presence._check_access()
    assert await opened.receive_nothing(timeout=0.1)
    await happens(agent)
    await presence._check_access()
    registry.deliver([f"u.{agent.pk}"], '{"t":"too late"}')
    assert await opened.close_code() == code
    assert registry.sockets == ()


async def test_others_keep_their_socket(registry, agent, team, signed_in):
    opened, colleague = await signed_in(agent), await signed_in(await sync_to_async(UserFactory)(teams=[team]))
    await settle(registry, 2)
    await deactivate(agent)
    await presence._check_access()
    assert await opened.close_code() == 4403
    assert await colleague.receive_nothing(timeout=0.1)


async def test_many_who_come_at_once_are_told_apart(registry, agent, team, signed_in):
    colleague = await sync_to_async(UserFactory)(teams=[team])
    gone = await sync_to_async(UserFactory)(teams=[team])
    cookies = [await sync_to_async(cookie_of)(user) for user in (agent, colleague, gone)]
    await User.objects.filter(pk=gone.pk).aupdate(is_active=False)
    tabs = [tab(cookie) for cookie in [*cookies, "", cookies[0]]]
    await asyncio.gather(*(one.connect() for one in tabs))
    await settle(registry, 3)
    assert sorted(socket.user_id for socket in registry.sockets) == sorted([agent.pk, agent.pk, colleague.pk])
    assert [await tabs[index].close_code() for index in (2, 3)] == [4401, 4401]
    for one in tabs:
        await one.disconnect()


@pytest.mark.covers("S01", "U04")
async def test_a_session_from_before_the_password_changed_opens_nothing(registry, agent):
    cookie = await sync_to_async(cookie_of)(agent)
    await change_password(agent)
    opened = tab(cookie)
    await opened.connect()
    assert await opened.close_code() == 4401
    assert registry.sockets == ()
