"""The banner of a stopped outbox: everybody sees it, a manager ends it."""

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from conversations.messaging import fence
from conversations.messaging.models import Message, SendFence
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
URL = "/inbox/fence/"


@pytest.fixture
def manager(db):
    return UserFactory(manager=True)


@pytest.fixture
def waiting(desk, conversation):
    url = reverse("desk:messages", args=[conversation.pk])
    assert desk.post(url, {"client_id": str(uuid.uuid4()), "text": "Hello"}).status_code == 201
    return Message.objects.get()


def pages(client):
    return [client.get(reverse(f"desk:{name}")).content.decode() for name in ("inbox", "counts")]


def test_nothing_is_shown_while_messages_are_sent(desk):
    for html in pages(desk):
        assert '<div id="fence" class="fence"></div>' in html
        assert "fence-banner" not in html


def test_everybody_is_told_and_only_a_manager_may_review(desk, manager):
    fence.raise_("restored")
    for html in pages(desk):
        assert "Sending is stopped: everything was restored from a backup. Messages are kept and wait." in html
        assert "fence-review" not in html
        assert "fence-form" not in html
    client = Client()
    client.force_login(manager)
    whole, fragment = pages(client)
    assert "No message waits." in whole
    assert "No message waits." in fragment
    assert 'id="fence-form"' in whole, "the buttons of a fragment belong to the form of the page"


def test_writing_goes_on_meanwhile(waiting, manager):
    fence.raise_("manual")
    assert waiting.status == "queued"
    client = Client()
    client.force_login(manager)
    assert "1 message waits, since" in pages(client)[0]


@pytest.mark.parametrize(("choice", "status"), [("send", "queued"), ("cancel", "cancelled")])
def test_a_manager_lets_them_go_or_cancels_them(waiting, manager, choice, status):
    fence.raise_("restored")
    client = Client()
    client.force_login(manager)
    response = client.post(URL, {"waiting": choice}, headers={"Referer": "http://testserver/inbox/c/7/?view=all"})
    assert (response.status_code, response["Location"]) == (302, "http://testserver/inbox/c/7/?view=all")
    assert SendFence.objects.get().lifted_by == manager
    waiting.refresh_from_db()
    assert waiting.status == status


@pytest.mark.parametrize("role", ["agent", "restricted", "integrator"])
def test_nobody_else_may(sign_in, waiting, role):
    fence.raise_("restored")
    user = UserFactory() if role == "agent" else UserFactory(**{role: True})
    assert sign_in(user).post(URL, {"waiting": "cancel"}).status_code == 403
    waiting.refresh_from_db()
    assert (fence.is_up(), waiting.status) == (True, "queued")


@pytest.mark.covers("I08")
def test_a_page_elsewhere_cannot_press_the_button(manager):
    fence.raise_("restored")
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager)
    assert client.post(URL, {"waiting": "send"}).status_code == 403
    assert fence.is_up()


@pytest.mark.parametrize("form", [{}, {"waiting": ""}, {"waiting": "burn"}])
def test_a_form_that_says_nothing_lifts_nothing(sign_in, manager, form):
    fence.raise_("restored")
    assert sign_in(manager).post(URL, form).status_code == 400
    assert fence.is_up()


def test_the_way_back_stays_in_the_house(sign_in, manager):
    fence.raise_("restored")
    client = sign_in(manager)
    assert client.post(URL, {"waiting": "send"}, headers={"Referer": "https://evil.test/"})["Location"] == "/inbox/"
