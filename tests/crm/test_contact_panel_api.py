"""Custom attributes, notes and what else the panel shows of a contact, by API."""

import pytest

from crm.contacts.attributes import InvalidValue, read
from crm.contacts.models import Contact, ContactChange, ContactNote, CustomAttribute
from tests.api import Integrator
from tests.factories import ContactFactory, ConversationFactory, InboxFactory, TagFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db

ATTRIBUTES = [
    ("policy", "text", []),
    ("born", "date", []),
    ("children", "number", []),
    ("plan", "choice", ["gold", "silver"]),
    ("news", "yes_no", []),
]


@pytest.fixture
def api():
    return Integrator(UserFactory(manager=True))


@pytest.fixture
def attributes(db):
    for key, type_, choices in ATTRIBUTES:
        CustomAttribute.objects.create(key=key, label=key.title(), type=type_, choices=choices)


@pytest.mark.sqlite_too
def test_values_of_every_type_are_kept_and_given_back(api, attributes):
    contact = ContactFactory()
    values = {"policy": " HG-1 ", "born": "1984-02-29", "children": 2, "plan": "gold", "news": True}
    answer = api.patch(f"contacts/{contact.pk}/", {"attributes": values, "company": "Gil", "language": "PT_br"})
    assert answer.status_code == 200
    kept = values | {"policy": "HG-1"}
    assert (answer.json()["attributes"], answer.json()["company"]) == (kept, "Gil")
    assert answer.json()["language"] == "pt-BR"
    answer = api.patch(f"contacts/{contact.pk}/", {"attributes": {"plan": None, "children": "2,5", "policy": ""}})
    assert answer.json()["attributes"] == {"born": "1984-02-29", "children": 2.5, "news": True}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("born", "1984-02-30"), ("born", "29/02/1984"), ("born", 5), ("born", "0024-01-01"), ("children", "two"),
        ("children", 10**16), ("children", True), ("children", [1]), ("plan", "bronze"), ("plan", 1),
        ("news", "perhaps"), ("news", 1), ("policy", 5), ("policy", "x" * 501), ("nothing", "x"), ("a\x00b", "x"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_under_its_key(api, attributes, key, value):
    contact = ContactFactory()
    answer = api.patch(f"contacts/{contact.pk}/", {"attributes": {"news": True, key: value}})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["detail"].startswith(f"attributes.{key}: ")
    assert Contact.objects.get().attributes == {}


@pytest.mark.parametrize("body", [{"attributes": []}, {"attributes": "x"}, {"language": "spanish!"}, {"version": 0}])
def test_nonsense_is_refused(api, body):
    assert api.patch(f"contacts/{ContactFactory().pk}/", body).status_code == 400


def test_a_stale_version_refuses_only_what_was_changed_since(api):
    contact = ContactFactory(name="Ana", company="")
    first = api.get(f"contacts/{contact.pk}/").json()["version"]
    assert api.patch(f"contacts/{contact.pk}/", {"name": "Ana Ruiz", "version": first}).json()["version"] == first + 1
    answer = api.patch(f"contacts/{contact.pk}/", {"name": "Ana R.", "company": "Gil", "version": first})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert answer.json()["version"] == first + 1
    answer = api.patch(f"contacts/{contact.pk}/", {"company": "Gil", "tags": ["vip"], "version": first})
    assert (answer.status_code, answer.json()["version"]) == (200, first + 2)
    answer = api.patch(f"contacts/{contact.pk}/", {"tags": [], "version": first})
    assert answer.status_code == 409
    assert api.patch(f"contacts/{contact.pk}/", {"name": "Ana R."}).status_code == 200


def test_who_changed_what_is_kept(api, attributes):
    contact = ContactFactory(name="Ana")
    contact.tags.add(TagFactory(name="old"))
    api.patch(
        f"contacts/{contact.pk}/",
        {"name": "Ana Ruiz", "phone": contact.phone, "attributes": {"plan": "gold"}, "tags": ["new"]},
    )
    rows = ContactChange.objects.order_by("pk").values_list("field", "before", "after", "version", "user")
    user = ContactChange.objects.first().user_id
    assert list(rows) == [
        ("name", "Ana", "Ana Ruiz", 2, user),
        ("attributes.plan", None, "gold", 2, user),
        ("tag", "old", None, 2, user),
        ("tag", None, "new", 2, user),
    ]
    api.patch(f"contacts/{contact.pk}/", {"name": "Ana Ruiz", "tags": ["NEW"]})
    assert Contact.objects.get().version == 2


@pytest.mark.sqlite_too
def test_an_attribute_goes_with_its_values(api, attributes):
    contact, other = ContactFactory(attributes={"plan": "gold", "news": False}), ContactFactory()
    plan = CustomAttribute.objects.get(key="plan")
    assert api.delete(f"attributes/{plan.pk}/").status_code == 204
    contact.refresh_from_db()
    other.refresh_from_db()
    assert (contact.attributes, other.attributes) == ({"news": False}, {})


def test_attributes_are_made_by_managers_and_keep_key_and_type(api):
    made = api.post("attributes/", {"key": "plan", "label": "Plan", "type": "choice", "choices": ["gold"]})
    assert made.status_code == 201
    row = f"attributes/{made.json()['id']}/"
    assert api.patch(row, {"label": "Tarifa", "choices": ["gold", "silver"]}).json()["choices"] == ["gold", "silver"]
    for body in ({"key": "other"}, {"type": "text"}, {"choices": []}, {"choices": ["a", "a"]}):
        assert api.patch(row, body).status_code == 400, body
    for body in (
        {"key": "plan", "label": "x"},
        {"key": "Big Key", "label": "x"},
        {"key": "x", "label": ""},
        {"key": "x", "label": "x", "type": "choice"},
        {"key": "x", "label": "x", "choices": ["a"]},
        {"key": "x", "label": "x", "type": "colour"},
    ):
        assert api.post("attributes/", body).status_code == 400, body
    agent = Integrator(UserFactory())
    assert [found["key"] for found in agent.get("attributes/").json()["results"]] == ["plan"]
    assert agent.post("attributes/", {"key": "x", "label": "x"}).status_code == 403
    assert agent.delete(row).status_code == 403


def test_notes_are_written_by_all_changed_by_their_author_deleted_by_managers_too(api):
    team = TeamFactory()
    contact = ConversationFactory(inbox=InboxFactory(teams=[team])).contact
    ana, luis = Integrator(UserFactory(teams=[team])), Integrator(UserFactory(teams=[team]))
    made = ana.post(f"contacts/{contact.pk}/notes/", {"text": " Calls in the afternoon "})
    assert (made.status_code, made.json()["text"], made.json()["edited_at"]) == (201, "Calls in the afternoon", None)
    row = f"contacts/{contact.pk}/notes/{made.json()['id']}/"
    for answer in (luis.patch(row, {"text": "x"}), luis.delete(row), api.patch(row, {"text": "x"})):
        assert (answer.status_code, answer.json()["code"]) == (403, "not_your_note")
    assert ana.patch(row, {"text": "Mornings"}).json()["edited_at"] is not None
    assert [note["text"] for note in luis.pages(f"contacts/{contact.pk}/notes/")] == ["Mornings"]
    assert api.delete(row).status_code == 204
    assert not ContactNote.objects.exists()
    for text in ("", "  ", "x" * 4001, None):
        assert ana.post(f"contacts/{contact.pk}/notes/", {"text": text}).status_code == 400


@pytest.mark.covers("P04")
def test_notes_of_somebody_elses_contact_do_not_exist(api):
    contact = ConversationFactory().contact
    note = ContactNote.objects.create(contact=contact, text="secret")
    stranger = Integrator(UserFactory())
    for path in (f"contacts/{contact.pk}/notes/", f"contacts/{contact.pk}/notes/{note.pk}/"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"contacts/{contact.pk}/notes/", {"text": "x"}).status_code == 404
    assert stranger.delete(f"contacts/{contact.pk}/notes/{note.pk}/").status_code == 404
    other = ContactFactory()
    assert api.get(f"contacts/{other.pk}/notes/{note.pk}/").status_code == 404


def test_contacts_are_found_by_tag_and_language(api):
    ana = ContactFactory(name="Ana", language="es")
    ContactFactory(language="en")
    ana.tags.add(TagFactory(name="Ñandú"))
    for query in ({"tag": "ñandú"}, {"language": "es"}):
        assert [row["name"] for row in api.get("contacts/", **query).json()["results"]] == ["Ana"]
    assert api.get("contacts/", tag="nobody has it").json()["results"] == []


@pytest.mark.parametrize("value", [10**400, -(10**15), float("inf"), float("nan"), "9" * 400])
def test_a_number_beyond_all_numbers_is_refused(value):
    with pytest.raises(InvalidValue):
        read(CustomAttribute(type="number"), value)
