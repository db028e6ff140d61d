"""The head of a thread: what it shows and offers, and what its forms do."""

import datetime as dt
import zoneinfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from conversations.desk import head
from conversations.desk.happenings import happening
from conversations.messaging.models import Conversation, ConversationEvent, ConversationPin, ConversationRead
from crm.contacts.models import Tag
from crm.foundation import clock
from tests.factories import MessageFactory, TagFactory, TeamFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]

UNTIL = "Ana snoozed the conversation until"
BOGOTA = zoneinfo.ZoneInfo("America/Bogota")


def post(client, name, conversation, /, **data):
    return client.post(reverse(f"desk:{name}", args=[conversation.pk]), data)


def fresh(conversation):
    return Conversation.objects.get(pk=conversation.pk)


@pytest.fixture
def in_bogota():
    with timezone.override(BOGOTA), translation.override("en"):
        yield


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=BOGOTA)


def day(text):
    return f"2026-11-{text}"


@pytest.mark.parametrize(
    ("now", "expected"),
    [  # a Wednesday morning, late on a Friday, a Sunday: Monday is tomorrow
        ("18T10:07", {"later": "18T13:15", "tomorrow": "19T09:00", "monday": "23T09:00"}),
        ("20T21:30", {"tomorrow": "21T09:00", "monday": "23T09:00"}),
        ("22T08:00", {"later": "22T11:00", "tomorrow": "23T09:00"}),
        ("23T08:00", {"later": "23T11:00", "tomorrow": "24T09:00", "monday": "30T09:00"}),
    ],
)  # fmt: skip
def test_moments_to_snooze_until_are_in_the_agents_zone(in_bogota, monkeypatch, now, expected):
    monkeypatch.setattr(clock, "now", lambda: at(day(now)))
    choices = {choice.key: choice.value for choice in head.snooze_choices()}
    assert choices.pop("reply") == "reply"
    assert {key: dt.datetime.fromisoformat(value) for key, value in choices.items()} == {
        key: at(day(value)) for key, value in expected.items()
    }


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-11-18T23:50", "11:50 p.m."), ("2026-11-19T00:10", "tomorrow 12:10 a.m."),
        ("2026-11-24T09:00", "Tuesday 9 a.m."), ("2026-11-25T09:00", "November 25, 9 a.m."),
        ("2027-01-02T09:00", "Jan. 2, 2027, 9 a.m."),
    ],
)  # fmt: skip
def test_a_moment_to_come_in_words(in_bogota, monkeypatch, moment, words):
    monkeypatch.setattr(clock, "now", lambda: at("2026-11-18T10:00"))
    assert head.moment_text(at(moment)) == words


def test_snoozing_until_a_moment_the_person_or_a_day_of_ones_own_choice(desk, agent, conversation):
    type(agent).objects.filter(pk=agent.pk).update(time_zone="America/Bogota")
    tomorrow = clock.now().astimezone(BOGOTA).date() + dt.timedelta(days=1)
    for sent, kept in (
        (f"{tomorrow}T09:00", dt.datetime.combine(tomorrow, dt.time(9), BOGOTA)),
        (f"{tomorrow}T09:00:00+02:00", dt.datetime.fromisoformat(f"{tomorrow}T07:00:00+00:00")),
        ("reply", None),
    ):
        response = post(desk, "snooze", conversation, until=sent)
        assert response.status_code == 200
        row = fresh(conversation)
        assert (row.status, row.snoozed_until) == ("snoozed", kept)
        html = response.content.decode()
        assert 'data-testid="wake"' in html
        assert ("Snoozed until they write" in html) is (kept is None)
    assert post(desk, "status", conversation, status="open").status_code == 200
    assert fresh(conversation).status == "open"


@pytest.mark.parametrize("until", ["", "soon", "2020-01-01T00:00", "9999-12-31T23:59", "0001-01-01T00:00+14:00"])
def test_a_moment_that_cannot_be_is_refused_in_words(desk, conversation, until):
    response = post(desk, "snooze", conversation, until=until)
    assert response.status_code == 400
    assert response["X-Error"] in ("bad_request", "not_snoozable")
    assert "data-error" in response.content.decode()
    assert fresh(conversation).status == "open"


def test_priority_is_chosen_and_shown(desk, conversation):
    html = post(desk, "priority", conversation, priority="4", version=1).content.decode()
    assert fresh(conversation).priority == 4
    assert 'data-testid="priority-4" aria-pressed="true"' in html
    for wrong in ("5", "-1", "", "high", "²"):
        assert post(desk, "priority", conversation, priority=wrong).status_code == 400


def test_tags_are_chosen_by_id_and_a_manager_makes_them_by_name(sign_in, desk, conversation):
    vip, old = TagFactory(name="VIP", colour=3), TagFactory(name="Old <b>")
    html = post(desk, "tags", conversation, add=[vip.pk, old.pk]).content.decode()
    assert "Old &lt;b&gt;" in html
    post(desk, "tags", conversation, remove=old.pk, version=2)
    assert list(fresh(conversation).tags.all()) == [vip]
    refused = post(desk, "tags", conversation, name="Brand new")
    assert (refused.status_code, refused["X-Error"]) == (400, "not_a_tag")
    assert post(desk, "tags", conversation, name="vip").status_code == 200
    manager = sign_in(UserFactory(manager=True))
    assert post(manager, "tags", conversation, name="Brand new").status_code == 200
    assert set(fresh(conversation).tags.values_list("name", flat=True)) == {"VIP", "Brand new"}
    assert post(manager, "tags", conversation, name="x" * 51).status_code == 400
    assert post(manager, "tags", conversation).status_code == 400
    assert post(manager, "tags", conversation, add=10**9).status_code == 404


def test_a_tag_made_for_a_stale_head_is_not_kept(sign_in, conversation):
    Conversation.objects.update(version=5)
    response = post(sign_in(UserFactory(manager=True)), "tags", conversation, name="New", version=4)
    assert (response.status_code, Tag.objects.count()) == (409, 0)


def test_the_tag_menu_finds_tags_whatever_accents_and_case(sign_in, desk, conversation):
    mine, other, _third = (TagFactory(name=name) for name in ("Póliza", "Poliza hogar", "VIP"))
    conversation.tags.add(mine)
    url = reverse("desk:tags", args=[conversation.pk])
    with CaptureQueriesContext(connection) as queries:
        html = desk.get(url, {"q": "POLI"}).content.decode()
    assert len(queries) <= 5
    assert html.index("Póliza") < html.index("Poliza hogar")
    assert html.count(" checked") == 1
    assert "VIP" not in html
    assert 'data-testid="make-tag"' not in html
    assert "A manager can create it" in desk.get(url, {"q": "nothing"}).content.decode()
    manager = sign_in(UserFactory(manager=True))
    assert 'data-testid="make-tag"' in manager.get(url, {"q": "Poliza"}).content.decode()
    assert 'data-testid="make-tag"' not in manager.get(url, {"q": "póliza"}).content.decode()
    assert 'value="&quot;&gt;&lt;i&gt;"' in manager.get(url, {"q": '"><i>'}).content.decode()


def test_pins_are_ones_own(sign_in, desk, agent, conversation, team):
    html = post(desk, "pin", conversation, pinned="1").content.decode()
    assert 'data-testid="pinned"' in html
    assert ConversationPin.objects.get().user == agent
    assert post(desk, "pin", conversation, pinned="yes").status_code == 400
    other = sign_in(UserFactory(teams=[team]))
    assert 'data-testid="pinned"' not in other.get(reverse("desk:header", args=[conversation.pk])).content.decode()
    post(other, "pin", conversation, pinned="0")
    assert ConversationPin.objects.count() == 1


def test_unread_again_from_a_message(desk, agent, conversation):
    refused = post(desk, "unread", conversation)
    assert (refused.status_code, refused["X-Error"]) == (400, "nothing_to_read")
    first, _second = (MessageFactory(conversation=conversation) for _ in range(2))
    Conversation.objects.update(inbound_count=2)
    post(desk, "read", conversation)
    assert post(desk, "unread", conversation).status_code == 200
    assert ConversationRead.objects.get().inbound_upto == 1
    post(desk, "unread", conversation, message=first.client_id)
    assert ConversationRead.objects.get().inbound_upto == 0
    for wrong in ("x", "00000000-0000-0000-0000-000000000000", str(MessageFactory().client_id)):
        assert post(desk, "unread", conversation, message=wrong).status_code == 404


@pytest.mark.parametrize(
    ("name", "data"), [("snooze", {"until": "reply"}), ("priority", {"priority": "2"}), ("tags", {"name": "VIP"})]
)
def test_a_change_from_a_stale_head_shows_the_present_one(desk, conversation, name, data):
    TagFactory(name="VIP")
    Conversation.objects.update(version=5)
    response = post(desk, name, conversation, version=4, **data)
    html = response.content.decode()
    assert response.status_code == 409
    assert 'data-version="5"' in html
    assert 'data-testid="conflict"' in html
    assert not ConversationEvent.objects.exists()


def test_the_head_costs_the_same_with_many_tags_and_colleagues(desk, inbox, team, conversation):
    url, seen = reverse("desk:header", args=[conversation.pk]), []
    for count in (1, 12):
        conversation.tags.add(*(TagFactory() for _ in range(count)))
        for _ in range(count):
            UserFactory(teams=[team])
            TeamFactory()
        with CaptureQueriesContext(connection) as queries:
            html = desk.get(url).content.decode()
        assert html.count('data-testid="tag"') == conversation.tags.count()
        seen.append(len(queries))
    assert seen[0] == seen[1] <= 4


def test_the_number_can_be_copied_and_a_person_without_a_number_has_none(desk, conversation):
    url = reverse("desk:header", args=[conversation.pk])
    assert f'data-copy="{conversation.contact.phone}"' in desk.get(url).content.decode()
    type(conversation.contact).objects.update(phone=None)
    type(conversation.identity).objects.update(wa_id=None, match_key=None, user_id="ES.1")
    assert "data-copy" not in desk.get(url).content.decode()


@pytest.mark.parametrize(
    ("kind", "by", "data", "line"),
    [
        ("snoozed", True, {"until": ""}, f"{UNTIL} the person writes"),
        ("snoozed", True, {"until": "2026-11-19T14:00:00+00:00"}, f"{UNTIL} Nov. 19, 2026, 9 a.m."),
        ("snoozed", True, {"until": "nonsense"}, f"{UNTIL} the person writes"),
        ("woken", True, {}, "Ana ended the snooze"),
        ("woken", False, {"why": "message"}, "Back from snooze: a new message"),
        ("woken", False, {"why": "time"}, "Back from snooze: it is time"),
        ("tagged", True, {"tags": ["VIP"]}, "Ana added the tag VIP"),
        ("untagged", True, {"tags": ["A", "B", "C"]}, "Ana removed the tags A, B and C"),
        ("priority", True, {"to": 3, "before": 0}, "Ana set the priority to “High”"),
        ("priority", True, {"to": 0, "before": 3}, "Ana took the priority away"),
        ("priority", True, {}, "Ana took the priority away"),
    ],
)  # fmt: skip
def test_the_timeline_says_it_in_words(in_bogota, conversation, kind, by, data, line):
    user = UserFactory(name="Ana") if by else None
    assert happening(ConversationEvent(conversation=conversation, kind=kind, user=user, data=data)) == line
