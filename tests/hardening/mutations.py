"""Bodies nobody should send: recorded ones with places dropped, replaced, doubled, with bytes flipped and cut off."""

import copy
import json
import random

from conversations.channels.base import Update
from conversations.channels.whatsapp.parse import parse
from conversations.ingest.models import EventItem
from conversations.ingest.reading import Unreadable, load

LONG = "x" * 65_536
POISON = [
    None, True, 0, -1, 1.5, 10**40, "", "\u0000", "a\u0000b", "\ud83d", LONG, [], {}, [[]], [None], {"a": []}, [{}],
    "💥", "\u202eRTL", "%s${jndi:x}\r\n\x1b[31m", float("nan"), 2**63, "१२३", "0", "-5", "9" * 20, ["text"],
]  # fmt: skip


def places(value, path=()):
    """Every place in a JSON value, the root aside."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def holder_of(value, path):
    """What holds the place `path`."""
    for key in path[:-1]:
        value = value[key]
    return value


def nested(depth):
    value = "deep"
    for _ in range(depth):
        value = [value] if depth % 2 else {"a": value}
    return value


def mutated(original, seeded):
    """A body with one to four places dropped, replaced, doubled, moved or renamed."""
    found = copy.deepcopy(original)
    for _ in range(seeded.randint(1, 4)):
        everywhere = list(places(found))
        if not everywhere:
            break
        path = seeded.choice(everywhere)
        holder, last = holder_of(found, path), path[-1]
        match seeded.choice(["drop", "replace", "replace", "replace", "double", "deepen", "rename", "swap", "wrap"]):
            case "drop":
                del holder[last]
            case "replace":
                holder[last] = copy.deepcopy(seeded.choice(POISON))
            case "double" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[last]))
            case "deepen":
                holder[last] = nested(seeded.choice([5, 70, 200]))
            case "rename" if isinstance(holder, dict):
                holder[seeded.choice(["\u0000", "extra", "\ud83d", "id"])] = holder.pop(last)
            case "swap":
                other = seeded.choice(everywhere)
                holder[last] = copy.deepcopy(at_place(found, other))
            case "wrap":
                holder[last] = [holder[last]] if seeded.random() < 0.5 else {"value": holder[last]}
    return found


def at_place(value, path):
    """The value there, None where there is none any more."""
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def spoiled(raw, seeded):
    """Bytes flipped, cut off, cut out or put in; most of the time they stay as they are."""
    match seeded.choice(["as it is"] * 8 + ["flip", "cut off", "cut out", "double key"]):
        case "flip":
            changed = bytearray(raw)
            for _ in range(seeded.randint(1, 3)):
                changed[seeded.randrange(len(changed))] ^= 1 << seeded.randrange(8)
            return bytes(changed)
        case "cut off":
            return raw[: seeded.randrange(len(raw))]
        case "cut out":
            start = seeded.randrange(len(raw))
            return raw[:start] + raw[start + seeded.randint(1, 20) :]
        case "double key":
            return raw.replace(b'": ', b'": 7, "%s": ' % seeded.choice([b"id", b"type", b"from", b"text"]), 1)
    return raw


def make(originals, seeded, number):
    """The bytes of one mutated body; ids are its own, so that it is no mere repetition."""
    body = mutated(seeded.choice(originals), seeded)
    raw = json.dumps(body).encode("utf-8", "surrogatepass").replace(b"wamid.", b"wamid.%d." % number)
    return spoiled(raw, seeded) or b"\x00"


def seeds(count, size):
    """(seed, how many) of rounds that make `count` together."""
    return [(start, min(size, count - start)) for start in range(0, count, size)]


def expected_items(raw):
    """How many items a body has, None if it is unreadable."""
    try:
        return sum(isinstance(update, Update) for update in parse(load(raw)))
    except Unreadable:
        return None


def accounted(event, raw):
    """Assert that a webhook came to its end and each of its items is somewhere, with its bytes kept."""
    assert event.state in ("processed", "quarantined"), (event.state, event.reason)
    assert event.body == raw
    expected = expected_items(raw)
    items = list(EventItem.objects.filter(event=event).order_by("position"))
    if expected is None:
        assert (event.state, items) == ("quarantined", [])
        return
    assert [item.position for item in items] == list(range(expected))
    assert (event.state == "quarantined") == any(item.outcome == "quarantined" for item in items)
    for item in items:
        assert item.message is not None or item.outcome not in ("recorded", "known")
        assert item.message is None or item.outcome in ("recorded", "known", "applied")
        assert item.reason or item.outcome != "quarantined"


def seeded(number):
    """Random choices that are the same each time."""
    return random.Random(number)
