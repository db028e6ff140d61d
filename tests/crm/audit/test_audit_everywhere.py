"""Every table is audited, shown by driving a change of it, or stands in a list with the reason why not."""

import io

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.answers.models import CannedAnswer
from conversations.desk import saved_views
from conversations.desk.models import SavedView
from conversations.desk.queue import ViewQuery
from conversations.inboxes import rotation
from conversations.inboxes.models import WhatsAppAccount
from conversations.ingest.models import WebhookEvent
from conversations.messaging import fence
from conversations.messaging.models import Message
from crm.audit import log
from crm.audit.models import AuditEntry
from crm.contacts import attributes, notes, profile
from crm.contacts.models import Contact, ContactNote, CustomAttribute, Tag
from crm.foundation import aio, clock
from crm.foundation.secrets import seal
from crm.staff import tokens
from tests.api import Integrator
from tests.conversations.outbound.sending import say, send
from tests.crm.audit import people
from tests.factories import AccountFactory, ContactFactory, InboxFactory, TagFactory, TeamFactory, UserFactory
from tests.graph_side import GraphSide
from tests.webhooks import arrive, make_inbox, messages, status, statuses, text

pytestmark = [pytest.mark.django_db, pytest.mark.covers("A12")]

OWN = ("crm", "catalog", "conversations", "simulator")
NOT_AUDITED = {
    # What is said, and what happens to it: the rows themselves and `ConversationEvent` say who and when.
    "conversations.conversation": "assignments, states and tags are events of the conversation, with who and when",
    "conversations.conversationtag": "as conversation",
    "conversations.conversationevent": "is that history",
    "conversations.message": "has its author and every state's time; settled by hand in the administration: recorded",
    "conversations.attempt": "each try to send a message: part of its history",
    "conversations.reaction": "who reacted, and when, is in the row",
    "conversations.attachment": "a file of a message",
    "conversations.scheduledmessage": "has its author and state; cancelled in the administration: recorded",
    "conversations.notice": "what is told to staff, made by the notes that mention them",
    # Somebody's own view of the work; nobody else sees it.
    "conversations.conversationpin": "one's own",
    "conversations.conversationread": "one's own",
    "conversations.draft": "one's own, until it is sent",
    # What machines write: on the road of a message, or to keep themselves in order.
    "conversations.webhookevent": "the bytes as Meta sent them; replayed: recorded",
    "conversations.eventitem": "what was understood of them",
    "conversations.refusedwebhooks": "a count",
    "conversations.parkedupdate": "waits for its message; applied by hand: recorded",
    "conversations.portfoliouse": "a budget",
    "conversations.mediaattempt": "a budget",
    "conversations.numbercheck": "Meta's answers; that somebody asked is recorded",
    "conversations.livehint": "gone in two days",
    "conversations.seat": "who looks at what just now",
    "crm.channelidentity": "comes and changes by what WhatsApp says; former values are rows of their own",
    "crm.identityvalue": "is that history",
    "crm.storedanswer": "gone in a day",
    "crm.staffsession": "signing in and out is recorded about the user",
    "crm.tries": "counts; failures to sign in are recorded about the user",
    # Histories.
    "crm.contactchange": "the timeline's history of a contact; the same change is recorded about the contact",
    "crm.auditentry": "is the log",
    "crm.user_groups": "gives no rights: roles do",
    "crm.user_user_permissions": "gives no rights: roles do",
} | people.NOT_AUDITED


def integrator(*scopes):
    return Integrator(UserFactory(integrator=True), *scopes)


def browser(user):
    client = Client()
    client.force_login(user)
    return client


def contact_by_hand():
    profile.write(Contact(), by=UserFactory(), name="Ana", tags=["VIP"])


def contact_by_api():
    integrator().patch(f"contacts/{ContactFactory().pk}/", {"company": "ACME", "tags": ["VIP"]})


def contact_tag():
    contact, agent = ContactFactory(), UserFactory()
    profile.tag(contact, TagFactory().name, by=agent)
    profile.untag(contact, Tag.objects.get().pk, by=agent)


def note():
    contact, agent = ContactFactory(), UserFactory()
    written = notes.add(contact, "Allergic to nuts", by=agent)
    notes.edit(written, "Allergic to all nuts", by=agent)
    notes.delete(ContactNote.objects.get(), by=agent)


def tag_by_name():
    profile.find_or_make_tag("VIP")


def tag_by_api():
    caller = integrator()
    pk = caller.post("tags/", {"name": "VIP"}).json()["id"]
    caller.patch(f"tags/{pk}/", {"colour": 5})
    caller.delete(f"tags/{pk}/")


def attribute_by_api():
    caller = integrator()
    pk = caller.post("attributes/", {"key": "plan", "label": "Plan"}).json()["id"]
    caller.patch(f"attributes/{pk}/", {"label": "Tariff"})
    caller.delete(f"attributes/{pk}/")


def attribute_removed():
    attributes.remove(CustomAttribute.objects.create(key="plan", label="Plan"))


def product_by_api():
    caller = integrator()
    home = {"retailer_id": "P", "name": "Home", "price": "1.000", "currency": "EUR"}
    pk = caller.post("products/", home).json()["id"]
    caller.patch(f"products/{pk}/", {"name": "House"})
    caller.delete(f"products/{pk}/")


def answer_by_api():
    caller = integrator()
    pk = caller.post("canned-answers/", {"shortcut": "hi", "body": "Hello"}).json()["id"]
    caller.patch(f"canned-answers/{pk}/", {"body": "Hello there"})
    caller.delete(f"canned-answers/{pk}/")


def answer_at_the_desk():
    client, address = browser(UserFactory(manager=True)), reverse("desk:canned-answers")
    client.post(address, {"shortcut": "hi", "body": "Hello"})
    client.post(address, {"action": "delete", "id": CannedAnswer.objects.get().pk})


def view_of_a_team():
    manager, team = UserFactory(manager=True), TeamFactory()
    view = saved_views.save(manager, "Urgent", ViewQuery.of({}), team)
    saved_views.rename(view, "Very urgent", by=manager)
    saved_views.delete(view, by=manager)


def token():
    tokens.issue(UserFactory(), ["read"], name="shop")


def token_by_command():
    call_command("create_token", user=UserFactory().email, stdout=io.StringIO())


def user_by_command(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("correct-horse-battery\n"))
    call_command("add_user", "nora@example.test", name="Nora", team=["Sales"], stdout=io.StringIO())


def number_by_command(monkeypatch):
    for name in ("Sales", "Support"):
        monkeypatch.setattr("sys.stdin", io.StringIO("EAAG-token\nnew-app-secret\n"))
        call_command(
            "add_number", name=name, waba_id="1", phone_number_id="2", team=[name], no_check=True, stdout=io.StringIO()
        )


def invitation():
    browser(UserFactory(manager=True)).post(reverse("admin:crm_user_invite", args=[UserFactory().pk]))


def members_of_a_team():
    team = TeamFactory()
    browser(UserFactory(manager=True)).post(
        reverse("admin:crm_team_change", args=[team.pk]), {"name": team.name, "members": [UserFactory().pk]}
    )


def teams_of_a_number():
    inbox, team = InboxFactory(), TeamFactory()
    data = {"name": inbox.name, "display_phone_number": "+34 1", "sends_per_second": 80, "teams": [team.pk]}
    browser(UserFactory(manager=True)).post(reverse("admin:conversations_inbox_change", args=[inbox.pk]), data)


def app_secret():
    account = AccountFactory()
    rotation.rotate(account, new="another-secret", retire=[account.app_secrets.get().pk])


def fence_by_command():
    call_command("fence", up=True, stdout=io.StringIO())
    call_command("fence", lift=True, cancel_waiting=True, stdout=io.StringIO())


def fence_at_the_desk():
    fence.raise_("restored")
    browser(UserFactory(manager=True)).post(reverse("desk:fence"), {"waiting": "send"})


NUMBER_BY_COMMAND = [
    "conversations.whatsappaccount created", "conversations.whatsappaccount secret_added", "crm.team created",
    "conversations.inbox created", "crm.team created", "conversations.inbox changed",
]  # fmt: skip

# What was changed: by whom, through which road (source), about which kind of thing, and all that is recorded of it.
DRIVEN = [
    ("crm.contact", contact_by_hand, "system", "crm.contact", ["crm.tag created", "crm.contact created"]),
    ("crm.contact", contact_by_api, "api", "crm.contact", ["crm.tag created", "crm.contact changed"]),
    ("crm.contacttag", contact_tag, "system", "crm.contact", ["crm.contact changed", "crm.contact changed"]),
    ("crm.contactnote", note, "system", "crm.contact",
     ["crm.contact note_added", "crm.contact note_edited", "crm.contact note_deleted"]),
    ("crm.tag", tag_by_name, "system", "crm.tag", ["crm.tag created"]),
    ("crm.tag", tag_by_api, "api", "crm.tag", ["crm.tag created", "crm.tag changed", "crm.tag deleted"]),
    ("crm.customattribute", attribute_by_api, "api", "crm.customattribute",
     ["crm.customattribute created", "crm.customattribute changed", "crm.customattribute deleted"]),
    ("crm.customattribute", attribute_removed, "system", "crm.customattribute", ["crm.customattribute deleted"]),
    ("catalog.product", product_by_api, "api", "catalog.product",
     ["catalog.product created", "catalog.product changed", "catalog.product deleted"]),
    ("conversations.cannedanswer", answer_by_api, "api", "conversations.cannedanswer",
     [f"conversations.cannedanswer {act}" for act in ("created", "changed", "deleted")]),
    ("conversations.cannedanswer", answer_at_the_desk, "desk", "conversations.cannedanswer",
     [f"conversations.cannedanswer {act}" for act in ("created", "deleted")]),
    ("conversations.savedview", view_of_a_team, "system", "conversations.savedview",
     [f"conversations.savedview {act}" for act in ("created", "changed", "deleted")]),
    ("crm.apitoken", token, "system", "crm.apitoken", ["crm.apitoken created"]),
    ("crm.apitoken", token_by_command, "command", "crm.apitoken", ["crm.apitoken created"]),
    ("crm.user", user_by_command, "command", "crm.user", ["crm.team created", "crm.user created"]),
    ("crm.team", user_by_command, "command", "crm.team", ["crm.team created", "crm.user created"]),
    ("crm.invitation", invitation, "admin", "crm.user", ["crm.user invited"]),
    ("crm.membership", members_of_a_team, "admin", "crm.team", ["crm.team changed"]),
    ("conversations.inbox_teams", teams_of_a_number, "admin", "conversations.inbox", ["conversations.inbox changed"]),
    ("conversations.inbox", number_by_command, "command", "conversations.inbox", NUMBER_BY_COMMAND),
    ("conversations.whatsappaccount", number_by_command, "command", "conversations.whatsappaccount",
     NUMBER_BY_COMMAND),
    ("conversations.appsecret", app_secret, "system", "conversations.whatsappaccount",
     ["conversations.whatsappaccount secret_added", "conversations.whatsappaccount secret_retired"]),
    ("conversations.sendfence", fence_by_command, "command", "conversations.sendfence",
     ["conversations.sendfence sending_stopped", "conversations.sendfence sending_resumed"]),
    ("conversations.sendfence", fence_at_the_desk, "desk", "conversations.sendfence",
     ["conversations.sendfence sending_stopped", "conversations.sendfence sending_resumed"]),
    *people.DRIVEN,
]  # fmt: skip


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.mark.sqlite_too
@pytest.mark.parametrize("driven", DRIVEN, ids=lambda driven: f"{driven[0]}-{driven[1].__name__}")
def test_a12_a_change_is_recorded_once_with_who_and_where_from(monkeypatch, driven):
    _label, drive, source, about, acts = driven
    drive(*[monkeypatch] * drive.__code__.co_argcount)
    every = AuditEntry.objects.order_by("pk")
    if about != "crm.apitoken":
        every = every.exclude(source="system", model="crm.apitoken")  # the integrator's own
    assert [f"{model} {action}" for model, action in every.values_list("model", "action")] == acts
    found = every.filter(model=about).exclude(action="sending_stopped", source="system")  # before the desk's
    if source == "admin":
        found = found.exclude(action="merged", source="system")  # before a split
    assert {entry.source for entry in found} == {source}
    told = [entry for entry in found if entry.action not in people.WITHOUT_CHANGES]
    assert all(entry.changes for entry in told), "without what changed"
    if source != "system":
        assert all(entry.user_name for entry in found), "without who"
    if source == "api":
        assert all(entry.token_prefix and entry.ip for entry in found)


def test_a12_every_table_is_audited_or_says_why_not():
    models = [model for model in apps.get_models(include_auto_created=True) if model.__module__.startswith(OWN)]
    there = {model._meta.label_lower for model in models}
    audited = {label for label, *_rest in DRIVEN}
    assert sorted(audited & set(NOT_AUDITED)) == []
    assert sorted(there - audited - set(NOT_AUDITED)) == [], "drive a change of these, or say why they are not audited"
    assert sorted((audited | set(NOT_AUDITED)) - there) == [], "lines without a table"
    assert all(NOT_AUDITED.values())


@pytest.mark.covers("A07")
def test_neither_secrets_nor_the_text_of_notes_are_in_the_log(monkeypatch):
    note()
    number_by_command(monkeypatch)
    token_by_command()
    people.event_by_api()
    people.request_by_hand()
    people.hold_by_hand()
    people.file_by_api()
    written = str(list(AuditEntry.objects.values("changes", "object_name", "search_text")))
    for secret in ("Allergic", "EAAG-token", "new-app-secret", "Secret", "secret-1", "Paid in full"):
        assert secret not in written


def test_no_change_without_its_entry(monkeypatch):
    tag = TagFactory(name="old")
    monkeypatch.setattr(log, "changed", lambda *args, **more: 1 / 0)
    client = Integrator(UserFactory(integrator=True))
    client.client.raise_request_exception = False
    assert client.patch(f"tags/{tag.pk}/", {"name": "new"}).status_code == 500
    tag.refresh_from_db()
    assert tag.name == "old"


def test_no_entry_without_its_change(monkeypatch):
    tag = TagFactory(name="old")
    client = Integrator(UserFactory(integrator=True))
    client.client.raise_request_exception = False
    monkeypatch.setattr(Tag, "delete", lambda self: 1 / 0)
    assert client.delete(f"tags/{tag.pk}/").status_code == 500
    assert not AuditEntry.objects.filter(model="crm.tag").exists()


def test_own_views_and_writing_what_stands_leave_no_trace():
    agent = UserFactory()
    saved_views.delete(saved_views.save(agent, "Mine", ViewQuery.of({}), None), by=agent)
    contact = ContactFactory(company="ACME")
    profile.write(contact, by=agent, company="ACME")
    client = integrator()
    before = AuditEntry.objects.count()
    client.patch(f"contacts/{contact.pk}/", {"company": "ACME"})
    assert AuditEntry.objects.count() == before
    assert not SavedView.objects.exists()


def test_each_things_history_shows_what_came_by_every_road():
    contact, manager = ContactFactory(), UserFactory(manager=True)
    profile.write(contact, by=UserFactory(name="Luis"), company="From the inbox")
    integrator().patch(f"contacts/{contact.pk}/", {"company": "From a program"})
    client = browser(manager)
    history = client.get(reverse("admin:crm_contact_history", args=[contact.pk])).content.decode()
    assert history.index("From a program") < history.index("Luis")


def test_commands_that_keep_house_are_recorded(monkeypatch):
    event = WebhookEvent.objects.create(sealed_body=seal(b"{}"), state="quarantined")
    call_command("replay", stdout=io.StringIO())
    call_command("retention", stdout=io.StringIO())
    found = dict(AuditEntry.objects.filter(source="command").values_list("action", "changes"))
    assert found["replayed"] == {"events": [None, 1], "ids": [None, [event.pk]]}
    assert "cleaned" in found


def test_the_road_of_a_message_asks_nothing_of_the_log():
    graph = GraphSide().start()
    try:
        inbox = make_inbox()
        WhatsAppAccount.objects.update(graph_base_url=graph.url)
        with CaptureQueriesContext(connection) as captured:
            arrive(inbox, messages(text("wamid.1", at=int(clock.real().timestamp()))))
            conversation = Message.objects.get().conversation
            sent = send(say(conversation))
            arrive(inbox, statuses(status(sent.external_id, "read", at=int(clock.real().timestamp()))))
    finally:
        aio.close()
        graph.stop()
    sent.refresh_from_db()
    assert sent.status == "read"
    assert not [query for query in captured.captured_queries if "auditentry" in query["sql"]]
    assert not AuditEntry.objects.exists()
