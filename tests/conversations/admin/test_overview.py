"""The managers' overview: each card has the number of the list it leads to, in few queries, whatever the period."""

import datetime as dt
import re

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.live import seats
from conversations.messaging.models import Message
from conversations.reports import figures, views
from crm.foundation import clock
from crm.staff.models import ApiToken

pytestmark = pytest.mark.django_db
CEILING = 25


def overview(admin, query=""):
    return admin.get(reverse("admin:index") + query)


def cards(page):
    return {card.key: card for card in page.context["cards"]}


@pytest.fixture(autouse=True)
def _nothing_kept():
    cache.clear()


@pytest.fixture
def busy(house, factories):
    """Conversations in every set, answers of today and of ten days ago, failures old and new."""
    now = clock.now()
    for hours, columns in (
        (2, {"waiting_since": now - dt.timedelta(hours=2)}),
        (3, {"waiting_since": now - dt.timedelta(minutes=5), "window_expires_at": now + dt.timedelta(hours=1)}),
        (4, {"assignee": house.agent, "status": "resolved", "waiting_since": now - dt.timedelta(days=2)}),
    ):
        factories.ConversationFactory(inbox=house.inbox, last_activity_at=now - dt.timedelta(hours=hours), **columns)
    for ago, seconds in ((0, 60), (0, 180), (10, 600), (40, 9999)):
        factories.MessageFactory(
            conversation=house.talk, outbound=True, author=house.agent, answered_after=seconds,
            sort_at=now - dt.timedelta(days=ago), pricing={"billable": ago == 10, "category": "utility"},
        )  # fmt: skip
    old = factories.MessageFactory(conversation=house.talk, outbound=True, status="failed", error_code="131026")
    Message.objects.filter(pk=old.pk).update(created_at=now - dt.timedelta(days=20))
    return house


@pytest.mark.parametrize("period", ["1", "30", "x"])
def test_each_card_leads_to_the_list_with_the_same_number(admin, busy, period):
    page = overview(admin, f"?period={period}" if period else "")
    for card in page.context["cards"]:
        listed = admin.get(card.url).context["cl"]
        number = card.value
        if card.key == "answers":
            number = re.search(r"of ([\d,+]+) answers", card.more)[1]
        assert listed.paginator.counted == number, card


def test_the_numbers_are_those_of_the_rows(admin, busy):
    found = {key: card.value for key, card in cards(overview(admin)).items()}
    assert found == {
        "open": "3", "overdue": "1", "unassigned": "2", "closing": "1", "answers": "3 min", "failed": "1",
        "unknown": "1", "charged": "1",
    }  # fmt: skip
    assert cards(overview(admin, "?period=30"))["failed"].value == "2"
    assert "today 1 min, yesterday —" in cards(overview(admin))["answers"].more


def test_more_than_a_thousand_are_as_many_as_the_list_says(admin, house):
    Message.objects.bulk_create(
        Message(conversation=house.talk, inbox=house.inbox, direction="out", status="failed", author_kind="api")
        for _ in range(1010)
    )
    card = cards(overview(admin))["failed"]
    assert card.value == "1,000+"
    assert "1,000+ entries" in admin.get(card.url).content.decode()


@pytest.mark.parametrize("many", [1, 30])
def test_the_overview_needs_few_queries_whatever_is_there(admin, busy, factories, many):
    factories.UserFactory.create_batch(many)
    factories.InboxFactory.create_batch(many)
    with CaptureQueriesContext(connection) as queries:
        assert overview(admin, "?period=30").status_code == 200
    assert len(queries) <= CEILING, [query["sql"][:100] for query in queries]


def test_the_chart_has_a_table_with_the_same_numbers(admin, busy):
    page = overview(admin, "?period=7")
    days = page.context["days"]
    assert len(days) == 7
    assert sum(day.inbound for day in days) == Message.objects.filter(direction="in").count()
    table = page.content.decode().partition('data-testid="chart"')[2].partition("</table>")[0]
    assert table.count("<tr>") == 8
    assert f'<td class="wc-number">{days[-1].outbound}</td>' in table


def test_the_chart_is_counted_once_a_minute(admin, busy):
    counted = overview(admin, "?period=7").context["days"]
    Message.objects.filter(direction="in").delete()
    with CaptureQueriesContext(connection) as queries:
        assert overview(admin, "?period=7").context["days"] == counted
    assert not any("inbound" in query["sql"] and "CASE" in query["sql"] for query in queries)
    assert sum(day.inbound for day in overview(admin, "?period=30").context["days"]) == 0


def test_the_card_says_so_when_there_are_more_answers_than_are_read(admin, busy, monkeypatch):
    assert "too many" not in cards(overview(admin))["answers"].more
    monkeypatch.setattr(figures, "ANSWERS_READ", 2)
    card = cards(overview(admin))["answers"]
    assert "only answers since" in card.more
    assert "of 2 answers" in card.more


def test_the_card_of_what_meta_charges_says_that_it_counts_messages(admin, busy):
    assert "not money" in cards(overview(admin))["charged"].more


def test_the_period_stays_in_the_address(admin, busy):
    page = overview(admin, "?period=7")
    assert [url for _words, url, is_current in page.context["periods"] if is_current] == ["?period=7"]
    assert "period=7" in cards(page)["failed"].url


def test_agents_are_listed_with_who_is_here(admin, busy):
    seats.note([busy.agent.pk])
    seats.note([busy.agent.pk])
    row = next(one for one in overview(admin).context["agents"] if one["row"].user == busy.agent)
    assert (row["row"].is_online, row["row"].open, row["row"].answers) == (True, 1, 3)
    assert (row["median"], row["p90"]) == ("3 min", "10 min")
    listed = admin.get(row["url"]).context["cl"]
    assert listed.paginator.count == row["row"].open


def test_what_needs_somebody_is_listed_and_leads_there(admin, manager, busy):
    busy.inbox.open_circuit("190")
    ends = clock.real() + dt.timedelta(days=3)
    ApiToken.objects.create(user=manager, name="ERP", prefix="abc", digest="d", scopes=["read"], expires_at=ends)
    needs = overview(admin).context["needs"]
    words = " ".join(need.sentence for need in needs)
    assert "access token no longer works" in words
    assert "1 webhook was set aside" in words
    assert "whether 1 message arrived" in words
    assert "“ERP” ends" in words
    for need in needs:
        assert admin.get(need.url).status_code == 200
    quarantine = next(need for need in needs if "set aside" in need.sentence)
    assert admin.get(quarantine.url).context["cl"].paginator.count == 1


def test_numbers_that_are_not_set_up_yet_are_listed(admin, house):
    page = overview(admin)
    one = page.context["set_ups"][0]
    assert one["inbox"] == house.inbox
    assert 0 < one["done"] < one["total"]
    assert admin.get(one["url"]).context["done"] == one["done"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "—"), (0, "0 s"), (59, "59 s"), (61, "1 min"), (3600, "1 h"), (3900, "1 h 5 min"), (86_400 * 3, "3 d")],
)
def test_time_spans_are_short(seconds, words):
    assert views.duration(seconds) == words
