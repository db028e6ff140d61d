"""Lists of the API are narrowed by what integrators know things by."""

import pytest

from catalog.products.models import Product
from conversations.answers.models import CannedAnswer
from crm.contacts.models import CustomAttribute
from tests.api import Integrator
from tests.factories import (
    ConversationFactory,
    InboxFactory,
    MessageFactory,
    TagFactory,
    TeamFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def api():
    return Integrator(UserFactory(integrator=True, name="Robot"))


def ids(api, path, **query):
    answer = api.get(path, **query)
    assert answer.status_code == 200, answer.content
    return {row["id"] for row in answer.json()["results"]}


def test_staff_by_name_role_team_and_state(api):
    team = TeamFactory(name="Claims")
    ana = UserFactory(name="Ana Torres", teams=[team])
    gone = UserFactory(name="Luis", restricted=True, is_active=False, teams=[team])
    assert ids(api, "users/", search="torres") == {ana.pk}
    assert ids(api, "users/", role="restricted") == {gone.pk}
    assert ids(api, "users/", team=team.pk) == {ana.pk, gone.pk}
    assert ids(api, "users/", team=team.pk, is_active="true") == {ana.pk}
    assert ids(api, "teams/", search="claim") == {team.pk}
    assert ids(api, "teams/", search="sales") == set()


def test_a_restricted_agent_is_told_of_no_colleague():
    UserFactory(manager=True)
    me = UserFactory(restricted=True)
    assert ids(Integrator(me, "staff:read"), "users/") == {me.pk}


def test_inboxes_by_team_and_number(api):
    team = TeamFactory()
    ours, _other = InboxFactory(teams=[team]), InboxFactory()
    assert ids(api, "inboxes/", team=team.pk) == {ours.pk}
    assert ids(api, "inboxes/", phone_number_id=ours.phone_number_id) == {ours.pk}


def test_tags_attributes_products_and_canned_answers(api):
    vip = TagFactory(name="VIP")
    TagFactory(name="Late")
    assert ids(api, "tags/", search="vi") == {vip.pk}
    plan = CustomAttribute.objects.create(key="plan", label="Plan", type="number")
    CustomAttribute.objects.create(key="size", label="Size")
    assert ids(api, "attributes/", key="plan") == ids(api, "attributes/", type="number") == {plan.pk}
    home = Product.objects.create(retailer_id="H-1", name="Home policy", price="1.000", currency="EUR")
    Product.objects.create(retailer_id="C-1", name="Car policy", price="1.000", currency="EUR")
    assert ids(api, "products/", search="home") == ids(api, "products/", retailer_id="H-1") == {home.pk}
    team = TeamFactory()
    hours = CannedAnswer.objects.create(shortcut="hours", body="9 to 5", team=team, search_text="hours 9 to 5")
    CannedAnswer.objects.create(shortcut="bye", body="Bye", search_text="bye bye")
    assert ids(api, "canned-answers/", search="hours") == ids(api, "canned-answers/", team=team.pk) == {hours.pk}


def test_messages_by_status_and_kind(api):
    row = ConversationFactory()
    failed = MessageFactory(conversation=row, outbound=True, status="failed")
    picture = MessageFactory(conversation=row, kind="image")
    path = f"conversations/{row.pk}/messages/"
    assert ids(api, path, status="failed") == {failed.pk}
    assert ids(api, path, kind="image") == {picture.pk}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("users/", {"role": "owner"}),
        ("users/", {"team": "x"}),
        ("inboxes/", {"team": "0"}),
        ("tags/", {"search": "\0"}),
    ],
)
def test_a_filter_that_cannot_be_is_refused(api, path, query):
    answer = api.get(path, **query)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
