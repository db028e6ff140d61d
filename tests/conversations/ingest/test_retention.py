"""What goes after its time and what stays, in batches, by one worker at a time."""

import datetime as dt
import io
import threading

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection

from conversations.ingest import housekeeping
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.live.models import LiveHint
from conversations.messaging.models import MediaAttempt, ParkedUpdate, PortfolioUse
from crm.foundation import clock
from crm.privacy import retention
from tests.factories import IdentityFactory, InboxFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
DAY = dt.timedelta(days=1)


def event(days, state="processed"):
    row = WebhookEvent.objects.create(
        sealed_body=b"x", state=state, processed_at=None if state == "pending" else clock.real() - days * DAY,
        received_at=clock.real() - days * DAY,
    )  # fmt: skip
    EventItem.objects.create(event=row, position=0, kind="text", outcome="recorded")
    return row


def rows_of_every_kind(days):
    inbox = InboxFactory()
    at = clock.real() - days * DAY
    parked = ParkedUpdate.objects.create(inbox=inbox, external_id="x", dedup_key=str(days), kind="status", payload={})
    ParkedUpdate.objects.filter(pk=parked.pk).update(created_at=at)
    LiveHint.objects.create(groups=[], payload={}, created_at=at)
    MediaAttempt.objects.create(inbox=inbox, started_at=at)
    PortfolioUse.objects.create(scope="x", identity=IdentityFactory(), used_at=at)
    Session.objects.create(session_key=f"s{days}", session_data="", expire_date=at)


def counts():
    models = (ParkedUpdate, LiveHint, MediaAttempt, PortfolioUse, Session)
    return [model.objects.count() for model in models]


def command(*arguments):
    out = io.StringIO()
    call_command("retention", *arguments, stdout=out)
    return out.getvalue()


def test_raw_webhooks_go_with_their_items_and_what_is_not_done_stays():
    kept = [event(6), event(89, "quarantined"), event(400, "pending")]
    event(8)
    event(91, "quarantined")
    assert retention.clean() is False
    assert list(WebhookEvent.objects.order_by("pk")) == kept
    assert EventItem.objects.count() == len(kept)


@pytest.mark.parametrize(
    ("days", "left"), [(0.1, [1, 1, 1, 1, 0]), (1.5, [1, 1, 0, 1, 0]), (2.5, [1, 0, 0, 0, 0]), (31, [0] * 5)]
)
def test_each_kind_has_its_time(days, left):
    rows_of_every_kind(days)
    retention.clean()
    assert counts() == left


def test_a_dry_run_says_what_would_go_and_deletes_nothing():
    event(8)
    rows_of_every_kind(31)
    told = command("--dry-run")
    assert "raw webhooks: 1 past their time, the oldest of" in told
    assert "live hints: 1 past" in told
    assert "quarantined webhooks: 0 past their time." in told
    assert counts() == [1] * 5
    assert "6 deleted." in command()
    assert counts() == [0] * 5


def test_all_of_it_goes_however_much_there_is(monkeypatch):
    monkeypatch.setattr(retention, "FIRST_BATCH", 2)
    monkeypatch.setattr(retention, "LEAST", 1)
    monkeypatch.setattr(retention, "MOST", 4)
    for _ in range(23):
        event(8)
    sizes = []
    retention.clean(tell=lambda rule, count: sizes.append(count))
    assert not WebhookEvent.objects.exists()
    assert sum(sizes) == 23
    assert max(sizes) <= 4


def test_a_round_that_is_over_leaves_the_rest_for_the_next(monkeypatch):
    for _ in range(5):
        event(8)
    assert retention.clean(seconds=0) is True
    assert WebhookEvent.objects.count() == 5
    monkeypatch.setattr(housekeeping, "_next_cleaning", float("-inf"))
    housekeeping.drain()
    assert not WebhookEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_only_one_worker_cleans():
    if connection.vendor != "postgresql":
        pytest.skip("the writers of SQLite queue")
    event(8)
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with retention._alone() as alone:
            assert alone
            inside.set()
            leave.wait(20)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    assert inside.wait(20)
    try:
        assert retention.clean() is None
        with pytest.raises(CommandError, match="cleaning just now"):
            command()
        assert WebhookEvent.objects.exists()
    finally:
        leave.set()
        other.join(20)
    assert retention.clean() is False
    assert not WebhookEvent.objects.exists()


def test_a_batch_finds_its_rows_by_index():
    if connection.vendor != "postgresql":
        pytest.skip("plans are read on PostgreSQL")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO conversations_webhookevent (sealed_body, signature, signer_ids, state, reason, attempts_count,"
            " lane, received_at, processed_at) SELECT 'x', '', '[]', 'processed', '', 0, 0, now(),"
            " now() - n * interval '10 seconds' FROM generate_series(1, 100000) AS n"
        )
        cursor.execute(
            "INSERT INTO conversations_eventitem (event_id, position, kind, outcome, reason)"
            " SELECT id, 0, 'text', 'recorded', '' FROM conversations_webhookevent"
        )
        cursor.execute("ANALYZE conversations_webhookevent; ANALYZE conversations_eventitem")
    rule = next(rule for rule in retention.schedule() if rule.name == "raw webhooks")
    plan = rule.old().order_by(rule.time).values_list("pk", flat=True)[:500].explain()
    assert "webhookevent_retention" in plan
    assert "Seq Scan" not in plan
    chosen = list(rule.old().order_by(rule.time).values_list("pk", flat=True)[:500])
    for model, column in ((EventItem, "event_id"), (WebhookEvent, "id")):
        with connection.cursor() as cursor:
            statement = f"EXPLAIN DELETE FROM {model._meta.db_table} WHERE {column} = ANY(%s)"
            cursor.execute(statement, [chosen])
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert "Seq Scan" not in plan, plan
    assert rule.delete(500) == 500
    assert EventItem.objects.count() == 99_500
