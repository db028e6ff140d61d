"""What an inbound message does to its conversation: window, waiting, unread, place in the list, whatever its time."""

import datetime as dt
import logging

import pytest
import structlog

from conversations.ingest import pipeline
from conversations.messaging import inbound, threads
from conversations.messaging.models import Conversation, ConversationRead, Message, ParkedUpdate
from crm.contacts import identities
from crm.contacts.models import Contact
from crm.foundation import clock
from tests.factories import UserFactory
from tests.webhooks import (
    ANA,
    DISPLAY,
    LUIS,
    arrive,
    body,
    change,
    make_inbox,
    messages,
    number_change,
    only_conversation,
    only_message,
    person,
    reaction,
    status,
    statuses,
    store,
    text,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]

HOUR = dt.timedelta(hours=1)
DAY = 24 * HOUR
YEARS = 3652 * DAY


@pytest.fixture
def inbox(db):
    return make_inbox()


@pytest.fixture
def now():
    return clock.now().replace(microsecond=0)


def seconds(moment):
    return int(moment.timestamp())


def said(external_id, moment, words="Hola", **more):
    return messages(text(external_id, words, seconds(moment), **more))


def echo(external_id, moment):
    item = {"from": DISPLAY, "to": ANA, "id": external_id, "timestamp": str(seconds(moment)), "type": "text"}
    return body(change("smb_message_echoes", message_echoes=[item | {"text": {"body": "Nuestra"}}]))


@pytest.mark.parametrize(
    "timestamp", [0, "0", -1, "-5", "", "soon", None, True, 10**15, "9" * 40, 1.5, {}, "१२३", "1e9"]
)
@pytest.mark.covers("F19")
def test_a_message_whose_time_makes_no_sense_stands_where_it_arrived(inbox, now, timestamp):
    arrive(inbox, messages(text("w") | {"timestamp": timestamp}))
    message = only_message()
    assert message.provider_time is None
    assert message.sort_at == message.created_at >= now
    assert only_conversation().window_expires_at == message.sort_at + DAY


@pytest.mark.covers("F19")
def test_a_message_without_any_time_is_stored(inbox):
    item = text("w")
    del item["timestamp"]
    arrive(inbox, messages(item))
    assert only_message().provider_time is None


@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize("written", [int, str])
@pytest.mark.covers("F19")
def test_seconds_and_milliseconds_as_number_or_text_are_the_same_moment(inbox, now, unit, written):
    arrive(inbox, messages(text("w") | {"timestamp": written(seconds(now - HOUR) * unit)}))
    assert only_message().provider_time == only_message().sort_at == now - HOUR


@pytest.mark.covers("F19")
def test_a_message_from_ten_years_ago_is_shown_there_and_opens_no_window_now(inbox, now):
    arrive(inbox, said("w", now - YEARS))
    assert only_message().sort_at == now - YEARS
    assert only_conversation().window_expires_at == now - YEARS + DAY
    assert only_conversation().window_state(now) == "closed"


@pytest.mark.covers("F19")
def test_a_message_from_ten_years_ahead_keeps_its_time_but_stands_where_it_arrived(inbox, now):
    arrive(inbox, said("w", now + YEARS))
    message, conversation = only_message(), only_conversation()
    assert message.provider_time == now + YEARS
    assert message.sort_at == message.created_at == conversation.last_activity_at
    assert conversation.window_expires_at == message.created_at + DAY
    arrive(inbox, said("w.2", clock.now() + HOUR / 4))
    assert only_conversation().last_message_id == Message.objects.get(external_id="w.2").pk


@pytest.mark.covers("F19")
def test_the_window_counts_from_the_earlier_of_their_clock_and_ours(inbox, now):
    arrive(inbox, said("w", now + HOUR / 4))
    assert only_conversation().window_expires_at == only_message().created_at + DAY


@pytest.mark.covers("F19")
def test_the_window_never_moves_back(inbox, now):
    arrive(inbox, said("w.2", now - HOUR), said("w.1", now - 5 * HOUR))
    assert only_conversation().window_expires_at == now - HOUR + DAY


@pytest.mark.parametrize("emoji", ["👍", None])
def test_a_reaction_opens_the_window_and_never_closes_it(inbox, now, emoji):
    arrive(inbox, said("w", now - 20 * HOUR), messages(reaction("r", "w", emoji, seconds(now - 2 * HOUR))))
    assert only_conversation().window_expires_at == now - 2 * HOUR + DAY
    arrive(inbox, messages(reaction("r.0", "w", "😀", seconds(now - 10 * HOUR))))
    assert only_conversation().window_expires_at == now - 2 * HOUR + DAY


def test_a_parked_reaction_without_a_time_counts_from_when_it_came(inbox, now):
    early = now - 3 * DAY
    arrive(inbox, messages(reaction("r", "w", "👍") | {"timestamp": None}))
    ParkedUpdate.objects.update(created_at=early)
    arrive(inbox, said("w", early - HOUR))
    assert only_conversation().window_expires_at == early + DAY


@pytest.mark.parametrize("ours", [lambda at: echo("o", at), lambda at: statuses(status("o", "read", seconds(at)))])
def test_what_we_do_opens_no_window(inbox, now, ours):
    arrive(inbox, said("w", now - 20 * HOUR), ours(now))
    assert only_conversation().window_expires_at == now + 4 * HOUR


def test_they_wait_since_the_first_unanswered_message(inbox, now):
    arrive(inbox, said("w.1", now - 5 * HOUR), said("w.2", now - 4 * HOUR))
    assert only_conversation().waiting_since == now - 5 * HOUR
    arrive(inbox, echo("o", now - 3 * HOUR))
    assert only_conversation().waiting_since is None
    arrive(inbox, said("w.3", now - 2 * HOUR), said("w.4", now - HOUR))
    assert only_conversation().waiting_since == now - 2 * HOUR


def test_a_late_message_stands_in_its_place_and_changes_nothing_that_is_newer(inbox, now):
    arrive(inbox, said("w.2", now - HOUR, "nuevo"), said("w.1", now - 9 * HOUR, "viejo"))
    conversation = only_conversation()
    assert [message.text for message in conversation.messages.in_thread_order()] == ["viejo", "nuevo"]
    assert (conversation.last_preview, conversation.last_activity_at) == ("nuevo", now - HOUR)
    assert (conversation.waiting_since, conversation.inbound_count) == (now - 9 * HOUR, 2)
    assert conversation.contact.last_inbound_at == now - HOUR


def test_a_late_message_that_we_have_answered_since_waits_for_nothing(inbox, now):
    arrive(inbox, said("w.1", now - 9 * HOUR), echo("o", now - HOUR), said("w.2", now - 5 * HOUR))
    assert only_conversation().waiting_since is None


@pytest.mark.parametrize(("before", "events"), [("resolved", ["reopened"]), ("snoozed", ["woken"]), ("dormant", [])])
def test_a_message_reopens_what_was_put_aside(inbox, now, before, events):
    arrive(inbox, said("w.1", now - HOUR))
    Conversation.objects.update(status=before)
    arrive(inbox, said("w.2", now))
    conversation = only_conversation()
    assert conversation.status == "open"
    assert conversation.version > 1
    assert list(conversation.events.values_list("kind", flat=True)) == events


@pytest.mark.parametrize("before", ["open", "pending"])
def test_a_message_leaves_open_and_pending_as_they_are(inbox, now, before):
    arrive(inbox, said("w.1", now - HOUR))
    Conversation.objects.update(status=before)
    arrive(inbox, said("w.2", now))
    assert only_conversation().status == before
    assert not only_conversation().events.exists()


def test_neither_an_echo_nor_a_status_nor_a_duplicate_reopens(inbox, now):
    arrive(inbox, said("w.1", now - HOUR), echo("o.1", now - HOUR))
    Conversation.objects.update(status="resolved")
    arrive(inbox, said("w.1", now - HOUR), echo("o.2", now), statuses(status("o.1", "read", seconds(now))))
    assert only_conversation().status == "resolved"


def test_resolving_forgets_that_they_waited_and_a_late_message_does_not_bring_it_all_back(inbox, now):
    arrive(inbox, said("w.1", now - 9 * HOUR))
    threads.set_status(only_conversation(), "resolved", by=UserFactory(manager=True))
    arrive(inbox, said("w.2", now - 2 * HOUR))
    assert only_conversation().waiting_since == now - 2 * HOUR


def test_unread_counts_what_they_wrote_since_each_of_us_last_read(inbox, now):
    reader, other = UserFactory(manager=True), UserFactory(manager=True)
    arrive(inbox, said("w.1", now - 3 * HOUR), said("w.2", now - 2 * HOUR))
    threads.mark_read(only_conversation(), reader)
    arrive(inbox, said("w.3", now - HOUR), said("w.3", now - HOUR), echo("o", now))
    arrive(inbox, messages(reaction("r", "w.1", "👍", seconds(now))))
    unread = [Conversation.objects.with_unread(user).get().unread for user in (reader, other)]
    assert unread == [1, 3]


def test_joined_conversations_add_up(inbox, now):
    reader = UserFactory(manager=True)
    arrive(inbox, said("w.1", now - 5 * HOUR), echo("o.1", now - 3 * HOUR))
    threads.mark_read(only_conversation(), reader)
    anonymous = [person("", "Ana", user_id="ES.1")]
    hidden = {"from": "", "from_user_id": "ES.1"}
    arrive(inbox, messages(text("w.2", "otra", seconds(now - 4 * HOUR)) | hidden, contacts=anonymous))
    arrive(inbox, messages(text("w.3", "tercera", seconds(now - HOUR)) | hidden, contacts=anonymous))
    assert Conversation.objects.count() == 2
    Conversation.objects.filter(identity__user_id="ES.1").update(next_send_at=now + HOUR)
    arrive(inbox, messages(text("w.4", "cuarta", seconds(now)), contacts=[person(ANA, "Ana", user_id="ES.1")]))
    conversation = only_conversation()
    assert (conversation.inbound_count, conversation.messages.count()) == (4, 5)
    assert Conversation.objects.with_unread(reader).get().unread == 3
    assert conversation.waiting_since == now - HOUR
    assert conversation.next_send_at == now + HOUR, "what either was sent counts for the person's pace"
    assert conversation.last_preview == "cuarta"
    assert Contact.objects.count() == 1


def test_a_parked_reaction_of_someone_who_turns_out_to_be_another_row_is_still_theirs(inbox, now):
    anonymous = [person("", "Ana", user_id="ES.1")]
    arrive(inbox, said("w.0", now - 9 * HOUR))
    hidden = {"from": "", "from_user_id": "ES.1"}
    arrive(inbox, messages(reaction("r", "w.1", "👍", seconds(now)) | hidden, contacts=anonymous))
    arrive(inbox, messages(text("w.2", at=seconds(now)), contacts=[person(ANA, user_id="ES.1")]))
    arrive(inbox, said("w.1", now - HOUR))
    reaction_row = Message.objects.get(external_id="w.1").reactions.get()
    assert reaction_row.actor == str(only_conversation().identity_id)


def test_late_news_of_a_number_gives_its_next_owner_a_conversation_and_contact_of_their_own(inbox, now):
    reader = UserFactory(manager=True)
    arrive(inbox, said("w.1", now - 9 * DAY), echo("o.1", now - 8 * DAY))
    arrive(inbox, said("w.2", now - DAY / 2, "soy otra", context={"id": "w.1"}), echo("o.2", now - HOUR))
    threads.mark_read(only_conversation(), reader)
    arrive(inbox, messages(number_change(ANA, LUIS, seconds(now - 5 * DAY)), contacts=[]))
    former = Conversation.objects.get(identity__wa_id=LUIS)
    heir = Conversation.objects.get(identity__wa_id=ANA)
    assert [message.external_id for message in former.messages.in_thread_order()] == ["w.1", "o.1"]
    assert [message.external_id for message in heir.messages.in_thread_order()] == ["w.2", "o.2"]
    assert heir.messages.get(external_id="w.2").reply_to is None
    assert (former.inbound_count, heir.inbound_count) == (1, 1)
    assert (former.window_expires_at, heir.window_expires_at) == (now - 8 * DAY, now + DAY / 2)
    assert (former.contact.last_inbound_at, heir.contact.last_inbound_at) == (now - 9 * DAY, now - DAY / 2)
    assert (former.contact.phone, heir.contact.phone) == (f"+{LUIS}", f"+{ANA}")
    assert former.contact != heir.contact
    assert ConversationRead.objects.get().inbound_upto == 1
    assert {unread.unread for unread in Conversation.objects.with_unread(reader)} == {0, 1}


def test_messages_by_user_id_stay_with_their_person_when_news_of_the_number_is_late(inbox, now):
    both = [person(ANA, "Ana", user_id="ES.1")]
    arrive(inbox, messages(text("w.1", at=seconds(now - 9 * DAY)), contacts=both))
    hidden = text("w.2", at=seconds(now - DAY)) | {"from": "", "from_user_id": "ES.1"}
    arrive(inbox, messages(hidden, contacts=[person("", "Ana", user_id="ES.1")]))
    arrive(inbox, messages(number_change(ANA, LUIS, seconds(now - 5 * DAY)), contacts=[]))
    conversation = only_conversation()
    assert conversation.messages.count() == 2
    assert (conversation.identity.wa_id, conversation.identity.user_id) == (LUIS, "ES.1")


def test_a_change_of_number_is_noted_once_and_in_no_queue(inbox, now):
    news = messages(number_change(ANA, LUIS, seconds(now)), contacts=[])
    arrive(inbox, news, news)
    conversation = only_conversation()
    assert list(conversation.events.values_list("kind", flat=True)) == ["wa_id_changed"]
    assert (conversation.status, conversation.window_expires_at) == ("dormant", None)


WORDS, NAME = "contraseña-secreta-777", "Genoveva-Testigo"


class Boom(ValueError):
    pass


@pytest.mark.covers("G21")
@pytest.mark.parametrize("failing", [None, "record", "resolve", "database"])
def test_logs_never_carry_words_names_or_numbers(inbox, monkeypatch, capfd, caplog, failing):
    def fails(*args, **kwargs):
        raise Boom(f"{WORDS} {NAME} {ANA} {args} {kwargs}")

    if failing == "record":
        monkeypatch.setattr(inbound, "record", fails)
    elif failing == "resolve":
        monkeypatch.setattr(identities, "resolve", fails)
    elif failing == "database":
        monkeypatch.setattr(inbound, "sort_time", lambda *_: "not a time: " + WORDS)
    caplog.set_level(logging.DEBUG, logger="conversations")
    people = [person(ANA, NAME, username=NAME)]
    good = text("w.1", WORDS, filename=NAME)
    bad = [text("", WORDS), {"id": "w.2", "text": WORDS}, reaction("r", "w.9", WORDS)]
    with structlog.testing.capture_logs() as lines:
        arrive(inbox, messages(good, *bad, contacts=people), messages(number_change(ANA, LUIS, 0), contacts=people))
        store(inbox, f'{{"entry": "{WORDS} {ANA}'.encode())
        pipeline.drain()
    written = repr(lines) + caplog.text + "".join(capfd.readouterr())
    assert [line for line in lines if "quarantined" in line["event"]]
    for secret in (WORDS, NAME, ANA, ANA[2:], LUIS):
        assert secret not in written
