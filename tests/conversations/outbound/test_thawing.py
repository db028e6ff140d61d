"""Workers that stood still: what they send too late stays at home, and what they know is still stored."""

import datetime as dt

import pytest
from django.db import OperationalError

from conversations.messaging import departures, fence, outbound, outbox, settling
from conversations.messaging.models import Attempt, Message
from crm.foundation import clock
from tests.conversations.outbound.sending import again, begun, let_lease_expire, say, send
from tests.graph_side import refuses

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def carry(departure):
    """Let it leave; it is back when this returns."""
    flight = departures.Flight()
    flight.launch([departure])
    while flight.out:
        assert flight.landed(1) == [departure]


def stand_still(departure):
    """As if the process had been stopped between `sending` and its POST."""
    departure.attempt.started_at -= dt.timedelta(minutes=1)


def test_a_worker_thawed_before_its_post_sends_nothing_and_the_message_leaves_later(graph, conversation):
    message = say(conversation)
    [departure] = begun(*outbox.claim(1))
    stand_still(departure)
    carry(departure)
    assert graph.asked == []
    let_lease_expire(message)
    outbox.recover()
    assert again(message).status == "unknown"
    assert settling.settle([departure]) == []
    assert (again(message).status, again(message).error_code) == ("queued", "not_sent")


def test_a_thawed_workers_outcome_does_not_touch_what_an_agent_has_sent_again(graph, conversation):
    message = say(conversation)
    [departure] = begun(*outbox.claim(1))
    stand_still(departure)
    let_lease_expire(message)
    outbox.recover()
    outbound.retry(again(message))
    [second] = begun(*outbox.claim(1))
    carry(departure)
    settling.settle([departure])
    assert again(message).status == "sending"
    let_lease_expire(message)
    outbox.recover()
    settling.settle([departure])
    assert again(message).status == "unknown", "the second try is in doubt, whatever became of the first"
    second.external_id = "wamid.second"
    settling.settle([second])
    assert again(message).status == "accepted"


def test_a_refusal_known_while_the_database_was_away_is_not_forgotten(graph, conversation, monkeypatch):
    graph.answers(refuses(131026))
    message = say(conversation)

    def away(*_):
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(settling, "_settle_one", away)
        assert outbox.drain() is False
        let_lease_expire(message)
        assert outbox.drain() is False
        assert again(message).status == "sending", "nobody gives up what is only not stored yet"
    outbox.drain()
    assert (again(message).status, again(message).error_code) == ("failed", "131026")


def test_what_was_claimed_when_the_fence_went_up_goes_back_to_the_queue(graph, conversation):
    message = say(conversation)
    [claimed] = outbox.claim(1)
    fence.raise_("manual")
    outbox.deliver([claimed])
    assert (again(message).status, again(message).lease, graph.asked) == ("queued", None, [])
    assert not Attempt.objects.exists()
    fence.lift(None)
    assert send(message).status == "accepted"


def test_what_a_worker_holds_is_cancelled_with_the_rest_and_stays_at_home(graph, conversation):
    message = say(conversation)
    [claimed] = outbox.claim(1)
    fence.raise_("manual")
    assert fence.waiting().count == 1
    assert fence.lift(None, cancel_waiting=True) == 1
    outbox.deliver([claimed])
    assert (again(message).status, again(message).lease, graph.asked) == ("cancelled", None, [])


def test_an_agent_who_sends_yesterdays_failure_again_stops_nothing(conversation):
    message = say(conversation)
    yesterday = clock.now() - dt.timedelta(hours=24)
    Message.objects.update(status="failed", created_at=yesterday)
    outbound.retry(again(message))
    fence.check_at_start()
    assert not fence.is_up()
