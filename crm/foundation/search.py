"""Search text: one casefolded, accent-free column per searchable thing, the same on both databases."""

import re
import unicodedata

MOST = 1000  # characters of one column, or of each half of a contact's
_ACCENTS = re.compile("[\u0300-\u036f]")


def fold(text: str) -> str:
    """Casefold and strip accents: "José Muñoz" and "JOSE MUNOZ" become the same text."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def plain(text: str) -> str:
    """Lower case without Latin accents, as the database function `fold_text` makes it. Unlike `fold` it leaves the
    marks of other scripts alone.
    """
    return (
        text.lower() if text.isascii() else "".join(map(_lower, _ACCENTS.sub("", unicodedata.normalize("NFKD", text))))
    )


def fold_with_places(text: str) -> tuple[str, list[int]]:
    """`plain(text)`, and for each of its letters where in `text` it came from."""
    folded, places = [], []
    for index, char in enumerate(text):
        for part in plain(char):
            folded.append(part)
            places.append(index)
    return "".join(folded), places


def _lower(char: str) -> str:
    return char.lower().replace("ß", "ss")


def search_text(*parts: str | None) -> str:
    """The folded, space-joined text of all non-empty parts, at most MOST characters."""
    return fold(" ".join(part for part in parts if part))[:MOST]


def words_of(text: str) -> list[str]:
    """What to look for in search columns: the first six words of `text`, folded, numbers without their plus sign."""
    words = (word.lstrip("+") if word.lstrip("+").isdigit() else word for word in fold(text).split())
    return list(words)[:6]
