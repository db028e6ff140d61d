"""Which person a number or user id means, and when."""

import datetime as dt
import itertools

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from crm.contacts import identities
from crm.contacts.identities import change, resolve
from crm.contacts.models import ChannelIdentity, Contact, ContactChange, ContactTag, IdentityValue
from tests.factories import ContactFactory, TagFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]

DAY = dt.timedelta(days=1)
NOW = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


def seen(address="", user_id="", day=0, name="", username="", scope="portfolio"):
    return resolve(
        "whatsapp", scope=scope, at=NOW + day * DAY, address=address, user_id=user_id, profile_name=name,
        username=username,
    )  # fmt: skip


def moved(old, new, day, field="wa_id"):
    return change("whatsapp", scope="portfolio", field=field, old=old, new=new, at=NOW + day * DAY)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("551187654321", "5511987654321"),
        ("5511987654321", "551187654321"),
        ("5215512345678", "525512345678"),
        ("5491123456789", "541123456789"),
    ],
)
def test_two_spellings_of_a_number_are_one_person_and_the_first_is_kept_as_received(one, other):
    assert seen(one) == seen(other)
    assert ChannelIdentity.objects.get().wa_id == one


def test_a_person_without_a_number_is_known_by_user_id():
    identity = seen(user_id="ES.1", name="Sombra", username="sombra")
    assert (identity.wa_id, identity.match_key, identity.contact.phone) == (None, None, None)
    assert identity.contact.name == "Sombra"
    assert seen(user_id="ES.1") == identity


def test_nobody_is_nobody():
    with pytest.raises(ValueError, match="neither"):
        seen(" ", "")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_webhook_with_both_values_makes_two_rows_one(order):
    steps = [
        lambda: seen("34600111222", day=1),
        lambda: seen(user_id="ES.1", day=2),
        lambda: seen("34600111222", "ES.1", 3),
    ]
    for index in order:
        steps[index]()
    identity = ChannelIdentity.objects.get()
    assert (identity.wa_id, identity.user_id) == ("34600111222", "ES.1")
    assert Contact.objects.get().phone == "+34600111222"
    assert (identity.first_seen_at, identity.last_seen_at) == (NOW + DAY, NOW + 3 * DAY)


def test_joining_keeps_tags_and_the_name_a_person_wrote():
    by_number, by_id = seen("34600111222", day=1), seen(user_id="ES.1", day=2)
    vip, old = TagFactory(name="vip"), TagFactory(name="old")
    ContactTag.objects.create(contact=by_number.contact, tag=old)
    ContactTag.objects.create(contact=by_id.contact, tag=old)
    ContactTag.objects.create(contact=by_id.contact, tag=vip)
    Contact.objects.filter(pk=by_id.contact_id).update(name="Ana Ruiz", is_name_confirmed=True)
    seen("34600111222", "ES.1", 3, name="anita")
    contact = Contact.objects.get()
    assert (contact.name, contact.is_name_confirmed) == ("Ana Ruiz", True)
    assert set(contact.tags.values_list("name", flat=True)) == {"vip", "old"}


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_the_newest_profile_wins_and_older_ones_fill_the_gaps(order):
    for day in order:
        seen("34600111222", day=day, name={1: "Anita", 2: "Ana Ruiz"}[day], username={1: "ana", 2: ""}[day])
    identity = ChannelIdentity.objects.get()
    assert (identity.profile_name, identity.username, identity.contact.name) == ("Ana Ruiz", "ana", "Ana Ruiz")


def test_a_confirmed_name_survives_what_the_person_calls_themselves():
    contact = seen("34600111222", name="anita").contact
    Contact.objects.filter(pk=contact.pk).update(name="Ana Ruiz", is_name_confirmed=True)
    seen("34600111222", day=2, name="La Jefa")
    contact.refresh_from_db()
    assert contact.name == "Ana Ruiz"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_change_of_number_means_the_same_person_early_late_or_between(order):
    steps = [
        lambda: seen("34600111222", day=1),
        lambda: moved("34600111222", "34600333444", 5),
        lambda: seen("34600333444", day=9),
    ]
    for index in order:
        steps[index]()
    identity = ChannelIdentity.objects.get()
    assert (identity.wa_id, identity.contact.phone) == ("34600333444", "+34600333444")
    assert list(identity.former_values.values_list("value", "until")) == [("34600111222", NOW + 5 * DAY)]


def test_a_change_that_is_replayed_changes_nothing():
    seen("34600111222", day=1)
    first = moved("34600111222", "34600333444", 5)
    second = moved("34600333444", "34600555666", 7)
    assert moved("34600111222", "34600333444", 5) == first == second
    assert ChannelIdentity.objects.get().wa_id == "34600555666"
    assert IdentityValue.objects.count() == 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_next_owner_of_a_number_is_somebody_else(order):
    steps = [
        lambda: seen("34600111222", day=1, name="Ana"),
        lambda: moved("34600111222", "34600333444", 5),
        lambda: seen("34600111222", day=90, name="Ana"),
        lambda: seen("34600111222", day=2, name="Ana"),
    ]
    for index in order:
        steps[index]()
    assert ChannelIdentity.objects.count() == 2
    assert seen("34600111222", day=3).wa_id == "34600333444"
    assert seen("34600111222", day=91).wa_id == "34600111222"
    assert set(Contact.objects.values_list("phone", flat=True)) == {"+34600333444", "+34600111222"}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_another_user_id_under_the_same_number_is_a_new_owner(order):
    steps = [
        lambda: seen("34600111222", "ES.1", 1),
        lambda: seen("34600111222", "ES.1", 2),
        lambda: seen("34600111222", "ES.2", 60),
        lambda: seen("34600111222", "ES.2", 70),
    ]
    for index in order:
        steps[index]()
    first, second = (ChannelIdentity.objects.get(user_id=f"ES.{number}") for number in (1, 2))
    assert (first.wa_id, second.wa_id) == (None, "34600111222")
    assert (first.contact.phone, second.contact.phone) == (None, "+34600111222")
    assert seen("34600111222", day=3) == first
    assert seen("34600111222", day=65) == second


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_change_of_user_id_is_the_same_person(order):
    steps = [
        lambda: seen("34600111222", "ES.1", 1),
        lambda: moved("ES.1", "ES.2", 5, field="user_id"),
        lambda: seen("34600111222", "ES.2", 9),
    ]
    for index in order:
        steps[index]()
    identity = ChannelIdentity.objects.get()
    assert (identity.wa_id, identity.user_id) == ("34600111222", "ES.2")
    assert seen(user_id="ES.1", day=2) == identity


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_number_and_user_id_change_together(order):
    steps = [
        lambda: seen("34600111222", "ES.1", 1),
        lambda: moved("34600111222", "34600333444", 5),
        lambda: moved("ES.1", "ES.2", 5, field="user_id"),
        lambda: seen("34600333444", "ES.2", 9),
    ]
    with transaction.atomic():
        for index in order:
            steps[index]()
        identity = ChannelIdentity.objects.get()
    assert (identity.wa_id, identity.user_id) == ("34600333444", "ES.2")
    assert set(identity.former_values.values_list("value", flat=True)) == {"34600111222", "ES.1"}


def test_a_user_id_is_only_valid_within_its_portfolio():
    assert seen(user_id="ES.1", scope="one") != seen(user_id="ES.1", scope="two")


def test_a_user_id_of_a_joined_row_brings_its_portfolio_along():
    seen("34600111222", scope="one")
    seen(user_id="ES.1", scope="two", day=1)
    seen("34600111222", "ES.1", scope="two", day=2)
    identity = ChannelIdentity.objects.get()
    assert (identity.scope, identity.user_id) == ("two", "ES.1")
    assert seen(user_id="ES.1", scope="two", day=3) == identity


def test_joining_tells_who_hangs_on_the_dropped_row():
    heard = []

    def receive(sender, kept, dropped, **_):
        heard.append((kept.wa_id, dropped.user_id))

    identities.identities_joined.connect(receive)
    try:
        seen("34600111222", day=1)
        seen(user_id="ES.1", day=2)
        seen("34600111222", "ES.1", 3)
    finally:
        identities.identities_joined.disconnect(receive)
    assert heard == [("34600111222", "ES.1")]


def test_a_contact_entered_beforehand_is_the_person_who_then_writes():
    entered = ContactFactory(name="Pilar Gómez", is_name_confirmed=True, phone="+34600111222")
    identity = seen("34600111222", name="Pili")
    assert identity.contact == entered
    entered.refresh_from_db()
    assert entered.name == "Pilar Gómez"


def test_a_changed_profile_asks_for_the_written_phone_only_if_the_number_differs():
    identity = seen("34600123456", name="Ana")
    identity.profile_name = "Anna"
    with CaptureQueriesContext(connection) as queries:
        identities.refresh_contact(identity)
    assert not [query["sql"] for query in queries if ContactChange._meta.db_table in query["sql"]]
    assert Contact.objects.get().name == "Anna"


def test_the_newest_written_phone_counts_whatever_its_version():
    contact = seen("34600123456").contact
    Contact.objects.update(phone="+34600999999")
    for version, after in ((7, "+34600888888"), (2, "+34600999999")):  # of contacts that became one
        ContactChange.objects.create(contact=contact, field="phone", after=after, version=version)
    identities.refresh_contact(contact.identities.get())
    assert Contact.objects.get().phone == "+34600999999"
