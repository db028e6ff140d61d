"""What becomes of raw webhooks when a person is erased: none that speaks of them stays."""

from collections.abc import Sequence
from typing import Any

import orjson
from cryptography.fernet import InvalidToken

from conversations.ingest.models import EventItem, RefusedWebhooks, WebhookEvent
from conversations.messaging.personal import OF_MESSAGE
from crm.foundation.secrets import seal
from crm.privacy import rules
from crm.privacy.person import Person

State = WebhookEvent.State
ERASED = {"erased": True}


def add() -> None:
    """Tell the rules of privacy what these tables need."""
    rules.add(
        rules.Sweep(
            model=WebhookEvent, rows=lambda person: WebhookEvent.objects.exclude(state=State.PENDING), take=_take,
            why_not="raw copies, kept for days, of what is among the messages",
        ),
        rules.linked(EventItem, *OF_MESSAGE, why_not="where an item of a webhook landed", erase=_unlink),
    )  # fmt: skip
    rules.impersonal(RefusedWebhooks, because="counts")


def _take(row: WebhookEvent, person: Person) -> bool:
    """What has been processed goes; in what waits for a manager only this person's items are emptied: others' are
    still to be replayed.
    """
    try:
        body = row.body
    except InvalidToken:
        return False  # nobody can read it, and its time will come
    if not any(word.encode() in body for word in person.strong):
        return False
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        payload = None
    emptied, is_found = _emptied(payload, frozenset(person.strong)) if payload is not None else (ERASED, True)
    if is_found and row.state == State.PROCESSED:
        row.delete()
    elif is_found:
        WebhookEvent.objects.filter(pk=row.pk).update(sealed_body=seal(orjson.dumps(emptied)))
    return is_found


def _emptied(value: Any, addresses: frozenset[str]) -> tuple[Any, bool]:
    """The same without the entries of lists that name one of these addresses, and whether there were any. Places stay:
    what has landed is known by its place.
    """
    match value:
        case dict():
            found = {key: _emptied(one, addresses) for key, one in value.items()}
            return {key: pair[0] for key, pair in found.items()}, any(pair[1] for pair in found.values())
        case list():
            return _emptied_list(value, addresses)
    return value, isinstance(value, str) and value.removeprefix("+") in addresses


def _emptied_list(values: list[Any], addresses: frozenset[str]) -> tuple[list[Any], bool]:
    kept, is_found = [], False
    for one in values:
        inner, speaks = _emptied(one, addresses)
        is_found = is_found or speaks
        kept.append(ERASED if speaks and not _has_lists(one) else inner)
    return kept, is_found


def _has_lists(value: Any) -> bool:
    """Whether it holds entries of its own, among which only some may be theirs (an entry, its changes)."""
    match value:
        case dict():
            return any(key in ("changes", "value", "messages", "statuses") for key in value)
    return isinstance(value, list)


def _unlink(rows: Sequence[Any]) -> None:
    """That it has landed stays: a replay must not bring it back."""
    EventItem.objects.filter(pk__in=[row.pk for row in rows]).update(message=None)
