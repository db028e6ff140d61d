"""What the list shows: views, filters, orders, pages, pins, saved views; and that nobody sees more than they may."""

import datetime as dt
import re

import pytest
from django.http import QueryDict
from django.urls import reverse

from conversations.desk import queue, saved_views
from conversations.desk.models import SavedView
from conversations.desk.queue import ViewQuery
from conversations.messaging import labels
from conversations.messaging.models import Conversation, ConversationTag
from conversations.notices.models import Notice
from crm.foundation import clock
from tests.factories import ConversationFactory, InboxFactory, MessageFactory, TagFactory, TeamFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]

HOUR = dt.timedelta(hours=1)


def shown(client, cursor="", **query):
    """The conversations of a list, in its order, and the cursor of the next page."""
    html = client.get(reverse("desk:list"), query | {"cursor": cursor}).content.decode()
    following = re.search(r'data-next="([^"]*)"', html)
    return [int(pk) for pk in re.findall(r'id="row-(\d+)"', html)], following[1] if following else ""


def parsed(text):
    return ViewQuery.of(QueryDict(text))


def at(conversation, **changes):
    Conversation.objects.filter(pk=conversation.pk).update(**changes)
    return conversation.pk


@pytest.fixture
def many(inbox):
    return [ConversationFactory(inbox=inbox, last_activity_at=clock.now() - n * HOUR) for n in range(5)]


def test_a_query_has_one_spelling():
    text = "sort=oldest&tag=9&tag=2,2&assignee=me&view=all&status=open&q=+ana+&unread=1&priority=4,3,7&since=2026-01-02"
    query = parsed(text)
    assert query.encoded == ("view=all&q=ana&assignee=me&tag=2,9&unread=1&priority=3,4&since=2026-01-02&sort=oldest")
    assert parsed(query.encoded) == query
    assert parsed("view=snoozed&status=open").encoded == "view=snoozed"


@pytest.mark.parametrize(
    "text",
    [
        "view=x&status=x&sort=x&window=x", "assignee=-1&team=1.5&inbox=%00&tag=a,b&priority=9", "since=2026-13-45",
        "since=0001-01-01&until=9999-12-31", f"assignee={'9' * 40}&tag={'x,' * 400}", "tag=٣&team=²", "priority=12",
    ],
)  # fmt: skip
def test_what_makes_no_sense_falls_back(desk, text):
    assert parsed(text) == ViewQuery()
    assert desk.get(f"{reverse('desk:inbox')}?{text}").status_code == 200


def test_each_view_shows_its_own(desk, agent, inbox):
    now = clock.now()
    mine, waiting, closing, snoozed, resolved, mentioned = ConversationFactory.create_batch(6, inbox=inbox)
    at(mine, assignee=agent)
    at(waiting, waiting_since=now - HOUR)
    at(closing, window_expires_at=now + HOUR)
    at(snoozed, status="snoozed", assignee=agent)
    at(resolved, status="resolved")
    note = MessageFactory(conversation=mentioned, note=True)
    Notice.objects.create(user=agent, conversation=mentioned, message=note)
    at(mentioned, status="resolved")
    expected = {
        "mine": {mine.pk}, "unassigned": {waiting.pk, closing.pk}, "all": {mine.pk, waiting.pk, closing.pk},
        "mentions": {mentioned.pk}, "waiting": {waiting.pk}, "closing": {closing.pk}, "snoozed": {snoozed.pk},
        "resolved": {resolved.pk, mentioned.pk},
    }  # fmt: skip
    assert {view: set(shown(desk, view=view)[0]) for view in expected} == expected
    counts = {view["key"]: view["count"] for view in queue.views_for(agent, ViewQuery())}
    assert counts == {view: len(rows) for view, rows in expected.items()} | {"resolved": ""}
    Notice.objects.update(read_at=now)
    assert {view["key"]: view["count"] for view in queue.views_for(agent, ViewQuery())}["mentions"] == 0


def test_filters_narrow_and_combine(desk, agent, inbox, team, many):
    first, second, third, fourth, fifth = many
    now, tag, other = clock.now(), TagFactory(), TagFactory()
    at(first, assignee=agent, priority=4, inbound_count=1)
    at(second, team=team, window_expires_at=now - HOUR)
    at(third, window_expires_at=None, waiting_since=now)
    at(fourth, priority=3, window_expires_at=now + HOUR)
    for pk, tags in ((fourth.pk, (tag, other)), (fifth.pk, (tag,))):
        for one in tags:
            ConversationTag.objects.create(conversation_id=pk, tag=one)
    elsewhere = ConversationFactory(inbox=InboxFactory(teams=[team]))

    def found(**query):
        return set(shown(desk, view="all", **query)[0])

    everything = {row.pk for row in many} | {elsewhere.pk}
    assert found(assignee="me") == found(assignee=agent.pk) == {first.pk}
    assert found(assignee="none") == everything - {first.pk}
    assert found(team=team.pk) == {second.pk}
    assert found(inbox=elsewhere.inbox_id) == {elsewhere.pk}
    assert found(tag=tag.pk) == {fourth.pk, fifth.pk}
    assert found(tag=f"{tag.pk},{other.pk}") == {fourth.pk}
    assert found(unread=1) == {first.pk}
    assert found(waiting=1) == found(window="never") == {third.pk}
    assert found(window="closed") == {second.pk}
    assert found(window="closing") == {fourth.pk}
    assert found(priority="3,4") == {first.pk, fourth.pk}
    assert found(priority="4", assignee="none") == set()
    assert found(inbox=10**14) == set()


def test_days_are_those_of_the_agents_calendar(desk, agent, inbox):
    agent.time_zone = "America/Bogota"  # five hours behind
    agent.save()
    late = ConversationFactory(inbox=inbox, last_activity_at=dt.datetime(2026, 3, 2, 3, tzinfo=dt.UTC))
    assert shown(desk, view="all", since="2026-03-01", until="2026-03-01")[0] == [late.pk]
    assert shown(desk, view="all", since="2026-03-02")[0] == []


@pytest.mark.parametrize("sort", queue.SORTS)
def test_pages_of_every_order_show_each_row_once(desk, inbox, sort):
    now = clock.now()
    for number in range(100):
        ConversationFactory(
            inbox=inbox, last_activity_at=now - dt.timedelta(minutes=number // 3), priority=number % 5,
            waiting_since=now - dt.timedelta(minutes=number // 2) if number % 3 else None,
            window_expires_at=now + dt.timedelta(minutes=30 - number) if number % 4 else None,
        )  # fmt: skip
    pages, cursor = [], ""
    for _page in range(3):
        rows, cursor = shown(desk, cursor, view="all", sort=sort)
        pages.append(rows)
    seen = [pk for rows in pages for pk in rows]
    assert [len(rows) for rows in pages] == [40, 40, 20]
    assert len(set(seen)) == 100
    assert cursor == ""
    whole = ViewQuery(view="all", sort=sort)
    ranks = [whole.rank(row) for row in whole.conversations(inbox.teams.get().users.get())]
    assert ranks == sorted(ranks, reverse=True)
    if sort == "priority":
        priorities = [Conversation.objects.get(pk=pk).priority for pk in seen]
        assert priorities == sorted(priorities, reverse=True)


@pytest.mark.parametrize("view", ["waiting", "closing", "snoozed", "mentions"])
def test_pages_of_a_views_own_order(desk, agent, inbox, view):
    now = clock.now()
    for number in range(45):
        row = ConversationFactory(
            inbox=inbox, waiting_since=now - dt.timedelta(minutes=number),
            window_expires_at=now + dt.timedelta(minutes=number + 5), status="snoozed" if view == "snoozed" else "open",
            snoozed_until=now + dt.timedelta(days=number) if view == "snoozed" and number % 5 else None,
        )  # fmt: skip
        Notice.objects.create(user=agent, conversation=row, message=MessageFactory(conversation=row, note=True))
    first, cursor = shown(desk, view=view)
    second, end = shown(desk, cursor, view=view)
    assert (len(first), len(second), len({*first, *second}), end) == (40, 5, 45, "")
    if view == "waiting":
        assert first[0] == Conversation.objects.order_by("waiting_since").first().pk


@pytest.mark.parametrize("cursor", ["x", "~", "2026-01-01~3", "9999-99-99T00:00:00+00:00~3", f"{'9' * 30}~{'9' * 30}"])
def test_a_cursor_that_is_none_begins_anew(desk, many, cursor):
    assert shown(desk, cursor, view="all")[0] == [row.pk for row in many]
    for sort in queue.SORTS:
        assert desk.get(reverse("desk:list"), {"sort": sort, "cursor": cursor}).status_code == 200


def test_what_i_pinned_comes_first_and_only_once(desk, agent, inbox):
    rows = [ConversationFactory(inbox=inbox, last_activity_at=clock.now() - n * HOUR) for n in range(45)]
    labels.pin(rows[-1], agent)
    labels.pin(rows[3], UserFactory(teams=[inbox.teams.get()]))
    first, cursor = shown(desk, view="all")
    second, _end = shown(desk, cursor, view="all")
    assert first[:2] == [rows[-1].pk, rows[0].pk]
    assert rows[-1].pk not in second
    assert sorted(first + second) == sorted(row.pk for row in rows)
    assert shown(desk, view="all", q=rows[0].contact.name)[0][0] == rows[0].pk
    html = desk.get(reverse("desk:rows"), {"view": "all", "ids": rows[-1].pk}).content.decode()
    assert "data-pin" in html


def test_a_row_shows_tags_priority_and_when_it_comes_back(desk, inbox):
    row = ConversationFactory(
        inbox=inbox, status="snoozed", priority=4, snoozed_until=clock.now() + dt.timedelta(days=3)
    )
    for name in ("alpha", "beta", "gamma <b>"):
        ConversationTag.objects.create(conversation=row, tag=TagFactory(name=name, colour=3))
    html = desk.get(reverse("desk:list"), {"view": "snoozed"}).content.decode()
    assert html.count('data-testid="row-tag"') == 2
    assert 'title="gamma &lt;b&gt;">+1<' in html
    assert "Urgent" in html
    assert 'data-testid="snoozed"' in html


def test_chips_take_their_filter_away(desk, agent, inbox, team):
    tag = TagFactory(name="vip")
    query = {"view": "all", "assignee": "me", "team": team.pk, "tag": tag.pk, "inbox": inbox.pk, "priority": "4"}
    html = desk.get(reverse("desk:list"), query).content.decode()
    for words in ("Assigned to me", f"Team: {team.name}", "Tag: vip", f"Number: {inbox.name}", "Urgent"):
        assert words in html
    assert f"view=all&amp;team={team.pk}&amp;inbox={inbox.pk}&amp;tag={tag.pk}&amp;priority=4" in html
    assert desk.get(reverse("desk:list"), {"tag": 10**9, "assignee": 10**9}).content.decode().count("(deleted)") == 2


def test_the_dialog_names_no_number_that_is_not_theirs(sign_in, agent, inbox, theirs, team):
    restricted = UserFactory(restricted=True, teams=[team])
    for user in (agent, restricted):
        html = sign_in(user).get(reverse("desk:filters")).content.decode()
        assert theirs.inbox.name not in html
    html = sign_in(agent).get(reverse("desk:list"), {"inbox": theirs.inbox_id, "view": "all"}).content.decode()
    assert theirs.inbox.name not in html
    assert theirs.contact.name not in html


def test_filters_reveal_nobody_elses_conversations(sign_in, conversation, theirs, team):
    restricted = UserFactory(restricted=True, teams=[team])
    for row in (conversation, theirs):
        at(row, waiting_since=clock.now(), window_expires_at=clock.now() + HOUR, priority=4)
        MessageFactory(conversation=row, note=True)
        note = row.messages.get()
        Notice.objects.create(user=restricted, conversation=row, message=note)
    client = sign_in(restricted)
    for view in queue.VIEWS:
        assert shown(client, view=view, status="all", priority="4")[0] == []
    assert {item["count"] for item in queue.views_for(restricted, ViewQuery())} == {0, ""}


def save(client, name, query="view=all&priority=4", **more):
    return client.post(reverse("desk:saved-views"), {"name": name, "query": query, **more})


def test_a_saved_view_is_mine_or_my_teams(sign_in, agent, team):
    colleague, stranger = UserFactory(teams=[team]), UserFactory(teams=[TeamFactory()])
    client = sign_in(agent)
    assert "Urgent ones" in save(client, "  Urgent   ones ").content.decode()
    assert save(client, "Ours", team=team.pk).status_code == 200
    assert SavedView.objects.get(team=None).query == "view=all&priority=4"
    seen = {user: {view.name for view in SavedView.objects.visible_to(user)} for user in (agent, colleague, stranger)}
    assert seen == {agent: {"Urgent ones", "Ours"}, colleague: {"Ours"}, stranger: set()}
    html = sign_in(colleague).get(reverse("desk:inbox")).content.decode()
    assert "Ours" in html
    assert "Urgent ones" not in html


def test_only_its_maker_or_a_manager_changes_a_teams_view(sign_in, agent, team):
    save(sign_in(agent), "Ours", team=team.pk)
    view = SavedView.objects.get()
    form = {"action": "rename", "pk": view.pk, "name": "Theirs"}
    url = reverse("desk:saved-views")
    assert sign_in(UserFactory(teams=[team])).post(url, form).status_code == 403
    assert sign_in(UserFactory()).post(url, form).status_code == 404
    assert SavedView.objects.get().name == "Ours"
    assert sign_in(UserFactory(manager=True)).post(url, form).status_code == 200
    assert SavedView.objects.get().name == "Theirs"
    assert sign_in(agent).post(url, {"action": "delete", "pk": view.pk}).status_code == 200
    assert not SavedView.objects.exists()


def test_what_cannot_be_saved_says_why(desk, agent, team):
    other = TeamFactory()
    save(desk, "One")
    for form, status, words in (
        ({"name": "   "}, 422, "name"), ({"name": "x" * 61}, 422, "60"), ({"name": "One"}, 422, "already"),
        ({"name": "Two", "team": other.pk}, 404, ""), ({"name": "Two", "team": "x"}, 400, ""),
        ({"action": "explode"}, 404, ""), ({"action": "rename", "pk": "x"}, 400, ""),
    ):  # fmt: skip
        response = desk.post(reverse("desk:saved-views"), {"query": "view=all", **form})
        assert response.status_code == status, form
        assert words in response.content.decode()
    assert SavedView.objects.count() == 1
    assert save(desk, "Odd", query="view=x&tag=%00&since=never").status_code == 200
    assert SavedView.objects.get(name="Odd").query == "view=mine"


def test_saved_views_are_counted(desk, inbox):
    ConversationFactory.create_batch(3, inbox=inbox, priority=4)
    save(desk, "Urgent")
    pk = SavedView.objects.get().pk
    html = desk.get(reverse("desk:counts")).content.decode()
    assert f'data-testid="count-saved-{pk}">3<' in html


@pytest.mark.parametrize("query", ["view=all&status=all&priority=4", "view=resolved", "view=mentions"])
def test_a_saved_view_of_everything_that_ever_was_is_not_counted(desk, agent, query):
    save(desk, "Long", query=query)
    view = SavedView.objects.get()
    assert saved_views.counters(agent, [view]) == {}
    html = desk.get(reverse("desk:counts")).content.decode()
    assert re.search(rf'data-testid="count-saved-{view.pk}">\d', html) is None


def test_a_view_that_asks_for_too_much_is_refused_with_a_sentence(desk):
    answer = save(desk, "Long", query="view=all&q=" + "%F0%9F%8C%B5" * 100)
    assert answer.status_code == 422
    assert "asks for too much" in answer.content.decode()
    assert not SavedView.objects.exists()


def test_the_views_of_a_team_outlive_who_made_them(sign_in, agent, team):
    client = sign_in(agent)
    save(client, "Mine")
    save(client, "Ours", team=team.pk)
    agent.delete()
    assert list(SavedView.objects.values_list("name", "owner")) == [("Ours", None)]
    assert "Ours" in sign_in(UserFactory(teams=[team])).get(reverse("desk:inbox")).content.decode()


def test_a_tag_name_of_control_characters_breaks_no_list(desk, inbox):
    row = ConversationFactory(inbox=inbox)
    for name in ("a\x1eb", "c\x1fd", "e\x1e3\x1ff"):  # of a release that took them
        ConversationTag.objects.create(conversation=row, tag=TagFactory(name=name))
    assert shown(desk, view="all")[0] == [row.pk]
