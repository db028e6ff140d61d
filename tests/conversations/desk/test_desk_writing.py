"""What helps while writing: drafts, quick answers, mentions, the question before two people answer at once."""

import datetime as dt
import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.answers.models import CannedAnswer
from conversations.desk.models import Draft
from conversations.live.models import LiveHint
from conversations.messaging.models import Message
from conversations.notices.models import Notice
from crm.foundation import clock
from crm.foundation.search import search_text
from crm.staff.models import Role
from tests.factories import ConversationFactory, MessageFactory, TeamFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def url(name, conversation=None):
    return reverse(f"desk:{name}", args=[conversation.pk] if conversation else [])


def ms(at):
    return str(int(at.timestamp() * 1000))


def send(desk, conversation, text="Hi", **more):
    form = {"client_id": str(uuid.uuid4()), "text": text} | more
    return desk.post(url("messages", conversation), form)


def answer(shortcut, body, **more):
    return CannedAnswer.objects.create(
        shortcut=shortcut, body=body, search_text=search_text(shortcut, more.get("title", ""), body), **more
    )


# Drafts


def save_draft(desk, conversation, text, at=None, mode="reply"):
    form = {"mode": mode, "text": text, "at": ms(at or clock.now())}
    return desk.post(url("draft", conversation), form)


def test_a_draft_waits_on_the_next_device(desk, conversation):
    assert save_draft(desk, conversation, "Dear <b>Ann").status_code == 204
    save_draft(desk, conversation, "watch out", mode="note")
    html = desk.get(url("conversation", conversation), headers={"HX-Request": "true"}).content.decode()
    assert 'data-reply="Dear &lt;b&gt;Ann"' in html
    assert 'data-note="watch out"' in html


def test_a_draft_is_its_authors_alone(desk, sign_in, conversation, team):
    save_draft(desk, conversation, "secret thought")
    html = sign_in(UserFactory(teams=[team])).get(url("conversation", conversation)).content.decode()
    assert "secret thought" not in html


def test_an_older_draft_that_comes_late_changes_nothing(desk, conversation):
    now = clock.now()
    save_draft(desk, conversation, "newer", now)
    save_draft(desk, conversation, "older", now - dt.timedelta(seconds=5))
    assert Draft.objects.get().text == "newer"


def test_a_clock_that_is_ahead_does_not_lock_the_draft(desk, conversation):
    save_draft(desk, conversation, "from tomorrow", clock.now() + dt.timedelta(days=1))
    save_draft(desk, conversation, "from now")
    assert Draft.objects.get().text == "from now"


def test_an_emptied_draft_stays_empty_for_devices_that_still_have_the_old_text(desk, conversation):
    save_draft(desk, conversation, "sent meanwhile")
    save_draft(desk, conversation, "")
    draft = Draft.objects.get()
    assert draft.text == ""
    html = desk.get(url("conversation", conversation)).content.decode()
    assert f'data-reply-at="{ms(draft.updated_at)}"' in html


def test_nothing_is_kept_of_a_draft_that_never_was(desk, conversation):
    save_draft(desk, conversation, "")
    assert not Draft.objects.exists()


@pytest.mark.parametrize(
    "form", [{"mode": "shout"}, {"at": "soon"}, {"at": "9" * 14}, {"at": "9" * 99}, {"text": "\0"}]
)
def test_an_odd_draft_harms_nobody(desk, conversation, form):
    response = desk.post(url("draft", conversation), {"mode": "reply", "text": "x", "at": "1"} | form)
    assert response.status_code in (204, 400)


# Quick answers


def test_quick_answers_are_filled_in_for_this_person(desk, agent, conversation):
    contact = conversation.contact
    contact.name, contact.attributes = "Ana María Ruiz", {"plan": "Gold", "vip": True}
    contact.save()
    body = (
        "Hi {{contact.first_name}} ({{ contact.plan }}), {{agent.name}} of {{inbox.name}}: {{contact.company}} {{x.y}}"
    )
    answer("hello", body)
    html = desk.get(url("canned"), {"q": "hel", "c": conversation.pk}).content.decode()
    filled = f"Hi Ana (Gold), {agent.name} of {conversation.inbox.name}: {{{{contact.company}}}} {{{{x.y}}}}"
    assert f'data-insert="{filled}"' in html


def test_a_shortcut_that_begins_like_this_comes_first(desk, conversation):
    answer("zebra", "a price list")
    answer("price", "10 euros")
    html = desk.get(url("canned"), {"q": "price", "c": conversation.pk}).content.decode()
    assert html.index("/price") < html.index("/zebra")


def test_answers_of_another_team_are_not_offered(desk, conversation):
    answer("ours", "a")
    answer("theirs", "b", team=TeamFactory())
    html = desk.get(url("canned"), {"q": "", "c": conversation.pk}).content.decode()
    assert "/ours" in html
    assert "/theirs" not in html
    assert "/theirs" not in desk.get(url("canned-answers")).content.decode()


def test_what_is_written_in_an_answer_is_never_markup(desk, conversation):
    answer("evil", '<script>alert(1)</script>" onload="x')
    html = desk.get(url("canned"), {"q": "", "c": conversation.pk}).content.decode()
    assert "<script" not in html
    assert '" onload=' not in html


def test_managers_write_change_and_delete_answers(sign_in, conversation):
    manager = sign_in(UserFactory(manager=True))
    form = {"shortcut": "/Greeting", "title": "Welcome", "body": "Hello\r\nthere"}
    assert manager.post(url("canned-answers"), form | {"action": "save"}).status_code == 200
    made = CannedAnswer.objects.get()
    assert (made.shortcut, made.body) == ("greeting", "Hello\nthere")
    manager.post(url("canned-answers"), form | {"id": made.pk, "shortcut": "hi", "action": "save"})
    assert CannedAnswer.objects.get().shortcut == "hi"
    manager.post(url("canned-answers"), {"id": made.pk, "action": "delete"})
    assert not CannedAnswer.objects.exists()


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"shortcut": "two words"}, "without spaces"),
        ({"shortcut": ""}, "small letters"),
        ({"shortcut": "taken"}, "already an answer"),
        ({"body": " "}, "empty"),
        ({"body": "x" * 4097}, "4096"),
        ({"title": "x" * 101}, "100"),
    ],
)
def test_an_answer_that_cannot_be_kept_says_why_and_loses_nothing(sign_in, form, says):
    answer("taken", "x")
    manager = sign_in(UserFactory(manager=True))
    response = manager.post(
        url("canned-answers"), {"shortcut": "new", "title": "T", "body": "my words", "action": "save"} | form
    )
    assert response.status_code == 422
    html = response.content.decode()
    assert says in html
    assert 'aria-invalid="true"' in html
    assert CannedAnswer.objects.count() == 1
    if "body" not in form:
        assert "my words" in html


def test_agents_change_no_answers(desk):
    made = answer("hi", "x")
    for form in ({"shortcut": "new", "body": "x"}, {"id": made.pk, "action": "delete"}):
        response = desk.post(url("canned-answers"), form)
        assert response.status_code == 403
        assert response["X-Error"] == "managers_only"
    assert [one.shortcut for one in CannedAnswer.objects.all()] == ["hi"]


# Mentions


def note(desk, conversation, text):
    return desk.post(url("note", conversation), {"client_id": str(uuid.uuid4()), "text": text})


def test_who_is_mentioned_is_told_once(desk, agent, conversation, team):
    luis = UserFactory(name="Luis Paz", teams=[team])
    assert note(desk, conversation, "ask @Luis Paz, or @luis paz!").status_code == 201
    notice = Notice.objects.get()
    assert (notice.user, notice.conversation, notice.message.text[:3]) == (luis, conversation, "ask")
    hints = [hint for hint in LiveHint.objects.all() if hint.payload["t"] == "mention"]
    assert [hint.groups for hint in hints] == [[f"u.{luis.pk}"]]
    assert hints[0].payload == {"t": "mention", "c": conversation.pk, "m": str(notice.message.client_id)}


def test_the_longer_of_two_names_counts(desk, conversation, team):
    UserFactory(name="Ana", teams=[team])
    longer = UserFactory(name="Ana Ruiz", teams=[team])
    note(desk, conversation, "@Ana Ruiz and ana@example.test and @Anabel")
    assert [notice.user for notice in Notice.objects.all()] == [longer]


def test_nobody_is_told_of_what_they_cannot_see(desk, agent, conversation, team):
    UserFactory(name="Other Team", teams=[TeamFactory()])
    UserFactory(name="Gone Person", teams=[team], is_active=False)
    UserFactory(name="Machine", role=Role.INTEGRATOR)
    UserFactory(name="Limited", restricted=True, teams=[team])
    note(desk, conversation, f"@Other Team @Gone Person @Machine @Limited @{agent.name}")
    assert not Notice.objects.exists()


def test_the_name_list_holds_those_who_can_see_the_conversation(desk, agent, conversation, team):
    UserFactory(name="José Núñez", teams=[team])
    UserFactory(name="Josefa Mayor", manager=True)
    UserFactory(name="Joseph Elsewhere", teams=[TeamFactory()])
    html = desk.get(url("mentions"), {"q": "jose", "c": conversation.pk}).content.decode()
    assert 'data-insert="@José Núñez "' in html
    assert "Josefa Mayor" in html
    assert "Elsewhere" not in html
    assert agent.name not in desk.get(url("mentions"), {"q": "", "c": conversation.pk}).content.decode()


def test_opening_the_conversation_is_reading_the_mention(desk, sign_in, conversation, team):
    luis = UserFactory(name="Luis Paz", teams=[team])
    note(desk, conversation, "@Luis Paz look")
    note(desk, ConversationFactory(inbox=conversation.inbox), "@Luis Paz look")
    sign_in(luis).post(url("read", conversation))
    assert [(notice.conversation, bool(notice.read_at)) for notice in Notice.objects.order_by("pk")][0] == (
        conversation, True,
    )  # fmt: skip
    assert Notice.objects.filter(read_at=None).count() == 1


def test_a_note_sent_twice_tells_once(desk, conversation, team):
    UserFactory(name="Luis Paz", teams=[team])
    form = {"client_id": str(uuid.uuid4()), "text": "@Luis Paz"}
    for _ in range(2):
        desk.post(url("note", conversation), form)
    assert Notice.objects.count() == 1


@pytest.mark.parametrize("name", ["canned", "mentions"])
def test_suggestions_are_of_conversations_one_sees(desk, theirs, name):
    assert desk.get(url(name), {"q": "", "c": theirs.pk}).status_code == 404
    assert desk.get(url(name)).status_code == 400
    assert desk.get(url(name), {"c": "x"}).status_code == 400


# Two at once


@pytest.fixture
def colleague(team):
    return UserFactory(name="Marta", teams=[team])


def said(conversation, author, seconds=2, **more):
    at = clock.now() - dt.timedelta(seconds=seconds)
    return MessageFactory(conversation=conversation, outbound=True, author=author, sort_at=at, **more)


def test_who_has_not_seen_a_colleagues_answer_is_asked(desk, conversation, colleague):
    said(conversation, colleague)
    before = MessageFactory(conversation=conversation, sort_at=clock.now() - dt.timedelta(minutes=1))
    response = send(desk, conversation, seen=before.sort_key)
    assert (response.status_code, response["X-Error"]) == (409, "collision")
    assert "Marta" in response.content.decode()
    assert not Message.objects.filter(text="Hi").exists()
    assert send(desk, conversation, seen=before.sort_key, force="1").status_code == 201


@pytest.mark.parametrize("more", [{"seconds": 11}, {"status": "failed"}, {"author_kind": "api"}, {"kind": "reaction"}])
def test_what_is_old_or_no_answer_of_a_person_asks_nothing(desk, conversation, colleague, more):
    said(conversation, colleague, **more)
    assert send(desk, conversation, seen="1.1").status_code == 201


def test_what_was_seen_asks_nothing(desk, agent, conversation, colleague):
    answered = said(conversation, colleague)
    said(conversation, agent, seconds=1)
    assert send(desk, conversation, seen=answered.sort_key).status_code == 201


def test_a_repeated_request_is_answered_as_before(desk, conversation, colleague):
    form = {"client_id": str(uuid.uuid4()), "text": "Hi", "seen": "1.1"}
    assert desk.post(url("messages", conversation), form).status_code == 201
    said(conversation, colleague)
    assert desk.post(url("messages", conversation), form).status_code == 200


@pytest.mark.parametrize("seen", ["", "x", "-1.2", "9" * 40, "1.x", "١.٢"])
def test_an_odd_place_is_no_error(desk, conversation, colleague, seen):
    said(conversation, colleague)
    assert send(desk, conversation, seen=seen).status_code in (201, 409)


# What it costs


def test_drafts_and_plans_cost_one_query(desk, agent, conversation):
    desk.get(url("conversation", conversation), headers={"HX-Request": "true"})
    with CaptureQueriesContext(connection) as queries:
        desk.get(url("conversation", conversation), headers={"HX-Request": "true"})
    assert len([one for one in queries if "conversations_draft" in one["sql"]]) == 1
    assert not [one for one in queries if "conversations_scheduledmessage" in one["sql"] and "draft" not in one["sql"]]


@pytest.mark.parametrize(("name", "most"), [("canned", 5), ("mentions", 5), ("canned-answers", 4)])
def test_suggestions_cost_little(desk, conversation, team, name, most):
    for number in range(20):
        answer(f"a{number}", "Hello", team=team)
        UserFactory(teams=[team])
    with CaptureQueriesContext(connection) as queries:
        assert desk.get(url(name), {"q": "", "c": conversation.pk}).status_code == 200
    assert len(queries) <= most, json.dumps([one["sql"] for one in queries.captured_queries], indent=1)
