"""Merging by API and in the administration."""

import pytest

from crm.audit.models import AuditEntry
from crm.contacts import points, profile
from crm.contacts.models import Contact
from crm.foundation import work
from crm.merging import merge
from crm.merging.models import DuplicatePair, MergeRecord
from tests.api import Integrator
from tests.factories import ContactFactory, ConversationFactory, IdentityFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
PAIRS, MERGES = "/admin/crm/duplicatepair/", "/admin/crm/mergerecord/"


@pytest.fixture
def integrator(db):
    return Integrator(UserFactory(integrator=True))


@pytest.fixture
def two(db):
    ana = ContactFactory(name="Ana <b>", phone="+34600000001", company="ACME", attributes={"plan": "A"})
    return ana, ContactFactory(name="Ana", phone="+34600000002", company="Other", attributes={"plan": "B"})


def test_an_integrator_merges_looks_and_takes_it_back(integrator, two):
    kept, dropped = two
    address = f"contacts/{kept.pk}/merge/"
    body = {"contact": dropped.pk, "values": {"company": "other", "attributes.plan": "other", "name": "this"}}
    answer = integrator.post(address, body)
    assert answer.status_code == 201, answer.json()
    made = answer.json()
    assert (made["kept"], made["dropped"], made["can_undo"]) == (kept.pk, dropped.pk, True)
    assert made["gave_way"] == ["attributes.plan", "company", "name"]
    assert made["moved"] == {"crm.contactpoint": 1}
    row = integrator.get(f"contacts/{kept.pk}/").json()
    assert (row["company"], row["attributes"], row["phone"]) == ("Other", {"plan": "B"}, "+34600000001")
    assert [one["id"] for one in integrator.get(address).json()["results"]] == [made["id"]]
    gone = integrator.get(f"contacts/{dropped.pk}/")
    assert (gone.status_code, gone.json()["code"], gone.json()["merged_into"]) == (410, "merged", kept.pk)
    assert integrator.get(f"contacts/{dropped.pk}/notes/").json()["merged_into"] == kept.pk
    assert integrator.patch(f"contacts/{dropped.pk}/", {"name": "x"}).status_code == 410
    undone = integrator.post(f"{address}{made['id']}/undo/")
    assert (undone.status_code, undone.json()["id"], undone.json()["company"]) == (200, dropped.pk, "Other")
    assert integrator.get(f"contacts/{dropped.pk}/").status_code == 200
    again = integrator.post(f"{address}{made['id']}/undo/")
    assert (again.status_code, again.json()["code"]) == (409, "cannot_undo")


def test_what_cannot_be_merged_is_refused_with_a_sentence(integrator, two):
    kept, dropped = two
    address = f"contacts/{kept.pk}/merge/"
    itself = integrator.post(address, {"contact": kept.pk})
    assert (itself.status_code, itself.json()["code"]) == (409, "cannot_merge")
    for body in ({}, {"contact": 0}, {"contact": 10**17}, {"contact": dropped.pk, "values": {"name": "x"}}):
        assert integrator.post(address, body).status_code == 400
    unknown = integrator.post(address, {"contact": dropped.pk, "values": {"version": "other"}})
    assert unknown.json()["code"] == "cannot_merge"
    merge.merge(kept, dropped, by=UserFactory(manager=True))
    third = ContactFactory()
    late = integrator.post(f"contacts/{third.pk}/merge/", {"contact": dropped.pk})
    assert (late.status_code, late.json()["merged_into"]) == (410, kept.pk)
    assert integrator.post(f"contacts/{dropped.pk}/merge/", {"contact": third.pk}).status_code == 410
    assert MergeRecord.objects.count() == 1


def test_agents_do_not_merge_and_learn_nothing_of_whom_they_do_not_see(two):
    kept, dropped = two
    agent = Integrator(UserFactory())
    assert agent.post(f"contacts/{kept.pk}/merge/", {"contact": dropped.pk}).status_code == 403
    merge.merge(kept, dropped, by=UserFactory(manager=True))
    assert agent.get(f"contacts/{dropped.pk}/").status_code == 404


def test_an_account_is_split_off_by_api(integrator):
    contact = IdentityFactory(contact=ContactFactory(phone="+34600000001")).contact
    other = IdentityFactory(contact=ContactFactory(phone="+34600000002"))
    merge.merge(contact, other.contact, by=UserFactory(manager=True))
    answer = integrator.post(f"contacts/{contact.pk}/split/", {"identity": other.pk})
    assert (answer.status_code, answer.json()["phone"]) == (201, "+34600000002")
    again = integrator.post(f"contacts/{contact.pk}/split/", {"identity": other.pk})
    assert again.status_code == 404
    only = contact.identities.get().pk
    assert integrator.post(f"contacts/{contact.pk}/split/", {"identity": only}).json()["code"] == "cannot_split"


def test_a_manager_compares_chooses_merges_and_takes_it_back(admin, manager, two):
    kept, dropped = two
    points.put(kept, "phone", dropped.phone, by=manager)
    work.run_until_idle("duplicates")
    pair = DuplicatePair.objects.get()
    shown = admin.get(PAIRS).content.decode()
    assert "Same phone: +34600000002" in shown
    assert "Ana &lt;b&gt;" in shown
    assert "<b>" not in shown
    page = admin.get(f"{PAIRS}{pair.pk}/change/", follow=True)
    text = page.content.decode()
    assert "ACME" in text
    assert 'name="value.attributes.plan"' in text
    assert "Ana <b>" not in text
    address = page.request["PATH_INFO"]
    assert admin.post(address, {}).status_code == 302  # which one?
    assert DuplicatePair.objects.exists()
    keep = "first" if pair.first == kept else "second"
    theirs = "second" if keep == "first" else "first"
    done = admin.post(address, {"keep": keep, "value.company": theirs, "value.name": keep}, follow=True)
    record = MergeRecord.objects.get()
    text = done.content.decode()
    assert "Take the merge back" in text
    assert "Company: ACME" in text
    assert Contact.objects.get().company == "Other"
    moved_on = admin.get(f"/admin/crm/contact/{dropped.pk}/change/")
    assert moved_on["Location"] == f"/admin/crm/contact/{kept.pk}/change/"
    back = admin.post(
        MERGES, {"index": "0", "action": "take_back", "_selected_action": record.pk, "_row": record.pk}, follow=True
    )
    assert "They are two contacts again." in back.content.decode()
    assert Contact.objects.get(pk=kept.pk).company == "ACME"
    assert DuplicatePair.objects.get(pk=pair.pk).state == "open"
    acts = AuditEntry.objects.filter(model="crm.contact", object_id=str(kept.pk)).values_list("action", flat=True)
    assert {"merged", "merge_undone"} <= set(acts)


def test_a_manager_dismisses_and_finds_the_pair_again_among_the_dismissed(admin, manager, two):
    points.put(two[0], "phone", two[1].phone, by=manager)
    work.run_until_idle("duplicates")
    pair = DuplicatePair.objects.get()
    admin.post(f"{PAIRS}compare/{two[0].pk}/{two[1].pk}/", {"dismiss": "1"})
    pair.refresh_from_db()
    assert (pair.state, pair.decided_by) == ("dismissed", manager)
    assert "Same phone" not in admin.get(PAIRS).content.decode()
    assert "Same phone" in admin.get(f"{PAIRS}?state=dismissed").content.decode()
    assert "Same phone" in admin.get(f"{PAIRS}?state=all").content.decode()


def test_two_ticked_contacts_are_compared_and_three_are_not(admin, two):
    ticked = [contact.pk for contact in two]
    answer = admin.post("/admin/crm/contact/", {"action": "compare", "_selected_action": ticked})
    assert answer["Location"] == f"{PAIRS}compare/{ticked[0]}/{ticked[1]}/"
    three = [*ticked, ContactFactory().pk]
    answer = admin.post("/admin/crm/contact/", {"action": "compare", "_selected_action": three}, follow=True)
    assert "Tick two contacts." in answer.content.decode()
    assert admin.get(f"{PAIRS}compare/{ticked[0]}/{ticked[0]}/").status_code == 404
    itself = admin.get(f"{PAIRS}compare/{ticked[0]}/{10**15}/")
    assert itself.status_code == 404


def test_a_manager_splits_an_account_off(admin, manager):
    talk = ConversationFactory()
    other = IdentityFactory(contact=ContactFactory(phone="+34600000009"))
    merge.merge(talk.contact, other.contact, by=manager)
    address = f"{MERGES}split/{other.pk}/"
    assert address in admin.get(f"/admin/crm/contact/{talk.contact_id}/change/").content.decode()
    assert "+34600000009" in admin.get(address).content.decode()
    done = admin.post(address, follow=True).content.decode()
    assert "The account is a contact of its own now." in done
    assert "only account" in admin.post(address, follow=True).content.decode()


def test_lists_and_the_comparison_cost_few_queries_whatever_their_length(admin, manager, django_assert_max_num_queries):
    for _n in range(20):
        one, other = ContactFactory(), ContactFactory()
        profile.write(one, by=manager, email=f"{one.pk}@example.test")
        points.put(other, "email", f"{one.pk}@example.test", by=manager)
        IdentityFactory(contact=one)
    work.run_until_idle("duplicates")
    assert DuplicatePair.objects.count() == 20
    with django_assert_max_num_queries(8):
        admin.get(PAIRS)
    with django_assert_max_num_queries(11):
        admin.get(f"{PAIRS}compare/{one.pk}/{other.pk}/")
    for pair in DuplicatePair.objects.all()[:10]:
        merge.merge(pair.first, pair.second, by=manager)
    with django_assert_max_num_queries(8):
        assert admin.get(MERGES).status_code == 200
