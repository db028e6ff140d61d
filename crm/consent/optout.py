"""Whether a message, as a whole, stops or starts marketing, or might: in the languages that apply to its writer."""

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping

from django.conf import settings

from crm.consent.models import OptOutWord
from crm.consent.words import ANSWERS, ASK, DEFAULTS, NOTHING, Answers

LONGEST = 60  # of a folded word or phrase
LONGEST_TEXT = 200  # of a message that may be one, with all its emoji
_KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")
FALLBACK = "en"
# What managers have said: {(language, folded): meaning}.
type Own = Mapping[tuple[str, str], str]


def fold(text: str) -> str:
    """The bare words: no accents, case, emoji, punctuation or double spaces; "" for a text that has none."""
    letters = []
    for char in unicodedata.normalize("NFKD", _KEYCAP.sub(" ", text.casefold())):
        category = unicodedata.category(char)
        if category[0] in "LN":
            letters.append(char)
        elif category[0] not in "MC" or char.isspace():  # marks and invisible characters join what they stand between
            letters.append(" ")
    return " ".join("".join(letters).casefold().split())


def language_of(code: str) -> str:
    """The language without its country: "pt" for "pt-BR"."""
    return code.replace("_", "-").partition("-")[0].lower()


@functools.cache
def defaults() -> dict[tuple[str, str], str]:
    """What we come with: {(language, folded): meaning}."""
    return {
        (language, fold(phrase)): meaning
        for language, meanings in DEFAULTS.items()
        for meaning, phrases in meanings.items()
        for phrase in phrases.split(",")
    }


def own_words(folded: Iterable[str]) -> dict[tuple[str, str], str]:
    """What managers have said of these folded texts; one query."""
    rows = OptOutWord.objects.filter(folded__in=set(folded))
    return {(row.language, row.folded): row.meaning for row in rows}


def is_candidate(text: str) -> bool:
    """Whether a text is short enough to be looked at."""
    return 0 < len(text) <= LONGEST_TEXT


def meaning_of(folded: str, language: str, own: Own) -> str:
    """STOP, START, ASK, or "" for a text that is none of them. `language`: the writer's, "" if not known; `own`: what
    managers have said (`own_words`).

    What the writer's language says of it counts; then the business's languages (where one finds it ambiguous, it asks),
    then English.
    """
    if not folded or len(folded) > LONGEST:
        return ""
    mine = _lookup(language_of(language), folded, own)
    if mine:
        return _said(mine)
    spoken = [_lookup(language_of(code), folded, own) for code in settings.BUSINESS_LANGUAGES]
    found = [meaning for meaning in spoken if meaning]
    if found:
        return ASK if ASK in found else _said(found[0])
    return _said(_lookup(FALLBACK, folded, own))


def answers_for(language: str, folded: str = "") -> Answers:
    """Our own sentences in the writer's language; where it is not known, in that of the word they wrote, else in the
    business's.
    """
    codes = [language_of(language)]
    if not codes[0]:
        business = [language_of(code) for code in settings.BUSINESS_LANGUAGES]
        codes = [code for code in business if (code, folded) in defaults()] + business
    return next((ANSWERS[code] for code in codes if code in ANSWERS), ANSWERS[FALLBACK])


def _lookup(language: str, folded: str, own: Own) -> str:
    return own.get((language, folded)) or defaults().get((language, folded), "")


def _said(meaning: str) -> str:
    return "" if meaning == NOTHING else meaning
