"""The ledger by API: read, appended to, never changed."""

import datetime as dt

import pytest

from crm.audit.models import AuditEntry
from crm.consent import ledger
from crm.consent.models import ConsentEvent
from crm.foundation import clock
from tests.api import Integrator

pytestmark = pytest.mark.django_db


@pytest.fixture
def integrator(db, factories):
    return factories.UserFactory(integrator=True)


@pytest.fixture
def api(integrator):
    return Integrator(integrator)


def consents(contact):
    return f"contacts/{contact.pk}/consents/"


def test_what_a_person_agreed_to_elsewhere_is_appended(api, contact, integrator):
    signed_at = (clock.now() - dt.timedelta(days=3)).isoformat()
    answer = api.post(
        consents(contact),
        {
            "purpose": "marketing", "state": "granted", "source": "form", "wording": "Yes, send me offers by WhatsApp",
            "wording_version": "2026-1", "language": "es", "evidence": {"url": "https://example.test/f/1"},
            "at": signed_at,
        },
    )  # fmt: skip
    assert answer.status_code == 201
    assert answer.json()["by"] == integrator.pk
    event = ConsentEvent.objects.get()
    assert (event.source, event.wording_version, event.at.isoformat()) == ("form", "2026-1", signed_at)
    assert ledger.may(contact, "marketing")
    assert api.get(consents(contact)).json()["results"][0]["evidence"] == {"url": "https://example.test/f/1"}
    assert api.get(f"{consents(contact)}now/").json()[0]["state"] == "granted"
    assert api.get(f"{consents(contact)}{event.pk}/").json()["id"] == event.pk


def test_it_is_noted_who_did_so(api, contact):
    api.post(consents(contact), {"purpose": "marketing", "state": "withdrawn"})
    assert AuditEntry.objects.get(action="consent_withdrawn").source == "api"
    assert ConsentEvent.objects.get().source == "api"


@pytest.mark.parametrize(
    "wrong",
    [
        {"purpose": "love"},
        {"purpose": None},
        {"state": "maybe"},
        {"source": "keyword"},
        {"source": "whatsapp"},
        {"at": "yesterday"},
        {"at": "2999-01-01T00:00:00Z"},
        {"evidence": "a letter"},
        {"evidence": {"a": {"b": 1}}},
        {"evidence": {str(number): "x" for number in range(30)}},
        {"wording": "x" * 5000},
        {"wording": "\x00"},
    ],
)
def test_what_cannot_be_is_refused_at_its_field(api, contact, wrong):
    answer = api.post(consents(contact), {"purpose": "marketing", "state": "granted"} | wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert set(answer.json()["fields"]) == set(wrong)
    assert not ConsentEvent.objects.exists()


def test_what_was_stopped_in_whatsapp_is_the_persons(api, contact):
    ledger.record(contact, purpose="marketing", state="withdrawn", source="provider")
    answer = api.post(consents(contact), {"purpose": "marketing", "state": "granted"})
    assert (answer.status_code, answer.json()["code"]) == (409, "only_the_person")


def test_the_ledger_takes_no_changes(api, contact):
    event = ledger.record(contact, purpose="marketing", state="withdrawn", source="form")
    for method in ("patch", "put", "delete"):
        assert api.send(method, f"{consents(contact)}{event.pk}/", "{}").status_code == 405


def test_pages_are_newest_first(api, contact):
    for days in (3, 1, 2):
        ledger.record(
            contact, purpose="utility", state="granted", source="form", at=clock.now() - dt.timedelta(days=days)
        )
    times = [row["at"] for row in api.pages(consents(contact), page_size=2)]
    assert times == sorted(times, reverse=True)
    assert len(times) == 3


def test_whoever_does_not_see_the_contact_does_not_find_it(contact, factories):
    api = Integrator(factories.UserFactory())
    assert api.get(consents(contact)).status_code == 404
    assert api.post(consents(contact), {"purpose": "marketing", "state": "granted"}).status_code == 404
