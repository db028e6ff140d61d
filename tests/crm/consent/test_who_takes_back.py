"""What a person has stopped in WhatsApp itself: nobody else lets them in again, by whatever way round."""

import datetime as dt

import pytest

from crm.consent import ledger, suppression
from crm.consent.models import ConsentEvent, Suppression
from crm.contacts import points
from crm.foundation import clock

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
DAY = dt.timedelta(days=1)
OTHERS = ("agent", "api", "form")


def say(contact, state="granted", *, days_ago=0.0, source="agent", **more):
    at = clock.now() - days_ago * DAY
    return ledger.record(contact, purpose="marketing", state=state, source=source, at=at, **more)


def refused(contact, **more):
    """By all others, alone and with many."""
    for source in OTHERS:
        with pytest.raises(ledger.OnlyThePerson):
            say(contact, source=source, **more)
        with pytest.raises(ledger.OnlyThePerson):
            ledger.record_many([ledger.news(contact, purpose="marketing", state="granted", source=source)])
    return ledger.state_of(contact, "marketing") == "withdrawn"


@pytest.mark.parametrize("hiding", ["agent", "api", "form", "merge", "import", "keyword"])
def test_a_later_no_does_not_hide_it(contact, hiding):
    say(contact, "withdrawn", source="whatsapp", days_ago=2)
    say(contact, "withdrawn", source=hiding, days_ago=1)
    assert refused(contact)
    assert suppression.are_suppressed([contact.phone], "marketing")


def test_both_in_one_go_do_not_hide_it(contact):
    say(contact, "withdrawn", source="provider", days_ago=2)
    news = [
        ledger.news(contact, purpose="marketing", state=state, source="agent") for state in ("withdrawn", "granted")
    ]
    with pytest.raises(ledger.OnlyThePerson):
        ledger.record_many(news)


def test_after_the_persons_own_yes_others_may_say_no_and_yes(contact):
    say(contact, "withdrawn", source="whatsapp", days_ago=3)
    say(contact, source="keyword", days_ago=2)
    say(contact, "withdrawn", days_ago=1)
    say(contact, source="form")
    assert ledger.may(contact, "marketing")


def test_a_form_of_before_is_recorded_and_changes_nothing(contact):
    say(contact, "withdrawn", source="whatsapp", days_ago=1)
    say(contact, source="form", days_ago=2)
    assert ledger.state_of(contact, "marketing") == "withdrawn"


@pytest.mark.parametrize("words", ["whatsapp", "provider"])
def test_an_agents_reason_is_only_words(contact, words):
    say(contact, "withdrawn", days_ago=1, evidence={"reason": words})
    say(contact)
    assert ledger.may(contact, "marketing")


def test_it_holds_for_a_contact_who_gets_the_number_later_and_for_their_other_numbers(contact, factories):
    say(contact, "withdrawn", source="whatsapp", days_ago=1)
    for number, given in (("+34600000001", contact.phone), ("+34600000002", "+34600000001")):
        other = factories.ContactFactory(phone=number)
        points.keep(other)
        points.put(other, "phone", given, by=factories.UserFactory())
        assert refused(other)


def test_a_listed_number_withdraws_also_who_has_said_yes_since(contact, factories):
    say(contact, "withdrawn", source="keyword", days_ago=3)
    Suppression.objects.update(at=clock.now() - 3 * DAY)
    other = factories.ContactFactory(phone="+34600000001")
    points.keep(other)
    say(other, source="form", days_ago=1)
    points.put(other, "phone", contact.phone, by=factories.UserFactory())
    assert not ledger.may(other, "marketing")
    assert ConsentEvent.objects.filter(contact=other).latest("pk").source == "suppressed"
    say(other, source="keyword", days_ago=0.5)
    assert ledger.may(other, "marketing")
