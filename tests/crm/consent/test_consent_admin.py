"""Consent in the administration: the ledger is read, words are the managers' own."""

import pytest
from django.test import Client

from crm.audit.models import AuditEntry
from crm.consent import ledger, optout
from crm.consent.models import OptOutWord

pytestmark = pytest.mark.django_db
WORDS = "/admin/crm/optoutword/"


@pytest.fixture
def admin(db, factories):
    client = Client()
    client.force_login(factories.UserFactory(manager=True))
    return client


def add(admin, text, language="es", meaning="stop"):
    return admin.post(f"{WORDS}add/", {"text": text, "language": language, "meaning": meaning})


def test_a_managers_word_counts_at_once(admin):
    assert add(admin, "  ¡Chao   promos! ").status_code == 302
    word = OptOutWord.objects.get()
    assert (word.text, word.folded) == ("¡Chao promos!", "chao promos")
    assert optout.meaning_of(optout.fold("chao promos 👋"), "es", optout.own_words(["chao promos"])) == "stop"
    assert AuditEntry.objects.get(action="created", model="crm.optoutword")


@pytest.mark.parametrize("text", ["CHAO, promos", "chao promos", "Cháo promos 👋"])
def test_two_spellings_are_one_word(admin, text):
    add(admin, "Chao promos")
    answer = add(admin, text)
    assert answer.status_code == 200
    assert "already in the list" in answer.content.decode()
    assert add(admin, text, language="ca").status_code == 302


@pytest.mark.parametrize("text", ["👋", "...", ""])
def test_a_word_that_is_none_is_refused(admin, text):
    assert add(admin, text).status_code == 200
    assert not OptOutWord.objects.exists()


def test_the_list_shows_what_is_built_in(admin):
    page = admin.get(WORDS).content.decode()
    assert "Built-in words" in page
    assert "unsubscribe" in page


def test_the_ledger_is_read_only_and_costs_the_same_for_many(admin, factories, django_assert_max_num_queries):
    by = factories.UserFactory()
    for _number in range(12):
        event = ledger.record(
            factories.ContactFactory(), purpose="marketing", state="withdrawn", source="agent", by=by,
            evidence={"reason": "<script>"},
        )  # fmt: skip
    with django_assert_max_num_queries(8):
        page = admin.get("/admin/crm/consentevent/")
    assert page.content.decode().count("/admin/crm/contact/") >= 12
    shown = admin.get(f"/admin/crm/consentevent/{event.pk}/change/").content.decode()
    assert "&lt;script&gt;" in shown
    assert admin.post(f"/admin/crm/consentevent/{event.pk}/change/", {"state": "granted"}).status_code == 403
    assert admin.post(f"/admin/crm/consentevent/{event.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get("/admin/crm/suppression/").status_code == 200
