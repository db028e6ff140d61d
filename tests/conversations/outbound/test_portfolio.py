"""Meta's limit of people written to first: counted exactly by all workers, with a reserve for service."""

import datetime as dt

import pytest
from django.utils import translation

from conversations.channels.base import Template
from conversations.channels.whatsapp import codes
from conversations.inboxes.models import Inbox, WhatsAppAccount
from conversations.messaging import claiming, outbox, portfolio
from conversations.messaging.models import Conversation, Message, PortfolioUse
from conversations.messaging.rates import API, CAMPAIGN
from crm.consent import ledger
from crm.foundation import clock
from tests.conversations.outbound.sending import again, make_due, say, seconds_until, send
from tests.conversations.outbound.test_outbox_claims import in_threads
from tests.factories import AccountFactory, ConversationFactory, InboxFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
WELCOME = Template("welcome", "es", [])


@pytest.fixture
def fast(inbox):
    """A number whose rate is no matter here; its portfolio may write to 30 people."""
    Inbox.objects.update(sends_per_second=1000)
    WhatsAppAccount.objects.update(messaging_limit=30)
    return inbox


def reader(inbox, **options):
    """A conversation with somebody who agreed to be sent campaigns."""
    conversation = ConversationFactory(inbox=inbox, **options)
    ledger.record(conversation.contact, purpose="marketing", state="granted", source="form")
    return conversation


def offer(inbox, count=1, origin="campaign", **options):
    """Templates to people who have not written lately."""
    return [say(reader(inbox, closed=True, **options), content=WELCOME, origin=origin) for _ in range(count)]


def statuses(messages):
    return [again(message).status for message in messages]


def test_the_reserve_is_a_tenth_and_never_less_than_an_office_needs():
    assert [portfolio.allowance(250, priority) for priority in (0, API, CAMPAIGN)] == [250, 250, 225]
    assert portfolio.allowance(100_000, CAMPAIGN) == 90_000
    assert portfolio.allowance(10, CAMPAIGN) == 0


def test_a_campaign_stops_before_the_limit_and_service_goes_on_up_to_it(graph, fast):
    campaign = offer(fast, 8)
    send(campaign[0])
    assert statuses(campaign) == ["accepted"] * 5 + ["queued"] * 3
    service = offer(fast, 27, origin="api")
    while outbox.drain():
        pass
    assert statuses(service) == ["accepted"] * 25 + ["queued"] * 2
    assert PortfolioUse.objects.count() == 30
    held = again(campaign[5])
    assert (held.error_code, held.attempts.count()) == ("portfolio_limit", 0)
    for language in ("en", "es"):
        with translation.override(language):
            assert len(codes.sentence(held.error_code)) > 30


def test_held_messages_wait_for_one_end_each_and_then_leave(graph, fast):
    first = offer(fast, 5)
    send(first[0])
    for number, use in enumerate(PortfolioUse.objects.order_by("pk")):
        PortfolioUse.objects.filter(pk=use.pk).update(used_at=clock.real() - dt.timedelta(hours=23 - number))
    second = offer(fast, 2)
    waits = [seconds_until(message.next_attempt_at) for message in send(*second)]
    assert 3500 < waits[0] < 3601
    assert 7100 < waits[1] < 7201
    make_due(second[0])
    assert send(second[0]).status == "queued", "nothing has ended yet"
    PortfolioUse.objects.filter(used_at__lt=clock.real() - dt.timedelta(hours=22, minutes=30)).update(
        used_at=clock.real() - dt.timedelta(hours=24)
    )
    make_due(second[0])
    assert send(second[0]).status == "accepted"
    assert again(second[0]).error_code == ""
    assert again(second[1]).status == "queued"


def test_the_same_person_counts_once_a_day_and_an_open_window_not_at_all(graph, fast):
    [message] = offer(fast)
    send(message)
    send(say(message.conversation, content=WELCOME, origin="campaign"))
    say(reader(fast), content=WELCOME, origin="campaign")
    send(say(ConversationFactory(inbox=fast), "text"))
    assert len(graph.sent) == 4
    assert PortfolioUse.objects.count() == 1


def test_numbers_of_one_portfolio_share_its_limit_and_another_portfolio_has_its_own(graph, fast):
    shared = InboxFactory(account=AccountFactory(graph_base_url=graph.url))
    other = InboxFactory(account=AccountFactory(graph_base_url=graph.url, portfolio_id="", messaging_limit=30))
    for inbox, expected in ((fast, 5), (shared, 0), (other, 5)):
        messages = offer(inbox, 6)
        while outbox.drain():
            pass
        assert statuses(messages).count("accepted") == expected


def test_without_a_known_limit_nothing_is_held_and_nothing_counted(graph, fast):
    WhatsAppAccount.objects.update(messaging_limit=None)
    messages = offer(fast, 7)
    send(messages[0])
    assert statuses(messages) == ["accepted"] * 7
    assert not PortfolioUse.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_limit_is_exact_with_four_workers_on_two_numbers(graph, fast):
    shared = InboxFactory(account=AccountFactory(graph_base_url=graph.url), sends_per_second=1000)
    for inbox in (fast, shared):
        offer(inbox, 30, origin="api")

    def work():
        taken = []
        for _ in range(12):
            taken += [departure.message.pk for departure in claiming.take(3)]
        return taken

    taken = [pk for keys in in_threads(work, 4) for pk in keys]
    assert len(taken) == len(set(taken)) == 30 == PortfolioUse.objects.count()
    assert Message.objects.filter(status="queued", error_code="portfolio_limit").count() == 30


def test_a_persons_day_begins_anew_with_each_message(graph, fast):
    [message] = offer(fast)
    send(message)
    PortfolioUse.objects.update(used_at=clock.real() - dt.timedelta(hours=20))
    assert send(say(message.conversation, content=WELCOME, origin="api")).status == "accepted"
    assert seconds_until(PortfolioUse.objects.get().used_at) > -60


def test_an_agents_template_does_not_wait_behind_what_is_held_of_a_campaign(graph, fast):
    offer(fast, 30, origin="api")
    while outbox.drain():
        pass
    for number, use in enumerate(PortfolioUse.objects.order_by("pk")):
        PortfolioUse.objects.filter(pk=use.pk).update(used_at=clock.real() - dt.timedelta(hours=23, minutes=-number))
    campaign = offer(fast, 3)
    send(*campaign)
    [first] = offer(fast, origin="agent")
    assert seconds_until(send(first).next_attempt_at) < 3601, "the first end of all"
    assert all(seconds_until(again(one).next_attempt_at) > 3601 for one in campaign)


def test_replies_go_past_what_is_held_and_once_the_person_writes_it_leaves_itself(graph, fast):
    WhatsAppAccount.objects.update(messaging_limit=0)
    [held] = offer(fast, origin="agent")
    assert send(held).error_code == "portfolio_limit"
    Conversation.objects.update(window_expires_at=clock.now() + dt.timedelta(hours=24))
    reply = say(held.conversation, "Here you are", origin="agent")
    assert outbox.claim(10) == [reply]
    outbox.deliver([again(reply)])
    assert send(held).status == "accepted"
