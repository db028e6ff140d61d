"""The administration, model by model: nothing opens without its permission, nothing shows a secret."""

import importlib
import io

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib import admin as django_admin
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from conversations.inboxes.models import AppSecret, WhatsAppAccount
from conversations.messaging.models import Conversation, Message
from crm.audit.modeladmin import AuditedAdmin, ReadOnlyAdmin
from crm.audit.models import AuditEntry
from crm.privacy.models import AccessLogEntry
from crm.staff import passwords, roles, tokens
from crm.staff.models import ApiToken, Role, User
from tests.permissions.routes import routes
from tests.permissions.world import World

pytestmark = pytest.mark.django_db

MODELS = list(django_admin.site._registry)
ENTER = "crm.use_administration"
FORM = {"name": "x", "post": "yes"}
CONFIRM = b'name="post" value="yes"'  # in the question whether to delete


def furnish():
    """One row of everything at least; imported late, for it makes forms of settings."""
    return importlib.import_module("tests.conversations.admin.rows").furnish()


@pytest.fixture
def world():
    world = World()
    world.house = furnish()
    return world


@pytest.fixture
def admin(world):
    return world.browser("manager")


@pytest.fixture
def only(monkeypatch):
    """Managers may nothing but this."""
    known = roles.permissions_of

    def only(*permissions):
        monkeypatch.setattr(
            roles, "permissions_of", lambda role: frozenset(permissions) if role == Role.MANAGER else known(role)
        )

    return only


def address(model, page="changelist", *arguments):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def named(model, verb):
    return f"{model._meta.app_label}.{verb}_{model._meta.model_name}"


def rows(model):
    """All there is; that somebody was refused, looked or fetched a copy is written down."""
    found = model._base_manager.order_by("pk")
    if model is AccessLogEntry:
        return list(found.values("pk", "user", "contact", "what")[:1])
    return list(
        (found.exclude(action__in=["denied", "downloaded", "exported"]) if model is AuditEntry else found).values()
    )


def is_ours(model):
    return isinstance(django_admin.site._registry[model], AuditedAdmin)


def actions_of(model):
    site = django_admin.site._registry[model]
    return [(name, getattr(site, name) if isinstance(name, str) else name) for name in site.actions or ()]


def tried(admin, model):
    """Every action of a list, and the one that Django has for all, on the first rows."""
    ticked = [row.pk for row in model._base_manager.all()[:5]]
    for name in [*(getattr(name, "__name__", name) for name, _action in actions_of(model)), "delete_selected"]:
        form = FORM | {"action": name, "_selected_action": ticked, "index": "0", "select_across": "1"}
        yield name, admin.post(address(model), form)


def pages_of(model):
    """The addresses of one row: those of Django, and buttons of its own."""
    row = model._base_manager.order_by("pk").first()
    label = f"admin:{model._meta.app_label}_{model._meta.model_name}_"
    known = [route for route in routes() if route.name.startswith(label)]
    if not row:
        return []
    values = {
        "object_id": row.pk,
        "pk": row.pk,
        "first": row.pk,
        "second": row.pk,
        "secret": getattr(row, "secret", ""),
    }
    return [route.address(**values) for route in known]


@pytest.mark.covers("A05")
def test_a05_without_its_permissions_a_model_is_closed(admin, world, only):
    only(ENTER)
    before, wrong = {model: rows(model) for model in MODELS}, []
    for model in MODELS:
        for path in pages_of(model):
            for answer in (admin.get(path), admin.post(path, FORM)):
                wrong += [path] * (answer.status_code not in (403, 405))
        wrong += [f"{name} of {model}" for name, answer in tried(admin, model) if answer.status_code != 403]
    assert wrong == []
    assert [model for model in MODELS if address(model) in admin.get("/admin/").content.decode()] == []
    assert {model: rows(model) for model in MODELS} == before


@pytest.mark.covers("A05", "A09")
def test_a05_who_may_look_changes_nothing(admin, world, only):
    ours = [model for model in MODELS if is_ours(model)]
    only(ENTER, *(named(model, "view") for model in ours))
    before = {model: rows(model) for model in MODELS}
    for model in ours:
        page = admin.get(address(model))
        assert page.status_code == 200
        assert list(page.context["cl"].model_admin.get_actions(page.wsgi_request)) == [], model
        for path in pages_of(model):
            form = admin.get(path)
            assert form.status_code in (200, 302, 403, 405), path
            inlines = form.context.get("inline_admin_formsets", ()) if form.context else ()
            for one in inlines:
                assert not any((one.has_add_permission, one.has_change_permission, one.has_delete_permission)), path
            admin.post(path, FORM)
        assert [name for name, answer in tried(admin, model) if CONFIRM in answer.content] == []
    assert {model: rows(model) for model in MODELS} == before


@pytest.mark.covers("A05")
def test_a05_each_action_names_the_permission_it_needs():
    actions = {(model, name): action for model in MODELS if is_ours(model) for name, action in actions_of(model)}
    assert len(actions) > 10
    assert [one for one, action in actions.items() if not getattr(action, "allowed_permissions", None)] == []


@pytest.mark.covers("A05")
def test_a05_what_can_be_searched_for_a_form_needs_the_right_to_see_it(admin, world, only):
    asked = "/admin/autocomplete/?app_label=crm&model_name=apitoken&field_name=user&term="
    assert admin.get(asked).status_code == 200
    only(ENTER, "crm.view_apitoken", "crm.add_apitoken")
    assert admin.get(asked).status_code == 403
    found = admin.get("/admin/search/?s=Zoe").content.decode()
    assert "Zoe" not in found.replace("s=Zoe", "")


@pytest.mark.covers("A05", "A12")
def test_every_page_of_ours_is_audited():
    ours = [model for model in MODELS if model.__module__.split(".")[0] in ("crm", "catalog", "conversations")]
    assert len(ours) > 15
    assert [model for model in ours if not is_ours(model)] == []


@pytest.mark.covers("A09", "A12")
def test_a09_what_was_said_and_what_was_done_cannot_be_deleted_here(admin, world):
    for model in (Message, Conversation, AuditEntry):
        assert isinstance(django_admin.site._registry[model], ReadOnlyAdmin)
        before = rows(model)
        ticked = [row.pk for row in model._base_manager.all()]
        assert ticked
        answer = admin.get(address(model))
        assert "delete_selected" not in answer.context["cl"].model_admin.get_actions(answer.wsgi_request)
        data = {"action": "delete_selected", "_selected_action": ticked, "index": "0", "post": "yes"}
        admin.post(address(model), data | {"select_across": "1"})
        assert admin.post(address(model, "delete", ticked[0]), {"post": "yes"}).status_code == 403
        assert rows(model) == before


@pytest.mark.covers("A04", "A01")
@pytest.mark.parametrize("who", ["integrator", "restricted", "agent"])
def test_a04_nobody_but_managers_makes_users_tokens_or_managers(world, who):
    browser, program, users = world.browser(who), world.program(who), rows(User)
    known = list(ApiToken.objects.order_by("pk").values("pk", "scopes"))
    target = world.users["agent"].pk
    for path, form in {
        "/admin/crm/apitoken/add/": {"name": "x", "user": world.users["manager"].pk, "wanted_scopes": ["write"]},
        "/admin/crm/user/add/": {"name": "x", "email": "x@x.test", "role": "manager"},
        f"/admin/crm/user/{target}/change/": {"name": "x", "role": "manager", "is_superuser": "1", "is_staff": "1"},
        f"/admin/crm/user/{target}/invite/": {}, f"/admin/crm/user/{target}/remove-factors/": {},
    }.items():  # fmt: skip
        assert browser.post(path, form).status_code == 403, path
    for path in ("users/", f"users/{target}/", "teams/"):
        assert program.post(f"/api/v1/{path}", {"role": "manager"}, "application/json").status_code in (403, 405)
    assert list(ApiToken.objects.order_by("pk").values("pk", "scopes")) == known
    assert rows(User) == users


@pytest.mark.covers("A02")
def test_a02_long_after_signing_in_nobody_makes_users_or_tokens(admin):
    session = admin.session
    session["signed_in_at"] -= 901
    session.save()
    known = ApiToken.objects.count(), User.objects.count()
    for path in ("/admin/crm/apitoken/add/", "/admin/crm/user/add/"):
        for answer in (admin.get(path), admin.post(path, {"name": "x"})):
            assert answer.status_code == 302
            assert answer["Location"].startswith("/accounts/again/")
    assert (ApiToken.objects.count(), User.objects.count()) == known


@pytest.fixture
def secrets(world, rf):
    """Secrets of every kind, as they are entered or made; what is kept of those that are not kept."""
    manager, agent = world.users["manager"], world.users["agent"]
    account = world.inbox.account
    account.access_token, account.verify_token = "EAAG-known-access-token", "known-verify-token"
    account.save()
    AppSecret.objects.filter(account=account).update(secret="known-app-secret")
    text = tokens.issue(agent, ["read"], name="ERP")
    factor = generate_totp_secret()
    TOTP.activate(agent, factor)
    link = passwords.invite(agent, by=manager, request=rf.get("/"))
    invitation = link.rstrip("/").rpartition("/")[2]
    token = ApiToken.objects.get(digest=tokens.digest(text))
    agent.refresh_from_db()
    return [
        account.access_token, account.verify_token, "known-app-secret", text, token.digest, factor, invitation,
        agent.password, manager.password, world.texts["manager"],
    ]  # fmt: skip


@pytest.mark.covers("A07")
def test_a07_no_page_history_list_or_answer_shows_a_secret(admin, world, secrets):
    shown = 0
    api, desk = world.program("manager"), world.browser("agent")
    for model in MODELS:
        for row in model._base_manager.order_by("-pk")[:4] if is_ours(model) else ():
            for page in ("change", "history"):
                shown += holds_none(admin.get(address(model, page, row.pk)), secrets)
        if is_ours(model):
            shown += holds_none(admin.get(address(model)), secrets)
    for route in routes():
        if route.name.startswith(("api:", "desk:")) and route.name != "api:":
            client = api if route.name.startswith("api:") else desk
            answer = client.get(route.address(**world.arguments(route)))
            shown += holds_none(answer, secrets)
    assert shown > 100
    assert not LogEntry.objects.exists()
    assert not [one for one in secrets if one in str(rows(AuditEntry))]


def holds_none(answer, secrets):
    text = (b"".join(answer) if answer.streaming else answer.content).decode("utf-8", "replace")
    found = [secret[:6] for secret in secrets if secret in text]
    assert found == [], answer.wsgi_request.path
    return answer.status_code == 200


@pytest.mark.covers("A07")
def test_a07_dumps_carry_no_secret(world, secrets):
    said = io.StringIO()
    call_command("dumpdata", "conversations", "crm.apitoken", "mfa", stdout=said)
    plain = [one for one in secrets if one != ApiToken.objects.get(name="ERP").digest]
    assert [one for one in plain if one in said.getvalue()] == []


@pytest.mark.covers("A07")
def test_a07_a_refused_form_does_not_give_a_secret_back(admin, world):
    account = world.inbox.account
    form = {
        "name": "",
        "new_token": "EAAG-just-entered-token",
        "new_secret": "just-entered-secret",
        "auth_header": "x y",
    }
    answer = admin.post(address(WhatsAppAccount, "change", account.pk), form)
    assert answer.status_code == 200
    assert answer.context["errors"]
    assert "just-entered" not in answer.content.decode()


@pytest.mark.covers("A07")
def test_a07_a_token_is_not_sent_to_an_address_entered_after_it(admin, world):
    account = world.house.inbox.account
    form = {
        "name": account.name, "waba_id": account.waba_id, "auth_header": "Authorization",
        "graph_base_url": "https://elsewhere.test/",
    }  # fmt: skip
    path = address(WhatsAppAccount, "change", account.pk)
    answer = admin.post(path, form)
    assert answer.status_code == 200
    assert "graph_base_url" in answer.context["adminform"].form.errors
    account.refresh_from_db()
    assert account.graph_base_url == ""
    assert admin.post(path, form | {"new_token": "the-token-of-elsewhere"}).status_code == 302
    account.refresh_from_db()
    assert (account.graph_base_url, account.access_token) == ("https://elsewhere.test/", "the-token-of-elsewhere")


@pytest.mark.covers("A07", "A11")
@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/admin/crm/contact/", "crm.audit.keyset.KeysetChangeList.get_results"),
        ("/inbox/settings/", "conversations.desk.views.settings.render"),
        ("/api/v1/contacts/", "crm.contacts.api.ContactViewSet.get_queryset"),
    ],
)
def test_a07_a_failure_of_the_server_tells_nothing(world, monkeypatch, path, place, secrets):
    def fails(*args, **kwargs):
        raise RuntimeError(f"{secrets} SELECT * FROM crm_user")

    monkeypatch.setattr(place, fails)
    client = Client(raise_request_exception=False)
    client.cookies.update(world.browser("manager").cookies)
    answer = client.get(path, headers={"Authorization": f"Bearer {world.texts['manager']}"})
    assert answer.status_code == 500
    for telling in (*secrets, "SELECT", "RuntimeError", "Traceback", "crm_user"):
        assert telling not in answer.content.decode()
