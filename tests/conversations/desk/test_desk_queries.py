"""How many queries a request costs, session and user included: few, and the same for 2 and for 40 rows."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.messaging.models import Attachment, Conversation, Reaction
from crm.foundation import clock
from tests.factories import ConversationFactory, MessageFactory, TeamFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def cost(client, url, data=None, **headers):
    client.get(url, data, headers=headers)  # what is read once per process
    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = client.get(url, data, headers=headers)
    assert response.status_code == 200
    return [query["sql"] for query in queries], response.content.decode()


def fill(inbox, count, **more):
    """Conversations of every look."""
    for number in range(count):
        ConversationFactory(
            inbox=inbox, assignee=UserFactory() if number % 2 else None, team=TeamFactory() if number % 3 else None,
            inbound_count=number, last_direction="out", last_status="read", last_preview="Hi", last_kind="text", **more,
        )  # fmt: skip


@pytest.fixture(params=["agent", "manager", "restricted"])
def user(request, agent, team):
    if request.param == "agent":
        return agent
    return UserFactory(manager=True) if request.param == "manager" else UserFactory(restricted=True, teams=[team])


@pytest.mark.parametrize(("name", "most", "htmx"), [("inbox", 7, ""), ("inbox", 7, "true"), ("list", 6, "true")])
def test_a_list_costs_at_most_seven(sign_in, user, inbox, team, name, most, htmx):
    client, seen = sign_in(user), {}
    for count, more in ((2, 2), (40, 38)):
        fill(inbox, more)
        Conversation.objects.update(team=team, assignee=None)
        headers = {"HX-Request": htmx} if htmx else {}
        queries, html = cost(client, reverse(f"desk:{name}"), {"view": "all"}, **headers)
        assert html.count('class="row') >= count
        seen[count] = len(queries)
        assert len(queries) <= most, "\n".join(queries)
    assert seen[2] == seen[40]


def test_a_search_costs_two_more(desk, inbox):
    """The people, and their conversations: at size the list is then not walked through for them."""
    fill(inbox, 3)
    queries, _html = cost(desk, reverse("desk:inbox"), {"view": "all", "q": "person", "status": "all"})
    assert len(queries) <= 8


def test_named_rows_cost_at_most_four(desk, agent, inbox):
    fill(inbox, 40)
    pks = list(Conversation.objects.values_list("pk", flat=True))
    seen = {}
    for count in (2, 40):
        queries, html = cost(desk, reverse("desk:rows"), {"view": "all", "ids": ",".join(map(str, pks[:count]))})
        assert html.count('data-testid="row"') == count
        seen[count] = len(queries)
        assert len(queries) <= 4, "\n".join(queries)
    assert seen[2] == seen[40]


def talk(conversation, count):
    """Messages of both sides, with files, reactions, quotes and authors."""
    start, before = clock.now() - dt.timedelta(hours=2), None
    for number in range(count):
        outbound = bool(number % 2)
        message = MessageFactory(
            conversation=conversation, outbound=outbound, sort_at=start + dt.timedelta(seconds=number),
            author=UserFactory() if outbound else None, reply_to=before,
            sender=None if outbound else conversation.identity,
        )  # fmt: skip
        Reaction.objects.create(message=message, actor="us", emoji="👍", reacted_at=start)
        Attachment.objects.create(message=message, conversation=conversation, kind="image", state="stored")
        before = message


@pytest.mark.parametrize("user", ["agent", "manager"], indirect=True)
def test_a_thread_costs_at_most_nine(sign_in, user, inbox):
    client, seen = sign_in(user), {}
    for count in (2, 40):
        conversation = ConversationFactory(inbox=inbox, assignee=UserFactory(), team=TeamFactory())
        talk(conversation, count)
        queries, html = cost(client, reverse("desk:conversation", args=[conversation.pk]), **{"HX-Request": "true"})
        assert html.count('data-testid="bubble"') >= min(count, 30)
        seen[count] = len(queries)
        assert len(queries) <= 9, "\n".join(queries)
    assert seen[2] == seen[40]


@pytest.mark.parametrize("name", ["header", "composer"])
def test_small_fragments_are_cheap(desk, conversation, name):
    queries, _html = cost(desk, reverse(f"desk:{name}", args=[conversation.pk]))
    assert len(queries) <= 4


def test_pages_of_older_messages_cost_the_same(desk, conversation):
    talk(conversation, 70)
    newest = desk.get(reverse("desk:messages", args=[conversation.pk]))
    queries, html = cost(desk, reverse("desk:messages", args=[conversation.pk]), {"before": newest["X-Before"]})
    assert html.count('data-testid="bubble"') == 30
    assert len(queries) <= 9


def test_counts_and_the_fence_cost_a_query_each_beside_the_session(desk, inbox):
    fill(inbox, 5)
    queries, _html = cost(desk, reverse("desk:counts"))
    assert len(queries) == 5  # and one for the saved views


def test_sync_is_cheap(desk):
    queries, _html = cost(desk, reverse("desk:sync"), {"since": "0"})
    assert len(queries) <= 8
