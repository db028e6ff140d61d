"""The second step: who needs one, what opens it and how often, and what its change ends (reliability.md, U04, A02)."""

from urllib.parse import urlencode

import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from conversations.desk import doorman
from crm.audit.models import AuditEntry
from crm.staff import secondfactor, tokens
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
CODE = "/accounts/code/"


@pytest.fixture
def needed(settings):
    settings.MANAGERS_NEED_SECOND_FACTOR = True


@pytest.fixture
def manager():
    return UserFactory(manager=True)


@pytest.fixture
def signed_in(browser, enter):
    def signed_in(user):
        client = browser()
        enter(client, user.email)
        return client

    return signed_in


def ways(user):
    return list(AuditEntry.objects.filter(action="signed_in", user=user).values_list("changes", flat=True))


@pytest.mark.usefixtures("needed")
@pytest.mark.parametrize("path", ["/inbox/", "/admin/", "/admin/crm/user/", "/inbox/settings/", "/nowhere/"])
def test_a_manager_without_one_gets_nowhere_else(signed_in, manager, path):
    client = signed_in(manager)
    for method in (client.get, client.post):
        assert method(path).headers.get("Location") == "/accounts/second-factor/"
    page = client.get("/accounts/second-factor/").content.decode()
    assert 'data-testid="factor-needed"' in page
    assert 'data-testid="app-add"' in page
    assert client.post("/accounts/logout/").status_code == 302


@pytest.mark.usefixtures("needed")
def test_sockets_are_closed_to_a_manager_without_one_and_others_are_not_asked(signed_in, manager):
    agent = UserFactory()
    sessions = {user: signed_in(user).session.session_key for user in (manager, agent)}
    assert set(doorman._read(list(sessions.values()))) == {sessions[agent]}
    assert signed_in(agent).get("/inbox/").status_code == 200


@pytest.mark.usefixtures("needed")
def test_the_api_asks_tokens_and_no_second_step(client, manager):
    text = tokens.issue(manager, tokens.SCOPES[:1])
    assert client.get("/api/v1/contacts/", headers={"Authorization": f"Bearer {text}"}).status_code != 302


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("needed")
def test_setting_one_up_opens_the_rest_and_is_asked_for_the_next_time(signed_in, manager, with_app, code_of):
    client = signed_in(manager)
    secret = with_app(client)
    assert client.get("/admin/").status_code == 200
    again = signed_in(manager)
    assert again.get("/admin/").status_code == 302
    assert again.get(CODE).status_code == 200
    code = code_of(secret)
    response = again.post(CODE, {"code": f" {code[:3]} {code[3:]} "})  # as it is pasted
    assert response["Location"] == "/admin/"
    assert again.get("/admin/").status_code == 200
    assert {"way": [None, "password + totp"]} in ways(manager)


def test_a_password_alone_opens_nothing_once_there_is_a_second_factor(signed_in, with_app, is_in):
    user = UserFactory()
    with_app(signed_in(user))
    client = signed_in(user)
    assert client.get("/inbox/")["Location"].startswith("/accounts/login/")
    assert not is_in(client)
    assert not set(doorman._read([client.session.session_key]))


def test_where_one_wanted_to_go_and_being_remembered_survive_the_second_step(browser, enter, with_app, code_of):
    user, client = UserFactory(), browser()
    enter(client, user.email)
    secret = with_app(client)
    other = browser()
    enter(other, user.email, next="/inbox/?view=all", remember="on")
    response = other.post(CODE, {"code": code_of(secret)})
    assert response["Location"] == "/inbox/?view=all"
    assert response.cookies["session"]["max-age"] == 14 * 24 * 3600
    third = browser()
    enter(third, UserFactory().email)
    assert third.cookies["session"]["max-age"] == ""


def test_a_code_opens_one_door(signed_in, with_app, code_of):
    user = UserFactory()
    secret = with_app(signed_in(user))
    code = code_of(secret)
    assert signed_in(user).post(CODE, {"code": code}).status_code == 302
    again = signed_in(user).post(CODE, {"code": code})
    assert again.status_code == 200
    assert 'role="alert"' in again.content.decode()


@pytest.mark.parametrize("code", ["", "000000", "x" * 5000, "\x00", "12345", "١٢٣٤٥٦", "' OR 1=1"])
def test_what_is_no_code_is_refused_in_words(signed_in, with_app, is_in, code):
    user = UserFactory()
    with_app(signed_in(user))
    client = signed_in(user)
    response = client.post(CODE, {"code": code})
    assert (response.status_code, 'role="alert"' in response.content.decode()) == (200, True)
    assert not is_in(client)


@pytest.mark.covers("U01")
def test_codes_are_not_for_guessing(signed_in, with_app, code_of, is_in):
    user = UserFactory()
    secret = with_app(signed_in(user))
    client = signed_in(user)
    answers = [client.post(CODE, {"code": f"{n:06}"}).status_code for n in range(11)]
    assert answers == [200] * 10 + [429]
    client = signed_in(user)
    assert client.post(CODE, {"code": code_of(secret)}).status_code == 429
    assert not is_in(client)


def test_a_code_to_recover_with_opens_once(signed_in, with_app, is_in):
    user = UserFactory()
    client = signed_in(user)
    with_app(client)
    codes = client.get("/accounts/codes/").context["unused_codes"]
    assert len(codes) == 10
    second, third = signed_in(user), signed_in(user)
    second.post(CODE, {"code": codes[0]})
    third.post(CODE, {"code": codes[0]})
    assert (is_in(second), is_in(third)) == (True, False)
    assert codes[0] not in second.get("/accounts/codes/").content.decode()


@pytest.mark.covers("U04")
def test_u04_a_new_factor_ends_other_sessions_and_keeps_this_one(signed_in, with_app, is_in):
    user = UserFactory()
    other, client, bystander = signed_in(user), signed_in(user), signed_in(UserFactory())
    with_app(client)
    assert (is_in(client), is_in(other), is_in(bystander)) == (True, False, True)


@pytest.mark.usefixtures("needed")
def test_the_last_factor_of_a_manager_stays(signed_in, manager, with_app):
    client = signed_in(manager)
    with_app(client)
    page = client.post("/accounts/app/remove/")
    assert page.status_code == 200
    assert 'role="alert"' in page.content.decode()
    assert secondfactor.factors_of(manager) == 1


def test_the_last_factor_of_an_agent_may_go_and_takes_the_codes_with_it(signed_in, with_app):
    user = UserFactory()
    client = signed_in(user)
    with_app(client)
    assert client.post("/accounts/app/remove/").status_code == 302
    assert not Authenticator.objects.filter(user=user).exists()


@pytest.mark.covers("A07")
def test_secrets_are_encrypted_in_the_database(signed_in, with_app):
    user = UserFactory()
    secret = with_app(signed_in(user))
    assert secret not in str(list(Authenticator.objects.values_list("data", flat=True)))


@pytest.mark.covers("A02")
@pytest.mark.parametrize("path", ["/accounts/app/add/", "/accounts/passkeys/add/", "/accounts/password/"])
def test_a02_what_opens_an_account_asks_again_who_it_is(signed_in, path):
    client = signed_in(UserFactory())
    session = client.session
    session["signed_in_at"] -= 901
    session.save()
    response = client.get(path)
    assert response["Location"] == "/accounts/again/password/?" + urlencode({"next": path})
    assert client.post(response["Location"], {"password": "wrong"}).status_code == 200
    assert client.get(path).status_code == 302
    assert client.post(response["Location"], {"password": PASSWORD})["Location"] == path
    assert client.get(path).status_code == 200


@pytest.mark.covers("A02")
@pytest.mark.parametrize("path", ["/accounts/password/", "/accounts/app/add/"])
def test_a02_what_was_sent_too_late_is_kept_nowhere(signed_in, path):
    client = signed_in(UserFactory())
    session = client.session
    session["signed_in_at"] -= 901
    session.save()
    sent = {
        "new_password1": "phrase nobody knows",
        "new_password2": "phrase nobody knows",
        "code": "phrase nobody knows",
    }
    response = client.post(path, sent)
    assert response["Location"] == "/accounts/again/password/?" + urlencode({"next": path})
    assert "phrase" not in str(dict(client.session))
    assert session.session_key not in str(dict(client.session))
    assert 'role="alert"' in client.get(response["Location"]).content.decode()
    assert client.post(response["Location"], {"password": PASSWORD})["Location"] == path
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "credential",
    [
        "{}", '{"id":"YQ"}', "[]", "1", '"x"', '{"id":1,"rawId":1,"response":1,"type":"public-key"}',
        '{"id":"YQ","rawId":"YQ","type":"public-key","response":{}}',
        '{"id":"YQ","rawId":"YQ","type":"public-key","response":[]}',
        '{"id":"YQ","rawId":"YQ","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"YQ",'
        '"signature":"YQ","userHandle":"OTk5OTk5OTk5OTk5OTk5OTk5OTk5","attestationObject":"_w"}}',
    ],
)  # fmt: skip
def test_what_no_passkey_answers_is_wrong_and_breaks_nothing(signed_in, browser, with_app, credential):
    user = UserFactory()
    client = signed_in(user)
    secret = with_app(client)
    assert secret
    stranger, half = browser(), signed_in(user)
    stranger.get("/accounts/passkey/", headers={"X-Requested-With": "XMLHttpRequest"})
    client.get("/accounts/passkeys/add/")
    half.get(CODE)
    assert stranger.post("/accounts/passkey/", {"credential": credential})["Location"] == "/accounts/login/"
    assert half.post(CODE, {"credential": credential}).status_code == 200
    assert client.post("/accounts/passkeys/add/", {"credential": credential}).status_code == 200
    assert client.post("/accounts/again/passkey/", {"credential": credential}).status_code == 302
    assert secondfactor.factors_of(user) == 1


def test_a_letter_tells_of_a_factor_that_went(signed_in, manager, with_app, letters):
    user = UserFactory(language="en")
    client = signed_in(user)
    with_app(client)
    [letter] = letters(lambda: client.post("/accounts/app/remove/"))
    assert (letter.to, "second factor" in letter.body) == ([user.email], True)
    with_app(client)
    path = f"/admin/crm/user/{user.pk}/remove-factors/"
    assert [one.to for one in letters(lambda: signed_in(manager).post(path))] == [[user.email]]
    assert letters(lambda: signed_in(manager).post(path)) == []  # there was none


def test_asking_again_is_not_for_guessing(signed_in):
    client = signed_in(UserFactory())
    answers = [client.post("/accounts/again/password/", {"password": f"wrong {n}"}).status_code for n in range(11)]
    assert answers[-2:] == [200, 429]


@pytest.mark.covers("A02")
def test_a02_a_manager_removes_the_factors_of_who_lost_them(signed_in, manager, with_app, is_in):
    user = UserFactory()
    theirs = signed_in(user)
    with_app(theirs)
    client, url = signed_in(manager), f"/admin/crm/user/{user.pk}/remove-factors/"
    assert client.get(url).status_code == 200
    assert secondfactor.factors_of(user) == 1
    assert client.post(url).status_code == 302
    assert (secondfactor.factors_of(user), is_in(theirs)) == (0, False)
    assert AuditEntry.objects.filter(action="second_factor_removed", object_id=str(user.pk)).get().user == manager
    assert is_in(signed_in(user))


@pytest.mark.covers("A02")
@pytest.mark.parametrize("act", ["remove-factors", "invite"])
def test_a02_one_cannot_do_that_for_oneself_nor_as_an_agent_nor_long_after_signing_in(signed_in, manager, act):
    user = UserFactory()
    client = signed_in(manager)
    assert client.post(f"/admin/crm/user/{manager.pk}/{act}/").status_code == 403
    assert signed_in(UserFactory()).post(f"/admin/crm/user/{user.pk}/{act}/").status_code == 403
    session = client.session
    session["signed_in_at"] -= 901
    session.save()
    for path in (f"/admin/crm/user/{user.pk}/{act}/", f"/admin/crm/user/{user.pk}/change/", "/admin/crm/user/add/"):
        assert client.post(path)["Location"].startswith("/accounts/again/password/")


def test_the_only_manager_is_let_in_again_from_the_server(signed_in, manager, with_app, is_in, capsys):
    with_app(signed_in(manager))
    call_command("remove_second_factor", manager.email.upper())
    assert "1 second factor" in capsys.readouterr().out
    assert is_in(signed_in(manager))
    assert AuditEntry.objects.get(action="second_factor_removed").source == "command"
    with pytest.raises(CommandError):
        call_command("remove_second_factor", "nobody@example.test")


def test_secrets_that_nobody_can_read_open_nothing(signed_in, with_app, code_of, is_in, settings):
    user = UserFactory()
    client = signed_in(user)
    secret = with_app(client)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert client.get("/accounts/").context["codes_left"] == 0
    other = signed_in(user)
    assert other.post(CODE, {"code": code_of(secret)}).status_code == 200
    assert not is_in(other)
