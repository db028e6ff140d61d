"""The register, holds, restriction, who looked, and the schedule: by function, in the administration and by API."""

import datetime as dt
import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from conversations.messaging import outbound
from conversations.messaging.errors import ReadOnlyConversation
from conversations.messaging.models import Attachment, Conversation, Message
from crm.audit.models import AuditEntry
from crm.consent import ledger
from crm.contacts.models import Contact
from crm.foundation import clock, work
from crm.privacy import accesses, holds, processing, requests, retention
from crm.privacy.models import AccessLogEntry, LegalHold, PrivacyRequest, Processor
from crm.staff import tokens

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def contact(factories):
    return factories.ContactFactory(name="Ana")


@pytest.fixture
def admin(manager):
    client = Client()
    client.force_login(manager)
    return client


@pytest.fixture
def api(factories):
    """What an integrator's program says."""
    text = tokens.issue(factories.UserFactory(integrator=True), ["read", "write"])
    return Client(headers={"Authorization": f"Bearer {text}"})


def asked(contact, kind, by, **more):
    return requests.record(contact, kind, by=by, verified_by="passport", **more)


@pytest.mark.covers("G12")
def test_the_month_counts_from_the_day_they_asked(contact, manager):
    row = asked(contact, "access", manager, asked_at=clock.now() - 21 * DAY)
    assert row.due_at - row.asked_at == 30 * DAY
    assert list(requests.pressing()) == [row]
    requests.extend(row, by=manager)
    assert not requests.pressing().exists()
    with pytest.raises(requests.NotNow):
        requests.extend(row, by=manager)


def test_a_refused_request_says_why_and_is_over(contact, manager):
    row = asked(contact, "erasure", manager)
    requests.refuse(row, by=manager, reason="tax law")
    row.refresh_from_db()
    assert (row.state, row.reason) == ("refused", "tax law")
    with pytest.raises(requests.NotNow):
        requests.start(row, by=manager)


def test_starting_twice_is_starting_once(contact, manager):
    row = asked(contact, "access", manager)
    requests.start(row, by=manager)
    requests.start(row, by=manager)
    assert AuditEntry.objects.filter(action="started").count() == 1


@pytest.mark.covers("G19")
def test_restriction_keeps_and_does_not_use(manager, factories):
    conversation = factories.ConversationFactory()
    row = asked(conversation.contact, "restriction", manager)
    requests.start(row, by=manager)
    conversation.contact.refresh_from_db()
    assert conversation.contact.restricted_at is not None
    assert not ledger.may(conversation.contact, "service")
    with pytest.raises(ReadOnlyConversation):
        outbound.compose(conversation, by=manager, content=outbound.Text("Hello"), origin="agent")
    holds.restrict(conversation.contact, by=manager, is_on=False)
    assert ledger.may(conversation.contact, "service")


@pytest.mark.covers("G09")
def test_an_objection_withdraws_marketing(contact, manager):
    requests.start(asked(contact, "objection", manager), by=manager)
    assert ledger.state_of(contact, "marketing") == "withdrawn"


def test_a_hold_ends_with_its_last_day(contact, manager):
    holds.hold(contact, reason="lawsuit", by=manager, until=clock.now().date() - DAY)
    holds.check(contact.pk)
    holds.hold(contact, reason="lawsuit", by=manager, until=clock.now().date())
    with pytest.raises(holds.Held):
        holds.check(contact.pk)


@pytest.mark.covers("G29")
def test_looks_within_the_hour_are_one_row(contact, manager, monkeypatch):
    began = clock.now()
    for minutes in (0, 0, 2, 4):
        monkeypatch.setattr(clock, "now", lambda at=began + dt.timedelta(minutes=minutes): at)
        accesses.note(manager, contact, "profile")
    accesses.note(manager, contact, "copy")
    accesses.note(manager, contact, "copy")
    later = began + dt.timedelta(minutes=61)
    monkeypatch.setattr(clock, "now", lambda: later)
    accesses.note(manager, contact, "profile")
    assert sorted(AccessLogEntry.objects.values_list("what", "count")) == [
        ("copy", 1), ("copy", 1), ("profile", 1), ("profile", 3),
    ]  # fmt: skip


@pytest.mark.covers("G29")
def test_opening_a_conversation_a_profile_and_a_contact_by_api_is_noted(admin, api, manager, factories):
    conversation = factories.ConversationFactory()
    admin.get(reverse("desk:conversation", args=[conversation.pk]))
    admin.get(reverse("admin:crm_contact_change", args=[conversation.contact_id]))
    admin.get(reverse("admin:conversations_conversation_change", args=[conversation.pk]))
    api.get(f"/api/v1/contacts/{conversation.contact_id}/")
    api.get(f"/api/v1/conversations/{conversation.pk}/messages/")
    seen = AccessLogEntry.objects.filter(contact=conversation.contact_id)
    assert sorted(seen.values_list("what", "count")) == [("api", 1), ("conversation", 1), ("profile", 1)]


@pytest.mark.covers("G28")
def test_the_log_of_a_period_is_a_table(admin, contact, manager):
    accesses.note(manager, contact, "profile")
    today = f"{clock.now():%Y-%m-%d}"
    answer = admin.get(reverse("admin:crm_accesslogentry_table"), {"from": today, "to": today})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[0] == "when,user,what,contact,times,detail"
    assert any(f"{manager.email},profile,{contact.pk},1," in line for line in lines)
    assert admin.get(reverse("admin:crm_accesslogentry_table"), {"from": "x", "to": "9999-99-99"}).status_code == 200


@pytest.mark.covers("G20")
def test_messages_and_files_go_after_the_time_that_is_set_unless_held(settings, manager, factories, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.RETENTION_DAYS = {"messages": 30, "media": 10}
    said = {}
    for name in ("held", "free"):
        conversation = factories.ConversationFactory()
        said[name] = [
            factories.MessageFactory(conversation=conversation, sort_at=clock.now() - days * DAY) for days in (40, 20)
        ]
        Conversation.objects.filter(pk=conversation.pk).update(
            last_message_id=said[name][0].pk, last_preview="old words"
        )
        for message in said[name]:
            Attachment.objects.create(
                message=message, conversation=conversation, kind="image", state="stored",
                created_at=message.created_at,
            )  # fmt: skip
    holds.hold(said["held"][0].conversation.contact, reason="lawsuit", by=manager)
    retention.clean()
    assert set(Message.objects.all()) == {*said["held"], said["free"][1]}
    assert Attachment.objects.get(message=said["free"][1]).state == "expired"
    assert {row.state for row in Attachment.objects.filter(message__in=said["held"])} == {"stored"}
    assert Conversation.objects.get(pk=said["free"][0].conversation_id).last_preview != "old words"


def test_people_not_heard_of_for_long_are_erased_where_that_is_set(settings, manager, factories):
    silent, held, fresh = (factories.ContactFactory() for _ in range(3))
    old = clock.now() - 800 * DAY
    Contact.objects.filter(pk__in=(silent.pk, held.pk)).update(created_at=old, last_inbound_at=old)
    holds.hold(held, reason="lawsuit", by=manager)
    retention.clean()
    assert not PrivacyRequest.objects.exists()
    settings.RETENTION_DAYS = {"silent-contacts": 730}
    retention.clean()
    work.run_until_idle(requests.DRAIN)
    assert set(Contact.objects.all()) == {held, fresh}


@pytest.mark.covers("G20")
def test_the_schedule_says_what_would_go(admin, factories):
    message = factories.MessageFactory()
    Attachment.objects.create(
        message=message, conversation=message.conversation, kind="image", state="stored",
        created_at=clock.now() - 200 * DAY,
    )  # fmt: skip
    page = admin.get(reverse("admin:crm_privacyrequest_retention"))
    (media,) = [rule for rule in page.context["rules"] if rule["key"] == "media"]
    assert (media["kept"], media["overdue"]) == ("180 days", "1")
    assert Attachment.objects.get().state == "stored"


@pytest.mark.covers("G24")
def test_the_record_of_processing_is_made_of_what_is_set(admin, settings, factories):
    factories.AccountFactory()
    settings.CONSENT_NEEDED_FOR = ["marketing", "profiling", "utility"]
    settings.RETENTION_DAYS = {"media": 77}
    Processor.objects.create(name="Host & Co", purpose="Hosting", country="DE")
    Processor.objects.create(name="Far away", purpose="Backups", country="US")
    page = admin.get(reverse("admin:crm_processor_record")).content.decode()
    assert "Host &amp; Co" in page
    assert "Missing" in page
    assert "77 days" in page
    assert "WhatsApp" in page
    assert "Not in the register" in page
    with translation.override("en"):
        by_purpose = dict(processing.purposes())
        assert "Consent" in by_purpose["Utility"]
        assert "Contract" in by_purpose["Service"]


def test_a_manager_records_and_answers_in_the_administration(admin, contact, manager):
    address = reverse("admin:crm_privacyrequest_add")
    body = {"contact": contact.pk, "kind": "erasure", "verified_by": "passport", "reason": ""}
    now = clock.now()
    page = admin.post(address, body | {"asked_at_0": f"{now:%Y-%m-%d}", "asked_at_1": "00:00"})
    assert page.status_code == 302, page.context["adminform"].form.errors
    row = PrivacyRequest.objects.get()
    act = reverse("admin:crm_privacyrequest_act", args=[row.pk])
    admin.post(act, {"act": "start"})
    row.refresh_from_db()
    assert row.state == "open", "nobody said that they were sure"
    admin.post(act, {"act": "start", "sure": "1"})
    work.run_until_idle(requests.DRAIN)
    assert not Contact.objects.filter(pk=contact.pk).exists()
    page = admin.get(reverse("admin:crm_privacyrequest_change", args=[row.pk])).content.decode()
    assert re.search(r"Conta\w+: 1\b", page)
    admin.post(act, {"act": "nonsense"})


def test_a_hold_is_set_and_lifted_in_the_administration(admin, contact):
    admin.post(reverse("admin:crm_legalhold_add"), {"contact": contact.pk, "reason": "lawsuit", "until": ""})
    row = LegalHold.objects.get()
    admin.post(
        reverse("admin:crm_legalhold_changelist"),
        {"action": "lift", "_selected_action": row.pk, "_row": row.pk, "index": 0},
    )
    row.refresh_from_db()
    assert row.lifted_at is not None
    told = AuditEntry.objects.about("crm.contact", contact.pk).values_list("action", flat=True)
    assert list(told) == ["hold_lifted", "held"]


@pytest.mark.parametrize(
    "page", ["crm_privacyrequest", "crm_legalhold", "crm_accesslogentry", "crm_processor"], ids=lambda page: page
)
def test_lists_cost_the_same_however_many_rows(admin, manager, contact, factories, page, django_assert_max_num_queries):
    for _ in range(5):
        row = asked(contact, "access", manager)
        holds.hold(contact, reason="lawsuit", by=manager)
        AccessLogEntry.objects.create(user=manager, contact=contact, what="profile")
        Processor.objects.create(name=f"Host {row.pk}", purpose="Hosting", country="DE")
    with django_assert_max_num_queries(8):
        assert admin.get(reverse(f"admin:{page}_changelist")).status_code == 200


def test_by_api_a_copy_is_asked_for_and_fetched(api, contact):
    base = f"/api/v1/contacts/{contact.pk}/export/"
    assert api.post(base, {}, content_type="application/json").status_code == 400
    answer = api.post(base, {"verified_by": "wrote from the number"}, content_type="application/json")
    assert answer.status_code == 202
    pk = answer.json()["id"]
    assert api.get(f"{base}{pk}/content/").status_code == 404
    work.run_until_idle(requests.DRAIN)
    assert api.get(f"{base}{pk}/").json()["state"] == "done"
    assert b"".join(api.get(f"{base}{pk}/content/").streaming_content)[:2] == b"PK"


def test_by_api_an_erasure_can_be_followed_to_its_end(api, contact, manager):
    base = f"/api/v1/contacts/{contact.pk}/erasure/"
    hold = holds.hold(contact, reason="lawsuit", by=manager)
    answer = api.post(base, {"verified_by": "passport"}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (409, "legal_hold")
    assert not PrivacyRequest.objects.exists()
    holds.lift(hold, by=manager)
    pk = api.post(base, {"verified_by": "passport"}, content_type="application/json").json()["id"]
    work.run_until_idle(requests.DRAIN)
    found = api.get(f"{base}{pk}/").json()
    assert (found["state"], found["result"]["erased"]["crm.contact"]) == ("done", 1)
    assert api.get("/api/v1/contacts/999999/erasure/").status_code == 404
