"""Who enters the administration, and what managers do with users, teams and tokens."""

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.test import Client, RequestFactory
from django.urls import reverse

from crm.audit.models import AuditEntry
from crm.foundation import clock
from crm.staff import passwords, tokens
from crm.staff.models import ApiToken, Role, User
from crm.staff.signin_models import Invitation

pytestmark = pytest.mark.django_db
USERS = "/admin/crm/user/"
TOKENS = "/admin/crm/apitoken/"


def of(user):
    return f"{USERS}{user.pk}/change/"


def sessions_of(user):
    return [row for row in Session.objects.all() if row.get_decoded().get(SESSION_KEY) == str(user.pk)]


@pytest.fixture
def signed_in():
    def signed_in(user):
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.mark.covers("A01")
@pytest.mark.parametrize("role", ["agent", "restricted", "integrator"])
@pytest.mark.parametrize(
    "address", ["/admin/", "/admin/crm/contact/", "/admin/crm/user/add/", "/admin/login/", "/admin/x/"]
)
def test_only_managers_enter(signed_in, factories, role, address):
    assert signed_in(factories.UserFactory(role=role)).get(address).status_code == 403


def test_a_stranger_signs_in_first_and_comes_back(client):
    step = client.get("/admin/crm/contact/?q=a")
    while step.url.startswith("/admin/login/"):
        step = client.get(step.url)
    assert step.url.startswith("/accounts/login/")
    assert "next=%2Fadmin%2Fcrm%2Fcontact%2F%3Fq%3Da" in step.url


def test_an_inactive_manager_is_a_stranger(signed_in, factories):
    client = signed_in(manager := factories.UserFactory(manager=True))
    User.objects.filter(pk=manager.pk).update(is_active=False)
    assert client.get("/admin/").status_code == 302


def test_who_signs_out_here_is_signed_out(signed_in, factories):
    client = signed_in(factories.UserFactory(manager=True))
    client.post(reverse("admin:logout"))
    assert client.get("/admin/").status_code == 302


def test_the_site_never_shows_djangos_own_sign_in(client):
    assert client.post("/admin/login/", {"username": "a", "password": "b"}).status_code == 302


@pytest.mark.covers("A01")
@pytest.mark.parametrize("field", ["is_superuser", "user_permissions", "groups", "password", "last_login", "id"])
def test_rights_are_given_by_role_only(posted, factories, field):
    user = factories.UserFactory()
    before = user.password
    assert posted(of(user), **{field: "1"}).status_code == 302
    user.refresh_from_db()
    assert not user.is_superuser
    assert [group.name for group in user.groups.all()] == [user.role]
    assert not user.user_permissions.exists()
    assert user.password == before


@pytest.mark.covers("A01")
@pytest.mark.parametrize("change", [{"role": "agent"}, {"is_active": None}])
def test_nobody_changes_their_own_rights(posted, manager, factories, change):
    factories.UserFactory(manager=True)
    assert posted(of(manager), **change).status_code == 200
    manager.refresh_from_db()
    assert (manager.role, manager.is_active) == (Role.MANAGER, True)


def test_ones_own_name_can_be_changed(posted, manager):
    assert posted(of(manager), name="Marta V.").status_code == 302


@pytest.mark.covers("U04")
@pytest.mark.parametrize("change", [{"role": "agent"}, {"is_active": None}, {"email": "new@example.test"}])
def test_whose_rights_change_signs_in_again(posted, signed_in, factories, change):
    other, third = factories.UserFactory.create_batch(2, manager=True)
    client, bystander = signed_in(other), signed_in(third)
    assert posted(of(other), **change).status_code == 302
    assert client.get("/admin/").status_code == 302
    assert bystander.get("/admin/").status_code == 200
    assert not sessions_of(other)


@pytest.mark.covers("U04", "U09")
@pytest.mark.parametrize("change", [{"role": "manager"}, {"is_active": None}, {"email": "new@example.test"}])
def test_no_link_outlives_what_it_was_made_for(posted, factories, manager, change):
    user, other = factories.UserFactory.create_batch(2)
    for one in (user, other):
        passwords.invite(one, by=manager, request=RequestFactory().get("/"))
        SocialAccount.objects.create(user=one, provider="idp", uid=f"uid {one.pk}")
    assert posted(of(user), name="New name").status_code == 302
    assert Invitation.objects.count() == 2
    assert posted(of(user), **change).status_code == 302
    assert [one.user for one in Invitation.objects.all()] == [other]
    assert SocialAccount.objects.filter(user=user).exists() is ("email" not in change)
    assert SocialAccount.objects.filter(user=other).exists()
    entry = AuditEntry.objects.filter(action="changed", object_id=str(user.pk)).latest("pk")
    assert set(entry.changes) == set(change)


@pytest.mark.parametrize("key", ["abc", "²", "9" * 30])
def test_what_is_no_key_is_not_found(admin, factories, key):
    for deed in ("invite", "remove-factors", "unlink"):
        assert admin.get(f"{USERS}{key}/{deed}/").status_code == 404
    data = {"action": "sign_out", "_selected_action": [key, factories.UserFactory().pk], "index": "0"}
    assert admin.post(USERS, data).status_code == 302
    assert AuditEntry.objects.get().action == "signed_out_everywhere"
    assert admin.post(USERS, data | {"_selected_action": [key]}).status_code == 302


def test_a_new_name_ends_no_session(posted, signed_in, factories):
    other = factories.UserFactory(manager=True)
    client = signed_in(other)
    assert posted(of(other), name="Other").status_code == 302
    assert client.get("/admin/").status_code == 200


@pytest.mark.covers("U04")
def test_ticked_users_are_signed_out_everywhere(admin, signed_in, factories):
    other = factories.UserFactory(manager=True)
    clients = [signed_in(other), signed_in(other)]
    data = {"action": "sign_out", "_selected_action": [other.pk], "index": "0"}
    assert admin.post(USERS, data).status_code == 302
    assert all(client.get("/admin/").status_code == 302 for client in clients)
    assert AuditEntry.objects.get().action == "signed_out_everywhere"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "TAKEN@example.test"), ("email", "nonsense"), ("email", ""), ("name", " "), ("role", "owner"),
        ("time_zone", "Mars/Olympus"), ("language", "xx"), ("member_of", "99999"),
    ],
)  # fmt: skip
def test_a_user_that_cannot_be_is_refused(admin, factories, field, value):
    factories.UserFactory(email="taken@example.test")
    data = {
        "name": "Nora", "email": "nora@example.test", "role": "agent", "language": "es", "time_zone": "Europe/Madrid",
    } | {field: value}  # fmt: skip
    answer = admin.post(f"{USERS}add/", data)
    assert field in answer.context["adminform"].form.errors
    assert User.objects.count() == 2


def test_a_user_is_not_deleted(admin, factories):
    user = factories.UserFactory()
    assert admin.post(f"{USERS}{user.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_team_keeps_its_inactive_members(posted, factories):
    team = factories.TeamFactory()
    gone = factories.UserFactory(is_active=False, teams=[team])
    ana = factories.UserFactory()
    assert posted(f"/admin/crm/team/{team.pk}/change/", members=[ana.pk]).status_code == 302
    assert set(team.users.all()) == {gone, ana}


def test_one_team_per_name(admin, factories):
    factories.TeamFactory(name="Sales")
    answer = admin.post("/admin/crm/team/add/", {"name": "sales"})
    assert "name" in answer.context["adminform"].form.errors


def new_token(admin, whose, **values):
    scopes = [tokens.SCOPES[0]]
    return admin.post(
        f"{TOKENS}add/", {"name": "ERP", "user": whose.pk, "wanted_scopes": scopes, "days": "30"} | values
    )


@pytest.mark.covers("A07", "P15")
def test_a_token_is_shown_once_and_kept_as_a_digest(admin, factories):
    integrator = factories.UserFactory(integrator=True)
    page = new_token(admin, integrator)
    token = ApiToken.objects.get()
    text = page.context["text"]
    assert text in page.content.decode()
    assert tokens.find(text) == token
    assert token.expires_at is not None
    assert "no-store" in page["Cache-Control"]
    for address in (TOKENS, f"{TOKENS}{token.pk}/change/", f"{TOKENS}{token.pk}/history/", "/admin/crm/auditentry/"):
        later = admin.get(address).content.decode()
        assert text not in later
        assert token.digest not in later
    assert text not in str(AuditEntry.objects.get().changes)


@pytest.mark.parametrize(
    "values", [{"wanted_scopes": []}, {"wanted_scopes": ["everything"]}, {"days": "7"}, {"user": "0"}, {"user": ""}]
)
def test_a_token_that_cannot_be_is_refused(admin, factories, values):
    assert new_token(admin, factories.UserFactory(integrator=True), **values).status_code == 200
    assert not ApiToken.objects.exists()


def test_a_revoked_token_opens_nothing_and_stays_known(admin, factories):
    text = tokens.issue(factories.UserFactory(integrator=True), tokens.SCOPES[:1])
    token = ApiToken.objects.get()
    data = {"action": "revoke", "_selected_action": [token.pk], "index": "0"}
    assert admin.post(TOKENS, data).status_code == 302
    assert tokens.find(text) is None
    revoked = ApiToken.objects.get().revoked_at
    assert revoked <= clock.real()
    admin.post(TOKENS, data)
    assert ApiToken.objects.get().revoked_at == revoked
    assert AuditEntry.objects.filter(action="revoked").count() == 1


@pytest.mark.covers("A02")
def test_a02_who_revokes_anothers_token_has_shown_lately_who_they_are(admin, factories):
    text = tokens.issue(factories.UserFactory(integrator=True), tokens.SCOPES[:1])
    session = admin.session
    session["signed_in_at"] -= 901
    session.save()
    data = {"action": "revoke", "_selected_action": [ApiToken.objects.get().pk], "index": "0"}
    assert admin.post(TOKENS, data)["Location"].startswith("/accounts/again/password/")
    assert tokens.find(text) is not None


@pytest.mark.covers("A04")
def test_a_token_is_neither_changed_nor_deleted(admin, factories):
    tokens.issue(factories.UserFactory(integrator=True), tokens.SCOPES[:1])
    token = ApiToken.objects.get()
    assert admin.post(f"{TOKENS}{token.pk}/change/", {"name": "x", "scopes": '["write"]'}).status_code == 403
    assert admin.post(f"{TOKENS}{token.pk}/delete/", {"post": "yes"}).status_code == 403


def test_pages_carry_their_own_policy_and_the_inbox_keeps_its(admin):
    assert "'unsafe-eval'" in admin.get("/admin/")["Content-Security-Policy"]
    assert "unsafe" not in admin.get("/inbox/")["Content-Security-Policy"]


def test_the_theme_and_the_language_follow_the_user(admin, manager):
    manager.theme, manager.language = "dark", "es"
    manager.save()
    page = admin.get("/admin/crm/tag/").content.decode()
    assert 'lang="es"' in page
    assert 'class="dark"' in page
