"""Search over everything a user sees: people by name or number, messages by their words."""

from dataclasses import dataclass

from django.db.models import Func, Q, TextField

from conversations.desk.rows import colour_of, initials_of
from conversations.messaging.models import Conversation, Message
from crm.foundation.search import fold_with_places, plain
from crm.staff.models import User

PEOPLE = 8
MESSAGES = 30
FEW = 10_000  # hits that are looked up; of a more frequent word the newest are met on the way back
PART = 50  # of them are looked up at first
RECENT = 200_000  # how far back that way goes
SHORTEST = 3  # letters a trigram index needs
AROUND = 40  # letters of a snippet before the hit
SNIPPET = 160


class FoldText(Func):
    """A text folded by the database: the expression of the index on messages."""

    function = "fold_text"
    output_field = TextField()


@dataclass(frozen=True)
class Hit:
    """A message that was found: its conversation, and a snippet in parts, those that match marked."""

    message: Message
    title: str
    initials: str
    colour: int
    parts: list[tuple[str, bool]]


def people(user: User, text: str) -> list[Conversation]:
    """Conversations with those whose name or number matches, newest activity first."""
    found = Conversation.objects.visible_to(user).search(text).for_rows(user)
    return list(found.order_by("-last_activity_at", "-pk")[:PEOPLE])


def words_in(text: str) -> list[str]:
    """What to look for in messages: the first six words, folded as the database does; none if all are too short."""
    words = plain(text).split()[:6]
    return words if any(len(word) >= SHORTEST for word in words) else []


def messages(user: User, text: str, limit: int = MESSAGES) -> list[Message]:
    """The newest messages and notes this user sees in which every word occurs."""
    words = words_in(text)
    if not words:
        return []
    matching = Message.objects.annotate(folded=FoldText("text")).filter(*(Q(folded__contains=word) for word in words))
    few = list(matching.values_list("pk", flat=True)[: FEW + 1])
    if len(few) <= FEW:
        found = _newest(user, few, limit)
    else:
        newest = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        recent = matching.filter(pk__gt=newest - RECENT, revoked_at=None).visible_to(user).bubbles()
        found = list(recent.order_by("-pk").values_list("pk", flat=True)[:limit])
        if len(found) < limit:
            found = sorted({*found, *_newest(user, few, limit)}, reverse=True)[:limit]
    rows = Message.objects.filter(pk__in=found).select_related("conversation__contact", "conversation__inbox", "author")
    return sorted(rows, key=lambda message: (message.sort_at, message.pk), reverse=True)


def _newest(user: User, keys: list[int], limit: int) -> list[int]:
    """The newest of these messages that the user sees: in growing parts, they and their conversations by their keys."""
    keys, found, part = sorted(keys, reverse=True), list[int](), PART
    while keys and len(found) < limit:
        shown = Message.objects.filter(pk__in=keys[:part], revoked_at=None).bubbles()
        where = dict(shown.values_list("pk", "conversation_id"))
        seen = set(
            Conversation.objects.visible_to(user).filter(pk__in=set(where.values())).values_list("pk", flat=True)
        )
        found += [pk for pk, conversation in where.items() if conversation in seen]
        keys, part = keys[part:], 2 * part
    return sorted(found, reverse=True)[:limit]


def hits(user: User, text: str) -> list[Hit]:
    """Messages as the page shows them."""
    words = words_in(text)
    return [_hit(message, words) for message in messages(user, text)]


def _hit(message: Message, words: list[str]) -> Hit:
    contact = message.conversation.contact
    title = contact.title
    return Hit(message, title, initials_of(title), colour_of(contact.pk), snippet(message.text, words))


def snippet(text: str, words: list[str]) -> list[tuple[str, bool]]:
    """The part of a text around the first hit, cut into pieces; True where a word was found."""
    folded, places = fold_with_places(text)
    spans: list[tuple[int, int]] = []
    for word in words:
        at = folded.find(word)
        while at >= 0 and len(spans) < 50:
            spans.append((places[at], places[at + len(word) - 1] + 1))
            at = folded.find(word, at + len(word))
    if not spans:
        return [(text[:SNIPPET], False)]
    spans.sort()
    start = max(0, spans[0][0] - AROUND)
    if start:
        start = text.find(" ", start, spans[0][0]) + 1 or start
    end = start + SNIPPET
    pieces, at = [("…", False)] if start else [], start
    for begin, stop in spans:
        if begin < at or begin >= end:
            continue
        pieces += [(text[at:begin], False), (text[begin:stop], True)]
        at = stop
    if at < end:
        pieces.append((text[at:end], False))
    if len(text) > max(end, at):
        pieces.append(("…", False))
    return [(" ".join(piece.split("\n")), marked) for piece, marked in pieces if piece]
