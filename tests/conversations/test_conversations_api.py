import datetime as dt

import pytest

from conversations.messaging import threads
from conversations.messaging.models import Conversation, ConversationRead
from crm.foundation import clock
from tests.api import Integrator
from tests.factories import ConversationFactory, InboxFactory, TagFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db

VERBS = ("assign", "resolve", "reopen", "snooze", "priority", "tags", "uploads")


@pytest.fixture
def manager():
    return UserFactory(manager=True)


@pytest.fixture
def api(manager):
    return Integrator(manager)


def ids(answer):
    return [row["id"] for row in answer.json()["results"]]


def iso(at):
    return at.isoformat().replace("+00:00", "Z")


def test_a_conversation_shows_ids_its_window_and_what_the_user_has_not_read(api, manager):
    row = ConversationFactory(inbound_count=5, assignee=UserFactory(), team=TeamFactory())
    ConversationRead.objects.create(conversation=row, user=manager, inbound_upto=3)
    assert api.get(f"conversations/{row.pk}/").json() == {
        "id": row.pk,
        "contact": row.contact_id,
        "inbox": row.inbox_id,
        "status": "open",
        "assignee": row.assignee_id,
        "team": row.team_id,
        "priority": "none",
        "tags": [],
        "snoozed_until": None,
        "window_expires_at": iso(row.window_expires_at),
        "unread": 2,
        "last_activity_at": iso(row.last_activity_at),
        "version": 1,
    }


def test_the_list_narrows_by_status_assignee_inbox_and_contact(api, manager):
    other = UserFactory()
    mine = ConversationFactory(assignee=manager)
    theirs = ConversationFactory(assignee=other, status="resolved")
    free = ConversationFactory(inbox=mine.inbox)
    assert ids(api.get("conversations/", assignee="me")) == [mine.pk]
    assert ids(api.get("conversations/", assignee="none")) == [free.pk]
    assert ids(api.get("conversations/", assignee=other.pk)) == [theirs.pk]
    assert ids(api.get("conversations/", status="resolved")) == [theirs.pk]
    assert sorted(ids(api.get("conversations/", inbox=mine.inbox_id))) == [mine.pk, free.pk]
    assert ids(api.get("conversations/", contact=free.contact_id, status="open")) == [free.pk]
    assert api.get("conversations/", assignee="mine").json()["fields"] == {
        "assignee": ["Write the id of a user, me or none."]
    }


@pytest.mark.sqlite_too
def test_pages_run_from_the_newest_activity_also_where_many_share_a_moment(api):
    now, inbox = clock.now(), InboxFactory()
    for minutes in (1, 1, 1, 1, 2, 0):
        ConversationFactory(inbox=inbox, last_activity_at=now - dt.timedelta(minutes=minutes))
    expected = list(Conversation.objects.order_by("-last_activity_at", "-pk").values_list("pk", flat=True))
    assert [row["id"] for row in api.pages("conversations/", page_size=2)] == expected


@pytest.mark.sqlite_too
def test_a_poller_misses_nothing(api, manager):
    long_ago = clock.now() - dt.timedelta(days=3)
    quiet, assigned, active = (ConversationFactory(last_activity_at=long_ago) for _ in range(3))
    since = clock.now()
    assert ids(api.get("conversations/", updated_after=iso(since))) == []
    threads.assign(assigned, by=manager, assignee=manager, team=None)
    Conversation.objects.filter(pk=active.pk).update(last_activity_at=clock.now())
    assert ids(api.get("conversations/", updated_after=iso(since))) == [active.pk, assigned.pk]
    assert quiet.pk in ids(api.get("conversations/", updated_after=iso(long_ago)))


@pytest.mark.covers("P03", "P04")
def test_agents_see_what_their_role_shows_and_404_for_the_rest():
    team = TeamFactory()
    open_inbox, closed_inbox = InboxFactory(teams=[team], name="Sales"), InboxFactory()
    seen, hidden = ConversationFactory(inbox=open_inbox), ConversationFactory(inbox=closed_inbox)
    api = Integrator(UserFactory(teams=[team]))
    assert ids(api.get("conversations/")) == [seen.pk]
    for answer in (
        api.get(f"conversations/{hidden.pk}/"),
        api.get(f"conversations/{hidden.pk}/messages/"),
        api.post(f"conversations/{hidden.pk}/messages/", {"text": "x"}),
        *(api.post(f"conversations/{hidden.pk}/{verb}/") for verb in VERBS),
    ):
        assert answer.status_code in (404, 415), answer.request["PATH_INFO"]
    assert api.get("inboxes/").json()["results"] == [
        {
            "id": open_inbox.pk,
            "name": "Sales",
            "display_phone_number": open_inbox.display_phone_number,
            "phone_number_id": open_inbox.phone_number_id,
            "teams": [team.pk],
        }
    ]
    assert api.get(f"inboxes/{closed_inbox.pk}/").status_code == 404
    assert api.post("inboxes/", {"name": "x"}).status_code == 405
    restricted = Integrator(UserFactory(restricted=True, teams=[team]))
    assert ids(restricted.get("conversations/")) == []


@pytest.mark.sqlite_too
def test_who_gives_to_a_team_leaves_the_person_a_colleague_has_just_named(manager):
    row, agent, team = ConversationFactory(), UserFactory(role="manager"), TeamFactory()
    as_it_was = Conversation.objects.select_related("assignee").get(pk=row.pk)
    threads.assign(row, by=manager, assignee=agent)
    assert threads.assign(as_it_was, by=manager, team=team).assignee == agent


def test_assigning_changes_what_was_sent_and_answers_with_the_conversation(api):
    row, agent, team = ConversationFactory(), UserFactory(), TeamFactory()
    row.inbox.teams.add(team)
    agent.teams.add(team)
    path = f"conversations/{row.pk}/assign/"
    answer = api.post(path, {"assignee": agent.pk, "version": 1})
    assert answer.status_code == 200
    assert (answer.json()["assignee"], answer.json()["team"], answer.json()["version"]) == (agent.pk, None, 2)
    assert api.post(path, {"team": team.pk}).json()["assignee"] == agent.pk
    assert api.post(path, {"assignee": None}).json()["team"] == team.pk
    outsider = UserFactory()
    answer = api.post(path, {"assignee": outsider.pk})
    assert (answer.status_code, answer.json()["code"]) == (400, "not_assignable")
    answer = api.post(path, {"assignee": 10**15})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["assignee"])


def test_an_agent_may_give_a_conversation_to_where_they_do_not_see_it():
    team, other = TeamFactory(), TeamFactory()
    agent = UserFactory(restricted=True, teams=[team])
    row = ConversationFactory(team=team)
    answer = Integrator(agent).post(f"conversations/{row.pk}/assign/", {"team": other.pk})
    assert (answer.status_code, answer.json()["team"]) == (200, other.pk)


def test_resolving_and_reopening_refuse_a_stale_version(api):
    row = ConversationFactory()
    answer = api.post(f"conversations/{row.pk}/resolve/", {"version": 1})
    assert (answer.status_code, answer.json()["status"], answer.json()["version"]) == (200, "resolved", 2)
    answer = api.post(f"conversations/{row.pk}/reopen/", {"version": 1})
    assert answer.status_code == 409
    body = answer.json()
    assert (body["code"], body["version"]) == ("conflict", 2)
    assert body["detail"]
    assert api.post(f"conversations/{row.pk}/reopen/").json()["status"] == "open"
    assert api.post(f"conversations/{row.pk}/reopen/").json()["version"] == 3


def test_the_cost_of_the_lists_does_not_depend_on_their_rows(django_assert_num_queries):
    team = TeamFactory()
    api = Integrator(UserFactory(teams=[team]))
    api.get("conversations/")
    for count in (2, 18):
        for _ in range(count):
            ConversationFactory(inbox=InboxFactory(teams=[team]), assignee=UserFactory(), team=team)
        with django_assert_num_queries(3):  # token, conversations, tags
            api.get("conversations/")
        with django_assert_num_queries(3):  # token, inboxes, teams
            api.get("inboxes/")


def test_snoozing_by_the_api(api):
    row, until = ConversationFactory(), clock.now().replace(microsecond=0) + dt.timedelta(days=1)
    answer = api.post(f"conversations/{row.pk}/snooze/", {"until": iso(until), "version": 1})
    assert (answer.status_code, answer.json()["status"], answer.json()["snoozed_until"]) == (200, "snoozed", iso(until))
    answer = api.post(f"conversations/{row.pk}/snooze/").json()
    assert (answer["status"], answer["snoozed_until"], answer["version"]) == ("snoozed", None, 3)
    assert api.post(f"conversations/{row.pk}/snooze/", {"version": 1}).json()["code"] == "conflict"
    past = api.post(f"conversations/{row.pk}/snooze/", {"until": "2020-01-01T00:00:00Z"})
    assert (past.status_code, past.json()["code"]) == (400, "not_snoozable")
    assert api.post(f"conversations/{row.pk}/snooze/", {"until": "soon"}).json()["fields"].keys() == {"until"}
    assert api.post(f"conversations/{row.pk}/reopen/").json()["status"] == "open"


def test_priority_by_the_api_and_as_a_filter(api):
    row, _other = ConversationFactory(), ConversationFactory()
    answer = api.post(f"conversations/{row.pk}/priority/", {"priority": "urgent", "version": 1})
    assert (answer.status_code, answer.json()["priority"], answer.json()["version"]) == (200, "urgent", 2)
    assert ids(api.get("conversations/", priority="urgent")) == [row.pk]
    for wrong in ("huge", 4, None, "URGENT", ""):
        refused = api.post(f"conversations/{row.pk}/priority/", {"priority": wrong})
        assert (refused.status_code, list(refused.json()["fields"])) == (400, ["priority"])
    assert api.get("conversations/", priority="huge").json()["fields"].keys() == {"priority"}


def test_tags_by_the_api_and_as_a_filter(api):
    row, _other = ConversationFactory(), ConversationFactory()
    path = f"conversations/{row.pk}/tags/"
    assert api.post(path, {"add": ["VIP", "Ñandú"], "version": 1}).json()["tags"] == ["VIP", "Ñandú"]
    answer = api.post(path, {"add": ["vip"], "remove": ["ÑANDÚ"]}).json()
    assert (answer["tags"], answer["version"]) == (["VIP"], 3)
    assert ids(api.get("conversations/", tag="vip")) == [row.pk]
    assert ids(api.get("conversations/", tag="nobody")) == []
    for wrong in ({}, {"add": []}, {"add": "VIP"}, {"remove": [None]}, {"add": [""]}, {"add": ["x" * 201]}):
        assert (api.post(path, wrong).status_code, api.post(path, wrong).json()["code"]) == (400, "invalid")
    for wrong in ({"remove": ["nobody"]}, {"add": ["x" * 60]}):
        assert (api.post(path, wrong).status_code, api.post(path, wrong).json()["code"]) == (400, "not_a_tag")


def test_an_agents_token_makes_no_tags():
    team = TeamFactory()
    agent, row = UserFactory(teams=[team]), ConversationFactory(inbox=InboxFactory(teams=[team]))
    answer = Integrator(agent).post(f"conversations/{row.pk}/tags/", {"add": ["New"]})
    assert (answer.status_code, answer.json()["code"]) == (400, "not_a_tag")
    TagFactory(name="New")
    assert Integrator(agent).post(f"conversations/{row.pk}/tags/", {"add": ["new"]}).json()["tags"] == ["New"]
