"""What the parser lets through and a database, a terminal or a screen does not, in every field of every known body."""

import json
import os

import pytest

from conversations.messaging.models import Message
from crm.contacts.models import Contact
from tests.hardening import mutations
from tests.webhooks import ANA, T0, arrive, change, landings, messages, names, person, recorded, text

pytestmark = pytest.mark.django_db

MARK = "@here@"
EVERYWHERE = "MUTATIONS" in os.environ  # `make fuzz`; else each field meets a quarter of the values
SHARE = 4
ZALGO = "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢"
FAMILY = "👩‍👩‍👧‍👦🏳️‍🌈"
# How the bytes of one field's value are written.
VALUES = {
    "NUL": b'"a\\u0000b"',
    "NUL as a byte": b'"a\x00b"',
    "a lone surrogate": b'"a\\ud83d b"',
    "surrogates the wrong way round": b'"\\ude97\\ud83d"',
    "invalid UTF-8": b'"a\xff\xfe\xc3(b"',
    "a surrogate as bytes": b'"a\xed\xa0\xbdb"',
    "right to left": '"\u202eabc\u2066\u200f"'.encode(),
    "zalgo": f'"{ZALGO * 40}"'.encode(),
    "joined emoji": f'"{FAMILY * 30}"'.encode(),
    "65,536 characters": b'"' + "ñ".encode() * 65_536 + b'"',
    "5,000 digits": b"9" * 5000,
    "not a number": b"NaN",
    "infinity": b"-Infinity",
    "lines and escapes": b'"a\\r\\nb\\u001b[31m\\u0085\\u2028%s${jndi:ldap://x}"',
    "spaces only": b'" \\t\\u00a0\\u200b"',
    "digits of another script": '"٣٤٦٠٠"'.encode(),
}


def fields():
    """One place for each name of a field that holds text, with a recorded body that has it."""
    found = {}
    for name in names():
        body = recorded(name)
        for path in mutations.places(body):
            if isinstance(mutations.at_place(body, path), str):
                found.setdefault(tuple(key for key in path if isinstance(key, str)), (name, path))
    return sorted(found.values())


def with_value(name, path, written):
    """The bytes of a recorded body with one value written so, and a good message behind it."""
    body = recorded(name)
    mutations.holder_of(body, path)[path[-1]] = MARK
    body["entry"].append(messages(text("w.after", "después", T0))["entry"][0])
    return json.dumps(body).encode().replace(b'"@here@"', written)


@pytest.mark.covers("F18", "F23")
@pytest.mark.parametrize("case", VALUES)
def test_no_value_in_any_field_loses_the_webhook_or_its_neighbour(inbox, case):
    every = fields()
    assert len(every) > 100
    at = list(VALUES).index(case)
    places = every if EVERYWHERE else every[at % SHARE :: SHARE]
    bodies = [with_value(name, path, VALUES[case]) for name, path in places]
    for (name, path), raw, event in zip(places, bodies, arrive(inbox, *bodies), strict=True):
        mutations.accounted(event, raw)
        if case == "NUL as a byte":  # no JSON at all
            assert landings(event) == []
        else:
            assert landings(event)[-1][1] in ("recorded", "known"), (name, path)
    assert Message.objects.filter(external_id="w.after").count() == (case != "NUL as a byte")


READ = {
    "NUL": "a\ufffdb",
    "a lone surrogate": "a\ufffd b",
    "invalid UTF-8": "a\ufffd\ufffd\ufffd(b",
    "right to left": "\u202eabc\u2066\u200f",
    "zalgo": ZALGO * 40,
    "joined emoji": FAMILY * 30,
    "65,536 characters": "ñ" * 65_536,
    "lines and escapes": "a\r\nb\x1b[31m\x85\u2028%s${jndi:ldap://x}",
}
TEXTS = {
    "text": ("text", "body"),
    "image": ("image", "caption"),
    "video": ("video", "caption"),
    "document": ("document", "caption"),
    "order": ("order", "text"),
}


@pytest.mark.covers("F23")
@pytest.mark.parametrize("case", READ)
def test_words_are_kept_and_only_what_nothing_can_carry_is_replaced_and_shown_as_replaced(inbox, case):
    bodies = []
    for name, keys in TEXTS.items():
        body = recorded(name)
        body["entry"][0]["changes"][0]["value"]["messages"][0][keys[0]][keys[1]] = MARK
        bodies.append(json.dumps(body).encode().replace(b'"@here@"', VALUES[case]))
    events = arrive(inbox, *bodies)
    assert [message.text for message in Message.objects.order_by("pk")] == [READ[case]] * len(TEXTS)
    assert [event.body for event in events] == bodies


@pytest.mark.covers("F23")
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["text", "status_read", "history", "user_id_update", "system_number_change"])
def test_every_kind_of_body_is_read_in_other_encodings(inbox, encoding, name):
    raw = json.dumps(recorded(name), ensure_ascii=False).encode(encoding)
    (event,) = arrive(inbox, raw)
    assert event.state == "processed"
    assert {outcome for _kind, outcome in landings(event)} <= {"recorded", "applied", "parked"}
    assert event.body == raw


@pytest.mark.covers("F23")
def test_of_two_keys_alike_the_last_counts_and_only_it(inbox):
    raw = json.dumps(messages(text("w", "la segunda"))).encode()
    doubled = raw.replace(b'"id": "w"', b'"id": "w.first", "id": "w"').replace(b'"body"', b'"body": "primera", "body"')
    (event,) = arrive(inbox, doubled)
    assert list(Message.objects.values_list("external_id", "text")) == [("w", "la segunda")]
    assert event.body == doubled


@pytest.mark.covers("F18")
def test_unknown_fields_keys_and_kinds_are_kept_and_classified(inbox):
    odd = text("w.1", "con más", extra={"new": [1]}, context={"unknown": True}) | {"unheard_of": None}
    hologram = {"id": "w.2", "from": ANA, "timestamp": str(T0), "type": "hologram", "hologram": {"beam": "blue"}}
    body = messages(odd, hologram, contacts=[person() | {"new": 1}], messaging_extra="x")
    body["entry"][0] |= {"time": 1, "new": {}}
    body["entry"][0]["changes"].append(change("business_of_tomorrow", anything={"a": 1}))
    (event,) = arrive(inbox, body | {"new": 1})
    assert event.state == "processed"
    assert landings(event) == [("text", "recorded"), ("hologram", "recorded"), ("business_of_tomorrow", "stored")]
    assert Message.objects.get(external_id="w.2").payload["hologram"] == {"beam": "blue"}


@pytest.mark.covers("F18")
@pytest.mark.parametrize("missing", ["from", "id", "timestamp", "type", "text"])
def test_a_message_without_one_of_its_keys_is_stored_or_set_aside_never_dropped(inbox, missing):
    item = text("w", "Hola")
    del item[missing]
    (event,) = arrive(inbox, messages(item, text("w.after")))
    outcome = "quarantined" if missing == "id" else "recorded"
    assert [where for _kind, where in landings(event)] == [outcome, "recorded"]
    assert Contact.objects.count() == 1
