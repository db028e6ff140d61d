"""Private notes of conversations over the API: kept for the team, never sent."""

import uuid

import pytest

from conversations.messaging import outbox
from conversations.messaging.models import Attempt, Message
from conversations.notices.models import Notice
from tests.api import Integrator
from tests.factories import ConversationFactory, InboxFactory, MessageFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def robot():
    return UserFactory(integrator=True, name="Robot")


@pytest.fixture
def row():
    return ConversationFactory()


def test_a_note_is_kept_once_and_stands_among_the_messages(robot, row):
    api, body = Integrator(robot), {"text": "  Pays late\n", "client_id": str(uuid.uuid4())}
    MessageFactory(conversation=row, text="Hola")
    first = api.post(f"conversations/{row.pk}/notes/", body)
    assert first.status_code == 201
    shown = first.json()
    assert (shown["direction"], shown["kind"], shown["status"]) == ("note", "text", "received")
    assert shown["author"] == {"kind": "api", "id": robot.pk, "name": "Robot"}
    assert shown["client_id"] == body["client_id"]
    again = api.post(f"conversations/{row.pk}/notes/", body)
    assert (again.status_code, again.json()) == (200, shown)
    assert api.get(f"conversations/{row.pk}/notes/").json()["results"] == [shown]
    assert api.get(f"conversations/{row.pk}/messages/", direction="note").json()["results"] == [shown]
    assert len(api.get(f"conversations/{row.pk}/messages/").json()["results"]) == 2


@pytest.mark.covers("I12")
def test_i12_a_note_by_api_never_leaves(robot):
    row = ConversationFactory(closed=True)  # no window is asked of what stays here
    note = Integrator(robot).post(f"conversations/{row.pk}/notes/", {"text": "Between us"}).json()
    assert outbox.claim(10) == []
    assert not Attempt.objects.exists()
    for act in ("retry", "cancel"):
        assert Integrator(robot).post(f"messages/{note['id']}/{act}/").status_code == 404
    assert Message.objects.get().external_id is None


def test_a_mention_tells_the_colleague(robot):
    team = TeamFactory()
    agent = UserFactory(name="Ana Torres", teams=[team])
    row = ConversationFactory(inbox=InboxFactory(teams=[team]))
    answer = Integrator(robot).post(f"conversations/{row.pk}/notes/", {"text": "@Ana Torres, look"})
    assert answer.json()["content"] == {"mentions": ["Ana Torres"]}
    assert Notice.objects.get().user == agent


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"text": ""}, 400, "invalid"),
        ({"text": " \n"}, 409, "empty"),
        ({"text": "x" * 10_001}, 409, "too_long"),
        ({"text": "x", "client_id": "1"}, 400, "invalid"),
    ],
)
def test_what_is_no_note_is_refused(robot, row, body, status, code):
    answer = Integrator(robot).post(f"conversations/{row.pk}/notes/", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Message.objects.exists()


def test_notes_need_the_scope_of_messages_and_a_conversation_one_sees(row):
    manager, stranger = UserFactory(manager=True), UserFactory(teams=[TeamFactory()])
    address = f"conversations/{row.pk}/notes/"
    assert Integrator(manager, "messages:read").get(address).status_code == 200
    assert Integrator(manager, "messages:read").post(address, {"text": "x"}).status_code == 403
    assert Integrator(manager, "conversations:write").post(address, {"text": "x"}).status_code == 403
    assert Integrator(manager, "messages:write").post(address, {"text": "x"}).status_code == 201
    assert Integrator(stranger).get(address).status_code == 404
    assert Integrator(stranger).post(address, {"text": "x"}).status_code == 404
