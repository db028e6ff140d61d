import datetime as dt
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from crm.audit.models import AuditEntry
from crm.contacts import localtime, profile
from crm.contacts.models import Contact, ContactEvent, ContactFile, CustomAttribute, LifecycleStage, Tag
from crm.foundation import clock
from tests.api import Integrator
from tests.factories import ContactFactory, ConversationFactory, TagFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    return UserFactory(integrator=True)


@pytest.fixture
def api(user):
    return Integrator(user)


def put(api, path, body):
    return api.send("put", path, json.dumps(body))


def test_the_new_fields_are_written_read_and_refused_with_a_sentence(api):
    stage, owner = LifecycleStage.objects.create(name="Customer"), UserFactory()
    body = {
        "name": "Ana", "email": "Ana@Example.com", "country": "co", "time_zone": "America/Bogota", "stage": stage.pk,
        "owner": owner.pk, "external_id": "P-1",
    }  # fmt: skip
    made = api.post("contacts/", body).json()
    assert {name: made[name] for name in body} == body | {"country": "CO"}
    assert localtime.zone_for(Contact.objects.get()).key == "America/Bogota"
    path = f"contacts/{made['id']}/"
    for bad in ({"country": "XX"}, {"time_zone": "Mars"}, {"stage": 999}, {"owner": 999}, {"email": "a"}):
        answer = api.patch(path, bad)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, list(bad))
    again = api.post("contacts/", {"name": "Luis", "external_id": "P-1"})
    assert (again.status_code, list(again.json()["fields"])) == (400, ["external_id"])
    assert api.patch(path, {"stage": None, "owner": None, "email": None}).json()["email"] is None
    fields = list(Contact.objects.get().changes.order_by("pk").values_list("field", "before", "after"))
    assert ("stage", "Customer", None) in fields
    assert ("email", "Ana@Example.com", None) in fields


@pytest.mark.sqlite_too
def test_a_contact_is_made_and_changed_by_another_systems_id(api):
    first = put(api, "contacts/by-external-id/crm:4711/", {"name": "Ana", "phone": "+34600123456"})
    assert (first.status_code, first.json()["external_id"]) == (201, "crm:4711")
    second = put(api, "contacts/by-external-id/crm:4711/", {"company": "Acme"})
    assert (second.status_code, second.json()["id"], second.json()["name"]) == (200, first.json()["id"], "Ana")
    assert api.get("contacts/by-external-id/crm:4711/").json()["company"] == "Acme"
    assert api.get("contacts/by-external-id/other/").status_code == 404
    assert put(api, "contacts/by-external-id/new/", {}).status_code == 400
    assert put(api, "contacts/by-external-id/new/", []).status_code == 400
    stranger = Integrator(UserFactory(teams=[TeamFactory()]))
    assert put(stranger, "contacts/by-external-id/crm:4711/", {"name": "Mine"}).status_code == 404
    assert Contact.objects.get().name == "Ana"


@pytest.mark.sqlite_too
def test_contacts_are_filtered_by_what_describes_them(api, user):
    stage, mine = LifecycleStage.objects.create(name="Lead"), ContactFactory(name="Mine", owner=user)
    CustomAttribute.objects.create(key="plan", label="Plan")
    CustomAttribute.objects.create(key="age", label="Age", type="number")
    other = ContactFactory(
        name="Other", stage=stage, country="ES", external_id="X", attributes={"plan": "gold", "age": 40}
    )
    profile.write(other, by=user, email="o@example.test")
    wanted = [
        ({"owner": "me"}, "Mine"), ({"owner": str(user.pk)}, "Mine"), ({"owner": "none"}, "Other"),
        ({"stage": stage.pk}, "Other"), ({"country": "es"}, "Other"), ({"external_id": "X"}, "Other"),
        ({"email": "O@Example.test"}, "Other"), ({"attributes.plan": "gold"}, "Other"),
        ({"attributes.age": "40"}, "Other"), ({"attributes.plan": ""}, "Mine"), ({"search": "gold"}, "Other"),
    ]  # fmt: skip
    for query, name in wanted:
        assert [row["name"] for row in api.get("contacts/", **query).json()["results"]] == [name], query
    for query in ({"attributes.nothing": "1"}, {"attributes.age": "old"}):
        assert api.get("contacts/", **query).status_code == 400
    assert mine.owner == user


def test_phones_and_emails_are_added_put_first_and_ended(api):
    contact = ContactFactory(phone="+34600000001")
    path = f"contacts/{contact.pk}/points/"
    made = api.post(path, {"kind": "phone", "value": "0034 600 000 002", "label": "work"})
    assert (made.status_code, made.json()["value"], made.json()["is_primary"]) == (201, "+34600000002", False)
    assert api.patch(f"{path}{made.json()['id']}/", {"is_primary": True}).json()["is_primary"]
    assert api.get(f"contacts/{contact.pk}/").json()["phone"] == "+34600000002"
    assert api.delete(f"{path}{made.json()['id']}/").status_code == 204
    assert api.get(f"contacts/{contact.pk}/").json()["phone"] == "+34600000001"
    assert [row["until"] is None for row in api.get(path).json()["results"]] == [False, True]
    assert api.post(path, {"kind": "email", "value": "nothing"}).status_code == 422
    assert api.post(path, {"kind": "fax", "value": "1"}).status_code == 400


def test_an_event_told_twice_is_one(api):
    contact, other = ContactFactory(), ContactFactory()
    event = {"kind": "call", "title": "Asked for a quote", "at": "2026-05-04T10:00:00Z", "external_id": "pbx-1"}
    first, second = (api.post(f"contacts/{contact.pk}/events/", event) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert api.post(f"contacts/{other.pk}/events/", event).json()["code"] == "event_of_another"
    for bad in ({"kind": "A call"}, {"url": "javascript:alert(1)"}, {"title": ""}, {"at": "yesterday"}):
        assert api.post(f"contacts/{contact.pk}/events/", event | bad).status_code == 400, bad
    without = {name: value for name, value in event.items() if name != "external_id"}
    assert [api.post(f"contacts/{contact.pk}/events/", without).status_code for _ in range(2)] == [201, 201]
    assert ContactEvent.objects.count() == 3


def test_a_file_is_kept_handed_out_and_deleted(api, django_capture_on_commit_callbacks):
    contact = ContactFactory()
    path = f"contacts/{contact.pk}/files/"
    made = api.upload(path, file=SimpleUploadedFile("../policy.pdf", b"%PDF-1.7 text", "application/pdf"))
    assert (made.status_code, made.json()["name"], made.json()["mime_type"]) == (201, "policy.pdf", "application/pdf")
    answer = api.get(f"{path}{made.json()['id']}/content/")
    assert answer.content == b"%PDF-1.7 text"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="policy.pdf"'
    stored = ContactFile.objects.get().file
    with django_capture_on_commit_callbacks(execute=True):
        assert api.delete(f"{path}{made.json()['id']}/").status_code == 204
    assert not stored.storage.exists(stored.name)
    assert set(AuditEntry.objects.values_list("action", flat=True)) >= {"file_added", "file_deleted"}


@pytest.mark.parametrize(
    ("name", "data", "claimed"),
    [
        ("a.html", b"<script>alert(1)</script>", "text/html"), ("a.txt", b" <svg onload=alert(1)>", "text/plain"),
        ("a.exe", b"MZ\x90\x00" + b"\x00" * 60, "application/octet-stream"), ("a.txt", b"\x00\x01", "text/plain"),
        ("a.sh", b"#!/bin/sh", "text/plain"), ("a.pdf", b"just text, no PDF <", "application/pdf"),
        ("a.png", b"", "image/png"),
    ],
)  # fmt: skip
def test_what_a_browser_or_a_computer_would_run_is_not_kept(api, name, data, claimed):
    answer = api.upload(f"contacts/{ContactFactory().pk}/files/", file=SimpleUploadedFile(name, data, claimed))
    if name == "a.pdf":  # readable text is kept as text, whatever it is called
        assert (answer.status_code, answer.json()["mime_type"]) == (201, "text/plain")
    else:
        assert answer.status_code in (400, 422)
        assert not ContactFile.objects.exists()


def test_files_of_a_contact_one_does_not_see_are_not_there():
    contact = ConversationFactory().contact
    stranger = Integrator(UserFactory(teams=[TeamFactory()]))
    assert stranger.get(f"contacts/{contact.pk}/files/").status_code == 404


@pytest.mark.sqlite_too
def test_tags_of_many_at_once_leave_the_restricted_and_the_unseen_alone(api, user):
    tag, rows = TagFactory(name="old"), [ContactFactory() for _ in range(3)]
    frozen = ContactFactory(restricted_at=clock.now())
    profile.tag(rows[0], "old", by=user)
    keys = [*(row.pk for row in rows), frozen.pk, 999_999]
    answer = api.post("contacts/tags/", {"contacts": keys, "add": ["VIP"], "remove": ["old"], "reason": "Fair 2026"})
    assert answer.json() == {"changed": 3, "not_found": [999_999]}
    assert [link.reason for link in Tag.objects.get(name="VIP").contact_tags.all()] == ["Fair 2026"] * 3
    assert not tag.contacts.exists()
    shown = api.get(f"contacts/{rows[0].pk}/tags/").json()
    assert [(one["name"], one["added_by"], one["reason"]) for one in shown] == [("VIP", user.pk, "Fair 2026")]
    agent = Integrator(UserFactory(teams=[TeamFactory()]))
    assert agent.post("contacts/tags/", {"contacts": keys, "add": ["VIP"]}).json()["changed"] == 0
    assert agent.post("contacts/tags/", {"contacts": [], "add": ["unheard of"]}).status_code in (200, 422)


@pytest.mark.sqlite_too
def test_two_tags_become_one_on_contacts_and_conversations(api, user):
    dropped, kept, other = TagFactory(name="Vip"), TagFactory(name="V.I.P."), TagFactory()
    contact, conversation = ContactFactory(), ConversationFactory()
    contact.tags.add(dropped, kept)
    conversation.contact.tags.add(dropped, other)
    conversation.tags.add(dropped)
    answer = api.post(f"tags/{dropped.pk}/merge/", {"into": kept.pk})
    assert (answer.status_code, answer.json()["id"]) == (200, kept.pk)
    assert set(contact.tags.all()) == {kept}
    assert set(conversation.contact.tags.all()) == {kept, other}
    assert set(conversation.tags.all()) == {kept}
    assert not Tag.objects.filter(pk=dropped.pk).exists()
    assert AuditEntry.objects.filter(action="merged", object_id=str(kept.pk)).exists()
    assert api.post(f"tags/{kept.pk}/merge/", {"into": kept.pk}).status_code == 422


def test_stages_are_one_per_name_and_leave_contacts_when_they_go(api):
    made = api.post("stages/", {"name": "Lead", "position": 1}).json()
    assert api.post("stages/", {"name": "LEAD"}).status_code == 400
    contact = ContactFactory(stage_id=made["id"])
    assert api.delete(f"stages/{made['id']}/").status_code == 204
    contact.refresh_from_db()
    assert contact.stage is None
    assert Integrator(UserFactory()).post("stages/", {"name": "x"}).status_code == 403


def test_a_contacts_own_country_and_zone_come_before_its_numbers():
    contact = ContactFactory.build(phone="+34600123456")
    assert localtime.zone_for(contact).key == "Europe/Madrid"
    contact.country = "CO"
    assert localtime.zone_for(contact).key == "America/Bogota"
    contact.time_zone = "Asia/Tokyo"
    assert localtime.zone_for(contact).key == "Asia/Tokyo"
    assert clock.now().astimezone(localtime.zone_for(contact)).utcoffset() == dt.timedelta(hours=9)
