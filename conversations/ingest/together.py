"""Many items at once: messages and statuses of people known as they were, or never seen, in a handful of statements.

What needs a closer look (changes, joins, reactions, edits, groups) is left to `items.apply`, one by one. Order does not
matter: messages stand by the provider's time, statuses only climb.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from conversations.channels.base import InboundMessage, OtherUpdate, StatusUpdate, Unparsed
from conversations.channels.registry import WHATSAPP
from conversations.ingest import items
from conversations.ingest.items import Inboxes, Item, Landing, Outcome, Quarantine
from conversations.messaging import deliveries, inbound, threads
from conversations.messaging.deliveries import PARKED
from conversations.messaging.inbound import Arrival
from conversations.messaging.models import Conversation, Message
from conversations.messaging.threads import Place
from crm.contacts import identities, sightings


def land(work: Sequence[Item], inboxes: Mapping[int, Inboxes]) -> None:
    """Set the landing of every item that can be applied together; the others keep None. `inboxes`: by event.

    Run inside a transaction; after any error nothing of it may be kept.
    """
    for item in work:
        try:
            _place(item, inboxes[item.event.pk])
        except Quarantine as reason:
            item.landing = Landing(Outcome.QUARANTINED, reason=str(reason))
    messages = _new([item for item in work if item.inbox and isinstance(item.update, InboundMessage)])
    statuses = [item for item in work if item.inbox and isinstance(item.update, StatusUpdate)]
    messages, statuses = _with_people(messages, statuses)
    places = [_place_of(item) for item in messages]
    known = deliveries.conversations_of([_status_of(item) for item in statuses])
    conversations = threads.open_together(places, also=known)
    _record(messages, places, conversations)
    _climb(statuses, {conversation.pk: conversation for conversation in conversations.values()})


def _place(item: Item, inboxes: Inboxes) -> None:
    """Settle what needs no database, and find the inbox of what may be applied together."""
    match item.update:
        case Unparsed(reason=reason):
            raise Quarantine(reason)
        case OtherUpdate():
            item.landing = Landing(Outcome.STORED)
        case InboundMessage(group_id="") | StatusUpdate():
            item.inbox = items.inbox_of(item.update, inboxes)


def _new(messages: list[Item]) -> list[Item]:
    """The messages not stored yet; a repeated webhook ends here. Known parts of a history need a closer look."""
    known = inbound.find_known([_key(item) for item in messages])
    for item in messages:
        message = known.get(_key(item))
        if message is not None and not item.update.is_history:  # type: ignore[attr-defined]
            item.landing = Landing(Outcome.KNOWN, message)
    return [item for item in messages if _key(item) not in known]


def _with_people(messages: list[Item], statuses: list[Item]) -> tuple[list[Item], list[Item]]:
    """Find everybody's account; those who need a closer look are left out."""
    by_scope: dict[str, list[Item]] = defaultdict(list)
    for item in [*messages, *_of_known_people(statuses)]:
        by_scope[_scope(item)].append(item)
    left: set[int] = set()
    for scope, seen in by_scope.items():
        people = sightings.resolve_plain(
            WHATSAPP,
            scope=scope,
            sightings=[items.sighting_of(item.update) for item in seen],  # type: ignore[arg-type]
        )
        for item, item.person in zip(seen, people, strict=True):
            if item.person is None:
                left.add(id(item))
    return [item for item in messages if id(item) not in left], [item for item in statuses if id(item) not in left]


def _of_known_people(statuses: list[Item]) -> list[Item]:
    """Those that tell which number and which user id belong together, of somebody we know."""
    telling: dict[str, list[tuple[Item, tuple[str, str]]]] = defaultdict(list)
    for item in statuses:
        ids = items.sighting_of(item.update).ids  # type: ignore[arg-type]
        if all(ids):
            telling[_scope(item)].append((item, ids))
    found = []
    for scope, pairs in telling.items():
        known = identities.are_known(WHATSAPP, scope, [ids for _item, ids in pairs])
        found += [item for item, ids in pairs if ids in known]
    return found


def _record(messages: list[Item], places: list[Place], conversations: dict[tuple[int, int], Conversation]) -> None:
    arrivals = [
        Arrival(conversations[place.key], item.update)  # type: ignore[arg-type]
        for item, place in zip(messages, places, strict=True)
    ]
    inbound.record(arrivals, {})
    for item, arrival in zip(messages, arrivals, strict=True):
        item.landing = items.landing_of(arrival)


def _climb(statuses: list[Item], conversations: dict[int, Conversation]) -> None:
    landed = deliveries.apply_together([_status_of(item) for item in statuses], conversations)
    for item, where in zip(statuses, landed, strict=True):
        if isinstance(where, Message):
            item.landing = Landing(Outcome.APPLIED, where)
        elif where is PARKED:
            item.landing = Landing(Outcome.PARKED)


def _place_of(item: Item) -> Place:
    assert item.inbox is not None
    assert item.person is not None
    assert isinstance(item.update, InboundMessage)
    return Place(item.inbox, item.person, items.is_dormant(item.update))


def _status_of(item: Item) -> tuple[items.Inbox, StatusUpdate]:
    assert item.inbox is not None
    assert isinstance(item.update, StatusUpdate)
    return item.inbox, item.update


def _key(item: Item) -> tuple[int, str]:
    assert item.inbox is not None
    return item.inbox.pk, item.update.external_id  # type: ignore[attr-defined]


def _scope(item: Item) -> str:
    assert item.inbox is not None
    return item.inbox.account.scope
