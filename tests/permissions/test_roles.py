"""Roles: what they may is in one table, and the groups say the same."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings as settings_module
from django.contrib.auth.models import Group, Permission
from django.utils import translation

from conversations.desk import banner, details, saved_views
from conversations.desk.models import SavedView
from conversations.messaging import fence
from crm.contacts.models import ContactNote
from crm.staff import roles, secondfactor
from crm.staff.roles import Role
from tests.factories import MessageFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db


def names(permissions):
    return {f"{one.content_type.app_label}.{one.codename}" for one in permissions.select_related("content_type")}


@pytest.mark.sqlite_too
def test_each_role_is_a_group_with_its_permissions():
    assert set(Group.objects.values_list("name", flat=True)) == set(Role.values)
    for group in Group.objects.all():
        assert names(group.permissions) == set(roles.permissions_of(group.name)), group.name


def test_every_permission_that_a_role_names_is_there():
    known = names(Permission.objects.all())
    assert [name for role in Role.values for name in roles.permissions_of(role) if name not in known] == []


def test_the_groups_are_put_right_and_not_written_without_need(django_assert_max_num_queries):
    manager = Group.objects.get(name="manager")
    manager.permissions.clear()
    Group.objects.get(name="agent").delete()
    roles.write_groups()
    assert {group.name: group.permissions.count() for group in Group.objects.all()} == {
        role: len(roles.permissions_of(role)) for role in Role.values
    }
    with django_assert_max_num_queries(11):
        roles.write_groups()


def test_everybody_is_in_the_group_of_their_role_and_in_no_other(django_assert_max_num_queries):
    user, other = UserFactory(), UserFactory(role="integrator")
    user.role = Role.MANAGER
    user.save()
    assert [
        (one.name, list(one.user_set.all())) for one in Group.objects.filter(user__isnull=False).order_by("name")
    ] == [
        ("integrator", [other]),
        ("manager", [user]),
    ]
    other.groups.set(Group.objects.filter(name__in=["agent", "manager"]))
    user.groups.clear()
    roles.join_groups()
    assert [list(one.groups.values_list("name", flat=True)) for one in (user, other)] == [["manager"], ["integrator"]]
    with django_assert_max_num_queries(4):
        roles.join_groups()


@pytest.mark.covers("A12")
def test_managers_may_everything_but_write_the_audit_log():
    of_ours = Permission.objects.filter(content_type__app_label__in=roles.APPS)
    assert names(of_ours) - roles.permissions_of("manager") == roles.NEVER


@pytest.mark.covers("A04")
def test_nobody_else_may_what_is_for_managers():
    for model in ("crm.apitoken", "crm.user", "crm.team", "crm.auditentry", "conversations.whatsappaccount"):
        app, _dot, name = model.partition(".")
        assert apps.get_model(model)
        for role in (Role.AGENT, Role.RESTRICTED, Role.INTEGRATOR):
            may = roles.permissions_of(role)
            assert not {f"{app}.{verb}_{name}" for verb in ("add", "change", "delete")} & may, (role, model)
            assert "crm.use_administration" not in may


@pytest.mark.parametrize("role", Role.values)
def test_a_users_rights_are_those_of_their_role_and_cost_no_query(role, django_assert_num_queries):
    user = UserFactory(role=role)
    with django_assert_num_queries(0):
        assert user.get_all_permissions() == set(roles.permissions_of(role))
        assert all(user.has_perm(name) for name in roles.permissions_of(role))
        assert not user.has_perm("crm.delete_auditentry")
        assert user.has_module_perms("crm")


@pytest.mark.covers("A01")
def test_a01_nothing_but_the_role_gives_rights():
    user = UserFactory(is_superuser=True)
    user.groups.add(Group.objects.get(name="manager"))
    user.user_permissions.add(Permission.objects.get(codename="change_user"))
    assert not user.has_perm("crm.change_user")
    assert not user.is_staff
    inactive = UserFactory(manager=True, is_active=False)
    assert not inactive.has_perm("crm.view_contact")
    assert not inactive.get_all_permissions()


def test_what_a_role_may_can_be_read():
    with translation.override("en"):
        lines = roles.described("agent")
        assert "use the inbox" in lines
        assert "contacts: view, add, change" in lines
        assert all("_" not in line for role in Role.values for line in roles.described(role))


def test_a_word_that_is_no_role_may_nothing():
    assert roles.permissions_of("owner") == frozenset()


@pytest.fixture
def granted(monkeypatch):
    """Gives agents one more permission than their role has."""
    known = roles.permissions_of

    def grant(name):
        more = {"agent": frozenset({name})}
        monkeypatch.setattr(roles, "permissions_of", lambda role: known(role) | more.get(role, frozenset()))

    return grant


def test_doors_ask_for_the_permission_and_not_for_the_role(granted, settings):
    settings.MANAGERS_NEED_SECOND_FACTOR = True
    agent, team = UserFactory(), TeamFactory()
    view = SavedView.objects.create(name="Late", team=team, owner=UserFactory())
    note = ContactNote(text="Vegetarian", author=view.owner)
    message = MessageFactory(outbound=True)
    fence.raise_("manual")
    doors = {
        "crm.moderate": lambda: saved_views.may_change(view, agent) and note.may_go(agent),
        "conversations.change_sendfence": lambda: banner.fence_of(agent)["waiting"] is not None,
        "crm.add_apitoken": lambda: bool(details.details_of(message, agent, "http://x").curl),
        "crm.use_administration": lambda: secondfactor.is_required_of(agent),
    }
    assert {name: door() for name, door in doors.items()} == dict.fromkeys(doors, False)
    for name, door in doors.items():
        granted(name)
        assert door(), name


def test_no_template_asks_for_a_role():
    """The roles' word for it has gone: a template would take it for no, without a sound."""
    pages = Path(settings_module.BASE_DIR, "templates").rglob("*.html")
    asking = [page.name for page in pages if re.search(r"is_manager|\.role\b", page.read_text())]
    assert asking == []
