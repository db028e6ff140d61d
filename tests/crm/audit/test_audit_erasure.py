"""A person leaves the audit log: entries stay, with who did what and when; whom they were about does not."""

import pytest
from django.db import DatabaseError, connection, transaction

from conversations.desk.models import SavedView
from crm.audit import keeping, log
from crm.audit.models import AuditEntry
from crm.contacts.models import Contact
from crm.merging import merge
from tests.factories import ContactFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def everything():
    return str(list(AuditEntry.objects.order_by("pk").values("object_name", "search_text", "changes")))


def test_g15_entries_stay_and_their_subject_is_replaced():
    agent = UserFactory(name="Luis")
    person = ContactFactory(name="Ana Muñoz", phone="+34600111222", company="ACME")
    other = ContactFactory(name="Anabel Ruiz")
    log.changed(person, log.snapshot(person) | {"company": "Initech"}, by=agent)
    log.record("denied", person, by=agent, changes={"asked_for": [None, "GET /x/"]})
    log.record("changed", other, by=agent, changes={"name": ["Anabel", "Anabel Ruiz"]})
    before = list(AuditEntry.objects.order_by("pk").values("pk", "at", "user_id", "user_name", "action", "object_id"))
    assert keeping.forget(Contact, [person.pk], "Person 7") == 2
    after = list(AuditEntry.objects.order_by("pk").values("pk", "at", "user_id", "user_name", "action", "object_id"))
    assert before == after
    first, denied, others = AuditEntry.objects.order_by("pk")
    assert first.object_name == denied.object_name == "Person 7"
    assert first.changes == {"company": [log.HIDDEN, log.HIDDEN]}
    assert "person 7" in first.search_text
    assert (others.object_name, others.changes) == ("Anabel Ruiz", {"name": ["Anabel", "Anabel Ruiz"]})
    for word in ("Muñoz", "munoz", "Initech", "ACME"):
        assert word not in everything()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM crm_auditentry")


def test_g15_also_those_who_were_merged_into_them_and_into_those():
    people = [ContactFactory(name=name) for name in ("Ana Muñoz", "Ana M.", "Anita")]
    first, second, third = people
    pks = [person.pk for person in people]
    for person in people:
        log.record("changed", person, changes={"phone": ["+34600111222", None]})
    with transaction.atomic():
        merge.absorb(second, third)
        merge.absorb(first, second)
    assert list(Contact.objects.all()) == [first]
    assert keeping.forget(Contact, [first.pk], "Person 7") == 7
    for word in ("Muñoz", "Ana M.", "Anita", "+34600111222"):
        assert word not in everything()
    assert keeping.forget(Contact, [first.pk], "Person 8") == 7  # whose history it was is still known
    assert set(AuditEntry.objects.values_list("object_name", flat=True)) == {"Person 8"}
    assert {int(one) for one in AuditEntry.objects.values_list("object_id", flat=True)} == set(pks)


def test_g15_their_names_go_from_what_staff_name_freely():
    person = ContactFactory(name="Ana Muñoz")
    log.created(person)
    view = SavedView(pk=1, name="For ANA MUÑOZ only", query={"q": "ana muñoz", "status": "open"})
    log.record("created", view, changes={"name": [None, view.name], "query": [None, view.query]})
    kept = SavedView(pk=2, name="Banana Muñozes")
    log.record("created", kept, changes={"name": [None, kept.name]})
    keeping.forget(Contact, [person.pk], "Person 7")
    first, second = AuditEntry.objects.filter(model="conversations.savedview").order_by("pk")
    assert first.changes == {
        "name": [None, "For Person 7 only"],
        "query": [None, {"q": "Person 7", "status": "open"}],
    }
    assert second.changes == {"name": [None, "Banana Muñozes"]}
    assert "muñoz" not in (first.object_name + first.search_text).lower()
    assert "munoz" not in first.search_text
