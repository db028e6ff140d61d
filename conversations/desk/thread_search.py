"""Searching inside one conversation: every word must occur in the text or a file's name; accents and case aside."""

from conversations.messaging.models import Conversation
from crm.foundation.search import fold, words_of

MOST_HITS = 200
LOOKED_AT = 10_000  # newest messages; folded here, so that both databases find the same
QUERY_MAX = 200


def hits(conversation: Conversation, query: str) -> list[str]:
    """Client ids of the messages that match, newest first, at most MOST_HITS."""
    words = words_of(query[:QUERY_MAX])
    if not words:
        return []
    messages = conversation.messages.bubbles().filter(revoked_at=None).order_by("-sort_at", "-pk")
    rows = messages.values_list("client_id", "text", "attachments__filename")[:LOOKED_AT]
    found: dict[str, None] = {}
    for client_id, text, filename in rows.iterator(chunk_size=1000):
        said = fold(f"{text} {filename or ''}")
        if all(word in said for word in words):
            found[str(client_id)] = None
            if len(found) == MOST_HITS:
                break
    return list(found)
