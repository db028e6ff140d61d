"""Cells of files that go out and come back: nothing in them is a formula, and nothing of them is lost on the way.

Where a line of a cell begins like a formula, also behind spaces or apostrophes, an apostrophe goes before it; coming
in, one apostrophe goes. So `+34 600…` leaves as `'+34 600…` and comes back as it was.
"""

import re

_BLANK = r"(?:[^\S\r\n]|[\u200b-\u200f\u2060\ufeff])*"
_FORMULA = rf"(?:{_BLANK}[=+\-@\uff1d\uff0b\uff0d\uff20]|\t)"
_LINE = r"(?<![^\r\n])"
_RISKY = re.compile(rf"\A(?='*[\r\n])|{_LINE}(?='*{_FORMULA})")
_MADE_SAFE = re.compile(rf"\A'(?='*[\r\n])|{_LINE}'(?='*{_FORMULA})")
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
LONGEST = 32_767  # characters of a cell of a spreadsheet


def safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula; what no XML can carry is replaced."""
    return _RISKY.sub("'", _UNWRITABLE.sub("\ufffd", text))[:LONGEST]


def plain(text: str) -> str:
    """What `safe` was given."""
    return _MADE_SAFE.sub("", text)
