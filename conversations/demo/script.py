"""The little language of the demo's conversations: a story is a person and what was said, line by line."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

Does = Literal["customer", "echo", "call", "us", "note", "assigned", "resolved", "number_changed"]
_LINE = re.compile(r"([<>!])(?:\[([\d.]+)\])? ?(.+)")
# The author of what the product says by itself.
RULE = "rule"
_DOES: dict[str, Does] = {"<": "customer", ">": "us", "!": "note"}


@dataclass(frozen=True)
class Person:
    """A customer: without address and user id, a number of the demo's own range is given."""

    name: str
    address: str = ""
    user_id: str = ""
    username: str = ""
    # The name staff have written down; empty: only what the person calls themselves is known.
    known_as: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """One thing that happens, `gap` minutes after the line before (None: a few minutes)."""

    does: Does
    kind: str = "text"
    text: str = ""
    # What the customer's (or our phone's) WhatsApp sends: the webhook's item without id, sender and time.
    item: dict[str, Any] = field(default_factory=dict)
    payload: dict[str, Any] = field(default_factory=dict)
    gap: float | None = None
    label: str = ""
    # Labels of other lines: the message quoted, or the one reacted to, edited or deleted. "?" is one we never saw.
    quotes: str = ""
    about: str = ""
    file: str = ""
    filename: str = ""
    state: str = "stored"
    tick: str = ""
    error: str = ""
    author: str = ""
    by: Person | None = None


@dataclass(frozen=True)
class Story:
    """A conversation: with whom, on which number, whose it is, and how many minutes `ago` its last line happened."""

    person: Person
    lines: list[Line]
    inbox: str = "claims"
    owner: str = ""
    team: str = ""
    ago: float = 60
    unread: int = 0
    group_id: str = ""
    is_history: bool = False


def chat(text: str) -> list[Line]:
    """Lines of plain text: `< customer`, `> us`, `! note`, each with an optional gap in minutes: `<[90] …`."""
    lines = []
    for row in filter(None, (row.strip() for row in text.splitlines())):
        found = _LINE.fullmatch(row)
        if found is None:
            raise ValueError(f"not a line of a chat: {row}")
        sign, gap, words = found.groups()
        more: dict[str, Any] = {"gap": float(gap) if gap else None}
        lines.append(says(words, **more) if sign == "<" else Line(_DOES[sign], text=words, **more))
    return lines


def says(text: str, *, also: dict[str, Any] | None = None, **more: Any) -> Line:
    """A text of the customer; `also`: further parts of the webhook's item (referral, context)."""
    return Line("customer", item={"type": "text", "text": {"body": text}} | (also or {}), **more)


def sends(kind: str, part: Any, *, also: dict[str, Any] | None = None, **more: Any) -> Line:
    """Anything else of the customer: the item's type and the part of the same name."""
    return Line("customer", item={"type": kind, kind: part} | (also or {}), **more)


def sends_file(kind: str, file: str, caption: str = "", **more: Any) -> Line:
    """A file of the customer, one of the samples; `kind` voice is an audio recorded in the chat."""
    part: dict[str, Any] = {"caption": caption} if caption else {}
    if more.get("filename"):
        part["filename"] = more["filename"]
    if kind == "voice":
        return sends("audio", part | {"voice": True}, file=file, **more)
    return sends(kind, part, file=file, **more)


def picks(reply_type: str, reply: dict[str, Any], **more: Any) -> Line:
    """A tap of the customer on a button, a list or a form."""
    return sends("interactive", {"type": reply_type, reply_type: reply}, **more)


def reacts(emoji: str, about: str, **more: Any) -> Line:
    """A reaction of the customer to the line labelled `about`."""
    return sends("reaction", {"emoji": emoji}, about=about, **more)


def edits(text: str, about: str, **more: Any) -> Line:
    """The customer changes the text of an earlier line."""
    return sends("edit", {"message": {"type": "text", "text": {"body": text}}}, about=about, **more)


def revokes(about: str, **more: Any) -> Line:
    """The customer deletes an earlier line for everybody."""
    return sends("revoke", {}, about=about, **more)


def calls(seconds: int = 0, **more: Any) -> Line:
    """A call by the customer: taken and `seconds` long, or missed."""
    end: dict[str, Any] = {"event": "terminate", "direction": "USER_INITIATED"}
    end |= {"status": "COMPLETED", "duration": seconds} if seconds else {"status": "FAILED"}
    return Line("call", item=end, **more)


def phones(text: str, **more: Any) -> Line:
    """A message the business wrote on its own phone."""
    return Line("echo", item={"type": "text", "text": {"body": text}}, **more)


def answers(text: str, **more: Any) -> Line:
    """A text of ours, by the owner of the conversation unless `author` is given."""
    return Line("us", text=text, **more)


def gives(kind: str, *, file: str = "", text: str = "", **more: Any) -> Line:
    """Anything else of ours: a file with its caption, a place, contact cards, a template."""
    return Line("us", kind=kind, file=file, text=text, **more)


def likes(emoji: str, about: str, **more: Any) -> Line:
    """A reaction of ours to the line labelled `about`."""
    return Line("us", kind="reaction", payload={"emoji": emoji}, about=about, **more)


def notes(text: str, **more: Any) -> Line:
    """A private note."""
    return Line("note", text=text, **more)


def assigned(to: str, *, by: str, team: str = "", **more: Any) -> Line:
    """Somebody gives the conversation to somebody."""
    return Line("assigned", author=by, payload={"to": to, "team": team}, **more)


def resolved(by: str = "", **more: Any) -> Line:
    """Somebody (the owner) resolves the conversation."""
    return Line("resolved", author=by, **more)


def number_changed(old: str, **more: Any) -> Line:
    """WhatsApp tells that the person had another number until now."""
    return Line("number_changed", payload={"old": old}, **more)
