"""Bodies that no documentation shows: nothing raises, nothing is lost, one bad item never hides its neighbours."""

import json

import pytest
from django.core.exceptions import ValidationError
from django.db import DataError, OperationalError, connection

from conversations.ingest import pipeline
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.messaging import inbound
from conversations.messaging.models import Message
from crm.contacts.models import ChannelIdentity, Contact
from tests.hardening.mutations import LONG, nested
from tests.webhooks import (
    ANA,
    LUIS,
    T0,
    arrive,
    landings,
    messages,
    number_change,
    only_message,
    person,
    recorded,
    status,
    statuses,
    store,
    text,
    user_id_update,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]

BEFORE, AFTER = text("w.before", "antes", T0), text("w.after", "después", T0 + 9)


def around(bad):
    """A bad item between two good ones."""
    return messages(BEFORE, bad, AFTER)


@pytest.mark.parametrize(
    "bad",
    [
        None, 7, "text", [], {}, {"id": None}, {"id": "w"}, {"from": ANA}, {"id": [], "from": {}}, {"type": "text"},
        {"id": "w", "from": "", "from_user_id": "", "type": "text"}, {"id": LONG, "from": ANA, "type": "text"},
        {"id": "w", "from": LONG, "type": "text"}, {"id": "w", "from_user_id": LONG, "type": "text"},
        {"id": "w", "from": ANA, "type": "reaction", "reaction": {"message_id": LONG}},
    ],
)  # fmt: skip
@pytest.mark.covers("F18", "F20")
def test_a_bad_item_is_quarantined_alone(inbox, bad):
    body = messages(BEFORE, bad, AFTER, contacts=[person(ANA), person(LUIS, "Luis")])
    (event,) = arrive(inbox, body)
    assert [outcome for _kind, outcome in landings(event)] == ["recorded", "quarantined", "recorded"]
    assert (event.state, Message.objects.count()) == ("quarantined", 2)
    assert event.reason


@pytest.mark.parametrize(
    "error",
    [
        DataError("bad"),
        ValueError("bug"),
        KeyError("bug"),
        AttributeError("bug"),
        RuntimeError("bug"),
        ValidationError("bug"),
    ],
)
@pytest.mark.covers("F20")
def test_an_item_that_always_fails_leaves_its_neighbours_and_can_be_replayed(inbox, monkeypatch, error):
    record = inbound.record

    def fails(arrivals, known):
        if any(arrival.update.external_id == "w.bad" for arrival in arrivals):
            raise error
        return record(arrivals, known)

    with monkeypatch.context() as patch:
        patch.setattr(inbound, "record", fails)
        (event,) = arrive(inbox, around(text("w.bad", "veneno", T0 + 5)))
    assert [outcome for _kind, outcome in landings(event)] == ["recorded", "quarantined", "recorded"]
    pipeline.replay([event.pk])
    event.refresh_from_db()
    assert event.state == "processed"
    assert sorted(Message.objects.values_list("external_id", flat=True)) == ["w.after", "w.bad", "w.before"]


@pytest.mark.covers("F20")
def test_one_sql_error_in_a_hundred_leaves_ninety_nine(inbox, monkeypatch):
    record = inbound.record

    def fails(arrivals, known):
        if any(arrival.update.external_id == "w.50" for arrival in arrivals):
            with connection.cursor() as cursor:
                cursor.execute("SELECT no_such_column FROM crm_contact")
        return record(arrivals, known)

    monkeypatch.setattr(inbound, "record", fails)
    (event,) = arrive(inbox, messages(*[text(f"w.{index}", at=T0 + index) for index in range(100)]))
    outcomes = [outcome for _kind, outcome in landings(event)]
    assert (outcomes.count("recorded"), outcomes[50]) == (99, "quarantined")


def test_a_bug_in_reading_keeps_the_bytes_for_its_repair(inbox, monkeypatch):
    def fails(payload):
        raise RuntimeError("bug")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "parse", fails)
        first, second = arrive(inbox, recorded("text"), recorded("image"))
    assert (first.state, second.state, second.reason) == ("quarantined", "quarantined", "RuntimeError while reading")
    pipeline.replay([first.pk, second.pk])
    assert Message.objects.count() == 2


def test_a_database_that_is_away_postpones_and_loses_nothing(inbox, monkeypatch):
    def away(*_args):
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(inbound, "record", away)
        (event,) = arrive(inbox, recorded("text"))
        assert (event.state, landings(event)) == ("pending", [])
        assert pipeline.claim(10) == []
    WebhookEvent.objects.update(lease_until=None)
    assert pipeline.drain() is True
    assert only_message().text


@pytest.mark.covers("F28")
def test_an_event_that_crashes_its_worker_again_and_again_is_given_up_not_retried_for_ever(inbox, monkeypatch):
    event = store(inbox, recorded("text"))

    def dies(_event):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "_read", dies)
        for _ in range(pipeline.MOST_ATTEMPTS - 1):
            with pytest.raises(SystemExit):
                pipeline.drain()
            WebhookEvent.objects.update(lease_until=None)  # the worker died, its lease ran out
    pipeline.drain()
    event.refresh_from_db()
    assert (event.state, event.reason) == ("quarantined", "given up after repeated crashes")
    pipeline.replay([event.pk])
    assert only_message().text


def test_work_goes_on_where_a_killed_worker_stopped(inbox, monkeypatch):
    monkeypatch.setattr(pipeline, "TOGETHER", {"postgresql": 2, "sqlite": 2})
    event = store(inbox, messages(*[text(f"w.{index}", at=T0 + index) for index in range(5)]))
    chunk, done = pipeline._land_together, []

    def dies(*args):
        if done:
            raise KeyboardInterrupt
        done.append(1)
        chunk(*args)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "_land_together", dies)
        with pytest.raises(KeyboardInterrupt):
            pipeline.process([event])
    assert Message.objects.count() == 2
    pipeline.process([event])
    assert landings(event) == [("text", "recorded")] * 5


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        (b"\x00", "a\ufffdb"),
        (b"\\u0000", "a\ufffdb"),
        (b"\\ud83d", "a\ufffdb"),
        (b"\xff\xfe", "a\ufffd\ufffdb"),
        ("🚗é👨‍👩‍👧".encode(), "a🚗é👨‍👩‍👧b"),
        (b"\\ud83d\\ude97", "a🚗b"),
        ("Z͑ͫ̓ͪ̂ͫ̽͏̴".encode(), "aZ͑ͫ̓ͪ̂ͫ̽͏̴b"),
    ],
)
@pytest.mark.covers("F23")
def test_a_bad_character_costs_a_character(inbox, raw, stored):
    data = json.dumps(messages(text("w", "a@b"))).encode().replace(b"a@b", b"a" + raw + b"b")
    (event,) = arrive(inbox, data)
    if raw == b"\x00":  # no JSON at all: control characters must be escaped
        assert event.state == "quarantined"
    else:
        assert only_message().text == stored
    assert event.body == data


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.covers("F23")
def test_other_encodings_of_json_are_read(inbox, encoding):
    arrive(inbox, json.dumps(messages(text("w", "Ñandú")), ensure_ascii=False).encode(encoding))
    assert only_message().text == "Ñandú"


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "9" * 5000, "-" + "9" * 5000, "1e400", "18446744073709551616"]
)
@pytest.mark.covers("F23")
def test_an_impossible_number_costs_the_number(inbox, number):
    location = text("w") | {"type": "location", "location": {"latitude": "@", "name": "Taller"}}
    data = json.dumps(messages(location, AFTER)).replace('"@"', number).encode()
    (event,) = arrive(inbox, data)
    assert landings(event) == [("location", "recorded"), ("text", "recorded")]
    assert Message.objects.get(external_id="w").payload["name"] == "Taller"


@pytest.mark.parametrize("depth", [100, 900])
@pytest.mark.covers("F22")
def test_deep_nesting_is_cut_off_and_the_rest_kept(inbox, depth):
    (event,) = arrive(inbox, messages(text("w") | {"type": "hologram", "hologram": nested(depth)}, AFTER))
    assert landings(event) == [("hologram", "recorded"), ("text", "recorded")]


@pytest.mark.parametrize("depth", [1_000, 10_000, 100_000])
@pytest.mark.covers("F22")
def test_absurd_nesting_ends_in_quarantine_with_its_bytes(inbox, depth):
    data = b'{"entry": ' + b"[" * depth + b"]" * depth + b"}"
    (event,) = arrive(inbox, data)
    assert event.state == "quarantined"
    assert event.body == data


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"{", b"null", b"[]", b"7", b'"x"', b"{}", b'{"entry": {}}', b'{"entry": [1]}']
)
@pytest.mark.covers("F22")
def test_signed_nonsense_is_quarantined(inbox, data):
    (event,) = arrive(inbox, data)
    assert event.state == "quarantined"
    assert event.reason
    assert event.body == data


@pytest.mark.covers("F23")
def test_names_and_ids_longer_than_any_column_poison_nothing(inbox):
    people = [person(ANA, LONG, username=LONG), person(LONG, user_id=LONG)]
    quote = {"context": {"id": LONG, "forwarded": LONG}}
    image = {"type": "image", "image": {"id": LONG, "mime_type": LONG, "sha256": LONG, "caption": "☂" * 65_536}}
    (event,) = arrive(
        inbox,
        messages(text("w.1") | quote, text("w.2") | image, text("w.3", type=LONG), contacts=people),
        statuses(
            status("w.1", LONG), status("o", "failed", errors=[{"code": 10**40, "title": LONG}], pricing={"a": LONG})
        ),
    )[:1]
    assert [outcome for _kind, outcome in landings(event)] == ["recorded"] * 3
    assert len(Message.objects.get(external_id="w.2").text) == 65_536
    assert Contact.objects.get().name == LONG[:200]


def test_two_ids_that_begin_alike_for_ever_are_not_one(inbox):
    (event,) = arrive(inbox, messages(text("w" * 300 + "1"), text("w" * 300 + "2"), AFTER))
    assert [outcome for _kind, outcome in landings(event)] == ["quarantined", "quarantined", "recorded"]


def test_the_longest_ids_that_fit_are_kept_whole(inbox):
    user_id = "ES." + "😀" * 253
    sender = {"from": "", "from_user_id": user_id}
    arrive(inbox, messages(text("💬" * 256) | sender, contacts=[person("", user_id=user_id)]))
    assert only_message().external_id == "💬" * 256
    assert ChannelIdentity.objects.get().user_id == user_id


@pytest.mark.covers("F21")
def test_a_batch_of_three_megabytes_is_stored_whole(inbox):
    items = [text(f"w.{index}", "ñ" * 14_900, T0 + index) for index in range(100)]
    data = json.dumps(messages(*items), ensure_ascii=False).encode()
    assert len(data) > 2_980_000
    (event,) = arrive(inbox, data)
    assert event.state == "processed"
    assert EventItem.objects.filter(event=event, outcome="recorded").count() == 100
    assert Message.objects.get(external_id="w.99").conversation.inbound_count == 100


@pytest.mark.parametrize("at", [None, "", "yesterday", -5, T0 + 3 * 10**8, True])
@pytest.mark.covers("F19")
def test_a_change_of_number_without_a_usable_time_is_quarantined(inbox, at):
    (event,) = arrive(inbox, messages(number_change(ANA, LUIS, T0, "s") | {"timestamp": at}, contacts=[]))
    assert event.state == "quarantined"
    assert not ChannelIdentity.objects.exists()


def test_a_change_to_the_same_id_changes_nothing(inbox):
    (event,) = arrive(inbox, user_id_update("ES.1", "ES.1", T0))
    assert landings(event) == [("user_id_update", "stored")]


def test_a_database_that_is_away_is_not_the_events_fault(inbox, monkeypatch):
    event = store(inbox, recorded("text"))

    def away(*_args):
        raise OperationalError("server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "_land_together", away)
        patch.setattr(pipeline, "_land_alone", away)
        for _ in range(pipeline.MOST_ATTEMPTS + 3):
            pipeline.drain()
            WebhookEvent.objects.update(lease_until=None)
    pipeline.drain()
    event.refresh_from_db()
    assert event.state == "processed"
