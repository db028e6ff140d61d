"""Search text: one casefolded, accent-free column per searchable thing, the same on both databases."""

import unicodedata


def fold(text: str) -> str:
    """Casefold and strip accents: "José Muñoz" and "JOSE MUNOZ" become the same text."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def search_text(*parts: str | None) -> str:
    """The folded, space-joined text of all non-empty parts, at most 1,000 characters."""
    return fold(" ".join(part for part in parts if part))[:1000]
