"""Consent in the panel: where a person stands, and what an agent records of it with the reason."""

import datetime as dt

import pytest

from crm.audit.models import AuditEntry
from crm.consent import ledger
from crm.consent.models import ConsentEvent
from crm.foundation import clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client, agent):
    client.force_login(agent)
    return client


def address(conversation):
    return f"/inbox/c/{conversation.pk}/contact/consents/"


def test_the_panel_says_where_the_person_stands(desk, conversation, agent):
    ledger.record(
        conversation.contact, purpose="marketing", state="withdrawn", source="agent", by=agent,
        evidence={"reason": "Rang us"},
    )  # fmt: skip
    page = desk.get(f"/inbox/c/{conversation.pk}/panel/").content.decode()
    assert 'data-purpose="marketing" data-state="withdrawn"' in page
    assert "Rang us" in page
    assert 'data-purpose="utility" data-state=""' in page


def test_an_agent_records_it_with_a_reason(desk, conversation, agent):
    form = {"purpose": "marketing", "state": "granted", "reason": "  Signed  at the counter "}
    answer = desk.post(address(conversation), form)
    assert answer.status_code == 200
    assert 'data-purpose="marketing" data-state="granted"' in answer.content.decode()
    event = ConsentEvent.objects.get()
    assert (event.source, event.by, event.evidence["reason"]) == ("agent", agent, "Signed at the counter")
    assert ledger.may(conversation.contact, "marketing")
    assert AuditEntry.objects.get(action="consent_granted").user_id == agent.pk


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301])
def test_without_a_reason_nothing_is_recorded(desk, conversation, reason):
    answer = desk.post(address(conversation), {"purpose": "marketing", "state": "withdrawn", "reason": reason})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert not ConsentEvent.objects.exists()


def test_what_was_stopped_in_whatsapp_is_not_allowed_here(desk, conversation):
    ledger.record(conversation.contact, purpose="marketing", state="withdrawn", source="whatsapp")
    answer = desk.post(address(conversation), {"purpose": "marketing", "state": "granted", "reason": "Told me so"})
    assert answer.status_code == 422
    assert "Only they can allow them again" in answer.content.decode()
    assert not ledger.may(conversation.contact, "marketing")


@pytest.mark.parametrize("form", [{}, {"purpose": "love", "state": "granted"}, {"purpose": "marketing", "state": "x"}])
def test_odd_forms_are_refused(desk, conversation, form):
    assert desk.post(address(conversation), form | {"reason": "…"}).status_code == 400


def test_whoever_does_not_see_the_conversation_does_not_find_it(client, conversation, factories):
    client.force_login(factories.UserFactory())
    assert client.post(address(conversation), {"purpose": "marketing", "state": "granted"}).status_code == 404


def test_where_only_templates_leave_the_strip_says_what_was_stopped(desk, conversation):
    ledger.record(conversation.contact, purpose="marketing", state="withdrawn", source="keyword")
    strip = f"/inbox/c/{conversation.pk}/composer/"
    assert "no marketing" not in desk.get(strip).content.decode()
    type(conversation).objects.update(window_expires_at=clock.now() - dt.timedelta(hours=1))
    assert "They asked for no marketing messages." in desk.get(strip).content.decode()
