"""WhatsApp's text marks as safe HTML: everything is escaped first, then *bold*, _italic_, ~strike~, code and links
appear.
"""

import functools
import re
from collections.abc import Sequence

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

_CODE = re.compile(r"```(.+?)```|`([^`\n]+)`", re.S)
_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]}*_~]")
_MARKS = (
    (re.compile(r"(?<![^\W_])(?<!\*)\*(?=\S)([^*\n]+?)(?<=\S)\*(?![^\W_]|\*)"), "strong"),
    (re.compile(r"(?<!\w)_(?=\S)([^_\n]+?)(?<=\S)_(?!\w)"), "em"),
    (re.compile(r"(?<![^\W_])(?<!~)~(?=\S)([^~\n]+?)(?<=\S)~(?![^\W_]|~)"), "s"),
)
_TAG = re.compile(r"<(/?)(\w+)>")


def formatted(text: str, mentioned: Sequence[str] = ()) -> SafeString:
    """The HTML of a message's text; only http and https become links. `mentioned`: names marked where they stand after
    an @.
    """
    parts, end = [], 0
    for found in _CODE.finditer(text):
        parts += [_plain(text[end : found.start()]), f"<code>{escape(found.group(1) or found.group(2))}</code>"]
        end = found.end()
    parts.append(_plain(text[end:]))
    return mark_safe(_with_mentions("".join(parts), mentioned))


def _with_mentions(html: str, names: Sequence[str]) -> str:
    """Marks the names in what is read, never inside a tag; of two names that begin alike the longer one."""
    if not names:
        return html
    wanted = "|".join(re.escape(escape(name)) for name in sorted(names, key=len, reverse=True))
    pattern = re.compile(rf"@(?:{wanted})(?!\w)", re.IGNORECASE)
    pieces = re.split(r"(<[^>]*>)", html)
    return "".join(
        piece if piece.startswith("<") else pattern.sub(r'<span class="mention">\g<0></span>', piece)
        for piece in pieces
    )


def _plain(text: str) -> str:
    parts, end = [], 0
    for found in _LINK.finditer(text):
        url = escape(found.group())
        link = f'<a href="{url}" target="_blank" rel="noopener noreferrer nofollow">{url}</a>'
        parts += [_marked(text[end : found.start()]), link]
        end = found.end()
    parts.append(_marked(text[end:]))
    return "".join(parts)


def _marked(text: str) -> str:
    html = str(escape(text))
    for pattern, tag in _MARKS:
        html = pattern.sub(functools.partial(_wrapped, tag), html)
    return html


def _wrapped(tag: str, found: re.Match[str]) -> str:
    """The marked words in `tag`; unchanged where the mark would cross another one, as in "*a _b* c_"."""
    open_tags: list[str] = []
    for closing, name in _TAG.findall(found[1]):
        if not closing:
            open_tags.append(name)
        elif not open_tags or open_tags.pop() != name:
            return found[0]
    return found[0] if open_tags else f"<{tag}>{found[1]}</{tag}>"
