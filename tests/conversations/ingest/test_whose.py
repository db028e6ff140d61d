"""Whose an item is: its number's, if that number's account signed it, and its sender's, wherever they stand."""

import pytest

from conversations.messaging.models import Message
from crm.contacts.models import Contact
from tests.factories import AccountFactory, InboxFactory
from tests.webhooks import (
    ANA,
    LUIS,
    PHONE,
    T0,
    arrive,
    body,
    change,
    landings,
    number_change,
    person,
    reaction,
    status,
    text,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


@pytest.mark.covers("W14", "F27")
def test_the_number_of_an_account_that_did_not_sign_is_quarantined(inbox):
    other = InboxFactory(account=AccountFactory(waba_id="310000000000009"), phone_number_id="329")
    (event,) = arrive(inbox, body(change(messages=[text("w")], phone="329"), waba="310000000000009"))
    assert landings(event) == [("text", "quarantined")]
    (event,) = arrive(inbox, body(change(messages=[number_change(ANA, LUIS, T0)], phone="329"), waba="310000000000009"))
    assert event.state == "quarantined"
    assert not other.conversations.exists()
    assert not Contact.objects.exists()


@pytest.mark.parametrize("waba", ["310000000000009", "", None, 5])
@pytest.mark.covers("W14")
def test_our_number_under_another_account_is_quarantined(inbox, waba):
    AccountFactory(waba_id="310000000000009")
    bodies = [
        body(change(messages=[text("w")]), waba=waba),
        body(change(statuses=[status("w", "sent")]), waba=waba),
        body(change(messages=[reaction("r", "w")]), waba=waba),
        body(change(messages=[number_change(ANA, LUIS, T0)]), waba=waba),
    ]
    assert {event.state for event in arrive(inbox, *bodies)} == {"quarantined"}
    assert not Contact.objects.exists()


@pytest.mark.covers("F27")
def test_an_unknown_number_is_quarantined_and_no_inbox_guessed(inbox):
    (event,) = arrive(inbox, body(change(messages=[text("w")], phone="elsewhere")))
    assert landings(event) == [("text", "quarantined")]
    assert not Contact.objects.exists()


def test_a_batch_belongs_to_its_entries_changes_and_people_not_to_positions(inbox):
    second = InboxFactory(account=inbox.account, phone_number_id="321")
    people = [person(LUIS, "Luis"), person("34699000000", "Nadie"), person(ANA, "Ana")]
    batch = body(
        change(messages=[text("w.1", sender=ANA), text("w.2", sender=LUIS)], contacts=people),
        change(messages=[text("w.3", sender=ANA)], contacts=people[::-1], phone="321"),
    )
    batch["entry"] += body(change(messages=[text("w.4", sender=LUIS)], statuses=[status("s", "sent")]))["entry"]
    (event,) = arrive(inbox, batch)
    assert landings(event) == [("text", "recorded")] * 4 + [("status:sent", "parked")]
    found = Message.objects.values_list("external_id", "conversation__contact__name", "inbox__phone_number_id")
    assert sorted(found) == [
        ("w.1", "Ana", PHONE),
        ("w.2", "Luis", PHONE),
        ("w.3", "Ana", "321"),
        ("w.4", "Luis", PHONE),
    ]
    assert second.conversations.count() == 1
