"""Items that fail every time: their neighbours are processed, tries are counted in the database, and all comes back
once the cause is gone.
"""

import datetime as dt

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection

from conversations.ingest import passing, pipeline
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.messaging import inbound
from conversations.messaging.models import Message
from conversations.monitoring import figures
from conversations.monitoring.exposition import exposition
from crm.audit.models import AuditEntry
from crm.foundation import clock
from tests.webhooks import ANA, LUIS, T0, arrive, landings, messages, person, store, text

pytestmark = pytest.mark.django_db

POISON = "w.50"


def fails_on(external_id, harm):
    """Recording as it is, but `harm` is done when the message comes by."""
    record = inbound.record

    def harmed(arrivals, known):
        if any(arrival.update.external_id == external_id for arrival in arrivals):
            harm()
        return record(arrivals, known)

    return harmed


def restart():
    """The worker died: its leases run out."""
    WebhookEvent.objects.update(lease_until=None)


def asks_too_much():
    """PostgreSQL calls this operational too: an index row larger than it can hold."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE IF NOT EXISTS too_much (words text)")
        cursor.execute("CREATE INDEX IF NOT EXISTS too_much_words ON too_much (words)")
        cursor.execute("INSERT INTO too_much SELECT string_agg(md5(n::text), '') FROM generate_series(1, 2000) AS n")


def bug():
    raise KeyError("a bug of ours")


@pytest.mark.covers("F20")
@pytest.mark.parametrize(("harm", "count"), [(bug, 1000), (asks_too_much, 100)])
def test_of_a_thousand_items_with_one_poisoned_999_are_processed_and_the_one_is_replayed(
    inbox, monkeypatch, harm, count
):
    event = store(inbox, messages(*[text(f"w.{number}", at=T0 + number) for number in range(count)]))
    with monkeypatch.context() as patch:
        patch.setattr(inbound, "record", fails_on(POISON, harm))
        assert pipeline.drain() is True
        assert pipeline.drain() is False, "nothing is left waiting"
    event.refresh_from_db()
    assert (event.state, Message.objects.count()) == ("quarantined", count - 1)
    bad = EventItem.objects.get(event=event, outcome="quarantined")
    assert (bad.position, bad.message) == (50, None)
    assert bad.reason == event.reason == f"{'KeyError' if harm is bug else 'OperationalError'} while text"
    now = figures.read()
    assert now.quarantined == 1
    assert b"ventanilla_webhooks_quarantined 1.0" in exposition(now), "the alarm of docs/operations.md"

    call_command("replay")
    event.refresh_from_db()
    assert (event.state, event.reason) == ("processed", "")
    assert Message.objects.get(external_id=POISON).conversation.inbound_count == count
    assert EventItem.objects.filter(event=event, outcome="recorded").count() == Message.objects.count() == count
    assert figures.read().quarantined == 0


@pytest.mark.covers("F20")
def test_an_item_the_database_never_takes_in_time_does_not_hold_up_its_neighbours(inbox, monkeypatch):
    def too_slow():
        raise OperationalError("canceling statement due to statement timeout")

    def rounds(most):
        for number in range(1, most + 1):
            pipeline.drain()
            restart()
            if not WebhookEvent.objects.filter(state="pending").exists():
                return number
        return most

    event = store(inbox, messages(*[text(f"w.{number}", at=T0 + number) for number in range(6)]))
    other = store(inbox, messages(text("w.luis", sender=LUIS), contacts=[person(LUIS)]))
    with monkeypatch.context() as patch:
        patch.setattr(inbound, "record", fails_on("w.2", too_slow))
        rounds(pipeline.MOST_ATTEMPTS + 3)
        stored = sorted(Message.objects.values_list("external_id", flat=True))
        assert stored == ["w.0", "w.1", "w.3", "w.4", "w.5", "w.luis"]
        event.refresh_from_db()
        other.refresh_from_db()
        assert (event.state, other.state) == ("pending", "processed"), "the database may be to blame: for a day"
        assert figures.read().webhooks.count == 1
        WebhookEvent.objects.update(received_at=clock.real() - pipeline.BLAMELESS_FOR)
        assert rounds(20) < pipeline.MOST_ATTEMPTS
    event.refresh_from_db()
    assert event.state == "quarantined"
    pipeline.replay([event.pk])
    assert landings(event) == [("text", "recorded")] * 6


@pytest.mark.covers("F20")
def test_two_items_beside_each_other_that_the_database_never_takes_do_not_hold_up_those_behind(inbox, monkeypatch):
    bad = ["w.1", "w.2", "w.3"]

    def too_slow():
        raise OperationalError("canceling statement due to statement timeout")

    record = inbound.record
    for external_id in bad:
        monkeypatch.setattr(inbound, "record", fails_on(external_id, too_slow))
    event = store(inbox, messages(*[text(f"w.{number}", at=T0 + number) for number in range(6)]))
    WebhookEvent.objects.update(attempts_count=pipeline.ALONE_FROM)
    pipeline.drain()
    assert sorted(Message.objects.values_list("external_id", flat=True)) == ["w.0", "w.4", "w.5"], "in the first round"
    event.refresh_from_db()
    assert (event.state, event.attempts_count) == ("pending", pipeline.ALONE_FROM), "nobody's fault: for a day"
    monkeypatch.setattr(inbound, "record", record)
    restart()
    pipeline.drain()
    assert landings(event) == [("text", "recorded")] * 6


@pytest.mark.covers("F20")
def test_a_database_that_is_away_is_not_asked_for_each_item_and_the_wait_grows_with_the_webhooks_age(
    inbox, monkeypatch
):
    asked, now, renew = [], clock.real(), pipeline._renew
    monkeypatch.setattr(clock, "real", lambda: now)

    def away(*args):
        asked.append("item")
        raise OperationalError("the connection is closed")

    def gone(event, **more):
        if "item" not in asked:
            return renew(event, **more)
        asked.append("lease")
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(inbound, "record", away)
    monkeypatch.setattr(pipeline, "_renew", gone)
    event = store(inbox, messages(*[text(f"w.{number}", at=T0 + number) for number in range(6)]))
    waits = []
    for age in (0, 60, 3600):
        WebhookEvent.objects.update(received_at=now - dt.timedelta(seconds=age), attempts_count=pipeline.ALONE_FROM)
        asked.clear()
        pipeline.drain()
        assert asked == ["item", "lease", "lease"], "the second item, then whether it is the database; four are spared"
        event.refresh_from_db()
        waits.append((event.lease_until - now).total_seconds())
        restart()
    assert waits == [2, 7.5, 30]


def test_replaying_holds_some_megabytes_at_once_and_notes_what_it_took_with_taking_it(inbox, monkeypatch):
    events = [store(inbox, messages(text(f"w.{number}", at=T0 + number))) for number in range(5)]
    size = max(len(event.sealed_body) for event in events)
    monkeypatch.setattr(pipeline, "BYTES_AT_ONCE", 2 * size - 100)
    WebhookEvent.objects.update(state="quarantined")
    process, held = pipeline.process, []

    def crashes_at_the_third(taken):
        held.append([event.pk for event in taken])
        if len(held) == 3:
            raise SystemExit("killed")
        process(taken)

    monkeypatch.setattr(pipeline, "process", crashes_at_the_third)
    with pytest.raises(SystemExit):
        call_command("replay")
    pks = [event.pk for event in events]
    assert held == [pks[:2], pks[2:4], pks[4:]]
    told = AuditEntry.objects.filter(action="replayed").order_by("pk").values_list("changes", flat=True)
    assert [changes["ids"][1] for changes in told] == held
    assert Message.objects.count() == 4


@pytest.mark.covers("F28")
def test_a_webhook_that_kills_its_worker_is_given_up_within_a_few_of_twenty_restarts(inbox, monkeypatch):
    killer, *others = [store(inbox, messages(text(f"w.{number}", at=T0 + number))) for number in range(21)]
    read, deaths, counted = pipeline._read, 0, []

    def dies(event):
        if event.pk == killer.pk:
            raise SystemExit("killed")
        return read(event)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "_read", dies)
        for _ in range(20):
            try:
                pipeline.drain()
            except SystemExit:
                deaths += 1
            counted.append(WebhookEvent.objects.values_list("attempts_count", flat=True).get(pk=killer.pk))
            restart()
    assert pipeline.ALONE_FROM < deaths < pipeline.MOST_ATTEMPTS
    assert counted[:deaths] == sorted(set(counted[:deaths])), "each try is counted before it is made"
    killer.refresh_from_db()
    assert (killer.state, killer.reason) == ("quarantined", "given up after repeated crashes")
    assert set(WebhookEvent.objects.exclude(pk=killer.pk).values_list("state", flat=True)) == {"processed"}
    assert Message.objects.count() == len(others) == 20
    pipeline.replay([killer.pk])
    assert Message.objects.count() == 21


@pytest.mark.covers("F28")
def test_a_bad_item_at_the_head_of_the_queue_stays_aside_over_twenty_restarts(inbox, monkeypatch):
    monkeypatch.setattr(inbound, "record", fails_on("w.0", bug))
    head = store(inbox, messages(text("w.0"), text("w.1", at=T0 + 1)))
    for number in range(2, 22):
        arrive(inbox, messages(text(f"w.{number}", at=T0 + number)))
        pipeline.drain()
        restart()
    head.refresh_from_db()
    assert head.state == "quarantined"
    assert EventItem.objects.filter(event=head).count() == 2, "tried once, not at each start"
    assert Message.objects.count() == 21


@pytest.mark.parametrize(
    ("sql", "later"),
    [("SELECT pg_sleep(2)", True), (f"SELECT 1{', 1' * 2000}", False)],
    ids=["a statement that took too long", "more columns than there can be"],
)
@pytest.mark.covers("F20")
def test_what_passes_is_told_from_what_comes_back_each_time(sql, later):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '20ms'")
        with pytest.raises(OperationalError) as caught:
            cursor.execute(sql)
    assert passing.passes(caught.value) is later


@pytest.mark.covers("F20")
def test_a_database_that_is_away_passes_and_a_bug_does_not():
    assert passing.passes(OperationalError("server closed the connection unexpectedly"))
    assert not passing.passes(ValueError(ANA))
