"""Contacts, tags, attributes and products in the administration: what a manager does, and what they mistype."""

import pytest
from django.urls import reverse

from catalog.products.models import Product
from crm.contacts import notes
from crm.contacts.models import Contact, ContactNote, CustomAttribute, Tag

pytestmark = pytest.mark.django_db
LIST = "/admin/crm/contact/"
NASTY = '"><script>alert(1)</script>'


def of(contact):
    return f"{LIST}{contact.pk}/change/"


def new(admin, **values):
    return admin.post(f"{LIST}add/", {"kind": "person"} | values)


def errors(answer):
    assert answer.status_code == 200
    return answer.context["adminform"].form.errors


@pytest.fixture
def attributes():
    kinds = {"text": [], "number": [], "date": [], "choice": ["Plus", "Basic"], "yes_no": []}
    return [CustomAttribute.objects.create(key=k, label=k, type=k, choices=c) for k, c in kinds.items()]


def test_a_contact_is_made_by_the_rules_of_the_inbox(admin, factories, attributes):
    vip = factories.TagFactory(name="VIP")
    answer = new(
        admin, name="  Zoë   Quist ", phone="+34 600 12 34 56", language="PT-br", tagged=[vip.pk],
        attribute_number="1,5", attribute_date="2026-05-31", attribute_choice="Plus", attribute_yes_no="no",
    )  # fmt: skip
    assert answer.status_code == 302
    contact = Contact.objects.get()
    assert (contact.name, contact.phone, contact.language) == ("Zoë Quist", "+34600123456", "pt-BR")
    assert contact.is_name_confirmed
    assert "zoe quist" in contact.search_text
    assert contact.attributes == {"number": 1.5, "date": "2026-05-31", "choice": "Plus", "yes_no": False}
    assert [link.tag.name for link in contact.contact_tags.all()] == ["VIP"]


@pytest.mark.covers("A08")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone", "12"), ("phone", "not a number"), ("language", "español"), ("kind", "group"), ("kind", "x"),
        ("name", "x" * 201), ("attribute_number", "twelve"), ("attribute_number", "1e999"),
        ("attribute_date", "2026-02-30"), ("attribute_choice", "Gold"), ("attribute_yes_no", "maybe"),
        ("attribute_text", "x" * 501), ("tagged", "999999"), ("tagged", "x"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_at_its_field(admin, attributes, field, value):
    assert field in errors(new(admin, **({"name": "Ana"} | {field: value})))
    assert not Contact.objects.exists()


def test_a_contact_without_name_and_number_is_refused(admin):
    assert errors(new(admin))
    assert not Contact.objects.exists()


def test_a_change_is_one_version_with_who_changed_what(posted, manager, factories, attributes):
    contact = factories.ContactFactory(name="Ana", attributes={"text": "kept"})
    assert posted(of(contact), company="ACME", attribute_choice="Basic").status_code == 302
    contact.refresh_from_db()
    assert (contact.company, contact.attributes, contact.version) == ("ACME", {"text": "kept", "choice": "Basic"}, 2)
    changed = {change.field: change.user for change in contact.changes.all()}
    assert changed == {"company": manager, "attributes.choice": manager}


def test_emptied_values_and_tags_go(posted, factories, attributes):
    contact = factories.ContactFactory(attributes={"text": "x"})
    contact.contact_tags.create(tag=factories.TagFactory())
    assert posted(of(contact), attribute_text="", tagged=None).status_code == 302
    contact.refresh_from_db()
    assert contact.attributes == {}
    assert not contact.tags.exists()


def test_a_group_stays_a_group(posted, factories):
    group = factories.ContactFactory(kind="group", phone=None)
    assert posted(of(group), kind="person").status_code == 200
    assert posted(of(group), name="The group").status_code == 302
    group.refresh_from_db()
    assert (group.kind, group.name) == ("group", "The group")


def test_notes_are_added_and_deleted_but_not_rewritten(posted, manager, factories):
    contact = factories.ContactFactory()
    note = notes.add(contact, "old", by=manager)
    data = {"notes-TOTAL_FORMS": "2", "notes-0-text": "rewritten", "notes-1-text": " new ", "notes-1-id": ""}
    assert posted(of(contact), **data).status_code == 302
    assert sorted(ContactNote.objects.values_list("text", flat=True)) == ["new", "old"]
    ContactNote.objects.exclude(pk=note.pk).delete()
    assert posted(of(contact), **{"notes-0-DELETE": "on"}).status_code == 302
    assert not ContactNote.objects.exists()
    assert contact.changes.filter(field="note").exists()


def test_an_overlong_note_is_said_at_its_field(posted, factories):
    contact = factories.ContactFactory()
    answer = posted(of(contact), **{"notes-TOTAL_FORMS": "1", "notes-0-text": "x" * 4001})
    assert answer.status_code == 200
    assert not ContactNote.objects.exists()


def test_accounts_are_shown_and_not_changed(admin, posted, factories):
    identity = factories.IdentityFactory(username="zoe_q")
    assert "zoe_q" in admin.get(of(identity.contact)).content.decode()
    posted(of(identity.contact), **{"identities-0-wa_id": "999", "identities-0-username": "hacked"})
    identity.refresh_from_db()
    assert identity.username == "zoe_q"


def test_a_contact_is_not_deleted_here(admin, factories):
    contact = factories.ContactFactory()
    assert admin.post(f"{LIST}{contact.pk}/delete/", {"post": "yes"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": [contact.pk], "post": "yes"}
    admin.post(LIST, data)
    assert Contact.objects.exists()


def test_ticked_contacts_get_a_tag_and_lose_it(admin, manager, factories):
    ana, luis, eva = factories.ContactFactory.create_batch(3)
    tag = factories.TagFactory()
    ticked = {"_selected_action": [ana.pk, luis.pk], "index": "0", "tag": tag.pk}
    assert admin.post(LIST, ticked | {"action": "add_tag"}).status_code == 302
    assert set(tag.contacts.all()) == {ana, luis}
    assert ana.contact_tags.get().added_by == manager
    assert admin.post(LIST, ticked | {"action": "remove_tag"}).status_code == 302
    assert not tag.contacts.exists()


@pytest.mark.parametrize("tag", ["", "x", "0", "9" * 30, "-1", "١"])
def test_without_a_tag_the_action_says_so(admin, factories, tag):
    contact = factories.ContactFactory()
    data = {"action": "add_tag", "_selected_action": [contact.pk], "index": "0", "tag": tag}
    assert admin.post(LIST, data).status_code == 302
    assert not contact.tags.exists()


@pytest.mark.covers("I01")
def test_what_people_write_is_shown_as_text(admin, manager, factories):
    contact = factories.ContactFactory(name=NASTY, company=NASTY, attributes={"k": NASTY})
    CustomAttribute.objects.create(key="k", label=NASTY)
    contact.contact_tags.create(tag=factories.TagFactory(name=NASTY[:50]))
    factories.IdentityFactory(contact=contact, username=NASTY, profile_name=NASTY)
    notes.add(contact, NASTY, by=manager)
    manager.name = NASTY
    manager.save()
    for address in (LIST, of(contact), "/admin/crm/tag/", "/admin/crm/customattribute/", "/admin/crm/user/", "/admin/"):
        page = admin.get(address).content.decode()
        assert "<script>alert(1)" not in page, address


def test_contacts_are_found_without_accents_and_by_number(admin, factories):
    contact = factories.ContactFactory(name="José Muñoz", phone="+34600999888")
    factories.ContactFactory()
    for words in ("jose munoz", "600999", "MUÑOZ"):
        assert admin.get(LIST, {"q": words}).context["cl"].result_list == [contact], words


@pytest.mark.parametrize(
    ("name", "is_fine"), [("vip", False), (" VIP ", False), ("", False), ("VIP 2", True), ("x" * 51, False)]
)
def test_one_tag_per_name_whatever_its_case(admin, factories, name, is_fine):
    factories.TagFactory(name="VIP")
    answer = admin.post("/admin/crm/tag/add/", {"name": name, "colour": "2"})
    assert answer.status_code == (302 if is_fine else 200)
    assert Tag.objects.count() == (2 if is_fine else 1)


@pytest.mark.parametrize("colour", ["16", "-1", "x", ""])
def test_a_tag_has_one_of_the_colours(admin, colour):
    assert "colour" in errors(admin.post("/admin/crm/tag/add/", {"name": "a", "colour": colour}))


def test_choices_are_written_one_to_a_line(admin, posted):
    data = {"label": "Plan", "key": "plan", "type": "choice", "choices": " Plus \n\nBasic", "position": "0"}
    assert admin.post("/admin/crm/customattribute/add/", data).status_code == 302
    attribute = CustomAttribute.objects.get()
    assert attribute.choices == ["Plus", "Basic"]
    address = f"/admin/crm/customattribute/{attribute.pk}/change/"
    assert posted(address, choices="Plus\nGold", key="other", type="text").status_code == 302
    attribute.refresh_from_db()
    assert (attribute.choices, attribute.key, attribute.type) == (["Plus", "Gold"], "plan", "choice")


@pytest.mark.covers("A08")
@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("key", {"key": "Añadido"}), ("key", {"key": "1st"}), ("key", {"key": "taken"}),
        ("choices", {"type": "choice"}), ("choices", {"choices": "a"}),
        ("choices", {"type": "choice", "choices": "a\na"}),
        ("type", {"type": "money"}), ("position", {"position": "-1"}),
    ],
)  # fmt: skip
def test_an_attribute_that_cannot_be_is_refused(admin, field, values):
    CustomAttribute.objects.create(key="taken", label="Taken")
    data = {"label": "New", "key": "new", "type": "text", "choices": "", "position": "0"} | values
    assert field in errors(admin.post("/admin/crm/customattribute/add/", data))


def test_products_are_kept(admin, posted):
    data = {"name": "Oil", "retailer_id": "OIL-1", "price": "12.50", "currency": "eur"}
    assert admin.post(reverse("admin:catalog_product_add"), data).status_code == 302
    product = Product.objects.get()
    assert product.currency == "EUR"
    assert "12.5" in admin.get("/admin/catalog/product/").content.decode()
    address = f"/admin/catalog/product/{product.pk}/change/"
    for field, value in (("price", "-1"), ("currency", "EURO"), ("retailer_id", ""), ("price", "NaN")):
        assert field in errors(posted(address, **{field: value}))
