import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from crm.contacts import identities, points, profile
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import Contact, ContactPoint
from crm.foundation import clock
from crm.merging import merge
from tests.factories import ContactFactory, IdentityFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
NUMBERS = ("+34600000001", "+34600000002", "+5511987654321", "+551187654321")


def present(contact, kind="phone"):
    return [(point.value, point.is_primary) for point in points.current(contact).filter(kind=kind)]


def former(contact):
    return list(contact.points.exclude(until=None).order_by("pk").values_list("value", flat=True))


def agree(contact):
    contact.refresh_from_db()
    primary = contact.points.filter(kind="phone", until=None, is_primary=True).values_list("value", flat=True)
    return list(primary) == ([contact.phone] if contact.phone else [])


def test_a_written_phone_is_the_primary_point_and_the_one_before_is_history():
    by, contact = UserFactory(), ContactFactory(phone="+34600000001")
    profile.write(contact, by=by, phone="+34600000002")
    assert present(contact) == [("+34600000002", True)]
    assert former(contact) == ["+34600000001"]
    assert agree(contact)


def test_a_further_phone_may_come_first_and_the_other_stays():
    by, contact = UserFactory(), ContactFactory(phone="+34600000001")
    profile.add_point(contact, "phone", "0034 600 000 002", by=by, label="work")
    assert present(contact) == [("+34600000001", True), ("+34600000002", False)]
    profile.add_point(contact, "phone", "+34600000002", by=by, is_primary=True)
    contact.refresh_from_db()
    assert contact.phone == "+34600000002"
    assert present(contact) == [("+34600000002", True), ("+34600000001", False)]
    assert points.current(contact).get(value="+34600000002").label == "work"
    assert Contact.objects.search("600000001").get() == contact


def test_when_the_primary_phone_ends_the_next_takes_its_place():
    by, contact = UserFactory(), ContactFactory(phone="+34600000001")
    profile.add_point(contact, "phone", "+34600000002", by=by)
    profile.end_point(points.current(contact).get(is_primary=True), by=by)
    assert agree(contact)
    assert contact.phone == "+34600000002"
    third = ContactFactory(phone="+34600000003")
    profile.add_point(third, "phone", "+34600000004", by=by)
    profile.write(third, by=by, phone=None)
    assert third.changes.filter(field="phone").get().after == "+34600000004"
    profile.write(contact, by=by, phone=None)
    assert agree(contact)
    assert (contact.phone, former(contact)) == (None, ["+34600000001", "+34600000002"])
    assert not Contact.objects.search("600000002").exists()


def test_two_spellings_of_one_number_are_one_point():
    by, contact = UserFactory(), ContactFactory(phone="+5511987654321")
    profile.add_point(contact, "phone", "+55 11 8765 4321", by=by)
    assert present(contact) == [("+5511987654321", True)]
    with pytest.raises(InvalidValue):
        profile.add_point(contact, "phone", "600", by=by)


def test_an_address_is_found_in_any_case_and_another_one_follows_it():
    by, contact = UserFactory(), ContactFactory()
    profile.write(contact, by=by, email="Ana@Example.com")
    assert list(points.matching("email", ["ANA@example.COM"]).values_list("contact", flat=True)) == [contact.pk]
    profile.write(contact, by=by, email="ana@work.test")
    assert present(contact, "email") == [("ana@work.test", True)]
    assert Contact.objects.search("ana@work").get() == contact
    fields = set(contact.changes.values_list("field", flat=True))
    assert fields == {"email"}
    for bad in ("ana", "a@b", "a b@example.com", "x" * 250 + "@example.com"):
        with pytest.raises(InvalidValue):
            points.email(bad)


def test_whatsapps_news_of_another_number_makes_the_old_one_history():
    identity = IdentityFactory(contact__phone="+34600000001", contact__is_name_confirmed=False)
    at = clock.now() + dt.timedelta(hours=1)
    identities.change("whatsapp", scope="portfolio", field="wa_id", old="34600000001", new="34600000002", at=at)
    assert agree(identity.contact)
    assert present(identity.contact) == [("+34600000002", True)]
    assert former(identity.contact) == ["+34600000001"]


def test_a_contact_entered_with_argentinas_number_is_met_by_the_account_with_a_nine():
    contact = ContactFactory(phone="+541123456789")
    found = identities.resolve("whatsapp", scope="portfolio", at=clock.now(), address="5491123456789")
    assert found.contact == contact


def test_joining_keeps_each_point_once_and_one_primary():
    by, kept, gone = UserFactory(), ContactFactory(phone="+34600000001"), ContactFactory(phone="+34600000002")
    for contact in (kept, gone):
        profile.write(contact, by=by, email="same@example.test")
    profile.add_point(gone, "email", "only@example.test", by=by)
    merge.absorb(kept, gone)
    assert present(kept) == [("+34600000001", True), ("+34600000002", False)]
    assert present(kept, "email") == [("same@example.test", True), ("only@example.test", False)]
    assert not gone.points.exists()


class InStep(TestCase):
    @settings(deadline=None, max_examples=40)
    @given(
        st.lists(
            st.tuples(st.sampled_from(["write", "add", "first", "end", "empty"]), st.sampled_from(NUMBERS)), max_size=12
        )
    )
    def test_whatever_is_done_the_phone_is_the_primary_point(self, deeds):
        by, contact = UserFactory(), ContactFactory(phone=None)
        for deed, number in deeds:
            match deed:
                case "write":
                    profile.write(contact, by=by, phone=number)
                case "add":
                    profile.add_point(contact, "phone", number, by=by)
                case "first":
                    profile.add_point(contact, "phone", number, by=by, is_primary=True)
                case "empty":
                    profile.write(contact, by=by, phone=None)
                case "end":
                    point = ContactPoint.objects.filter(contact=contact, until=None).order_by("?").first()
                    if point:
                        profile.end_point(point, by=by)
            assert agree(contact)
            assert contact.phone or not contact.points.filter(until=None).exists()
