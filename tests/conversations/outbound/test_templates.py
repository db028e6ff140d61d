"""Templates: the way to write when the window is closed."""

import pytest

from conversations.channels.base import Template
from conversations.desk import bubbles
from conversations.messaging import errors, outbound
from conversations.messaging.models import Conversation, Message
from tests.api import Integrator
from tests.conversations.outbound.sending import say, send
from tests.factories import ConversationFactory, UserFactory
from tests.graph_side import refuses

pytestmark = pytest.mark.django_db
BODY = {"type": "body", "parameters": [{"type": "text", "text": "Ana"}]}
BUTTON = {"type": "button", "sub_type": "url", "index": 0, "parameters": [{"type": "text", "text": "A-17"}]}


@pytest.fixture
def closed(inbox):
    return ConversationFactory(inbox=inbox, closed=True)


@pytest.mark.sqlite_too
def test_a_template_leaves_though_the_window_is_closed(graph, closed):
    message = send(say(closed, content=Template("renewal_notice", "es", [BODY, BUTTON])))
    assert (message.status, message.kind, message.text) == ("accepted", "template", "renewal_notice")
    [body] = graph.sent
    assert body["type"] == "template"
    assert body["template"] == {
        "name": "renewal_notice", "language": {"code": "es"}, "components": [BODY, BUTTON],
    }  # fmt: skip
    assert Conversation.objects.get(pk=closed.pk).last_kind == "template"


def test_a_template_without_blanks_has_no_components(graph, closed):
    send(say(closed, content=Template("hello", "en_US")))
    assert graph.sent[0]["template"] == {"name": "hello", "language": {"code": "en_US"}}


def test_text_stays_refused_and_a_failed_template_may_be_sent_again(graph, closed):
    with pytest.raises(errors.ServiceWindowClosed):
        say(closed)
    graph.answers(refuses(132001, details="no such template"))
    message = send(say(closed, content=Template("unknown", "es")))
    assert (message.status, message.error_code) == ("failed", "132001")
    outbound.retry(message)
    assert send(message).status == "accepted"


def test_a_thread_shows_its_name(closed):
    bubble = bubbles.bubble_of(say(closed, content=Template("renewal_notice", "es")))
    assert (bubble.kind, bubble.text) == ("template", "renewal_notice")


def test_the_api_sends_a_template(graph, closed):
    api = Integrator(UserFactory(manager=True))
    body = {"template": {"name": "renewal_notice", "language": "es", "components": [BODY, BUTTON]}}
    answer = api.post(f"conversations/{closed.pk}/messages/", body)
    assert (answer.status_code, answer.json()["kind"]) == (201, "template")
    assert answer.json()["content"] == body["template"]
    send(Message.objects.get(pk=answer.json()["id"]))
    assert graph.sent[0]["template"]["components"] == [BODY, BUTTON]


@pytest.mark.parametrize(
    "template",
    [
        {},
        {"name": "Renewal Notice", "language": "es"},
        {"name": "x" * 513, "language": "es"},
        {"name": "renewal", "language": "Spanish!"},
        {"name": "renewal", "language": "es", "components": {}},
        {"name": "renewal", "language": "es", "components": [{"type": "chorus"}]},
        {"name": "renewal", "language": "es", "components": [{"type": "body", "parameters": ["Ana"]}]},
        {"name": "renewal", "language": "es", "components": [{"type": "body", "parameters": [{"text": "Ana"}]}]},
        {"name": "renewal", "language": "es", "components": [{"type": "button", "sub_type": "url"}]},
        {"name": "renewal", "language": "es", "components": [BODY] * 21},
    ],
)
def test_the_api_says_what_is_wrong_with_a_template(closed, template):
    answer = Integrator(UserFactory(manager=True)).post(f"conversations/{closed.pk}/messages/", {"template": template})
    assert answer.status_code == 400
    assert "template" in str(answer.json())
    assert not Message.objects.exists()
