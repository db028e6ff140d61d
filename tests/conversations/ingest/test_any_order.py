"""Webhooks come twice and in any order: whatever the order, the same is left behind."""

import random

import pytest
from django.db import transaction

from tests.webhooks import (
    ANA,
    DISPLAY,
    LUIS,
    T0,
    arrive,
    body,
    change,
    messages,
    number_change,
    person,
    reaction,
    recorded,
    snapshot,
    status,
    statuses,
    text,
    user_id_update,
    wamid,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]

PERMUTATIONS = 23


def echo(external_id, at, to=ANA, **more):
    item = {"from": DISPLAY, "to": to, "id": external_id, "timestamp": str(at), "type": "text"}
    return body(change("smb_message_echoes", message_echoes=[item | {"text": {"body": "Nuestra"}} | more]))


def both(wa_id, user_id, name="Ana Ruiz"):
    return [person(wa_id, name, user_id=user_id)]


CORE, OTHER_CORE = "3EB0DDDDDDDDDDDDDDD1", "3EB0DDDDDDDDDDDDDDD2"
EDIT = {"original_message_id": wamid(CORE), "message": {"type": "text", "text": {"body": "Corregido"}}}
EDIT_AGAIN = {"original_message_id": wamid(CORE), "message": {"type": "text", "text": {"body": "Corregido otra vez"}}}

SCENARIOS = {
    "a talk with everything": [
        messages(text(wamid(CORE), "Buenas", T0)),
        messages(text("w.2", "Me refiero a eso", T0 + 50, context={"id": wamid(CORE, "1234567@lid")})),
        messages({"from": ANA, "id": "e.1", "timestamp": str(T0 + 20), "type": "edit", "edit": EDIT}),
        messages({"from": ANA, "id": "e.2", "timestamp": str(T0 + 40), "type": "edit", "edit": EDIT_AGAIN}),
        messages(reaction("r.1", wamid(CORE), "👍", T0 + 60)),
        messages(reaction("r.2", wamid(CORE), None, T0 + 70)),
        messages(reaction("r.3", "w.2", "🎉", T0 + 71), reaction("r.4", "w.2", "😀", T0 + 71)),
        echo("o.1", T0 + 30),
        statuses(status("o.1", "delivered", T0 + 33), status("o.1", "sent", T0 + 31)),
        statuses(status("o.1", "read", T0 + 45)),
        messages(
            {"from": ANA, "id": "v.1", "timestamp": str(T0 + 90), "type": "revoke", "revoke": EDIT | {"message": None}}
        ),
    ],
    "answers in between": [
        messages(text("w.1", "uno", T0)),
        echo("o.1", T0 + 10),
        messages(text("w.2", "dos", T0 + 20)),
        echo("o.2", T0 + 20),
        messages(text("w.3", "tres", T0 + 30)),
        messages(text("w.4", "cuatro", T0 + 40, referral={"ctwa_clid": "x"})),
        recorded("call"),
        recorded("order"),
    ],
    "history beside live messages": [
        recorded("history"),
        recorded("history_media"),
        messages(text("w.1", "en directo", T0)),
        echo("o.1", T0 + 5),
        messages(text("w.2", "otra vez", T0 + 10)),
        recorded("system_identity_change"),
        recorded("image"),
        statuses(status(wamid("3EB0BBBBBBBBBBBBBBB1"), "delivered", T0 - 79000)),
    ],
    "number and user id come apart": [
        messages(text("w.1", "con número", T0), contacts=[person(ANA, "Ana R.", username="@ana")]),
        messages(
            {"from_user_id": "ES.1", "id": "w.2", "timestamp": str(T0 + 10), "type": "text", "text": {"body": "sin"}},
            contacts=[person("", "Ana", user_id="ES.1")],
        ),
        messages(text("w.3", "con ambos", T0 + 20), contacts=both(ANA, "ES.1", "Ana Ruiz")),
        messages(
            {"from": "", "from_user_id": "ES.1", "id": "r.1", "timestamp": str(T0 + 15), "type": "reaction"}
            | {"reaction": {"message_id": "w.1", "emoji": "🙂"}},
            contacts=[person("", "Ana", user_id="ES.1")],
        ),
        messages(
            {"from_user_id": "ES.1", "id": "w.4", "timestamp": str(T0 + 25), "type": "text", "text": {"body": "cita"}}
            | {"context": {"id": "w.1"}},
            contacts=[person("", "Ana Ruiz", user_id="ES.1")],
        ),
        echo("o.1", T0 + 12),
    ],
    "a change of number with messages before and after": [
        messages(text("w.1", "desde el viejo", T0)),
        messages(number_change(ANA, LUIS, T0 + 100), contacts=[]),
        messages(text("w.2", "desde el nuevo", T0 + 200, sender=LUIS), contacts=[person(LUIS)]),
        messages(reaction("r.1", "w.1", "👌", T0 + 210, sender=LUIS), contacts=[person(LUIS)]),
        echo("o.1", T0 + 50),
        messages(text("w.3", "aún el viejo", T0 + 60)),
    ],
    "an old number with a new owner": [
        messages(text("w.1", "la primera", T0), contacts=[person(ANA, "Ana")]),
        messages(text("w.2", "aún la primera", T0 + 10, context={"id": "w.1"}), contacts=[person(ANA, "Ana")]),
        messages(number_change(ANA, LUIS, T0 + 100), contacts=[]),
        messages(text("w.3", "otra persona", T0 + 300, context={"id": "w.1"}), contacts=[person(ANA, "Ana")]),
        echo("o.1", T0 + 310),
        messages(reaction("r.1", "w.3", "😀", T0 + 320), contacts=[person(ANA, "Ana")]),
        messages(text("w.4", "en un grupo", T0 + 330, group_id="G.1"), contacts=[person(ANA, "Ana")]),
    ],
    "two changes of number": [
        messages(text("w.1", "uno", T0)),
        messages(number_change(ANA, LUIS, T0 + 100), contacts=[]),
        messages(text("w.2", "dos", T0 + 150, sender=LUIS), contacts=[person(LUIS)]),
        messages(number_change(LUIS, "34600555666", T0 + 200), contacts=[]),
        messages(text("w.3", "tres", T0 + 250, sender="34600555666"), contacts=[person("34600555666")]),
    ],
    "a number passes on without news": [
        messages(text("w.1", "antes", T0), contacts=both(ANA, "ES.1", "Ana")),
        messages(text("w.2", "antes", T0 + 10), contacts=both(ANA, "ES.1", "Ana")),
        messages(text("w.3", "después", T0 + 100), contacts=both(ANA, "ES.2", "Bea")),
        messages(text("w.4", "después", T0 + 110), contacts=both(ANA, "ES.2", "Bea")),
    ],
    "a change of user id": [
        messages(text("w.1", "antes", T0), contacts=both(ANA, "ES.1")),
        user_id_update("ES.1", "ES.2", T0 + 100),
        messages(text("w.2", "después", T0 + 200), contacts=both(ANA, "ES.2")),
        messages(
            {"from_user_id": "ES.2", "id": "w.3", "timestamp": str(T0 + 210), "type": "text", "text": {"body": "sin"}},
            contacts=[person("", user_id="ES.2")],
        ),
        messages(
            {"from_user_id": "ES.1", "id": "w.4", "timestamp": str(T0 + 10), "type": "text", "text": {"body": "sin"}},
            contacts=[person("", user_id="ES.1")],
        ),
    ],
}


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.covers("F15", "F16", "F17")
def test_the_order_of_arrival_does_not_matter(inbox, scenario):
    def left_by(bodies):
        with transaction.atomic():
            events = arrive(inbox, *bodies)
            assert {event.state for event in events} == {"processed"}
            found = snapshot()
            transaction.set_rollback(True)
        return found

    bodies = SCENARIOS[scenario]
    expected = left_by(bodies)
    seeded = random.Random(scenario)
    for _ in range(PERMUTATIONS):
        shuffled = seeded.sample(bodies, len(bodies))
        assert left_by(shuffled) == expected, [bodies.index(one) for one in shuffled]


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.covers("F14", "W13")
def test_what_comes_three_times_counts_once(inbox, scenario):
    bodies = SCENARIOS[scenario]
    arrive(inbox, *bodies)
    expected = snapshot()
    thrice = random.Random(scenario).sample(bodies * 2, len(bodies) * 2)
    arrive(inbox, *thrice)
    assert snapshot() == expected


def test_one_batch_of_everything_leaves_the_same_as_one_by_one(inbox):
    bodies = SCENARIOS["a talk with everything"]
    with transaction.atomic():
        arrive(inbox, *bodies)
        expected = snapshot()
        transaction.set_rollback(True)
    arrive(inbox, body(*[one for each in bodies for entry in each["entry"] for one in entry["changes"]]))
    assert snapshot() == expected
