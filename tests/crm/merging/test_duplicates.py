"""Who is found to be there twice, with what evidence: Brazil, Mexico, Argentina and user ids one by one."""

import datetime as dt
import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.contacts import addresses, identities, points, profile
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint, IdentityValue
from crm.foundation import clock, work
from crm.merging import duplicates, likeness, merge, split, undo
from crm.merging.errors import CannotSplit
from crm.merging.models import DuplicatePair, DuplicateSearch
from tests.crm.merging.lives import known
from tests.factories import ContactFactory, ConversationFactory, IdentityFactory, TagFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
NOW = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


@pytest.fixture
def by(db):
    return UserFactory(manager=True)


def look():
    work.run_until_idle("duplicates")
    return list(DuplicatePair.objects.order_by("pk"))


def kinds(pair):
    return [part["kind"] for part in pair.evidence]


@pytest.mark.parametrize(
    ("entered", "written_from"),
    [
        ("+5511987654321", "551187654321"),  # Brazil: the ninth digit
        ("+551187654321", "5511987654321"),
        ("+525512345678", "5215512345678"),  # Mexico: the 1
        ("+5215512345678", "525512345678"),
        ("+541123456789", "5491123456789"),  # Argentina: the 9
        ("+5491123456789", "541123456789"),
    ],
)
def test_one_number_in_two_spellings_is_found_merged_and_parted_again(by, entered, written_from):
    one = ContactFactory(name="José Muñoz", phone=None)
    account = IdentityFactory(contact=ContactFactory(name="JOSE MUNOZ", phone=None), wa_id=written_from)
    profile.add_point(account.contact, "phone", "+34600000001", by=by)
    profile.add_point(one, "phone", entered, by=by)
    before = known()
    [pair] = look()
    assert (kinds(pair), pair.score) == (["account", "name"], 95)
    record = merge.merge(one, account.contact, by=by)
    assert not DuplicatePair.objects.exists()
    assert identities.resolve("whatsapp", scope="portfolio", at=NOW, address=entered.lstrip("+")).contact == one
    undo.undo(record, by=by)
    DuplicatePair.objects.all().delete()
    after = known()
    seen = ("crm.ChannelIdentity", account.pk)
    for rows in (before, after):  # it has been seen meanwhile
        for name in ("first_seen_at", "last_seen_at", "number_seen_at"):
            rows[seen].pop(name)
    assert after == before


def test_a_landline_in_brazil_has_no_ninth_digit(by):
    ContactFactory(name="", phone="+551133334444")
    ContactFactory(name="", phone="+5511933334444")
    assert look() == []


def test_who_is_known_by_user_id_only_is_met_again_by_number_and_joined_by_itself():
    def seen(**ids):
        return identities.resolve("whatsapp", scope="portfolio", at=NOW, **ids)

    entered = ContactFactory(name="Pilar", phone="+34600111222")
    by_id = seen(user_id="ES.1").contact
    assert look() == []  # nothing speaks for it yet
    joined = seen(user_id="ES.1", address="34600111222").contact
    assert joined == by_id  # the account is the one known; the contact that was entered has its number
    [pair] = look()
    assert ({pair.first, pair.second}, kinds(pair)) == ({entered, by_id}, ["account"])


def test_the_same_user_id_in_two_portfolios_or_before_a_change_is_evidence():
    one = IdentityFactory(contact=ContactFactory(name="", phone=None), user_id="ES.1", scope="one")
    two = IdentityFactory(contact=ContactFactory(name="", phone=None), user_id="ES.1", scope="two")
    three = IdentityFactory(contact=ContactFactory(name="", phone=None), user_id="ES.2", scope="three")
    [pair] = look()
    assert (pair.first, pair.second, kinds(pair), pair.score) == (one.contact, two.contact, ["user_id"], 90)
    IdentityValue.objects.create(identity=three, field="user_id", value="ES.9", match_key="ES.9", until=NOW)
    IdentityFactory(contact=ContactFactory(name="", phone=None), user_id="ES.9", scope="four")
    assert len(look()) == 2


@pytest.mark.parametrize(
    ("mine", "theirs", "points_"),
    [
        ("José Muñoz", "munoz jose", 15), ("Ana", "Ana Ruiz", 10), ("Ana Ruiz", "Ana Ruis", 10),
        ("Ana Ruiz", "Luis Gil", -25), ("", "Ana", 0), ("😀", "😀", 15),
    ],
)  # fmt: skip
def test_names_say_much_little_or_the_contrary(mine, theirs, points_):
    assert likeness.likeness(mine, theirs) == likeness.likeness(theirs, mine) == points_


def test_an_email_in_another_case_is_evidence_and_another_name_speaks_against_it(by):
    for name, email in (("Ana Ruiz", "ana@example.test"), ("Luis Gil", "ANA@Example.test")):
        profile.write(ContactFactory(name=name), by=by, email=email)
    [pair] = look()
    assert (kinds(pair), pair.score) == (["email"], 35)


def test_names_alone_groups_restricted_people_and_switchboards_make_no_pair(by):
    for _n in range(2):
        ContactFactory(name="Ana Ruiz")
    for person in (ContactFactory(kind="group"), ContactFactory(restricted_at=NOW), ContactFactory()):
        points.put(person, "phone", "+34600999999", by=by)
    for _n in range(duplicates.MANY + 1):
        points.put(ContactFactory(), "phone", "+34910000000", by=by)
    assert look() == []


def test_more_evidence_is_added_to_an_open_pair_and_a_dismissed_one_stays_so(by):
    one, two = ContactFactory(name="Ana"), ContactFactory(name="Ana")
    points.put(one, "phone", two.phone, by=by)
    [pair] = look()
    assert kinds(pair) == ["phone", "name"]
    for contact in (one, two):
        profile.write(contact, by=by, email="a@example.test")
    [pair] = look()
    assert (kinds(pair), pair.score) == (["phone", "email", "name"], 100)
    duplicates.dismiss(pair, by=by)
    points.put(one, "email", "b@example.test", by=by)
    points.put(two, "email", "b@example.test", by=by)
    [pair] = look()
    assert (pair.state, pair.decided_by, len(pair.evidence)) == ("dismissed", by, 3)


def test_a_row_that_was_committed_late_is_found_by_the_second_look(by):
    one, two = ContactFactory(), ContactFactory()
    late = ContactPoint.objects.create(contact=one, kind="phone", value=two.phone, match_key=two.phone.lstrip("+"))
    ContactPoint.objects.filter(pk=late.pk).update(until=NOW)  # as if its transaction had not ended yet
    assert look() == []
    ContactPoint.objects.filter(pk=late.pk).update(until=None)
    assert look() == []
    DuplicateSearch.objects.update(swept_at=clock.real() - 2 * duplicates.SWEEP)
    look()
    assert len(look()) == 1


def test_an_import_of_many_costs_few_queries_for_each_batch(by):
    people = Contact.objects.bulk_create([Contact(name=f"Person {n}", phone=f"+3460000{n // 2:04}") for n in range(80)])
    points.keep_many(people)
    with CaptureQueriesContext(connection) as queries:
        assert len(look()) == 40
    assert len(queries) < 70


def test_looking_again_costs_three_queries():
    look()
    with CaptureQueriesContext(connection) as queries:
        assert duplicates.drain() is False
    assert len([one for one in queries if one["sql"].startswith("SELECT")]) <= 4


def test_pairs_follow_who_was_merged(by):
    people = [ContactFactory(name="") for _ in range(3)]
    for contact in people:
        points.put(contact, "email", "one@example.test", by=by)
    assert len(look()) == 3
    record = merge.merge(people[2], people[0], by=by)
    [pair] = look()
    assert {pair.first_id, pair.second_id} == {people[1].pk, people[2].pk}
    undo.undo(record, by=by)
    assert len(look()) == 3


def test_an_account_leaves_with_its_number_its_conversations_and_its_word(by):
    one = IdentityFactory(contact=ContactFactory(name="Ana", phone="+34600000001"))
    two = IdentityFactory(contact=ContactFactory(name="Luis", phone="+34600000002"), profile_name="Lucho")
    talk = ConversationFactory(identity=two)
    profile.tag(two.contact, TagFactory().name, by=by)
    merge.merge(one.contact, two.contact, by=by)
    fresh = split.split(two, by=by)
    talk.refresh_from_db()
    assert (fresh.name, fresh.phone, talk.contact, fresh.identities.get()) == ("Lucho", "+34600000002", fresh, two)
    assert fresh.tags.count() == 0
    owner = Contact.objects.get(pk=one.contact_id)
    assert [point.value for point in points.current(owner)] == ["+34600000001"]
    assert DuplicatePair.objects.get().state == "dismissed"
    with pytest.raises(CannotSplit, match="only account"):
        split.split(two, by=by)


def test_the_first_number_may_leave_and_the_next_takes_its_place(by):
    one = IdentityFactory(contact=ContactFactory(phone="+34600000001"))
    two = IdentityFactory(contact=ContactFactory(phone="+34600000002"))
    merge.merge(one.contact, two.contact, by=by)
    fresh = split.split(ChannelIdentity.objects.get(pk=one.pk), by=by)
    assert (fresh.phone, Contact.objects.get(pk=one.contact_id).phone) == ("+34600000001", "+34600000002")


def test_random_people_are_found_as_by_comparing_all_with_all(by):
    rng = random.Random(6)
    keys = [f"+3460000000{n}" for n in range(8)]
    people = [ContactFactory(phone=None, name=rng.choice(["", "Ana", "Luis"])) for _ in range(12)]
    for contact in people:
        for number in rng.sample(keys, rng.randint(0, 2)):
            if rng.random() < 0.6:
                points.put(contact, "phone", number, by=by)
            elif not ChannelIdentity.objects.filter(wa_id=number[1:]).exists():
                IdentityFactory(contact=contact, wa_id=number[1:])
                addresses.tell([addresses.Given(contact, number)])
        if rng.random() < 0.3:
            look()
    look()
    facts = likeness.facts_of(contact.pk for contact in people)
    wanted = {
        (one.pk, two.pk) for one in people for two in people
        if one.pk < two.pk and likeness.evidence(facts[one.pk], facts[two.pk])
    }  # fmt: skip
    assert wanted
    assert {(pair.first_id, pair.second_id) for pair in DuplicatePair.objects.all()} == wanted
