"""The demo data: what it promises is there, as the product itself would have stored it, and every page of it shows."""

import datetime as dt
import random
import re
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.template import engines
from django.urls import reverse

from catalog.products.models import Product
from conversations.channels.base import StatusUpdate, Text
from conversations.demo import build, samples
from conversations.demo.people import ACCOUNTS, PASSWORD, found_house
from conversations.demo.scene import Scene
from conversations.demo.script import (
    Line,
    Person,
    Story,
    answers,
    calls,
    edits,
    likes,
    notes,
    phones,
    reacts,
    resolved,
    revokes,
    says,
    sends,
    sends_file,
)
from conversations.desk import kinds, queue
from conversations.inboxes.models import WhatsAppAccount
from conversations.ingest import items
from conversations.messaging import deliveries, media, media_store, outbound, threads
from conversations.messaging.models import (
    Attachment,
    Attempt,
    Conversation,
    ConversationEvent,
    ConversationRead,
    Message,
    Reaction,
)
from crm.consent.models import Consent, ConsentEvent
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint
from crm.exchange.models import ImportRow
from crm.foundation import clock
from crm.merging.models import DuplicatePair
from crm.privacy.models import PrivacyRequest
from crm.segments.models import Segment
from crm.staff.models import Role, User

MODELS = (
    Attachment, Attempt, Contact, Conversation, ConversationEvent, ConversationRead, Message, Reaction, User,
    Consent, ConsentEvent, ContactPoint, DuplicatePair, ImportRow, PrivacyRequest, Segment,
)  # fmt: skip
# What is on its way would be sent for real as soon as a demo starts.
ON_ITS_WAY = {"queued", "claimed", "sending"}
NOT_COMPARED = {"id", "client_id", "reference", "file", "conversation", "contact", "identity", "message", "sender"}


@pytest.fixture
def demo(db, settings, tmp_path):
    settings.DEMO = True
    settings.MEDIA_ROOT = tmp_path
    call_command("load_demo")
    return SimpleNamespace(**{user.email.partition("@")[0]: user for user in User.objects.all()})


def open_ones(**conditions):
    return Conversation.objects.filter(status="open", **conditions).count()


@pytest.mark.sqlite_too
def test_each_queue_has_enough_to_do(demo):
    assert 55 <= Conversation.objects.count() <= 65
    assert open_ones(assignee=demo.agent) >= 12
    assert open_ones(assignee=demo.agent2) >= 12
    assert open_ones(assignee=None) >= 10
    assert open_ones(assignee=demo.manager) >= 2
    assert Conversation.objects.filter(status="resolved").count() >= 6
    for user in (demo.agent, demo.agent2):
        assert Conversation.objects.visible_to(user).values("inbox").distinct().count() == 2
        counts = {view["key"]: view["count"] for view in queue.views_for(user, queue.ViewQuery())}
        assert counts["mine"] >= 12
        assert counts["unassigned"] >= 10
    assert 0 < Conversation.objects.visible_to(demo.restricted).count() < 10


def test_the_printed_accounts_sign_in_and_the_others_cannot(demo, client):
    for email in ACCOUNTS:
        assert client.login(username=email, password=PASSWORD)
    assert not demo.restricted.has_usable_password()
    assert not demo.integrator.has_usable_password()
    assert {user.time_zone for user in User.objects.all()} == {"Europe/Madrid"}
    assert {user.role for user in User.objects.all()} == set(Role.values)


@pytest.mark.sqlite_too
def test_loading_again_changes_nothing(demo):
    before = [list(model.objects.order_by("pk").values()) for model in MODELS]
    call_command("load_demo")
    assert [list(model.objects.order_by("pk").values()) for model in MODELS] == before


def test_outside_a_demo_nothing_is_loaded(db, settings):
    settings.DEMO = False
    with pytest.raises(CommandError, match="DEMO=1"):
        call_command("load_demo")
    assert not User.objects.exists()


def test_setup_says_where_to_go_and_who_may_sign_in(db, settings, tmp_path, capsys):
    settings.DEMO, settings.PUBLIC_URL, settings.MEDIA_ROOT = True, "http://127.0.0.1:8123", tmp_path
    call_command("setup")
    told = capsys.readouterr().out
    for what in ("/inbox/", "/simulator/", "/api/v1/schema/"):
        assert f"http://127.0.0.1:8123{what}" in told
    for what in (*ACCOUNTS, PASSWORD):
        assert what in told


def test_setup_outside_a_demo_only_migrates(db, settings, capsys):
    settings.DEMO = False
    call_command("setup")
    assert capsys.readouterr().out == ""
    assert not User.objects.exists()


@pytest.mark.sqlite_too
def test_it_loads_in_bulk(db, settings, tmp_path, monkeypatch, django_assert_max_num_queries):
    settings.DEMO, settings.MEDIA_ROOT = True, tmp_path
    told, relate = [], build.relate
    monkeypatch.setattr(build, "relate", lambda *arguments: told.append(arguments))
    with django_assert_max_num_queries(200):
        call_command("load_demo")
    with django_assert_max_num_queries(1600):  # as staff would have done it, one after the other
        relate(*told[0])


def test_two_installations_have_the_same_stories_and_different_secrets(db, settings, tmp_path):
    settings.DEMO, settings.MEDIA_ROOT = True, tmp_path
    seen = []
    for _ in range(2):
        with transaction.atomic():
            call_command("load_demo")
            account = WhatsAppAccount.objects.get()
            ids = list(Message.objects.order_by("pk").values_list("client_id", "external_id", "text"))
            seen.append((ids, account.access_token, account.app_secrets.get().secret, account.graph_base_url))
            transaction.set_rollback(True)
    (first, token, secret, base_url), (second, other_token, other_secret, _) = seen
    assert first == second
    assert token != other_token
    assert secret != other_secret
    assert len(secret) == 32
    assert base_url == ""


def test_every_kind_the_inbox_can_show_occurs(demo):
    stored = set(Message.objects.values_list("kind", flat=True))
    assert set(kinds.WORDS) - {"revoked"} <= stored
    assert stored - set(kinds.WORDS) - {"text", "reaction"} == {"poll"}, "one kind this version does not know"
    assert Message.objects.filter(revoked_at__isnull=False).exists()
    assert Message.objects.filter(edited_at__isnull=False).exclude(original_text="").exists()
    assert set(Attachment.objects.values_list("state", flat=True)) == set(Attachment.State.values)
    assert set(Message.objects.values_list("direction", flat=True)) == set(Message.Direction.values)
    authors = set(Message.objects.values_list("author_kind", flat=True))
    assert authors == {"contact", "agent", "phone", "api", "system", "rule"}
    assert Message.objects.filter(reply_to__isnull=False, direction="in").exists()
    assert Message.objects.filter(reply_to__isnull=False, direction="out").exists()
    assert Message.objects.filter(is_forwarded=True).exists()
    assert Message.objects.filter(payload__has_key="referral").exists()
    assert Message.objects.filter(payload__has_key="product").exists()
    assert Reaction.objects.filter(actor="us").exists()
    assert Reaction.objects.exclude(actor="us").exists()
    assert ConversationEvent.objects.filter(kind="wa_id_changed").exists()
    assert Contact.objects.filter(kind="group").exists()
    assert ChannelIdentity.objects.filter(wa_id=None, user_id__startswith="ES.").exists()
    ordered = Message.objects.get(kind="order").payload["product_items"]
    assert Product.objects.filter(retailer_id__in=[item["product_retailer_id"] for item in ordered]).count() >= 2


def test_every_state_occurs(demo):
    now = clock.now()
    assert set(Message.objects.values_list("status", flat=True)) == set(Message.Status.values) - ON_ITS_WAY
    codes = set(Message.objects.filter(status="failed").values_list("error_code", flat=True))
    assert codes == {"131026", "131047"}
    conversations = list(Conversation.objects.with_unread(demo.agent).select_related("contact"))
    assert {row.window_state(now) for row in conversations} == {"open", "closing", "closed", "never", "none"}
    assert {row.status for row in conversations} == {"open", "snoozed", "resolved", "dormant"}
    assert {row.unread > 0 for row in conversations} == {True, False}
    waits = [now - row.waiting_since for row in conversations if row.waiting_since]
    assert min(waits) < dt.timedelta(minutes=10)
    assert max(waits) > dt.timedelta(hours=24)
    assert sum(row.free_entry_expires_at is not None for row in conversations) == 1
    longest = max(row.messages.count() for row in conversations)
    assert longest > 400


@pytest.mark.sqlite_too
def test_nothing_lies_in_the_future_and_the_list_shows_the_newest(demo):
    now = clock.now()
    for name in ("sort_at", "created_at", "accepted_at", "sent_at", "delivered_at", "read_at", "played_at"):
        assert not Message.objects.filter(**{f"{name}__gt": now}).exists(), name
    for conversation in Conversation.objects.all():
        newest = conversation.messages.bubbles().exclude(direction="note").order_by("-sort_at", "-pk").first()
        assert conversation.last_message_id == newest.pk
        assert conversation.last_sort_at == newest.sort_at
    for message in Message.objects.filter(status__in=["read", "played"], author_kind="agent"):
        assert message.created_at <= message.sent_at <= message.delivered_at <= message.read_at
    for row in Attachment.objects.filter(state="stored"):
        assert row.file.size == row.size > 0


@pytest.fixture
def missing_variables(monkeypatch):
    monkeypatch.setattr(engines["django"].engine, "string_if_invalid", "(missing %s)")


def holes(page):
    """Variables a template asked for and did not get; nobody's id is empty on purpose."""
    return set(re.findall(r"\(missing ([^)]*)\)", page.content.decode())) - {"row.assignee.pk"}


@pytest.mark.filterwarnings("ignore:No directory at")
@pytest.mark.parametrize(("language", "remainder"), [("es", 0), ("en", 1)])
def test_every_thread_and_every_list_shows(demo, client, language, remainder, missing_variables):
    User.objects.update(language=language)
    for user in (demo.agent, demo.agent2, demo.manager):
        client.force_login(user)
        for view in queue.VIEWS:
            page = client.get(reverse("desk:inbox"), {"view": view, "status": "all"})
            assert page.status_code == 200
            assert holes(page) == set()
    for conversation in list(Conversation.objects.select_related("contact").order_by("pk"))[remainder::2]:
        page = client.get(reverse("desk:conversation", args=[conversation.pk]))
        assert page.status_code == 200, conversation
        assert holes(page) == set(), conversation
        assert f'<html lang="{language}"' in page.content.decode()


# --- the same as if it had happened ---

NOBODY = Person("Prueba", "34799199001", username="prueba")
EVERYTHING = [
    says("Hola, vi el anuncio", also={"referral": {"headline": "Tu casa"}}, label="first"),
    answers("Buenas *tardes*", label="answer"),
    reacts("👍", "answer"),
    sends_file("image", "car.jpg", "La foto", quotes="answer", label="photo"),
    answers("Recibida", quotes="photo"),
    likes("❤️", "photo"),
    edits("Hola, vi el anuncio de hogar", "first"),
    sends("location", {"latitude": 40.1, "longitude": -3.2}),
    says("borrar esto", label="gone", gap=30),
    revokes("gone"),
    notes("Ojo con este"),
    phones("Desde el móvil de la oficina"),
    resolved(),
    calls(61),
    sends("system", {"type": "customer_identity_changed", "body": "…"}),
    says("reenviado", also={"context": {"frequently_forwarded": True}}),
]


@pytest.mark.sqlite_too
@pytest.mark.django_db
@pytest.mark.parametrize("length", [1, 2, 3, 7, 12, 13, len(EVERYTHING)])
def test_a_story_is_what_webhooks_and_agents_would_have_made_of_it(monkeypatch, settings, tmp_path, length):
    settings.MEDIA_ROOT = tmp_path
    arrived = []
    parse = Scene._parsed

    def parsed(self, line, at):
        arrived.append(parse(self, line, at))
        return arrived[-1]

    monkeypatch.setattr(Scene, "_parsed", parsed)
    house, now = found_house(), clock.now().replace(microsecond=0)
    story = Story(NOBODY, EVERYTHING[:length], owner="ana", team="care")
    (scene,) = build.build([story], house, random.Random(7), now)
    told = everything_stored()
    sent = {message.text: message for message in scene.messages if message.author_kind == "agent"}
    reaction = next((message for message in scene.messages if message.kind == "reaction"), None)
    ConversationRead.objects.all().delete()
    Conversation.objects.all().delete()
    Contact.objects.all().delete()

    act_out(scene, arrived, sent, reaction, monkeypatch)
    lived = everything_stored()
    for name in told:
        assert len(told[name]) == len(lived[name]), name
        for by_demo, by_life in zip(told[name], lived[name], strict=True):
            assert by_demo == by_life, name


def act_out(scene, arrived, sent, reaction, monkeypatch):
    """Let the story happen: through the pipeline, the composer and the outbox's settling."""
    house, inbox, updates = scene.house, scene.inbox, iter(arrived)
    ana = house.staff["ana"]
    for index, (line, at) in enumerate(zip(scene.story.lines, scene.times, strict=True)):
        monkeypatch.setattr(clock, "real", lambda at=at: at + dt.timedelta(seconds=1))
        conversation = Conversation.objects.select_related("inbox").first()
        if line.does in ("customer", "echo", "call"):
            items.apply(next(updates), {inbox.phone_number_id: inbox})
            for attachment in Attachment.objects.filter(state="pending").select_related("message"):
                media_store.keep(attachment, (samples.FOLDER / line.file).read_bytes())
                media._finish(media.Job(attachment, attachment.next_attempt_at, 0, None), Attachment.State.STORED)
        else:
            monkeypatch.setattr(clock, "real", lambda at=at: at)
            happen(line, conversation, ana, sent, reaction, monkeypatch)
        if index == 0:
            conversation = Conversation.objects.get()
            monkeypatch.setattr(clock, "real", lambda at=at: at + dt.timedelta(seconds=20))
            threads.assign(conversation, by=ana, assignee=ana, team=house.teams["care"])


def happen(line: Line, conversation, ana, sent, reaction, monkeypatch):
    if line.does == "resolved":
        threads.set_status(conversation, "resolved", by=ana)
        return
    if line.does == "note":
        outbound.note(conversation, by=ana, text=line.text)
        return
    if line.kind == "reaction":
        wanted = reaction
        content = outbound.Reaction(wanted.payload["message_id"], wanted.payload["emoji"])
        quoted = None
    else:
        wanted = sent[line.text]
        content = Text(line.text)
        quoted = Message.objects.filter(external_id=wanted.quoted_external_id).first()
    message, _made = outbound.compose(conversation, by=ana, content=content, origin="agent", reply_to=quoted)
    attempt = Attempt.objects.create(message=message, started_at=message.created_at)
    monkeypatch.setattr(clock, "real", lambda: wanted.accepted_at)
    message.status = "sending"
    deliveries.settle(message, attempt, wanted.external_id)
    for step in ("sent", "delivered", "read"):
        at = getattr(wanted, f"{step}_at")
        if at:
            update = StatusUpdate(external_id=wanted.external_id, status=step, at=at, pricing=wanted.pricing)
            deliveries.apply(message.inbox, update)


def everything_stored():
    """All rows of the story by content, ids left out; what points at a message names it by its WhatsApp id."""
    wamid_of = dict(Message.objects.values_list("pk", "external_id"))

    def rows(model):
        found = []
        for row in model.objects.order_by("pk"):
            values = {field.name: getattr(row, field.attname) for field in model._meta.fields}
            values |= {"reply_to": wamid_of.get(values.get("reply_to"))}
            values |= {"last_message_id": wamid_of.get(values.get("last_message_id"))}
            found.append({name: value for name, value in values.items() if name not in NOT_COMPARED})
        return found

    stored = {model.__name__: rows(model) for model in (Contact, ChannelIdentity, Conversation, Message, Attachment)}
    stored |= {model.__name__: rows(model) for model in (Attempt, ConversationEvent)}
    stored["Reaction"] = [
        (wamid_of[row.message_id], "us" if row.actor == "us" else "them", row.emoji, row.reacted_at)
        for row in Reaction.objects.order_by("pk")
    ]
    return stored
