"""Looking through the audit log: by words and by whole days of the reader's own."""

import datetime as dt
import zoneinfo

import pytest
from django.test import Client
from django.urls import reverse

from crm.audit import log
from crm.audit.models import AuditEntry
from tests.factories import ContactFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.covers("A12")]
MEXICO = zoneinfo.ZoneInfo("America/Mexico_City")


@pytest.fixture
def look():
    client = Client()
    client.force_login(UserFactory(manager=True, time_zone=MEXICO.key))

    def look(query):
        page = client.get(f"{reverse('admin:crm_auditentry_changelist')}?{query}")
        assert page.status_code == 200
        return [entry.action for entry in page.context["cl"].result_list]

    return look


def at(action, *moment):
    AuditEntry.objects.create(at=dt.datetime(*moment, tzinfo=MEXICO), source="system", action=action)


def test_a_period_has_both_its_days_whole_where_the_reader_is(look):
    at("before", 2026, 3, 1, 23, 59)
    at("first", 2026, 3, 2, 0, 0)
    at("last", 2026, 3, 3, 23, 59)
    at("after", 2026, 3, 4, 0, 0)
    assert look("at_from=2026-03-02&at_to=2026-03-03") == ["last", "first"]
    assert look("at_from=2026-03-03&at_to=2026-03-03") == ["last"]
    assert look("at_to=2026-03-01") == ["before"]


@pytest.mark.parametrize(
    ("query", "found"), [("at_from=0001-01-01&at_to=9999-12-31", 1), ("at_from=9999-12-31", 0), ("at_from=x&at_to=", 1)]
)
def test_days_at_the_ends_of_time_are_days(look, query, found):
    at("only", 2026, 3, 2, 0, 0)
    assert len(look(query)) == found


@pytest.mark.sqlite_too
def test_words_find_who_and_what_whatever_accents_and_case(look):
    contact = ContactFactory(name="José Muñoz")
    log.record("changed", contact, by=UserFactory(name="Íñigo"))
    log.record("deleted", ContactFactory(name="Somebody"), by=UserFactory(name="Ana"))
    for words in ("JOSE", "munoz", "inigo+jose", str(contact.pk) + "+muñoz"):
        assert look(f"q={words}") == ["changed"], words
    assert look("q=jose+ana") == []
