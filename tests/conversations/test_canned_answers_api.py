"""Canned answers in the API: who reads, who writes, and what is refused."""

import pytest

from conversations.answers.models import CannedAnswer
from tests.api import Integrator
from tests.factories import TeamFactory, UserFactory

pytestmark = pytest.mark.django_db

HELLO = {"shortcut": "hello", "title": "Greeting", "body": "Hello {{contact.first_name}}", "team": None}


@pytest.fixture
def api():
    return Integrator(UserFactory(integrator=True))


def test_an_answer_is_made_read_changed_and_deleted(api):
    made = api.post("canned-answers/", HELLO)
    assert made.status_code == 201, made.json()
    path = f"canned-answers/{made.json()['id']}/"
    assert HELLO.items() <= api.get(path).json().items()
    assert api.patch(path, {"body": "Hi"}).json()["body"] == "Hi"
    assert api.get(path).json()["title"] == "Greeting"
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shortcut", "two words"), ("shortcut", "hello"), ("body", " "), ("body", "x" * 4097), ("title", "x" * 101),
        ("team", 99),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_with_the_name_of_the_field(api, field, value):
    api.post("canned-answers/", HELLO)
    answer = api.post("canned-answers/", HELLO | {"shortcut": "other"} | {field: value})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert CannedAnswer.objects.count() == 1


@pytest.mark.covers("P03")
def test_agents_read_those_of_their_teams_and_change_none(api):
    team = TeamFactory()
    for shortcut, owner in (("all", None), ("ours", team.pk), ("theirs", TeamFactory().pk)):
        api.post("canned-answers/", HELLO | {"shortcut": shortcut, "team": owner})
    agent = Integrator(UserFactory(teams=[team]))
    rows = agent.get("canned-answers/").json()["results"]
    assert {row["shortcut"] for row in rows} == {"all", "ours"}
    assert agent.post("canned-answers/", HELLO).status_code == 403
    assert agent.patch(f"canned-answers/{rows[0]['id']}/", {"body": "x"}).status_code == 403
