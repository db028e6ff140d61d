"""Which messages stop and start marketing: `pytest -s` prints the table's misses and false hits."""

import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.consent import optout
from crm.consent.models import OptOutWord
from crm.consent.words import ANSWERS, DEFAULTS
from tests.crm.consent.phrases import table

pytestmark = pytest.mark.django_db


def meaning(text, language="es", own=None):
    return optout.meaning_of(optout.fold(text), language, own or {})


@pytest.mark.covers("G05")
def test_every_phrase_of_the_table_means_what_it_must():
    rows = table()
    found = [(language, phrase, wanted, meaning(phrase, language)) for language, phrase, wanted in rows]
    misses = [row for row in found if row[2] and row[3] != row[2]]
    false_hits = [row for row in found if not row[2] and row[3]]
    counts = Counter(wanted or "nothing" for _language, _phrase, wanted in rows)
    tell = sys.stdout.write
    tell(f"\n{len(rows)} phrases in {len({row[0] for row in rows})} languages: {dict(counts)}")
    tell(f"\nmisses: {len(misses)} {misses}\nfalse hits: {len(false_hits)} {false_hits}\n")
    assert len(rows) >= 200
    assert misses == false_hits == []


@pytest.mark.covers("G05")
def test_what_the_design_names_is_there():
    named = {
        "en": ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE", "REMOVE"],
        "es": ["BAJA", "DARME DE BAJA", "NO MÁS MENSAJES", "CANCELAR SUSCRIPCIÓN"],
        "pt": ["PARAR", "SAIR", "CANCELAR", "DESCADASTRAR"],
        "fr": ["ARRET", "STOP", "DÉSABONNER"],
        "de": ["STOPP", "ABMELDEN"],
        "it": ["BASTA", "CANCELLAMI", "DISISCRIVIMI"],
        "ca": ["BAIXA"],
        "eu": ["BAJA", "GELDITU"],
    }
    assert {word for code, words in named.items() for word in words if meaning(word, code) != "stop"} == set()
    assert [meaning(word, "es") for word in ("parar", "cancelar", "no más")] == ["ask"] * 3
    assert [meaning(word, "es") for word in ("START", "ALTA")] == ["start"] * 2


@pytest.mark.parametrize(
    ("text", "language", "wanted"),
    [
        ("parar", "pt", "stop"),
        ("parar", "pt-BR", "stop"),
        ("parar", "es", "ask"),
        ("parar", "", "ask"),
        ("basta", "it", "stop"),
        ("basta", "es-MX", "ask"),
        ("baja", "de", "stop"),  # the business speaks Spanish
        ("stop", "ja", "stop"),  # and everybody English
        ("ABMELDEN", "es", ""),
    ],
)
def test_the_writers_language_then_the_businesss_then_english(text, language, wanted):
    assert meaning(text, language) == wanted


def test_the_businesss_languages_are_a_setting(settings):
    settings.BUSINESS_LANGUAGES = ["de", "it"]
    assert meaning("Abmelden", "") == "stop"
    assert meaning("baja", "") == ""


def test_managers_words_come_before_ours(db):
    OptOutWord.objects.create(language="es", text="Chao promos", folded=optout.fold("Chao promos"), meaning="stop")
    OptOutWord.objects.create(language="es", text="Alta", folded="alta", meaning="nothing")
    own = optout.own_words([optout.fold("¡CHAO PROMOS!"), "alta"])
    assert meaning("¡CHAO PROMOS!", own=own) == "stop"
    assert meaning("alta", own=own) == ""
    assert meaning("alta", "ca", own) == "start"


@given(st.text(max_size=80))
def test_folding_is_final_and_takes_any_text(text):
    folded = optout.fold(text)
    assert optout.fold(folded) == folded
    assert folded == " ".join(folded.split())


@given(st.text(max_size=400), st.sampled_from(["es", "", "pt-BR", "xx"]))
def test_any_text_has_a_meaning_or_none(text, language):
    assert meaning(text, language) in ("", "stop", "start", "ask")


def test_our_own_lists_and_answers_keep_to_whatsapps_limits():
    for phrase in optout.defaults():
        assert 0 < len(phrase[1]) <= optout.LONGEST, phrase
    assert set(ANSWERS) == set(DEFAULTS)
    for answers in ANSWERS.values():
        assert max(len(answers.yes), len(answers.no)) <= 20, answers
        assert answers.yes != answers.no
        assert len(answers.question) <= 1024
    for code, answers in ANSWERS.items():  # the word that an answer names does what it says
        assert "start" in {meaning(word, code) for word in answers.stopped.split() if word.isupper()}
        assert "stop" in {meaning(word, code) for word in answers.started.split() if word.isupper()}


def test_answers_come_in_the_writers_language():
    assert optout.answers_for("pt-BR") is ANSWERS["pt"]
    assert optout.answers_for("") is ANSWERS["es"]
    assert optout.answers_for("ja") is ANSWERS["en"]
