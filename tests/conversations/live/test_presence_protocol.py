"""Which conversation is open, who looks on and who types: told to those concerned, and to nobody else."""
# ruff: noqa: F811 (fixtures)

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async
from django.core import signing
from django.db.backends.base.base import BaseDatabaseWrapper

from conversations.desk import consumers, presence
from conversations.live import keys, viewers
from conversations.live.keys import Place, key_for, read_key
from conversations.messaging.models import Conversation
from crm.staff.models import Role, User
from tests.conversations.live.desk_tabs import agent, inbox, settle, signed_in, team  # noqa: F401 (fixtures)
from tests.factories import ConversationFactory, InboxFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def conversation(inbox):
    return ConversationFactory(inbox=inbox)


@pytest.fixture
def colleague(team):
    return UserFactory(teams=[team], name="Luis Vega")


@pytest.fixture(autouse=True)
def quick(monkeypatch, registry):
    """Nobody's viewers but this test's, told after a moment."""
    fresh = viewers.Viewers(registry)
    monkeypatch.setattr(viewers, "GATHER_SECONDS", 0.02)
    monkeypatch.setattr(viewers, "viewers", fresh)
    monkeypatch.setattr(consumers, "viewers", fresh)
    monkeypatch.setattr(presence, "viewers", fresh)
    return fresh


def opening(user, conversation, **changes):
    key = key_for(user.pk, Place(conversation.pk, conversation.inbox_id))
    return json.dumps({"v": 1, "t": "open", "c": conversation.pk, "key": key} | changes)


def typing(conversation, *, mode="reply", on=True):
    return json.dumps({"v": 1, "t": "typing", "c": conversation.pk, "mode": mode, "on": on})


async def next_of(tab, kind):
    """The next frame of this kind; others are passed over."""
    async with asyncio.timeout(5):
        while True:
            frame = json.loads(await tab.receive_text())
            if frame["t"] == kind:
                return frame


async def is_silent(tab, *kinds, seconds=0.3):
    """Whether none of these comes."""
    try:
        async with asyncio.timeout(seconds):
            while json.loads(await tab.receive_text())["t"] not in kinds:
                pass
    except TimeoutError:
        return True
    return False


def names(frame):
    return [person["name"] for person in frame["users"]]


async def test_who_opens_a_conversation_is_shown_to_all_in_it(agent, colleague, conversation, signed_in):
    mine, theirs = await signed_in(agent), await signed_in(colleague)
    await mine.send_to(opening(agent, conversation))
    assert await next_of(mine, "viewers") == {
        "v": 1, "t": "viewers", "c": conversation.pk, "users": [{"id": agent.pk, "name": agent.name}],
    }  # fmt: skip
    await theirs.send_to(opening(colleague, conversation))
    assert set(names(await next_of(mine, "viewers"))) == {agent.name, colleague.name}
    assert set(names(await next_of(theirs, "viewers"))) == {agent.name, colleague.name}
    await theirs.send_to(json.dumps({"v": 1, "t": "close", "c": conversation.pk}))
    assert names(await next_of(mine, "viewers")) == [agent.name]


async def test_a_tab_that_is_gone_looks_at_nothing(agent, colleague, conversation, signed_in, registry):
    mine, theirs = await signed_in(agent), await signed_in(colleague)
    await theirs.send_to(opening(colleague, conversation))
    await mine.send_to(opening(agent, conversation))
    assert len((await next_of(mine, "viewers"))["users"]) == 2
    await theirs.disconnect()
    assert names(await next_of(mine, "viewers")) == [agent.name]


async def test_two_tabs_of_one_person_are_one_person(agent, conversation, signed_in):
    first, second = await signed_in(agent), await signed_in(agent)
    await first.send_to(opening(agent, conversation))
    await next_of(first, "viewers")
    await second.send_to(opening(agent, conversation))
    assert names(await next_of(second, "viewers")) == [agent.name]


async def test_opening_another_conversation_closes_the_first(agent, colleague, conversation, inbox, signed_in, quick):
    another = await sync_to_async(ConversationFactory)(inbox=inbox)
    mine, theirs = await signed_in(agent), await signed_in(colleague)
    await theirs.send_to(opening(colleague, conversation))
    await mine.send_to(opening(agent, conversation))
    assert len((await next_of(theirs, "viewers"))["users"]) == 2
    await mine.send_to(opening(agent, another))
    assert names(await next_of(theirs, "viewers")) == [colleague.name]
    assert quick.people(another.pk) == {agent.pk: agent.name}


async def test_typing_reaches_the_colleagues_with_what_is_typed_and_never_the_writer(
    agent, colleague, conversation, signed_in
):
    mine, theirs = await signed_in(agent), await signed_in(colleague)
    await mine.send_to(opening(agent, conversation))
    await mine.send_to(typing(conversation, mode="note"))
    heard = await next_of(theirs, "typing")
    assert heard == {
        "v": 1, "t": "typing", "c": conversation.pk, "user": agent.pk, "name": agent.name, "mode": "note", "on": True,
    }  # fmt: skip
    await mine.send_to(typing(conversation, mode="note", on=False))
    assert (await next_of(theirs, "typing"))["on"] is False
    assert await is_silent(mine, "typing")


async def test_the_same_typing_is_told_every_two_seconds_at_most(agent, colleague, conversation, signed_in):
    mine, theirs = await signed_in(agent), await signed_in(colleague)
    await mine.send_to(opening(agent, conversation))
    for _ in range(5):
        await mine.send_to(typing(conversation))
    await next_of(theirs, "typing")
    assert await is_silent(theirs, "typing")


async def test_who_leaves_while_typing_has_stopped(agent, colleague, conversation, signed_in):
    mine, theirs = await signed_in(agent), await signed_in(colleague)
    await mine.send_to(opening(agent, conversation))
    await mine.send_to(typing(conversation))
    assert (await next_of(theirs, "typing"))["on"] is True
    await mine.disconnect()
    assert (await next_of(theirs, "typing"))["on"] is False


async def test_who_opens_a_conversation_sees_who_has_been_typing_in_it(agent, colleague, conversation, signed_in):
    mine, theirs = await signed_in(agent), await signed_in(colleague)
    await mine.send_to(opening(agent, conversation))
    await mine.send_to(typing(conversation))
    await next_of(theirs, "typing")  # in the list
    await theirs.send_to(opening(colleague, conversation))
    assert (await next_of(theirs, "typing"))["user"] == agent.pk
    await mine.send_to(typing(conversation, on=False))
    await next_of(theirs, "typing")
    await theirs.send_to(opening(colleague, conversation))
    assert await is_silent(theirs, "typing")


async def test_typing_in_what_is_not_open_is_told_to_nobody(agent, colleague, conversation, signed_in):
    mine, theirs = await signed_in(agent), await signed_in(colleague)
    await mine.send_to(typing(conversation))
    assert await is_silent(theirs, "typing")


async def test_where_many_listen_typing_is_told_only_to_those_in_the_conversation(
    agent, colleague, conversation, signed_in, monkeypatch
):
    monkeypatch.setattr(viewers, "ROW_AUDIENCE", 1)
    mine, theirs = await signed_in(agent), await signed_in(colleague)
    await mine.send_to(opening(agent, conversation))
    await mine.send_to(typing(conversation))
    assert await is_silent(theirs, "typing")
    await theirs.send_to(opening(colleague, conversation))
    assert (await next_of(theirs, "typing"))["mode"] == "reply"
    await mine.send_to(typing(conversation, mode="note"))
    assert (await next_of(theirs, "typing"))["mode"] == "note"


@pytest.mark.covers("S03")
async def test_people_of_another_team_hear_of_none_of_it(agent, conversation, signed_in):
    stranger = await sync_to_async(UserFactory)(teams=[await sync_to_async(TeamFactory)()])
    mine, theirs = await signed_in(agent), await signed_in(stranger)
    await theirs.send_to(opening(agent, conversation))  # another's key
    await mine.send_to(opening(agent, conversation))
    await mine.send_to(typing(conversation))
    assert await is_silent(theirs, "typing", "viewers")


@pytest.mark.covers("S03")
async def test_a_key_of_another_conversation_opens_nothing(agent, conversation, signed_in, quick):
    mine = await signed_in(agent)
    await mine.send_to(opening(agent, conversation, c=conversation.pk + 1))
    assert await is_silent(mine, "viewers")
    assert quick.people(conversation.pk) == quick.people(conversation.pk + 1) == {}


async def test_the_groups_of_a_conversation_end_with_the_access_to_it(inbox, team, registry, signed_in, quick):
    restricted = await sync_to_async(UserFactory)(role=Role.RESTRICTED, teams=[team])
    conversation = await sync_to_async(ConversationFactory)(inbox=inbox, assignee=restricted)
    mine = await signed_in(restricted)
    await settle(registry)
    await mine.send_to(opening(restricted, conversation))
    await next_of(mine, "viewers")
    await presence._check_access()
    assert quick.people(conversation.pk)
    other = await sync_to_async(UserFactory)(teams=[team])
    await Conversation.objects.filter(pk=conversation.pk).aupdate(assignee=other)
    await presence._check_access()
    assert quick.people(conversation.pk) == {}
    assert registry.members(f"conv.{conversation.pk}") == set()


@pytest.mark.covers("S03")
async def test_an_old_key_opens_nothing_once_the_number_is_lost(agent, conversation, signed_in, registry, quick):
    frame = opening(agent, conversation)
    await agent.memberships.all().adelete()
    mine = await signed_in(agent)
    await settle(registry)
    await mine.send_to(frame)
    assert await is_silent(mine, "viewers")
    assert registry.members(f"conv.{conversation.pk}") == set()
    assert quick.people(conversation.pk) == {}


@pytest.mark.covers("S05")
@pytest.mark.parametrize(
    "frame",
    [
        {"t": "open"}, {"t": "open", "c": "1", "key": "x"}, {"t": "open", "c": 1}, {"t": "open", "c": 1, "key": 5},
        {"t": "open", "c": None, "key": ""}, {"t": "close"}, {"t": "close", "c": []}, {"t": "typing", "c": 1},
        {"t": "typing", "c": 1, "mode": "reply", "on": 1}, {"t": "typing", "c": 1, "mode": "shout", "on": True},
        {"t": "typing", "c": "1", "mode": "reply", "on": True}, {"t": ["open"]}, {"t": {"a": 1}},
    ],
)  # fmt: skip
async def test_malformed_frames_end_the_connection(agent, signed_in, frame):
    mine = await signed_in(agent)
    await mine.send_to(json.dumps({"v": 1} | frame))
    assert await mine.close_code() == 4400


@pytest.mark.covers("S03")
@pytest.mark.parametrize("key", ["", ":", "a:b:c", "é", "1.1.1:x:y", "\x00", "1.2.3" * 500])
async def test_an_invented_key_opens_nothing_and_harms_nobody(agent, conversation, signed_in, key):
    mine = await signed_in(agent)
    await mine.send_to(opening(agent, conversation, key=key))
    await mine.send_to('{"v":1,"t":"ping"}')
    assert (await next_of(mine, "pong"))["t"] == "pong"


def test_a_key_is_for_one_person_one_conversation_and_twelve_hours(monkeypatch):
    key = key_for(7, Place(55, 3))
    assert read_key(key, 7) == Place(55, 3)
    assert read_key(key, 8) is None
    assert read_key(key.replace("55", "56"), 7) is None
    later = signing.time.time() + keys.LIFE.total_seconds() + 1
    monkeypatch.setattr(signing.time, "time", lambda: later)
    assert read_key(key, 7) is None


async def test_opening_and_typing_ask_the_database_nothing(agent, conversation, signed_in, monkeypatch):
    mine = await signed_in(agent)
    frame = opening(agent, conversation)
    await mine.send_to('{"v":1,"t":"hello","since":0}')
    await next_of(mine, "ready")
    asked = []
    monkeypatch.setattr(BaseDatabaseWrapper, "cursor", lambda self, *args: asked.append(self))
    await mine.send_to(frame)
    await mine.send_to(typing(conversation))
    await next_of(mine, "viewers")
    monkeypatch.undo()
    assert asked == []


class TestOtherProcesses:
    """What processes say to each other, without Redis between them."""

    @pytest.fixture
    def said(self, monkeypatch):
        told = []
        monkeypatch.setattr(viewers.publish, "gossip", told.append)
        return told

    @pytest.fixture
    def ear(self, registry):
        class Ear:
            user_id = 99

            def __init__(self):
                self.frames = []

            def deliver(self, frame):
                self.frames.append(json.loads(frame))

        ear = Ear()
        registry.add(ear, ["conv.5"])
        return ear

    async def test_viewers_elsewhere_are_shown_here_and_forgotten_with_their_process(
        self, quick, said, ear, monkeypatch
    ):
        quick.hear({"from": "p2", "viewing": {"5": [[7, "Ana"]], "6": [[8, "Eva"]]}})
        await asyncio.sleep(0.05)
        assert ear.frames[-1]["users"] == [{"id": 7, "name": "Ana"}]
        quick.hear({"from": "p2", "viewing": {"6": [[8, "Eva"]]}, "all": True})
        await asyncio.sleep(0.05)
        assert ear.frames[-1]["users"] == []
        quick.hear({"from": "p2", "viewing": {"5": [[7, "Ana"]]}})
        await asyncio.sleep(0.05)
        monkeypatch.setattr(viewers, "SILENT_AFTER", -1.0)
        quick.look()
        await asyncio.sleep(0.05)
        assert ear.frames[-1]["users"] == []

    async def test_changes_are_told_together_and_everything_every_twenty_seconds(self, quick, said):
        tabs = [object(), object()]
        quick.look()
        assert said == [{"viewing": {}, "all": True}]
        quick.enter(5, tabs[0], 7, "Ana")
        quick.enter(6, tabs[1], 8, "Eva")
        await asyncio.sleep(0.05)
        assert said[1:] == [{"viewing": {"5": [(7, "Ana")], "6": [(8, "Eva")]}}]
        quick.look()
        assert len(said) == 2
        quick.hear({"from": "new", "viewing": {}})
        quick.look()
        assert said[-1] == {"viewing": {"5": [(7, "Ana")], "6": [(8, "Eva")]}, "all": True}

    async def test_what_is_heard_is_not_told_on(self, quick, said, ear):
        quick.hear({"from": "p2", "viewing": {"5": [[7, "Ana"]]}})
        await asyncio.sleep(0.05)
        assert said == []

    async def test_typing_elsewhere_is_heard_here(self, quick, ear):
        quick.hear({"from": "p2", "typing": [5, 1, 7, True, '{"t":"typing"}']})
        assert ear.frames == [{"t": "typing"}]
        quick.hear({"from": "p2", "typing": [5, 1, 99, True, '{"t":"typing"}']})  # the ear's own
        assert len(ear.frames) == 1

    @pytest.mark.parametrize(
        "said", [{}, {"typing": None}, {"typing": [1]}, {"viewing": []}, {"from": "x", "viewing": {"a": 1}}]
    )
    async def test_another_release_is_not_understood_and_nothing_breaks(self, quick, said):
        quick.hear(said)


async def test_a_manager_looking_on_hears_what_the_agent_hears_and_is_seen_by_nobody(
    agent, colleague, conversation, signed_in, quick, registry
):
    manager = await sync_to_async(UserFactory)(role=Role.MANAGER)
    theirs = await signed_in(colleague)
    looking = await signed_in(manager, viewing_as=agent)
    await settle(registry, 2)
    await looking.send_to(opening(agent, conversation))
    await theirs.send_to(opening(colleague, conversation))
    assert names(await next_of(looking, "viewers")) == [colleague.name]
    await theirs.send_to(typing(conversation))
    assert (await next_of(looking, "typing"))["user"] == colleague.pk
    await looking.send_to(typing(conversation))
    assert await is_silent(theirs, "typing")
    assert quick.people(conversation.pk) == {colleague.pk: colleague.name}


async def test_a_manager_who_is_one_no_longer_stops_looking_on(agent, signed_in, registry):
    manager = await sync_to_async(UserFactory)(role=Role.MANAGER)
    looking = await signed_in(manager, viewing_as=agent)
    await settle(registry)
    await User.objects.filter(pk=manager.pk).aupdate(role=Role.AGENT)
    await presence._check_access()
    assert await looking.close_code() == 4401


@pytest.mark.covers("A14")
async def test_an_agent_cannot_look_on_by_a_session_that_says_so(agent, colleague, signed_in, registry):
    other_inbox = await sync_to_async(InboxFactory)(teams=[])
    mine = await signed_in(colleague, viewing_as=agent)
    await settle(registry)
    assert [socket.user_id for socket in registry.sockets] == [colleague.pk]
    assert registry.members(f"inbox.{other_inbox.pk}") == set()
    assert mine is not None
