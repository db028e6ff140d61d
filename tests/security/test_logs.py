"""A whole journey with known words, names and numbers: none of them is in any log line, at any level."""

import io
import json
import logging

import pytest
from django.conf import settings
from django.test import Client

from conversations.desk.views import pages
from conversations.graphapi.signature import sign
from conversations.inboxes.models import WhatsAppAccount
from conversations.ingest import pipeline, receiver
from conversations.ingest.batcher import Batcher
from conversations.ingest.keyring import key_ring
from conversations.messaging import inbound, media, outbox
from conversations.messaging.models import Attachment, Conversation, Message
from crm.foundation import aio
from crm.foundation.logs import configure_logging
from crm.staff import tokens
from tests.factories import PASSWORD, UserFactory
from tests.graph_side import GraphSide, drops, raw, refuses, says
from tests.webhooks import SECRET, ask, make_inbox, messages, person, text

WORDS, NAME, NUMBER = "luna-rota-777", "Genoveva-Testigo", "34600987654"
ANSWER, NOTE, CAPTION = "respuesta-privada-888", "nota-privada-999", "pie-de-foto-555"
TOKEN, SIGNED = "EAAG-the-access-token", "firma-de-la-direccion"
KEPT_OUT = (WORDS, NAME, NUMBER, NUMBER[2:], ANSWER, NOTE, CAPTION, TOKEN, SIGNED, SECRET, PASSWORD)
OF_THE_TEST = ("aiohttp.access", "factory")  # Graph's side and the factories, in this process too
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


@pytest.fixture
def inbox(db):
    return make_inbox()


@pytest.fixture
def writer(monkeypatch, inbox):
    """A batcher of its own, and no secrets remembered from other tests."""
    own = Batcher()
    monkeypatch.setattr(receiver, "batcher", own)
    key_ring.forget()
    own.start()
    yield own
    own.stop()
    key_ring.forget()


@pytest.fixture(params=[True, False], ids=["json", "for people"])
def log(request):
    """What an installation with LOG_LEVEL=DEBUG writes."""
    root, written = logging.getLogger(), io.StringIO()
    configure_logging(level="DEBUG", as_json=request.param)
    handler = logging.StreamHandler(written)
    handler.setFormatter(root.handlers[0].formatter)
    handler.addFilter(lambda record: not record.name.startswith(OF_THE_TEST))
    root.addHandler(handler)
    yield written
    root.removeHandler(handler)
    configure_logging(level="INFO", as_json=True)


@pytest.fixture
def graph():
    side = GraphSide().start()
    yield side
    side.stop()
    aio.close()


class Boom(ValueError):
    pass


def picture():
    item = text("w.2") | {"type": "image", "image": {"id": "777000", "mime_type": "image/png", "caption": CAPTION}}
    del item["text"]
    return item | {"from": NUMBER}


def webhooks(inbox):
    """Good ones, a forged one, one that is no JSON, one with items that cannot be."""
    people = [person(NUMBER, NAME)]
    odd = [{"id": "w.9", "text": WORDS}, text("", WORDS, sender=NUMBER), {"from": NUMBER, "type": "text", "text": 7}]
    bodies = [messages(text("w.1", WORDS, sender=NUMBER), contacts=people), messages(picture(), contacts=people)]
    bodies += [messages(*odd, contacts=people)]
    raw_bodies = [json.dumps(body, ensure_ascii=False).encode() for body in bodies]
    raw_bodies.append(f'{{"entry": "{WORDS} {NAME} {NUMBER}'.encode())
    for one in raw_bodies:
        signature = [(b"x-hub-signature-256", sign(SECRET, one).encode())]
        assert ask(one, headers=signature)[0] == 200
        assert ask(one, headers=[(b"x-hub-signature-256", b"sha256=" + b"0" * 64)])[0] == 401
        assert ask(one, headers=[])[0] == 401


def in_the_inbox(browser, talk):
    """Reading, answering, writing a note, being refused."""
    own = f"/inbox/c/{talk.pk}/"
    client_ids = iter(f"00000000-0000-4000-8000-{number:012}" for number in range(100))
    for path in ("/inbox/?view=all", own, f"{own}messages/", f"{own}panel/", f"/inbox/search/?q={NAME}"):
        assert browser.get(path).status_code == 200, path
    assert browser.get("/inbox/c/99/").status_code == 404
    for _ in range(4):
        assert browser.post(f"{own}messages/", {"text": ANSWER, "client_id": next(client_ids)}).status_code == 201
    assert browser.post(f"{own}notes/", {"text": NOTE, "client_id": next(client_ids)}).status_code == 201
    browser.post(f"{own}messages/", {"text": WORDS * 5000, "client_id": next(client_ids)})
    browser.post(f"{own}messages/", {"text": WORDS, "client_id": NAME})
    browser.post(f"{own}contact/", {"field": NAME, "value": NUMBER})
    browser.get(f"/inbox/c/{NAME}/?q={NUMBER}")


def in_the_administration(browser, talk):
    """Searching, a refused form, a page that is not there."""
    for path in (
        f"crm/contact/?q={NAME}", f"crm/contact/{talk.contact_id}/change/", f"crm/contact/{talk.contact_id}/history/",
        f"conversations/message/?q={NUMBER}", f"conversations/conversation/{talk.pk}/change/", "crm/auditentry/",
        "conversations/webhookevent/", "crm/contact/99999/change/", f"crm/contact/?o={NAME}&nope={NUMBER}",
    ):  # fmt: skip
        assert browser.get(f"/admin/{path}").status_code in (200, 302, 404), path
    browser.post(f"/admin/crm/contact/{talk.contact_id}/change/", {"name": NAME, "phone": f"x{NUMBER}"})


def by_the_api(user, talk):
    """Reading, writing, refusals of every status."""
    token = tokens.issue(user, ["read", "write"])
    api = Client(headers={"Authorization": f"Bearer {token}"})
    for path in (f"contacts/?search={NAME}", f"contacts/{talk.contact_id}/", f"conversations/{talk.pk}/messages/"):
        assert api.get(f"/api/v1/{path}").status_code == 200
    for body in ({"name": NAME, "phone": NUMBER}, {"phone": WORDS}, [NAME], {"name": {"x": NAME}}):
        api.post("/api/v1/contacts/", body, "application/json")
    api.generic("POST", "/api/v1/contacts/", f'{{"{NAME}": {NUMBER}', "application/json")
    assert Client(headers={"Authorization": f"Bearer vt_{WORDS}"}).get("/api/v1/contacts/").status_code == 401
    assert Client(headers={"Authorization": f"Bearer {token}x"}).get("/api/v1/tags/").status_code == 401
    return token


def what_breaks(inbox, browser, api_token, monkeypatch):
    """Errors whose words and variables hold everything, at every place of the road."""

    def fails(*args, **kwargs):
        known = (WORDS, NAME, NUMBER, TOKEN, args, kwargs)
        raise Boom(f"{known}")

    broken = Client(raise_request_exception=False)
    broken.cookies.update(browser.cookies)
    with monkeypatch.context() as patch:
        patch.setattr(pages, "render", fails)
        patch.setattr("crm.contacts.api.ContactViewSet.get_queryset", fails)
        patch.setattr("crm.audit.keyset.KeysetChangeList.get_results", fails)
        assert broken.get("/inbox/").status_code == 500
        assert broken.get(f"/admin/crm/contact/?q={NAME}").status_code == 500
        assert broken.get("/api/v1/contacts/", headers={"Authorization": f"Bearer {api_token}"}).status_code == 500
    with monkeypatch.context() as patch:
        patch.setattr(inbound, "record", fails)
        body = json.dumps(messages(text("w.5", WORDS, sender=NUMBER), contacts=[person(NUMBER, NAME)])).encode()
        assert ask(body, headers=[(b"x-hub-signature-256", sign(SECRET, body).encode())])[0] == 200
        pipeline.drain()
    with monkeypatch.context() as patch:
        patch.setattr("conversations.channels.whatsapp.channel._content", fails)
        outbox.drain()


def signing_in():
    """Rightly, wrongly, as somebody who is not there, with the password where the address belongs."""
    agent = UserFactory()
    for name, password in ((agent.email, PASSWORD), (agent.email, WORDS), (f"{NAME}@x.test", WORDS), (PASSWORD, "x")):
        Client().post("/accounts/login/", {"username": name, "password": password})


@pytest.mark.django_db(transaction=True)
@pytest.mark.covers("G21", "W10", "W21")
def test_g21_no_line_holds_a_word_a_name_a_number_or_a_secret(log, graph, inbox, writer, monkeypatch):
    WhatsAppAccount.objects.update(graph_base_url=graph.url, access_token=TOKEN)
    graph.answers_at("/" + settings.GRAPH_VERSION + "/777000", says({"url": f"{graph.url}/file?hash={SIGNED}"}))
    graph.answers_at("/file", raw(PNG, status=404), raw(PNG, content_type="image/png"))
    graph.answers(
        refuses(131047, 400, f"{WORDS} to {NUMBER}"), refuses(1, 500, f"{NAME} {NUMBER}"), drops, raw(WORDS, status=502)
    )
    webhooks(inbox)
    pipeline.drain()
    talk = Conversation.objects.get()
    assert Message.objects.filter(text=WORDS).exists()
    media.drain()
    manager = UserFactory(manager=True)
    browser = Client()
    browser.force_login(manager)
    in_the_inbox(browser, talk)
    for _ in range(6):
        Message.objects.filter(status="queued").update(next_attempt_at=None)
        Conversation.objects.update(next_send_at=None)
        outbox.drain()
    Attachment.objects.update(next_attempt_at=None)
    media.drain()
    assert len(graph.sent) >= 3
    in_the_administration(browser, talk)
    token = by_the_api(manager, talk)
    signing_in()
    what_breaks(inbox, browser, token, monkeypatch)

    written = log.getvalue()
    assert "Boom" in written, "what broke is told"
    assert written.count("\n") > 20
    for secret in (*KEPT_OUT, token):
        assert [line[:300] for line in written.splitlines() if secret in line] == [], secret


@pytest.mark.covers("W21")
@pytest.mark.parametrize("as_json", [True, False])
def test_w21_a_line_stays_a_line(as_json):
    configure_logging(level="INFO", as_json=as_json)
    formatter = logging.getLogger().handlers[0].formatter
    for hostile in ("a\r\nFAKE admin signed in", "\x1b[2J\x1b[31mred", "%s%n", "${jndi:ldap://x}", "\u2028x"):
        record = logging.LogRecord("x", logging.WARNING, __file__, 1, "said %s", (hostile,), None)
        line = formatter.format(record)
        assert "\n" not in line
        assert "\x1b" not in line
    configure_logging(level="INFO", as_json=True)
