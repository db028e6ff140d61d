import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from crm.contacts import profile
from crm.contacts.models import Contact, Tag
from crm.foundation import clock
from crm.staff.models import ApiToken
from tests.api import Integrator
from tests.factories import (
    ContactFactory,
    ConversationFactory,
    IdentityFactory,
    InboxFactory,
    TagFactory,
    TeamFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def api():
    return Integrator(UserFactory(manager=True))


def names(answer):
    return [row["name"] for row in answer.json()["results"]]


def test_a_contact_shows_its_accounts_and_tags(api):
    identity = IdentityFactory(wa_id="34600123456", user_id="ES.1", username="ana", contact__phone="+34600123456")
    identity.contact.tags.add(TagFactory(name="vip"), TagFactory(name="auto"))
    answer = api.get(f"contacts/{identity.contact.pk}/")
    created_at = answer.json()["created_at"]
    assert [(point["kind"], point["value"]) for point in answer.json()["points"]] == [("phone", "+34600123456")]
    assert created_at.endswith("Z")
    assert answer.json() == {
        "id": identity.contact.pk,
        "name": identity.contact.name,
        "kind": "person",
        "phone": "+34600123456",
        "email": None,
        "company": "",
        "language": "",
        "country": "",
        "time_zone": "",
        "stage": None,
        "owner": None,
        "external_id": None,
        "identities": [
            {"id": identity.pk, "channel": "whatsapp", "wa_id": "34600123456", "user_id": "ES.1", "username": "ana"}
        ],
        "points": answer.json()["points"],
        "tags": ["auto", "vip"],
        "attributes": {},
        "version": 1,
        "restricted_at": None,
        "last_inbound_at": None,
        "created_at": created_at,
    }


def test_creating_a_contact_normalises_its_phone_and_confirms_its_name(api):
    answer = api.post("contacts/", {"name": "José Muñoz", "phone": "0034 600-123-456", "tags": ["VIP", "vip", "auto"]})
    assert answer.status_code == 201
    assert answer.json()["phone"] == "+34600123456"
    assert sorted(answer.json()["tags"]) == ["VIP", "auto"]
    contact = Contact.objects.get()
    assert contact.is_name_confirmed
    assert not contact.identities.exists()
    assert names(api.get("contacts/", search="munoz 600123")) == ["José Muñoz"]


@pytest.mark.parametrize("phone", ["600 123 456", "abc", "+34", "+999999999999999999", "tel", "+34600123456x"])
def test_a_phone_that_is_none_is_refused_with_a_sentence(api, phone):
    answer = api.post("contacts/", {"name": "Ana", "phone": phone})
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert answer.json()["detail"].startswith("phone: This is not a phone number. Write it with its country code")
    assert list(answer.json()["fields"]) == ["phone"]


def test_a_change_touches_only_what_was_sent_and_keeps_the_search_right(api):
    identity = IdentityFactory(contact__name="Anna", contact__is_name_confirmed=False, username="anita")
    contact = identity.contact
    contact.tags.add(TagFactory(name="vip"))
    answer = api.patch(f"contacts/{contact.pk}/", {"name": "Ana Ruiz", "kind": "employee"})
    assert answer.status_code == 200
    assert (answer.json()["kind"], answer.json()["tags"]) == ("employee", ["vip"])
    contact.refresh_from_db()
    assert contact.is_name_confirmed
    assert names(api.get("contacts/", search="ruiz anita")) == ["Ana Ruiz"]
    assert names(api.get("contacts/", search="anna")) == []
    api.patch(f"contacts/{contact.pk}/", {"tags": []})
    assert list(contact.tags.all()) == []


def test_groups_stay_groups_and_nothing_becomes_one(api):
    group, person = ContactFactory(kind="group", phone=None), ContactFactory()
    assert api.patch(f"contacts/{group.pk}/", {"kind": "person"}).status_code == 400
    assert api.patch(f"contacts/{person.pk}/", {"kind": "group"}).status_code == 400


@pytest.mark.sqlite_too
@pytest.mark.parametrize(
    ("wa_id", "spelling"),
    [
        ("34600123456", "+34 600 123 456"),
        ("34600123456", "0034600123456"),
        ("34600123456", "(34) 600-123-456"),
        ("5215512345678", "+52 55 1234 5678"),
        ("551187654321", "+55 11 98765 4321"),
    ],
)
def test_a_phone_is_found_in_any_spelling(api, wa_id, spelling):
    IdentityFactory(wa_id=wa_id, contact__name="Found", contact__phone=f"+{wa_id}")
    ContactFactory()
    assert names(api.get("contacts/", phone=spelling)) == ["Found"]


def test_a_phone_nobody_has_finds_nobody(api):
    ContactFactory(phone=None)
    for phone in ("anonymous", "+34", "+34 600 999 999", "00"):
        assert names(api.get("contacts/", phone=phone)) == []


def test_contacts_cannot_be_deleted(api):
    answer = api.delete(f"contacts/{ContactFactory().pk}/")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.covers("P03")
def test_an_agent_sees_the_people_of_their_conversations_only():
    team = TeamFactory()
    mine = ConversationFactory(inbox=InboxFactory(teams=[team])).contact
    other = ConversationFactory().contact
    api = Integrator(UserFactory(teams=[team], language="es"))
    assert [row["id"] for row in api.get("contacts/").json()["results"]] == [mine.pk]
    answer = api.get(f"contacts/{other.pk}/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert api.patch(f"contacts/{other.pk}/", {"name": "x"}).status_code == 404


@pytest.mark.sqlite_too
def test_pages_show_each_row_once_while_others_arrive(api):
    first = {ContactFactory().pk for _ in range(7)}
    answer = api.get("contacts/", page_size=3).json()
    seen = [row["id"] for row in answer["results"]]
    ContactFactory()
    while answer["next"]:
        answer = api.client.get(answer["next"]).json()
        seen += [row["id"] for row in answer["results"]]
    assert seen == sorted(first, reverse=True)


def test_the_cost_of_a_page_does_not_depend_on_its_rows(api, django_assert_num_queries):
    def fill(count):
        for _ in range(count):
            IdentityFactory().contact.tags.add(TagFactory())

    api.get("contacts/")
    for count in (2, 18):
        fill(count)
        with django_assert_num_queries(5):  # token, contacts, accounts, tags, phones and e-mails
            assert api.get("contacts/").status_code == 200


def test_tags_are_managed_under_one_name_whatever_its_case(api):
    made = api.post("tags/", {"name": "Ñandú", "colour": 3}).json()
    assert (made["name"], made["colour"]) == ("Ñandú", 3)
    answer = api.post("tags/", {"name": "ñANDÚ"})
    assert answer.status_code == 400
    assert answer.json()["detail"] == "name: There is already a tag “Ñandú”. Use it or choose another name."
    assert api.patch(f"tags/{made['id']}/", {"name": "ñandú"}).json()["name"] == "ñandú"
    assert api.get("tags/").json()["results"] == [{"id": made["id"], "name": "ñandú", "colour": 3, "group": ""}]
    assert api.delete(f"tags/{made['id']}/").status_code == 204
    assert not Tag.objects.exists()


@pytest.mark.sqlite_too
@pytest.mark.parametrize("name", ["a\x07b", "a\u200bb", "\x1e", "x" * 51])
def test_a_name_that_no_list_could_show_becomes_no_tag(api, name):
    contact, tag = ContactFactory(), TagFactory(name="kept")
    assert api.post("tags/", {"name": name}).status_code == 400
    assert api.patch(f"tags/{tag.pk}/", {"name": name}).status_code == 400
    assert api.patch(f"contacts/{contact.pk}/", {"tags": ["kept", name]}).status_code == 400
    conversation = ConversationFactory()
    assert api.post(f"conversations/{conversation.pk}/tags/", {"add": [name]}).status_code == 400
    assert [one.name for one in Tag.objects.all()] == ["kept"]


@pytest.mark.sqlite_too
def test_the_name_of_a_tag_is_one_line(api):
    contact = ContactFactory()
    assert api.post("tags/", {"name": " one\x1f \n line "}).json()["name"] == "one line"
    assert api.patch(f"contacts/{contact.pk}/", {"tags": ["one\x1eline", "two\tlines"]}).json()["tags"] == [
        "one line", "two lines",
    ]  # fmt: skip


@pytest.mark.parametrize("road", ["one", "all"])
def test_two_who_make_the_same_tag_at_once_have_one(monkeypatch, road):
    contact, by, theirs = ContactFactory(), UserFactory(manager=True), []
    known = profile._tags_by_name

    def before_the_other():
        found = known()
        if len(theirs) < 2:  # both looks of `write` come before the other's
            theirs.append(Tag.objects.get_or_create(name="VIP"))
        return found

    monkeypatch.setattr(profile, "_tags_by_name", before_the_other)
    if road == "one":
        profile.tag(contact, "vip", by=by)
    else:
        profile.write(contact, by=by, tags=["vip"])
    assert [tag.name for tag in contact.tags.all()] == ["VIP"]


def test_agents_read_tags_and_do_not_change_them():
    tag, api = TagFactory(), Integrator(UserFactory())
    assert api.get(f"tags/{tag.pk}/").status_code == 200
    for answer in (api.post("tags/", {"name": "x"}), api.delete(f"tags/{tag.pk}/")):
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
        assert "role" in answer.json()["detail"]


@pytest.mark.covers("P15")
def test_nothing_is_allowed_without_a_token_or_with_one_that_is_not_good(api):
    assert Client().get("/api/v1/contacts/").json()["code"] == "not_authenticated"
    anonymous = Client().get("/api/v1/contacts/")
    assert (anonymous.status_code, anonymous.headers["WWW-Authenticate"]) == (401, "Bearer")
    for change in ({"revoked_at": clock.real()}, {"revoked_at": None, "expires_at": clock.real()}):
        ApiToken.objects.update(**change)
        answer = api.get("contacts/")
        assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")
    for header in ("Bearer", "Bearer \x00", "Bearer é", "Basic YTpi", "vt_x"):
        assert Client(headers={"Authorization": header}).get("/api/v1/contacts/").status_code == 401


def test_scopes_narrow_what_a_token_may():
    user = UserFactory(manager=True)
    reader, writer = Integrator(user, "read"), Integrator(user, "write")
    assert reader.get("contacts/").status_code == 200
    assert reader.post("contacts/", {"name": "Ana"}).status_code == 403
    assert writer.post("contacts/", {"name": "Ana"}).status_code == 201
    assert writer.get("contacts/").status_code == 403


def test_an_address_without_anything_answers_in_json(api):
    for path in ("nonsense/", "contacts", "contacts/abc/", "contacts/\x00/", "contacts/99999999999999999999/"):
        answer = api.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    assert api.post("contacts", {"name": "Ana"}).status_code == 404


def test_the_schema_is_open_to_everybody_and_free_of_warnings(tmp_path):
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))
    answer = Client().get(reverse("api:schema"))
    assert answer.status_code == 200
    assert b"/api/v1/conversations/{conversation}/messages/" in answer.content
