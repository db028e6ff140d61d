"""Contacts, tags and stages in the administration, as far as people are described by more than a name."""

import importlib

import pytest
from django.apps import apps

from crm.audit.models import AuditEntry
from crm.contacts import points, profile
from crm.contacts.models import Contact, ContactPoint, LifecycleStage, Tag

pytestmark = pytest.mark.django_db
LIST = "/admin/crm/contact/"


def of(contact):
    return f"{LIST}{contact.pk}/change/"


def test_a_manager_writes_the_new_fields_by_the_rules_of_the_inbox(admin, posted, manager, factories):
    contact, stage = factories.ContactFactory(), LifecycleStage.objects.create(name="Lead")
    answer = posted(
        of(contact), email="ana@example.com", country="co", time_zone="America/Bogota", stage=stage.pk,
        owner=manager.pk, external_id="P-1",
    )  # fmt: skip
    assert answer.status_code == 302
    contact.refresh_from_db()
    assert (contact.country, contact.stage, contact.owner, contact.external_id) == ("CO", stage, manager, "P-1")
    assert points.current(contact).get(kind="email").value == "ana@example.com"
    fields = set(contact.changes.values_list("field", flat=True))
    assert fields == {"country", "time_zone", "stage", "owner", "external_id", "email"}
    assert AuditEntry.objects.filter(action="changed", object_id=str(contact.pk)).exists()
    page = admin.get(f"{LIST}?stage__id__exact={stage.pk}").content.decode()
    assert "Lead" in page
    assert contact.name in page


@pytest.mark.parametrize(("field", "value"), [("email", "ana"), ("country", "XX"), ("time_zone", "Mars")])
def test_what_cannot_be_is_said_at_its_field(posted, factories, field, value):
    answer = posted(of(factories.ContactFactory()), **{field: value})
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors


def test_an_external_id_of_another_is_an_error_and_no_crash(posted, factories):
    factories.ContactFactory(external_id="P-1")
    answer = posted(of(factories.ContactFactory()), external_id="P-1")
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors


def test_phones_are_added_and_ended_below_the_contact(posted, factories):
    contact = factories.ContactFactory(phone="+34600000001")
    rows = {"points-TOTAL_FORMS": "2", "points-1-kind": "phone", "points-1-value": "+34 600 000 002"}
    assert posted(of(contact), **rows).status_code == 302
    assert [point.value for point in points.current(contact)] == ["+34600000001", "+34600000002"]
    assert posted(of(contact), **{"points-0-DELETE": "on"}).status_code == 302
    contact.refresh_from_db()
    assert contact.phone == "+34600000002"
    assert contact.points.exclude(until=None).get().value == "+34600000001"
    bad = posted(of(contact), **{"points-TOTAL_FORMS": "3", "points-2-kind": "email", "points-2-value": "x"})
    assert "not an e-mail address" in bad.content.decode()


def test_ticked_tags_become_the_chosen_one(admin, factories):
    kept, gone, contact = (
        factories.TagFactory(name="VIP"),
        factories.TagFactory(name="V.I.P."),
        factories.ContactFactory(),
    )
    contact.tags.add(gone)
    data = {"action": "merge_into", "tag": kept.pk, "_selected_action": [gone.pk, kept.pk]}
    answer = admin.post("/admin/crm/tag/", data, follow=True)
    assert "1 tag merged into “VIP”." in answer.content.decode()
    assert list(contact.tags.all()) == [kept]
    assert list(Tag.objects.all()) == [kept]


def test_stages_are_kept_in_order_and_once(admin):
    page = "/admin/crm/lifecyclestage/"
    assert admin.post(f"{page}add/", {"name": " Lead ", "colour": "3", "position": "1"}).status_code == 302
    assert admin.post(f"{page}add/", {"name": "LEAD", "colour": "3", "position": "1"}).status_code == 200
    assert [(stage.name, stage.colour) for stage in LifecycleStage.objects.all()] == [("Lead", 3)]
    assert "Lead" in admin.get(page).content.decode()


def test_why_a_tag_is_there_stands_on_the_page(admin, manager, factories):
    contact = factories.ContactFactory()
    profile.tag(contact, "VIP", by=manager, reason="Asked at the fair")
    assert "Asked at the fair" in admin.get(of(contact)).content.decode()


@pytest.mark.sqlite_too
def test_phones_of_before_become_points_once(factories):
    old, new = Contact.objects.create(phone="+5511987654321"), factories.ContactFactory()
    Contact.objects.create(name="Nobody")
    migration = importlib.import_module("crm.migrations.0016_points_of_phones")
    for _again in range(2):
        migration.fill(apps, None)
    assert ContactPoint.objects.count() == 2
    assert [(point.value, point.is_primary) for point in points.current(old)] == [("+5511987654321", True)]
    assert points.current(new).count() == 1


@pytest.mark.sqlite_too
def test_searches_of_before_say_who_may_look_for_what(factories):
    contact = factories.ContactFactory(name="ana@example.com", company="Acme", phone="+34611223344")
    Contact.objects.update(search_text="ana@example.com acme +34611223344")
    migration = importlib.import_module("crm.migrations.0016_points_of_phones")
    migration.refresh_search(apps, None)
    before = Contact.objects.get(pk=contact.pk).search_text
    contact.refresh_search_text()
    assert before == contact.search_text == "acme\x1f+34611223344 ana@example.com"


def test_a_phone_too_many_is_said_in_the_form_and_nothing_is_saved(posted, factories):
    contact = factories.ContactFactory(phone="+34600000000", company="")
    ContactPoint.objects.bulk_create(
        ContactPoint(contact=contact, kind="phone", value=f"+346000000{number}", match_key=f"346000000{number}")
        for number in range(10, 29)
    )
    more = {"points-TOTAL_FORMS": "21", "points-20-kind": "phone", "points-20-value": "+34600000099"}
    answer = posted(of(contact), company="Acme", **more)
    assert answer.status_code == 200
    assert "too many of them" in answer.content.decode()
    contact.refresh_from_db()
    assert (contact.company, points.current(contact).count()) == ("", 20)
    assert posted(of(contact), **more, **{"points-1-DELETE": "on"}).status_code == 302
    assert points.current(contact).count() == 20


@pytest.mark.sqlite_too
def test_a_refusal_after_the_checks_is_a_message_and_nothing_is_half_saved(posted, factories, monkeypatch):
    contact = factories.ContactFactory(phone="+34600000000", external_id=None)
    factories.ContactFactory(external_id="P-1")
    monkeypatch.setattr(Contact, "validate_constraints", lambda *_, **__: None)  # the other is made a moment later
    more = {"points-TOTAL_FORMS": "2", "points-1-kind": "phone", "points-1-value": "+34600000099"}
    answer = posted(of(contact), company="Half", external_id="P-1", **more)
    assert answer.status_code == 302
    assert "Another contact has this external id already." in [str(one) for one in answer.wsgi_request._messages]
    contact.refresh_from_db()
    assert contact.company != "Half"
    assert points.current(contact).count() == 1


def test_the_page_hides_addresses_from_who_may_not_see_them(admin, posted, factories, monkeypatch):
    identity = factories.IdentityFactory(wa_id="34611223344", username="34611223345", profile_name="34611223346")
    identity.former_values.create(field="wa_id", value="34611223347", match_key="x", until=identity.last_seen_at)
    contact = identity.contact
    profile.write(
        contact, by=factories.UserFactory(), name="34611223348", phone="+34611223344", email="ana@example.com"
    )
    monkeypatch.setattr("crm.contacts.masking.hides", lambda user=None: True)
    page = admin.get(of(contact)).content.decode()
    assert "6112233" not in page
    assert "ana@" not in page
    assert posted(of(contact), company="Acme").status_code == 302
    contact.refresh_from_db()
    assert (contact.company, contact.name, contact.phone) == ("Acme", "34611223348", "+34611223344")
    assert points.primary(contact)["email"] == "ana@example.com"
