"""How fast messages leave: the number's rate, the campaign's share, the pace towards one person."""

import datetime as dt
import itertools

import pytest

from conversations.inboxes.models import Inbox
from conversations.messaging import claiming, outbox
from conversations.messaging.models import Conversation, Message
from conversations.messaging.rates import (
    AGENT,
    API,
    CAMPAIGN,
    HORIZON,
    PAIR_BURST,
    PAIR_INTERVAL,
    PAIR_TOLERANCE,
    Timetable,
)
from crm.foundation import clock
from tests.conversations.outbound.sending import let_lease_expire, say, send
from tests.conversations.outbound.test_outbox_claims import in_threads
from tests.factories import AccountFactory, ConversationFactory, InboxFactory
from tests.graph_side import refuses

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def queue(inbox, count, **options):
    """That many messages, each to a person of their own."""
    conversations = [ConversationFactory(inbox=inbox) for _ in range(count)]
    defaults = {"direction": "out", "status": "queued", "author_kind": "api", "priority": API, "text": "Hi"}
    rows = [Message(conversation=one, inbox=inbox, **(defaults | options)) for one in conversations]
    return Message.objects.bulk_create(rows)


def most_in_a_second(moments):
    moments = sorted(moments)
    return max(sum(first <= moment < first + SECOND for moment in moments) for first in moments)


def booked(timetable, *priorities):
    """All that fits, taking these priorities in turn."""
    turns = (timetable.book(priority) for priority in itertools.cycle(priorities))
    return list(itertools.takewhile(lambda moment: moment is not None, turns))


def test_turns_are_a_rate_apart_and_no_further_away_than_the_horizon():
    turns = booked(Timetable(80, None, NOW), API)
    assert turns == [NOW + number * SECOND / 80 for number in range(17)]
    assert turns[-1] <= NOW + HORIZON


def test_a_campaign_takes_four_fifths_of_what_the_number_may_send():
    timetable, turns = Timetable(80, None, NOW), []
    for tick in range(100):
        timetable = Timetable(80, timetable.next_at, NOW + tick * SECOND / 10)
        turns += booked(timetable, CAMPAIGN)
    assert 64 <= most_in_a_second(turns) <= 65


def test_an_answer_leaves_at_once_though_a_campaign_has_booked_all_it_may():
    timetable = Timetable(80, None, NOW)
    booked(timetable, CAMPAIGN)
    assert timetable.book(AGENT) - NOW < dt.timedelta(milliseconds=20)


def test_whatever_is_booked_a_second_holds_the_rate_and_a_fifth_at_most():
    timetable, turns = Timetable(80, None, NOW), []
    for tick in range(60):
        timetable = Timetable(80, timetable.next_at, NOW + tick * SECOND / 20)
        turns += booked(timetable, *(AGENT,) if tick % 3 else (API, CAMPAIGN, AGENT))
    assert most_in_a_second(turns) <= 80 * 1.2 + 1


@pytest.mark.django_db(transaction=True)
def test_several_workers_share_a_numbers_rate_exactly(inbox):
    Inbox.objects.update(sends_per_second=50)
    queue(inbox, 120)

    def work():
        taken = []
        while Message.objects.filter(status="queued").exists():
            taken += [departure.leaves_at for departure in claiming.take(7)]
        return taken

    taken = [moment for moments in in_threads(work, 2) for moment in moments]
    assert len(taken) == 120
    assert most_in_a_second(taken) <= 50
    assert len(set(taken)) == 120, "nobody shares a turn"


def test_what_a_number_may_not_send_yet_stays_queued_and_another_number_goes_on(graph, inbox):
    other = InboxFactory(account=AccountFactory(graph_base_url=graph.url))
    Inbox.objects.filter(pk=inbox.pk).update(next_send_at=clock.real() + dt.timedelta(minutes=1))
    [waiting], [free] = queue(inbox, 1), queue(other, 1)
    waiting, free = send(waiting, free)
    assert (waiting.status, waiting.next_attempt_at, free.status) == ("queued", None, "accepted")


def test_an_agents_answer_overtakes_five_thousand_messages_of_a_campaign(graph, inbox, conversation):
    queue(inbox, 40, priority=CAMPAIGN, author_kind="campaign")
    crowd = ConversationFactory(inbox=inbox)
    row = {"conversation": crowd, "inbox": inbox, "direction": "out", "status": "queued", "text": "Offer"}
    Message.objects.bulk_create(
        [Message(**row, author_kind="campaign", priority=CAMPAIGN) for _ in range(5000)], batch_size=500
    )
    in_flight = claiming.take(10)
    assert {departure.message.priority for departure in in_flight} == {CAMPAIGN}
    answer = say(conversation, "At once", origin="agent")
    assert claiming.take(10)[0].message == answer


def test_an_answer_does_not_wait_for_what_a_campaign_has_queued_for_the_same_person(conversation):
    offer = say(conversation, "Offer", origin="campaign")
    answer = say(conversation, "Answer", origin="agent")
    assert outbox.claim(10) == [answer]
    assert outbox.claim(10) == [], "one message of a conversation at a time"
    let_lease_expire(answer)
    Message.objects.filter(pk=answer.pk).update(status="cancelled")
    assert outbox.claim(10) == [offer]


def test_a_campaign_leaves_places_in_the_air_for_answers(inbox):
    queue(inbox, 5, priority=CAMPAIGN)
    assert len(claiming.take(10, bulk=2)) == 2
    answers = queue(inbox, 2, priority=AGENT)
    assert [departure.message for departure in claiming.take(10, bulk=0)] == answers


def test_a_person_who_got_a_whole_burst_waits_and_others_do_not(graph, conversation, inbox):
    Conversation.objects.update(next_send_at=clock.real() + PAIR_TOLERANCE + dt.timedelta(minutes=5))
    waiting, other = send(say(conversation), say(ConversationFactory(inbox=inbox)))
    assert (waiting.status, waiting.next_attempt_at, waiting.attempts.count()) == ("queued", None, 0)
    assert other.status == "accepted"


def test_each_message_to_a_person_books_six_seconds_of_a_burst_of_forty_five(conversation):
    assert PAIR_BURST * PAIR_INTERVAL == PAIR_TOLERANCE + PAIR_INTERVAL
    say(conversation)
    last_place = clock.real() + PAIR_TOLERANCE - dt.timedelta(seconds=1)
    Conversation.objects.update(next_send_at=last_place)
    assert len(outbox.claim(10)) == 1
    conversation.refresh_from_db()
    assert conversation.next_send_at == last_place + PAIR_INTERVAL


def test_metas_pair_limit_uses_up_the_burst_of_this_person_only(graph, conversation, inbox):
    graph.answers(refuses(131056))
    message = send(say(conversation))
    conversation.refresh_from_db()
    assert conversation.next_send_at == message.next_attempt_at + PAIR_TOLERANCE
    assert send(say(ConversationFactory(inbox=inbox))).status == "accepted"


def test_two_busy_numbers_take_turns(inbox):
    other = InboxFactory(sends_per_second=inbox.sends_per_second)
    for one in (inbox, other):
        queue(one, 6)
    taken = [claiming.take(3)[0].message.inbox for _ in range(4)]
    assert sorted([taken[0].pk, taken[1].pk]) == sorted([inbox.pk, other.pk])


def test_programs_leave_places_in_the_air_for_answers_too(inbox):
    queue(inbox, 5, priority=API)
    assert len(claiming.take(10, bulk=2)) == 2
    answers = queue(inbox, 1, priority=AGENT)
    assert [departure.message for departure in claiming.take(10, bulk=0)] == answers
