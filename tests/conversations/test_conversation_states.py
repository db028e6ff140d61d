"""Snoozing, priority, tags, pins, unread marks: what each does, whom it tells, what stays when people join."""

import datetime as dt
import threading

import pytest
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext

from conversations.desk.models import Draft
from conversations.live.models import LiveHint
from conversations.messaging import labels, snoozing, threads
from conversations.messaging.models import (
    Attachment,
    Conversation,
    ConversationEvent,
    ConversationPin,
    ConversationRead,
    ConversationTag,
    Message,
    ScheduledMessage,
)
from conversations.notices.models import Notice
from crm.contacts.models import Tag
from crm.foundation import clock, work
from crm.foundation.errors import Conflict
from tests.factories import ConversationFactory, IdentityFactory, MessageFactory, TagFactory, UserFactory
from tests.webhooks import arrive, make_inbox, messages, only_conversation, text

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]

HOUR = dt.timedelta(hours=1)
Priority = Conversation.Priority


@pytest.fixture
def agent():
    return UserFactory()


@pytest.fixture
def conversation():
    return ConversationFactory()


def fresh(row):
    return Conversation.objects.get(pk=row.pk)


def kinds():
    return list(ConversationEvent.objects.order_by("pk").values_list("kind", flat=True))


def hints(what):
    payloads = LiveHint.objects.filter(payload__t="conversation.updated").values_list("groups", "payload")
    return [groups for groups, payload in payloads if what in payload.get("what", [])]


def test_what_is_snoozed_is_in_no_queue_until_its_time_and_then_open_again(conversation, agent):
    until = clock.now() + HOUR
    snoozing.snooze(conversation, by=agent, until=until)
    row = fresh(conversation)
    assert (row.status, row.snoozed_until, row.version) == ("snoozed", until, 2)
    work.run_until_idle("snoozing")
    assert fresh(conversation).status == "snoozed"
    Conversation.objects.update(snoozed_until=clock.now())
    work.run_until_idle("snoozing")
    row = fresh(conversation)
    assert (row.status, row.snoozed_until, row.version) == ("open", None, 3)
    assert kinds() == ["snoozed", "woken"]
    assert len(hints("woken")) == 1


def test_snoozed_until_they_write_is_not_woken_by_time(conversation, agent):
    snoozing.snooze(conversation, by=agent, until=None)
    work.run_until_idle("snoozing")
    assert (fresh(conversation).status, fresh(conversation).snoozed_until) == ("snoozed", None)


@pytest.mark.parametrize("until", [None, HOUR])
def test_a_message_of_the_person_ends_every_snooze(agent, until):
    inbox = make_inbox()
    arrive(inbox, messages(text("w1")))
    row = only_conversation()
    snoozing.snooze(row, by=agent, until=until and clock.now() + until)
    arrive(inbox, messages(text("w2")))
    row = only_conversation()
    assert (row.status, row.snoozed_until) == ("open", None)
    event = ConversationEvent.objects.get(kind="woken")
    assert (event.user, event.data) == (None, {"why": "message"})
    assert not ConversationEvent.objects.filter(kind="reopened").exists()


def test_another_moment_moves_a_snooze_the_same_changes_nothing(conversation, agent):
    first, second = clock.now() + HOUR, clock.now() + 2 * HOUR
    for until in (first, first, second, None):
        snoozing.snooze(conversation, by=agent, until=until)
    assert (fresh(conversation).snoozed_until, fresh(conversation).version) == (None, 4)
    assert kinds() == ["snoozed"] * 3


@pytest.mark.parametrize("ahead", [-HOUR, dt.timedelta(0), dt.timedelta(days=367)])
def test_a_moment_that_is_over_or_far_away_is_refused_in_words(conversation, agent, ahead):
    with pytest.raises(snoozing.NotSnoozable) as refusal:
        snoozing.snooze(conversation, by=agent, until=clock.now() + ahead)
    assert len(str(refusal.value)) > 30
    assert (fresh(conversation).status, kinds()) == ("open", [])


@pytest.mark.parametrize(("status", "kind"), [("open", "woken"), ("resolved", "resolved")])
def test_reopening_or_resolving_ends_a_snooze(conversation, agent, status, kind):
    snoozing.snooze(conversation, by=agent, until=clock.now() + HOUR)
    threads.set_status(conversation, status, by=agent)
    assert (fresh(conversation).status, fresh(conversation).snoozed_until) == (status, None)
    assert kinds() == ["snoozed", kind]


def test_many_due_at_once_come_back_in_batches(agent):
    for _ in range(snoozing.BATCH + 3):
        ConversationFactory(status="snoozed", snoozed_until=clock.now() - HOUR)
    assert snoozing.drain()
    assert not snoozing.drain()
    assert set(Conversation.objects.values_list("status", "snoozed_until")) == {("open", None)}
    assert ConversationEvent.objects.filter(kind="woken").count() == snoozing.BATCH + 3
    with CaptureQueriesContext(connection) as queries:
        assert not snoozing.drain()
    assert len(queries) == 1


def test_who_reopens_what_was_never_answered_lets_them_wait_again(agent):
    inbox = make_inbox()
    arrive(inbox, messages(text("w1")))
    row = only_conversation()
    asked = row.waiting_since
    assert asked
    threads.set_status(row, "resolved", by=agent)
    assert fresh(row).waiting_since is None
    threads.set_status(row, "open", by=agent)
    assert fresh(row).waiting_since == asked
    MessageFactory(conversation=row, outbound=True, sort_at=asked + HOUR)
    threads.set_status(row, "resolved", by=agent)
    threads.set_status(row, "open", by=agent)
    assert fresh(row).waiting_since is None


def test_priority_is_set_once_and_told(conversation, agent):
    for _ in range(2):
        threads.set_priority(conversation, Priority.HIGH, by=agent)
    assert (fresh(conversation).priority, fresh(conversation).version) == (3, 2)
    event = ConversationEvent.objects.get()
    assert (event.kind, event.user, event.data) == ("priority", agent, {"to": 3, "before": 0})
    assert len(hints("priority")) == 1


def test_tags_are_put_on_and_taken_off_once(conversation, agent):
    vip, claim = TagFactory(name="VIP"), TagFactory(name="Claim")
    for _ in range(2):
        labels.tag(conversation, vip, claim, by=agent)
    labels.untag(conversation, claim, by=agent)
    labels.untag(conversation, claim, by=agent)
    labels.change(conversation, add=[vip, claim], remove=[claim], by=agent)
    assert set(fresh(conversation).tags.values_list("name", flat=True)) == {"VIP", "Claim"}
    assert ConversationTag.objects.get(tag=vip).added_by == agent
    assert fresh(conversation).version == 4
    facts = list(ConversationEvent.objects.order_by("pk").values_list("kind", "data"))
    assert facts == [
        ("tagged", {"tags": ["VIP", "Claim"]}), ("untagged", {"tags": ["Claim"]}), ("tagged", {"tags": ["Claim"]}),
    ]  # fmt: skip
    assert len(hints("tags")) == 3


def test_a_conversation_has_a_limited_number_of_tags(conversation, agent):
    tags = [TagFactory() for _ in range(labels.TAGS_MAX + 1)]
    labels.tag(conversation, *tags[:-1], by=agent)
    with pytest.raises(labels.TooMany):
        labels.tag(conversation, tags[-1], by=agent)
    labels.change(conversation, add=[tags[-1]], remove=[tags[0]], by=agent)
    assert conversation.tags.count() == labels.TAGS_MAX


def test_a_tag_is_found_whatever_its_case_and_made_once():
    made = labels.find_or_make("  Póliza   de hogar ")
    assert made.name == "Póliza de hogar"
    assert labels.find_or_make("PÓLIZA DE HOGAR") == made == labels.find("póliza de hogar")
    assert Tag.objects.count() == 1
    for name in ("", "   ", "x" * 51, "a\x00b", "a\u202eb"):
        with pytest.raises(labels.NotATag):
            labels.find_or_make(name)
    with pytest.raises(labels.NotATag):
        labels.find("Hogar")


@pytest.mark.parametrize(
    "change",
    [
        lambda row, by: snoozing.snooze(row, by=by, until=None, version=1),
        lambda row, by: threads.set_priority(row, Priority.LOW, by=by, version=1),
        lambda row, by: threads.set_status(row, "open", by=by, version=1),
        lambda row, by: labels.tag(row, TagFactory(), by=by, version=1),
    ],
)
def test_a_change_decided_on_an_old_state_is_refused(conversation, agent, change):
    Conversation.objects.update(version=2)
    with pytest.raises(Conflict) as conflict:
        change(conversation, agent)
    assert conflict.value.extra == {"version": 2}
    assert kinds() == []


def test_a_pin_is_ones_own_and_told_to_ones_own_devices(conversation, agent):
    for _ in range(2):
        labels.pin(conversation, agent)
    assert ConversationPin.objects.get().user == agent
    assert hints("pin") == [[f"u.{agent.pk}"]]
    labels.unpin(conversation, UserFactory())
    for _ in range(2):
        labels.unpin(conversation, agent)
    assert not ConversationPin.objects.exists()
    assert (len(hints("pin")), fresh(conversation).version, kinds()) == (2, 1, [])


def test_pins_are_few(agent):
    rows = [ConversationFactory() for _ in range(labels.PINS_MAX + 1)]
    for row in rows[:-1]:
        labels.pin(row, agent)
    with pytest.raises(labels.TooMany):
        labels.pin(rows[-1], agent)
    labels.pin(rows[0], agent)
    assert ConversationPin.objects.count() == labels.PINS_MAX


def test_unread_again_is_the_last_message_or_all_since_one(agent):
    inbox = make_inbox()
    for number in range(4):
        arrive(inbox, messages(text(f"w{number}")))
    row = only_conversation()
    unread = lambda: Conversation.objects.with_unread(agent).get().unread  # noqa: E731
    threads.mark_read(row, agent)
    assert unread() == 0
    threads.mark_unread(row, agent)
    assert unread() == 1
    second = Message.objects.get(external_id="w1")
    threads.mark_unread(row, agent, second)
    assert unread() == 3
    threads.mark_unread(row, agent)
    assert unread() == 3
    threads.mark_unread(row, agent, Message.objects.get(external_id="w3"))
    assert unread() == 1
    assert ConversationRead.objects.get().user == agent
    told = LiveHint.objects.filter(payload__t="read").order_by("pk").values_list("groups", "payload__upto")
    assert [groups for groups, _upto in told] == [[f"u.{agent.pk}"]] * 5
    assert [upto for _groups, upto in told] == [4, 3, 1, 1, 3]


def test_where_nobody_wrote_nothing_can_be_unread(conversation, agent):
    with pytest.raises(threads.NothingToRead):
        threads.mark_unread(conversation, agent)
    assert not ConversationRead.objects.exists()


def joined(source, target):
    threads.join_conversations(target.identity, source.identity)
    return Conversation.objects.get()


def pair(source=None, target=None):
    """Two conversations of one inbox, about to become one."""
    kept = ConversationFactory(**(target or {}))
    other = IdentityFactory(contact=kept.contact, wa_id="34600999999")
    return ConversationFactory(inbox=kept.inbox, identity=other, contact=kept.contact, **(source or {})), kept


def test_joined_conversations_keep_tags_pins_drafts_notices_files_and_what_is_scheduled(agent):
    source, target = pair({"priority": 3}, {"priority": 1})
    other, (vip, claim, both) = UserFactory(), [TagFactory() for _ in range(3)]
    labels.tag(source, vip, both, by=agent)
    labels.tag(target, claim, both, by=agent)
    labels.pin(source, agent)
    labels.pin(target, agent)
    labels.pin(source, other)
    for row, texts in ((source, {"reply": "from source", "note": "only there"}), (target, {"reply": "from target"})):
        for mode, words in texts.items():
            Draft.objects.create(conversation=row, user=agent, mode=mode, text=words)
    note = MessageFactory(conversation=source, note=True)
    Notice.objects.create(user=agent, conversation=source, message=note, kind="mention")
    file = Attachment.objects.create(conversation=source, message=note, kind="image", state="stored")
    ScheduledMessage.objects.create(conversation=source, author=agent, text="Later", send_at=clock.now() + HOUR)
    row = joined(source, target)
    assert set(row.tags.all()) == {vip, claim, both}
    assert set(ConversationPin.objects.values_list("user", "conversation")) == {(agent.pk, row.pk), (other.pk, row.pk)}
    assert set(Draft.objects.values_list("mode", "text")) == {("reply", "from target"), ("note", "only there")}
    assert Notice.objects.get().conversation == row
    assert ScheduledMessage.objects.get().conversation == row
    assert Attachment.objects.get() == file
    assert Attachment.objects.get().conversation == row
    assert row.priority == 3
    assert set(ConversationEvent.objects.values_list("conversation", flat=True)) == {row.pk}


SOON, LATE = clock.now() + HOUR, clock.now() + 5 * HOUR


@pytest.mark.parametrize(
    ("source", "target", "status", "until"),
    [
        (("open", None), ("snoozed", SOON), "open", None),
        (("snoozed", SOON), ("open", None), "open", None),
        (("snoozed", SOON), ("resolved", None), "snoozed", SOON),
        (("resolved", None), ("snoozed", LATE), "snoozed", LATE),
        (("snoozed", SOON), ("snoozed", LATE), "snoozed", SOON),
        (("snoozed", None), ("snoozed", LATE), "snoozed", LATE),
        (("snoozed", None), ("dormant", None), "snoozed", None),
        (("resolved", None), ("dormant", None), "resolved", None),
    ],
)
def test_of_two_joined_states_the_livelier_stays(source, target, status, until):
    looks = [{"status": look[0], "snoozed_until": look[1]} for look in (source, target)]
    row = joined(*pair(*looks))
    assert (row.status, row.snoozed_until) == (status, until)


@pytest.mark.django_db(transaction=True)
def test_changes_at_the_same_moment_all_count(agent):
    row, tags = ConversationFactory(), [TagFactory() for _ in range(6)]
    failures = []

    def put(tag):
        try:
            labels.tag(row, tag, by=agent)
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            close_old_connections()
            connection.close()

    people = [threading.Thread(target=put, args=(tag,)) for tag in tags]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert failures == []
    assert (row.tags.count(), fresh(row).version) == (6, 7)
