"""The sprite of icons holds what is used, and nothing else."""

import re

from django.conf import settings

from conversations.desk.queue import ICONS
from conversations.desk.shortcuts import sections

ROOT = settings.BASE_DIR
SYMBOLS = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static/icons.svg").read_text()))


def named_in_templates() -> set[str]:
    """What stands behind `icons.svg#`, in every branch of a condition; variables are code's business."""
    found = set()
    for path in (ROOT / "templates").rglob("*.html"):
        for words in re.findall(r"icons\.svg' %\}#(.*?)\"/>", path.read_text()):
            found |= set(re.sub(r"\{[%{].*?[%}]\}", " ", words).split())
    return found


def named_in_code() -> set[str]:
    """The tables of icons, and whatever is called `icon`."""
    found = set(ICONS.values()) | {shortcut.icon for section in sections() for shortcut in section.shortcuts}
    for folder in ("conversations", "crm", "catalog"):
        for path in (ROOT / folder).rglob("*.py"):
            for line in re.findall(r'\bicon(?:": |: str = |=)("[^\n]*)', path.read_text()):
                found |= set(re.findall(r'(?:^| else )"([\w-]+)"', line))
    return found


def test_the_sprite_holds_every_icon_that_is_named_and_no_other() -> None:
    assert named_in_templates() | named_in_code() == SYMBOLS
