"""Marketing leaves only for who wants it, asked when it is written and again when it leaves; answers always leave."""

import pytest

from conversations.channels.base import Buttons, Template
from conversations.messaging import errors, outbound
from crm.consent import ledger
from crm.consent.models import ConsentEvent
from tests.conversations.outbound.sending import again, say, send
from tests.graph_side import refuses

pytestmark = pytest.mark.django_db


def offer(conversation, purpose="marketing", **options):
    return say(conversation, content=Template("offer", "es", [], purpose), **options)


def said(conversation, state, purpose="marketing", source="form"):
    ledger.record(conversation.contact, purpose=purpose, state=state, source=source)


@pytest.mark.covers("G02")
def test_marketing_is_refused_without_consent(conversation):
    for state in ("", "withdrawn"):
        if state:
            said(conversation, state)
        with pytest.raises(errors.ConsentMissing):
            offer(conversation)
        with pytest.raises(errors.ConsentMissing):
            offer(conversation, "", origin="campaign")
    said(conversation, "granted")
    assert offer(conversation).payload["purpose"] == "marketing"


@pytest.mark.covers("G07")
def test_who_stopped_marketing_still_gets_answers_and_utility(conversation):
    said(conversation, "withdrawn")
    assert say(conversation, "Your order has left").status == "queued"
    assert offer(conversation, "utility").status == "queued"
    with pytest.raises(errors.ConsentMissing):
        offer(conversation, "")  # it does not say what it is for


def test_a_template_that_does_not_say_goes_to_who_has_said_nothing(conversation):
    assert offer(conversation, "").payload.get("purpose") is None


@pytest.mark.covers("G04", "F41")
def test_what_was_withdrawn_meanwhile_does_not_leave(conversation, graph):
    said(conversation, "granted")
    marketing, answer = offer(conversation), say(conversation, "Hello")
    said(conversation, "withdrawn")
    marketing, answer = send(marketing, answer)
    assert (marketing.status, marketing.error_code) == ("failed", "consent_missing")
    answer = answer if answer.status != "queued" else send(answer)
    assert answer.status == "accepted"
    assert [one["type"] for one in graph.sent] == ["text"]
    with pytest.raises(errors.ConsentMissing):
        outbound.retry(again(marketing))
    said(conversation, "granted")
    assert outbound.retry(again(marketing)).status == "queued"


@pytest.mark.covers("G06")
def test_a_refused_send_feeds_the_ledger(conversation, graph):
    said(conversation, "granted")
    graph.answers(refuses(131050))
    message = send(offer(conversation))
    assert (message.status, message.error_code) == ("failed", "131050")
    assert ledger.state_of(conversation.contact, "marketing") == "withdrawn"
    assert ConsentEvent.objects.get(source="provider").evidence["message"] == message.pk


def test_a_question_with_buttons_leaves_as_whatsapp_wants_it(conversation, graph):
    message = send(say(conversation, content=Buttons("Which?", (("a", "This"), ("b", "That")))))
    assert message.status == "accepted"
    assert graph.sent[0]["interactive"] == {
        "type": "button",
        "body": {"text": "Which?"},
        "action": {
            "buttons": [
                {"type": "reply", "reply": {"id": "a", "title": "This"}},
                {"type": "reply", "reply": {"id": "b", "title": "That"}},
            ]
        },
    }
