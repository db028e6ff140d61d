"""Everything the administration changes is in the audit log, and two people at one form do not undo each other."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from crm.audit import log
from crm.audit.models import AuditEntry
from crm.contacts.models import CustomAttribute, Tag
from crm.staff.models import Team, User

pytestmark = pytest.mark.django_db


def of(row, page="change"):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])


def entries(row):
    return AuditEntry.objects.about(row._meta.label_lower, row.pk)


def test_a_new_row_is_recorded_with_its_values(admin, manager):
    admin.post(reverse("admin:crm_tag_add"), {"name": "VIP", "colour": "3"})
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.model, entry.user, entry.source) == ("created", "crm.tag", manager, "admin")
    assert entry.changes == {"name": [None, "VIP"], "colour": [None, 3]}
    assert entry.ip == "127.0.0.1"


@pytest.mark.covers("A12")
def test_a_change_is_recorded_before_and_after(posted, factories):
    tag = factories.TagFactory(name="old")
    assert posted(of(tag), name="new").status_code == 302
    assert entries(tag).get().changes == {"name": ["old", "new"]}


def test_saving_without_changing_leaves_no_trace(posted, factories):
    tag = factories.TagFactory()
    assert posted(of(tag)).status_code == 302
    assert not entries(tag).exists()


def test_a_deletion_is_recorded_with_what_was_there(admin, factories):
    tag = factories.TagFactory(name="gone")
    assert admin.post(of(tag, "delete"), {"post": "yes"}).status_code == 302
    assert entries(tag).get().changes["name"] == ["gone", None]
    assert not Tag.objects.exists()


def test_deleting_several_records_each(admin, factories):
    tags = factories.TagFactory.create_batch(3)
    data = {"action": "delete_selected", "_selected_action": [tag.pk for tag in tags[:2]], "post": "yes"}
    admin.post(reverse("admin:crm_tag_changelist"), data)
    assert list(Tag.objects.all()) == tags[2:]
    assert AuditEntry.objects.filter(action="deleted").count() == 2


@pytest.mark.covers("A09")
def test_an_action_is_for_the_ticked_rows_even_if_all_are_asked_for(admin, factories):
    tags = factories.TagFactory.create_batch(3)
    data = {"action": "delete_selected", "_selected_action": [tags[0].pk], "select_across": "1", "post": "yes"}
    admin.post(reverse("admin:crm_tag_changelist"), data)
    assert Tag.objects.count() == 2


@pytest.mark.covers("A07")
def test_djangos_own_log_stays_empty(admin, posted, factories):
    tag = factories.TagFactory()
    posted(of(tag), name="other")
    admin.post(of(tag, "delete"), {"post": "yes"})
    assert not LogEntry.objects.exists()


@pytest.mark.covers("A07")
def test_neither_password_nor_invitation_is_in_the_log(admin, factories):
    data = {
        "name": "Nora", "email": "nora@example.test", "role": "agent", "language": "es", "time_zone": "Europe/Madrid",
    }  # fmt: skip
    link = admin.post(reverse("admin:crm_user_add"), data).context["link"]
    user = User.objects.get(email="nora@example.test")
    written = str(entries(user).values_list("action", "changes"))
    assert not user.has_usable_password()
    assert "created" in written
    assert "invited" in written
    assert user.password not in written
    assert link.split("/")[-2] not in written
    assert log.HIDDEN in written


def test_links_to_other_rows_are_recorded_by_name(posted, factories):
    team = factories.TeamFactory(name="Sales")
    ana = factories.UserFactory(name="Ana")
    inbox = factories.InboxFactory(name="Shop")
    assert posted(of(team), members=[ana.pk], open_inboxes=[inbox.pk]).status_code == 302
    assert entries(team).get().changes == {"members": [[], ["Ana"]], "numbers": [[], ["Shop"]]}
    assert posted(of(ana), member_of=[]).status_code == 302
    assert entries(ana).get().changes == {"teams": [["Sales"], []]}


@pytest.mark.covers("I01")
def test_the_history_shows_the_log_escaped(admin, posted, factories):
    tag = factories.TagFactory(name="plain")
    posted(of(tag), name="<img src=x onerror=alert(1)>")
    page = admin.get(of(tag, "history")).content.decode()
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page
    assert "Marta" in page


@pytest.mark.covers("A09", "A12")
def test_the_log_is_read_only(admin, manager, factories):
    entry = log.record("changed", factories.TagFactory(), by=manager, changes={"name": ["a", "<b>"]})
    page = admin.get(of(entry))
    assert page.status_code == 200
    assert "<b></ins>" not in page.content.decode()
    assert admin.post(of(entry), {"action": "x"}).status_code == 403
    assert admin.post(of(entry, "delete"), {"post": "yes"}).status_code == 403
    assert admin.get(reverse("admin:crm_auditentry_add")).status_code == 403


def test_the_log_is_found_by_person_thing_kind_and_act(admin, manager, factories):
    tag = factories.TagFactory(name="needle")
    log.record("changed", tag, by=manager)
    log.record("created", factories.TeamFactory(name="hay"), by=manager)
    listed = reverse("admin:crm_auditentry_changelist")
    for query in ("q=needle", "kind=crm.tag", "action=changed", f"q=needle&user__id__exact={manager.pk}"):
        rows = admin.get(f"{listed}?{query}").context["cl"].result_list
        assert [row.object_name for row in rows] == ["needle"], query


def test_what_one_has_not_touched_keeps_the_others_change(admin, posted, factories):
    tag = factories.TagFactory(name="mine", colour=1)
    page = admin.get(of(tag))
    Tag.objects.filter(pk=tag.pk).update(colour=9)
    assert posted(of(tag), page=page, name="yours").status_code == 302
    tag.refresh_from_db()
    assert (tag.name, tag.colour) == ("yours", 9)


def test_two_changes_of_one_field_show_both_and_the_second_try_wins(admin, posted, factories):
    tag = factories.TagFactory(name="start")
    page = admin.get(of(tag))
    Tag.objects.filter(pk=tag.pk).update(name="<theirs>")
    refused = posted(of(tag), page=page, name="mine")
    assert refused.status_code == 409
    assert re.search("&lt;theirs&gt;.*mine", refused.content.decode())
    assert Tag.objects.get().name == "<theirs>"
    assert posted(of(tag), page=refused, name="mine").status_code == 302
    assert Tag.objects.get().name == "mine"


def test_two_changes_of_the_same_links_are_noticed(admin, posted, factories):
    team = factories.TeamFactory()
    ana, luis = factories.UserFactory.create_batch(2)
    page = admin.get(of(team))
    team.users.add(ana)
    assert posted(of(team), page=page, members=[luis.pk]).status_code == 409
    page = admin.get(of(team))
    team.users.add(luis)
    assert posted(of(team), page=page, name="renamed").status_code == 302
    assert set(team.users.all()) == {ana, luis}


@pytest.mark.parametrize("seen", ["", "x", "[]", '{"name": 1}', '{"name": null, "zz": "a"}'])
def test_a_forged_fingerprint_is_no_failure(posted, factories, seen):
    tag = factories.TagFactory()
    assert posted(of(tag), name="new", _seen=seen).status_code in (302, 409)


def test_a_row_deleted_meanwhile_is_said_to_be_gone(admin, factories):
    tag = factories.TagFactory()
    address = of(tag)
    tag.delete()
    assert admin.post(address, {"name": "x", "colour": "1"}).status_code == 302


def test_deleting_tells_how_much_goes_with_it_without_reading_it(admin, factories, django_assert_max_num_queries):
    tag = factories.TagFactory()
    for contact in factories.ContactFactory.create_batch(12):
        contact.contact_tags.create(tag=tag)
    with django_assert_max_num_queries(12):
        page = admin.get(of(tag, "delete")).content.decode()
    assert ": 12" in page


def test_a_custom_attribute_goes_with_its_values(admin, factories):
    attribute = CustomAttribute.objects.create(key="plate", label="Plate")
    contact = factories.ContactFactory(attributes={"plate": "1", "other": "2"})
    assert admin.post(of(attribute, "delete"), {"post": "yes"}).status_code == 302
    contact.refresh_from_db()
    assert contact.attributes == {"other": "2"}
    assert entries(attribute).get().action == "deleted"


def test_teams_are_deleted_with_their_memberships_only(admin, factories):
    team = factories.TeamFactory()
    user = factories.UserFactory(teams=[team])
    assert admin.post(of(team, "delete"), {"post": "yes"}).status_code == 302
    assert not Team.objects.exists()
    assert User.objects.filter(pk=user.pk).exists()
