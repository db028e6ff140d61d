"""Search text: one casefolded, accent-free column per searchable thing, the same on both databases."""

import unicodedata


def fold(text: str) -> str:
    """Casefold and strip accents: "José Muñoz" and "JOSE MUNOZ" become the same text."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def search_text(*parts: str | None) -> str:
    """The folded, space-joined text of all non-empty parts, at most 1,000 characters."""
    return fold(" ".join(part for part in parts if part))[:1000]


def words_of(text: str) -> list[str]:
    """What to look for in search columns: the first six words of `text`, folded, numbers without their plus sign."""
    words = (word.lstrip("+") if word.lstrip("+").isdigit() else word for word in fold(text).split())
    return list(words)[:6]
