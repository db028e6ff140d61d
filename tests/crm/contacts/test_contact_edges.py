"""Writing contacts at the edges: two of one name, two at once, values that only look harmless."""

import json

import pytest

from crm.contacts import attributes, masking, points, profile
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import Contact, ContactTag, CustomAttribute, StaleSearch, Tag
from crm.contacts.serializing import ContactSerializer
from crm.contacts.stale import drain
from crm.foundation import repointing
from crm.foundation.errors import Conflict
from crm.merging import merge, undo
from crm.privacy.models import AccessLogEntry
from tests.api import Integrator
from tests.factories import ContactFactory, TagFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    return UserFactory(integrator=True)


@pytest.fixture
def api(user):
    return Integrator(user)


@pytest.fixture
def restricted():
    return UserFactory(restricted=True, teams=[TeamFactory()])


def put(api, external_id, body):
    return api.send("put", f"contacts/by-external-id/{external_id}/", json.dumps(body))


def test_two_users_of_one_name_are_two_owners(user):
    first, second = UserFactory(name="Ana"), UserFactory(name="Ana")
    contact = ContactFactory(owner=first)
    profile.write(contact, by=user, owner=second)
    contact.refresh_from_db()
    assert contact.owner == second
    assert list(contact.changes.values_list("field", "before", "after")) == [("owner", "Ana", "Ana")]
    profile.write(contact, by=user, owner=second)
    assert contact.changes.count() == 1


@pytest.mark.sqlite_too
def test_another_systems_id_is_read_as_it_is_kept(api, user):
    assert put(api, "a%20%20b", {"name": "Ana"}).status_code == 201
    contact = Contact.objects.get(external_id="a b")
    assert api.get("contacts/by-external-id/a%20b/").json()["id"] == contact.pk
    assert AccessLogEntry.objects.filter(contact=contact, user=user).exists()
    assert put(api, "a%20b%20", {"company": "Acme"}).status_code == 200
    for odd in ("a%00b", "%00", "%20"):
        assert api.get(f"contacts/by-external-id/{odd}/").status_code == 404
    assert put(api, "%20", {"name": "Ana"}).status_code == 400


@pytest.mark.sqlite_too
def test_who_comes_second_with_an_external_id_changes_what_the_first_made(api, monkeypatch):
    checks = ContactSerializer.validate

    def overtaken(self, attrs):
        Contact.objects.get_or_create(external_id="P-1", defaults={"name": "First"})
        return checks(self, attrs)

    monkeypatch.setattr(ContactSerializer, "validate", overtaken)
    answer = put(api, "P-1", {"name": "Second"})
    assert (answer.status_code, answer.json()["name"]) == (200, "Second")
    assert Contact.objects.count() == 1


def test_a_denied_look_by_external_id_is_recorded(restricted, monkeypatch):
    missed = []
    monkeypatch.setattr("crm.audit.denials.missed", lambda request, model, **key: missed.append((model, key)))
    ContactFactory(external_id="P-1")
    assert Integrator(restricted).get("contacts/by-external-id/P-1/").status_code == 404
    assert missed == [(Contact, {"external_id": "P-1"})]


def test_the_tags_of_a_merged_contact_are_gone(api, user):
    kept, dropped = ContactFactory(), ContactFactory()
    gone = dropped.pk
    merge.merge(kept, dropped, by=user)
    assert api.get(f"contacts/{gone}/tags/").status_code == 410


@pytest.mark.sqlite_too
def test_another_systems_id_leads_to_the_contact_it_became_part_of(api, user):
    kept, dropped = ContactFactory(external_id="P-1"), ContactFactory(external_id="P-2")
    record = merge.merge(kept, dropped, by=user)
    address = "contacts/by-external-id/P-2/"
    for answer in (api.get(address), put(api, "P-2", {"name": "Ana"})):
        assert (answer.status_code, answer.json()["merged_into"]) == (410, kept.pk)
    assert api.get("contacts/by-external-id/P-3/").status_code == 404
    undo.undo(record, by=user)
    assert api.get(address).status_code == 200


KEYS = ["isnull", "range", "contains", "gt", "in", "has_key", "a__b", "exact"]


@pytest.mark.sqlite_too
@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_django_takes_for_a_lookup_is_a_key(api, key):
    CustomAttribute.objects.create(key=key, label="Odd")
    mine = ContactFactory(attributes={key: "gold"})
    other = ContactFactory(attributes={key: "silver", "a": {"b": "gold"}})
    none = ContactFactory()
    found = {
        text: [row["id"] for row in api.get("contacts/", **{f"attributes.{key}": text}).json()["results"]]
        for text in ("gold", "silver", "")
    }
    assert found == {"gold": [mine.pk], "silver": [other.pk], "": [none.pk]}


@pytest.mark.sqlite_too
def test_a_removed_attribute_leaves_the_search(user):
    CustomAttribute.objects.create(key="plan", label="Plan")
    contact = ContactFactory(name="Ana", phone="+34600000001")
    profile.write(contact, by=user, attributes={"plan": "gold"}, email="ana@example.com")
    untouched = ContactFactory(name="Golda")
    attributes.remove(CustomAttribute.objects.get())
    assert [row.contact_key for row in StaleSearch.objects.all()] == [contact.pk]
    Contact.objects.filter(pk=untouched.pk).update(search_text="as it was")
    assert drain() is False
    assert not StaleSearch.objects.exists()
    assert not Contact.objects.search("gold").exists()
    for word in ("ana", "600000001", "example"):
        assert list(Contact.objects.search(word)) == [contact]
    untouched.refresh_from_db()
    assert untouched.search_text == "as it was"


def test_an_email_that_comes_first_is_a_change_the_second_writer_is_told_of(api, user):
    contact = ContactFactory(name="Ana")
    seen = profile.write(contact, by=user, email="one@example.com").version
    profile.add_point(contact, points.EMAIL, "two@example.com", by=user, is_primary=True)
    assert contact.changes.filter(field="email", before="one@example.com", after="two@example.com").exists()
    answer = api.patch(f"contacts/{contact.pk}/", {"email": "three@example.com", "name": "Eva", "version": seen})
    assert answer.status_code == 409
    assert answer.json()["conflicts"] == {"email": {"present": "two@example.com", "yours": "three@example.com"}}
    with pytest.raises(Conflict):
        profile.write(contact, by=user, version=seen, email=None)
    first = points.current(contact).get(value="two@example.com")
    profile.end_point(first, by=user)
    assert contact.changes.filter(field="email", before="two@example.com", after="one@example.com").exists()


def test_a_conflict_shows_rows_by_key_and_hides_numbers(restricted, user):
    contact, owner = ContactFactory(phone="+34600000001"), UserFactory()
    profile.write(contact, by=user, phone="+34600000002", owner=owner, tags=["vip"])
    with pytest.raises(Conflict) as caught:
        profile.write(contact, by=restricted, version=1, phone=None, owner=None, tags=["new"])
    assert caught.value.extra["conflicts"] == {
        "phone": {"present": "+34 ••• ••• 002", "yours": None},
        "owner": {"present": owner.pk, "yours": None},
        "tag": {"present": ["vip"], "yours": ["new"]},
    }


def test_who_does_not_see_addresses_adds_but_neither_replaces_nor_removes(restricted, user):
    contact = ContactFactory(phone="+34600000001")
    profile.write(contact, by=user, email="ana@example.com")
    for values in ({"phone": "+34600000002"}, {"phone": None}, {"email": "b@example.com"}, {"email": None}):
        with pytest.raises(InvalidValue):
            profile.write(contact, by=restricted, **values)
    for point in points.current(contact):
        with pytest.raises(InvalidValue):
            profile.end_point(point, by=restricted)
    with pytest.raises(InvalidValue):
        profile.add_point(contact, points.PHONE, "+34600000002", by=restricted, is_primary=True)
    profile.add_point(contact, points.PHONE, "+34600000002", by=restricted)
    contact.refresh_from_db()
    assert points.primary(contact) == {"phone": "+34600000001", "email": "ana@example.com"}
    empty = ContactFactory(phone=None)
    profile.write(empty, by=restricted, phone="+34600000003", email="c@example.com")
    assert points.current(empty).count() == 2


def test_a_masked_name_is_not_written_back(user):
    contact = ContactFactory(name="+34 611 223 344")
    path = f"contacts/{contact.pk}/"
    narrow = Integrator(user, "contacts:read", "contacts:write")
    answer = narrow.patch(path, {"name": narrow.get(path).json()["name"]})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["name"])
    assert narrow.patch(path, {"phone": None}).status_code == 422
    with pytest.raises(InvalidValue):
        profile.write(contact, by=user, name=f"Ana {masking.DOTS}")
    contact.refresh_from_db()
    assert contact.name == "+34 611 223 344"


@pytest.mark.sqlite_too
def test_tags_of_many_become_one_a_bounded_number_at_a_time(monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(repointing, "AT_ONCE", 2)
    kept, dropped = TagFactory(), TagFactory()
    for number in range(5):
        contact = ContactFactory()
        ContactTag.objects.bulk_create([ContactTag(contact=contact, tag=tag) for tag in (kept, dropped)[number == 4 :]])
    repointing.repoint(dropped, kept)
    assert ContactTag.objects.filter(tag=kept).count() == 5
    assert not ContactTag.objects.filter(tag=dropped).exists()
    assert Tag.objects.count() == 2
