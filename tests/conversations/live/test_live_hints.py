"""Hints: written with their cause, published after its commit, replayed without gaps."""

import datetime as dt
import threading
import time

import pytest
from django.db import close_old_connections, connection, connections, transaction

from conversations.channels.base import Text
from conversations.live import publish, replay
from conversations.live.models import LiveHint
from conversations.messaging import outbound, threads
from crm.foundation import clock
from crm.privacy import retention
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
    return settled(LiveHint.objects.latest("pk"))


def place(row):
    """Where a hint stands in the log."""
    return row.pk if ON_SQLITE else row.transaction_id


def settled(row):
    """The hint's place, once it may be served: on PostgreSQL any older transaction of the whole server counts."""
    deadline = time.monotonic() + 30
    while replay.head() < place(row):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return place(row)


def places(answer):
    return [place(LiveHint.objects.get(pk=frame["id"])) for frame in answer["hints"]]


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


@pytest.mark.covers("S11")
def test_a_reader_gets_what_is_above_their_id_and_for_their_groups():
    first = hint("inbox.1")
    second, third = hint("inbox.1", "u.7"), hint("u.7")
    hint("inbox.2")
    last = hint("team.3")
    answer = replay.since(first, {"inbox.1", "u.7"})
    assert (places(answer), answer["head"]) == ([second, third], last)
    assert replay.since(last, {"inbox.1"}) == {"head": last, "hints": []}
    assert places(replay.since(first, set())) == []


@pytest.mark.covers("S11")
@pytest.mark.parametrize("since", [0, -1, -(10**12)])
def test_no_id_opens_what_is_not_for_the_reader(since):
    hint("inbox.1")
    mine = hint("u.7")
    answer = replay.since(since, {"u.7"})
    assert answer.get("resync") or places(answer) == [mine]


def test_a_head_from_the_future_is_one_of_a_log_that_is_gone():
    head = hint("u.1")
    for since in (head + 1000, 10**17):
        assert replay.since(since, {"u.1"}) == {"head": head, "resync": True}


def test_an_empty_log_has_head_0():
    LiveHint.objects.all().delete()
    assert replay.since(0, {"u.1"}) == {"head": 0, "hints": []}


def test_exactly_300_hints_are_replayed_and_one_more_is_a_resync():
    start = hint("u.1")
    with transaction.atomic():
        for _ in range(replay.MOST):
            publish.hint(["u.1"], "x")
    settled(LiveHint.objects.latest("pk"))
    assert len(replay.since(start, {"u.1"})["hints"]) == 300
    head = hint("u.1")
    assert replay.since(start, {"u.1"}) == {"head": head, "resync": True}


def test_many_hints_for_others_are_a_resync_too():
    start = hint("u.1")
    LiveHint.objects.bulk_create(LiveHint(groups=["u.2"], payload={"t": "x"}) for _ in range(replay.SCANNED + 1))
    settled(LiveHint.objects.latest("pk"))
    assert replay.since(start, {"u.1"})["resync"]


def test_an_id_older_than_what_is_kept_is_a_resync():
    old = [hint("u.1") for _ in range(3)]
    oldest = LiveHint.objects.order_by("pk").values("pk")[:2]
    LiveHint.objects.filter(pk__in=[row["pk"] for row in oldest]).update(
        created_at=clock.real() - dt.timedelta(hours=49)
    )
    retention.clean()
    assert LiveHint.objects.count() == 1
    assert replay.since(old[0], {"u.1"}).get("resync")
    assert replay.since(old[1], {"u.1"}).get("resync")
    assert replay.since(old[2], {"u.1"})["hints"] == []


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
    quick = LiveHint.objects.latest("pk")
    assert quick.pk > held[0]
    while_running = replay.since(start, {"u.1"})
    may_commit.set()
    thread.join(10)
    assert while_running == {"head": start, "hints": []}
    settled(quick)
    after = replay.since(while_running["head"], {"u.1"})
    assert ([frame["id"] for frame in after["hints"]], after["head"]) == ([held[0], quick.pk], place(quick))


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has one writer: id order is commit order")
def test_of_two_transactions_the_older_may_take_the_higher_id_and_commit_first():
    """Its hint is served, and the other's lower id, which appears later, is not lost behind it."""
    start = hint("u.1")
    older, younger = (connections.create_connection("default") for _ in range(2))
    for one in (older, younger):
        one.set_autocommit(False)
        one.cursor().execute("SELECT pg_current_xact_id()")
    insert = "INSERT INTO conversations_livehint (groups, payload, transaction_id, created_at) VALUES ('[\"u.1\"]', "
    insert += "'{}', pg_current_xact_id()::text::bigint, now())"
    for one in (younger, older):
        one.cursor().execute(insert)
    older.commit()
    first = replay.since(start, {"u.1"})
    younger.commit()
    for one in (older, younger):
        one.close()
    low, high = LiveHint.objects.order_by("pk").values_list("pk", flat=True)[1:]
    settled(LiveHint.objects.get(pk=low))
    second = replay.since(first["head"], {"u.1"})
    assert [frame["id"] for answer in (first, second) for frame in answer["hints"]] == [high, low]


def test_a_double_read_tells_the_other_devices_once(published):
    agent = UserFactory()
    conversation = ConversationFactory(inbound_count=2)
    MessageFactory(conversation=conversation)
    for _ in range(2):
        threads.mark_read(conversation, agent)
    [(groups, frame)] = published
    assert groups == [f"u.{agent.pk}"]
    assert (frame["t"], frame["c"], frame["upto"]) == ("read", conversation.pk, 2)
