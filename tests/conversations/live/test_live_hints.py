"""Hints: written with their cause, published after its commit, replayed without gaps."""

import datetime as dt
import threading
import time

import pytest
from django.db import close_old_connections, connection, transaction

from conversations.channels.base import Text
from conversations.live import publish, replay
from conversations.live.models import LiveHint
from conversations.messaging import outbound, threads
from crm.foundation import clock
from tests.conftest import ON_SQLITE
from tests.factories import ConversationFactory, MessageFactory, TeamFactory, UserFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_too]


@pytest.fixture
def published(monkeypatch):
    """What was published, with how many hints other connections could read at that moment."""
    frames = []
    monkeypatch.setattr(publish, "publish", frames.extend)
    return frames


def hint(*groups, kind="message.created", **payload):
    with transaction.atomic():
        publish.hint(groups, kind, **payload)
    return settled(LiveHint.objects.latest("pk").pk)


def settled(pk):
    """Wait until hints up to `pk` may be served: on PostgreSQL any older transaction of the whole server counts."""
    deadline = time.monotonic() + 30
    while replay.head() < pk:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return pk


def ids(answer):
    return [frame["id"] for frame in answer["hints"]]


def test_a_hint_is_published_after_the_commit_of_its_cause(published):
    with transaction.atomic():
        publish.hint(["inbox.2", "inbox.1", "inbox.2"], "message.created", c=5)
        assert LiveHint.objects.count() == 1
        assert published == []
    row = LiveHint.objects.get()
    assert published == [(["inbox.1", "inbox.2"], {"v": 1, "id": row.pk, "t": "message.created", "c": 5})]


def test_a_cause_that_is_rolled_back_leaves_no_hint(published):
    with transaction.atomic():
        publish.hint(["inbox.1"], "message.created")
        transaction.set_rollback(True)
    assert published == []
    assert not LiveHint.objects.exists()


def test_a_savepoint_that_is_rolled_back_takes_only_its_own_hints(published):
    with transaction.atomic():
        publish.hint(["u.1"], "kept")
        with transaction.atomic():
            publish.hint(["u.1"], "dropped")
            transaction.set_rollback(True)
    assert [frame["t"] for _groups, frame in published] == ["kept"]


def test_publishing_that_breaks_does_not_break_the_change(monkeypatch):
    def breaks(frames):
        raise RuntimeError("no")

    monkeypatch.setattr(publish, "publish", breaks)
    hint("u.1")
    assert LiveHint.objects.count() == 1


def test_a_hint_carries_no_text_and_no_name(published):
    conversation = ConversationFactory()
    agent = UserFactory(name="Agente Secreta")
    outbound.compose(conversation, by=agent, content=Text("texto secreto"), origin="agent")
    threads.assign(conversation, by=agent, assignee=None, team=TeamFactory(name="Equipo secreto"))
    stored = str(list(LiveHint.objects.values_list("payload", flat=True)))
    assert len(published) == 2
    for secret in ("secret", conversation.contact.name, conversation.contact.phone):
        assert secret not in stored


def test_who_a_conversation_leaves_hears_of_it(published):
    before, after = UserFactory(), UserFactory(manager=True)
    old_team, new_team = TeamFactory(), TeamFactory()
    conversation = ConversationFactory(assignee=before, team=old_team)
    threads.assign(conversation, by=after, assignee=after, team=new_team)
    [(groups, frame)] = published
    assert set(groups) == {
        f"inbox.{conversation.inbox_id}", f"u.{before.pk}", f"team.{old_team.pk}", f"u.{after.pk}",
        f"team.{new_team.pk}",
    }  # fmt: skip
    assert (frame["assignee"], frame["team"]) == (after.pk, new_team.pk)


def test_a_reader_gets_what_is_above_their_id_and_for_their_groups():
    first = hint("inbox.1")
    second, third = hint("inbox.1", "u.7"), hint("u.7")
    hint("inbox.2")
    last = hint("team.3")
    answer = replay.since(first, {"inbox.1", "u.7"})
    assert (ids(answer), answer["head"]) == ([second, third], last)
    assert replay.since(last, {"inbox.1"}) == {"head": last, "hints": []}
    assert ids(replay.since(first, set())) == []


@pytest.mark.parametrize("since", [0, -1, -(10**12)])
def test_no_id_opens_what_is_not_for_the_reader(since):
    hint("inbox.1")
    mine = hint("u.7")
    answer = replay.since(since, {"u.7"})
    assert answer.get("resync") or ids(answer) == [mine]


def test_an_id_from_the_future_gets_the_real_head():
    head = hint("u.1")
    for since in (head + 1, 10**17):
        assert replay.since(since, {"u.1"}) == {"head": head, "hints": []}


def test_an_empty_log_has_head_0():
    LiveHint.objects.all().delete()
    assert replay.since(0, {"u.1"}) == {"head": 0, "hints": []}


def test_exactly_300_hints_are_replayed_and_one_more_is_a_resync():
    start = hint("u.1")
    with transaction.atomic():
        for _ in range(replay.MOST):
            publish.hint(["u.1"], "x")
    settled(LiveHint.objects.latest("pk").pk)
    assert len(ids(replay.since(start, {"u.1"}))) == 300
    head = hint("u.1")
    assert replay.since(start, {"u.1"}) == {"head": head, "resync": True}


def test_many_hints_for_others_are_a_resync_too():
    start = hint("u.1")
    LiveHint.objects.bulk_create(LiveHint(groups=["u.2"], payload={"t": "x"}) for _ in range(replay.SCANNED + 1))
    settled(LiveHint.objects.latest("pk").pk)
    assert replay.since(start, {"u.1"})["resync"]


def test_an_id_older_than_what_is_kept_is_a_resync():
    old = [hint("u.1") for _ in range(3)]
    LiveHint.objects.filter(pk__in=old[:2]).update(created_at=clock.real() - dt.timedelta(hours=49))
    assert replay.delete_old() == 2
    assert replay.delete_old() == 0
    assert replay.since(old[0], {"u.1"}).get("resync")
    assert ids(replay.since(old[1], {"u.1"})) == [old[2]], "the last deleted one had been seen"


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has one writer: id order is commit order")
def test_a_transaction_still_running_holds_back_the_ids_above_its_own():
    start = hint("u.1")
    written, may_commit, held = threading.Event(), threading.Event(), []

    def slow():
        try:
            with transaction.atomic():
                publish.hint(["u.1"], "slow")
                held.append(LiveHint.objects.latest("pk").pk)
                written.set()
                may_commit.wait(10)
        finally:
            close_old_connections()
            connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(10)
    with transaction.atomic():
        publish.hint(["u.1"], "quick")
    quick = LiveHint.objects.latest("pk").pk
    assert quick > held[0]
    while_running = replay.since(start, {"u.1"})
    may_commit.set()
    thread.join(10)
    assert while_running == {"head": start, "hints": []}
    settled(quick)
    after = replay.since(while_running["head"], {"u.1"})
    assert (ids(after), after["head"]) == ([held[0], quick], quick)


def test_a_double_read_tells_the_other_devices_once(published):
    agent = UserFactory()
    conversation = ConversationFactory(inbound_count=2)
    MessageFactory(conversation=conversation)
    for _ in range(2):
        threads.mark_read(conversation, agent)
    [(groups, frame)] = published
    assert groups == [f"u.{agent.pk}"]
    assert (frame["t"], frame["c"], frame["upto"]) == ("read", conversation.pk, 2)
