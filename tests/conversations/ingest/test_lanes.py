"""Whose news a webhook is: one lane per person, whatever kind of news."""

import json

import pytest

from conversations.ingest.lanes import NOBODY, lane_of
from tests.webhooks import ANA, LUIS, body, change, messages, names, person, recorded, status, statuses, text

NOBODYS = {
    "account_alert", "errors", "group_lifecycle", "history_declined", "template_status",
    "user_preferences",
}  # fmt: skip
GROUPS = {"group"}
BY_USER_ID = {"user_id_only"}


def lane(payload) -> int:
    return lane_of(json.dumps(payload).encode())


ANAS = lane(messages(text("w.1")))


@pytest.mark.parametrize("name", names())
def test_recorded_bodies_are_anas_or_nobodys(name):
    found = lane(recorded(name))
    assert 0 <= found < 2**31
    if name in NOBODYS:
        assert found == NOBODY
    elif name in GROUPS | BY_USER_ID:
        assert found not in (NOBODY, ANAS)
    else:
        assert found == ANAS, "her messages, statuses, echoes, calls and changes"


def by_user_id(**more):
    return {
        "id": "w.2",
        "timestamp": "1790000000",
        "type": "text",
        "text": {"body": "x"},
        "from_user_id": "ES.1",
    } | more


ALIKE = {
    "the number in contacts": messages(by_user_id(), contacts=[person(user_id="ES.1")]),
    "among several contacts": messages(by_user_id(), contacts=[person(LUIS), person(user_id="ES.1")]),
    "an empty sender": messages(by_user_id(**{"from": ""}), contacts=[person(user_id="ES.1")]),
    "no sender at all": messages({"id": "w.2", "type": "text"}, contacts=[person()]),
    "number and user id": messages(text("w.2") | {"from_user_id": "ES.1"}),
    "a status with both": statuses(status("w.2", "sent", recipient_id=ANA, recipient_user_id="ES.1")),
    "a status whose number is in contacts": statuses(
        status("w.2", "sent", recipient_user_id="ES.1"), contacts=[person(user_id="ES.1")]
    ),
    "a number that is a number": messages(text("w.2", sender=int(ANA)), contacts=[]),
    "the second change": body(change("messages"), change(messages=[text("w.2")])),
    "the first of two": messages(text("w.2"), text("w.3", sender=LUIS), contacts=[]),
}


@pytest.mark.parametrize("case", ALIKE)
def test_the_number_counts_wherever_it_stands(case):
    assert lane(ALIKE[case]) == ANAS


def test_two_spellings_of_a_number_share_a_lane():
    brazil = [messages(text("w.1", sender=number), contacts=[]) for number in ("551187654321", "5511987654321")]
    assert lane(brazil[0]) == lane(brazil[1]) != ANAS


def test_without_a_number_the_user_id_counts():
    sent = statuses(status("w.2", "sent", recipient_user_id="ES.1"))
    assert lane(messages(by_user_id(), contacts=[])) == lane(sent) != NOBODY


def test_a_group_has_one_lane_whoever_writes():
    group = [messages(text("w.1", sender=sender) | {"group_id": "g.1"}, contacts=[]) for sender in (ANA, LUIS)]
    assert lane(group[0]) == lane(group[1]) != ANAS


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"\xff", b"[]", b"7", b"null", b'"x"', b'{"entry":7}', b'{"entry":[7,null,[]]}',
        b'{"entry":[{"changes":[null,{"value":[]},{"value":{"messages":[null]}}]}]}',
        b'{"entry":[{"changes":[{"value":{"messages":[{"from":{}}],"contacts":[7],"history":[{"threads":[7]}]}}]}]}',
        b"[" * 5000,
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_nobodys(raw):
    assert lane_of(raw) == NOBODY
