"""Search over people and messages: what is found, how it is shown, and that it shows nobody more than they may see."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conversations.desk import finding
from conversations.messaging.models import Conversation
from crm.foundation.search import fold_with_places, plain
from tests.factories import ConversationFactory, MessageFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def ask(client, q, **more):
    response = client.get(reverse("desk:search"), {"q": q, **more})
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize(
    ("text", "q"),
    [
        ("¿Tienen talla M en AZÚL?", "azul talla"), ("Straße 12", "STRASSE"), ("Café y pingüino", "pinguino CAFE"),
        ("pedido #1042-B", "1042-b"), ("100% algodón", "100%"), ("a_b_c", "a_b"), ("ПРИВЕТ мир", "привет"),
        ("مرحبا بك", "مرحبا"), ("हिन्दी में", "हिन्दी"), ("ＦＵＬＬwidth", "fullwidth"),
    ],
)  # fmt: skip
def test_words_are_found_whatever_their_case_and_accents(desk, agent, conversation, text, q):
    message = MessageFactory(conversation=conversation, text=text)
    MessageFactory(conversation=conversation, text="something else, 100 of abbc")
    assert finding.messages(agent, q) == [message]
    html = ask(desk, q)
    assert "<mark>" in html
    assert f"?at={message.client_id}" in html


def test_every_word_must_occur_and_the_newest_come_first(agent, conversation):
    old = MessageFactory(conversation=conversation, text="azul y verde")
    new = MessageFactory(conversation=conversation, text="verde, azul", sort_at=timezone.now())
    MessageFactory(conversation=conversation, text="azul")
    assert finding.messages(agent, "azul verde") == [new, old]


def test_notes_are_found_and_what_was_deleted_is_not(agent, desk, conversation):
    note = MessageFactory(conversation=conversation, note=True, text="secreto de familia")
    MessageFactory(conversation=conversation, text="secreto borrado", revoked_at=timezone.now())
    MessageFactory(conversation=conversation, kind="reaction", outbound=True, text="secreto")
    assert finding.messages(agent, "secreto") == [note]


@pytest.mark.parametrize("few", [finding.FEW, 0], ids=["rare word", "frequent word"])
def test_nobody_finds_what_they_may_not_see(sign_in, conversation, theirs, team, monkeypatch, few):
    monkeypatch.setattr(finding, "FEW", few)
    for row in (conversation, theirs):
        MessageFactory(conversation=row, text="confidencial")
    restricted = UserFactory(restricted=True, teams=[team])
    for user in (restricted, UserFactory()):
        html = ask(sign_in(user), "confidencial") + ask(sign_in(user), theirs.contact.name)
        assert "found-message" not in html
        assert "found-person" not in html
    Conversation.objects.filter(pk=conversation.pk).update(assignee=restricted)
    html = ask(sign_in(restricted), "confidencial")
    assert html.count('data-testid="found-message"') == 1
    assert theirs.contact.name not in html


def test_people_are_found_in_any_view(desk, conversation):
    Conversation.objects.update(status="resolved")
    html = ask(desk, conversation.contact.name)
    assert f'data-found="{conversation.pk}"' in html
    assert "Resolved" in html
    assert "found-person" not in ask(desk, conversation.contact.name, scope="messages")


def test_a_frequent_word_gives_the_newest(agent, conversation, monkeypatch):
    monkeypatch.setattr(finding, "FEW", 5)
    messages = [MessageFactory(conversation=conversation, text=f"hola {number}") for number in range(12)]
    assert finding.messages(agent, "hola", limit=4) == messages[:-5:-1]
    monkeypatch.setattr(finding, "RECENT", 2)
    assert len(finding.messages(agent, "hola", limit=4)) == 4


@pytest.mark.parametrize(
    "q", ["", " ", "ab", "%", "\x00", "x" * 5000, "<script>alert(1)</script>", "' OR 1=1 --", "\\"]
)
def test_odd_input_harms_nothing(desk, conversation, q):
    html = ask(desk, q)
    assert "<script>" not in html
    assert "found-message" not in html


def test_text_is_escaped_around_the_mark(desk, conversation):
    MessageFactory(conversation=conversation, text='<b onclick="x">pedido</b>')
    html = ask(desk, "pedido")
    assert "&lt;b onclick=&quot;x&quot;&gt;<mark>pedido</mark>&lt;/b&gt;" in html


def test_a_snippet_is_around_the_first_hit():
    parts = finding.snippet("palabra " * 50 + "aquí está el\nPedído y más " + "final " * 60, ["pedido"])
    text = "".join(part for part, _marked in parts)
    assert [part for part, marked in parts if marked] == ["Pedído"]
    assert text.startswith("…")
    assert text.endswith("…")
    assert len(text) < 220
    assert "\n" not in text


@pytest.mark.parametrize("text", ["Ñandú ẞtraße İstanbul", "ﬁn ① ½", "한국어 がぎ", "🐾 é e\u0301", ""])
def test_the_database_folds_as_we_do(text):
    with connection.cursor() as cursor:
        cursor.execute("SELECT fold_text(%s)", [text])
        assert cursor.fetchone()[0] == plain(text)
    folded, places = fold_with_places(text)
    assert len(folded) == len(places)


def test_a_search_costs_few_queries_whatever_it_finds(desk, inbox):
    seen = set()
    for count in (2, 20):
        for _number in range(count):
            MessageFactory(conversation=ConversationFactory(inbox=inbox), text="cuántos", outbound=True)
        with CaptureQueriesContext(connection) as queries:
            ask(desk, "cuantos")
        seen.add(len(queries))
    assert len(seen) == 1
    assert seen.pop() <= 8
