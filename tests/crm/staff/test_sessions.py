"""Where one is signed in, and ending it; links with which a password is chosen (reliability.md, U02, U03, U04, U09)."""

import datetime as dt
import io
import logging
import re

import pytest
from django.contrib.sessions.models import Session
from django.test import RequestFactory

from config.mailing import mailers
from crm.audit.models import AuditEntry
from crm.foundation import clock
from crm.foundation.logs import configure_logging
from crm.staff import passwords, sessions, tokens
from crm.staff.account_views import ResetView
from crm.staff.models import Role, User
from crm.staff.signin_models import StaffSession
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
NEW = "a quite different phrase"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Safari/537.36"
TWICE = {"new_password1": NEW, "new_password2": NEW}


def link_in(letter):
    return re.search(r"http://testserver(/\S+)", letter.body)[1]


def opened(client, link):
    """The form behind a link: the secret moves from the address into the session."""
    response = client.get(link)
    return response["Location"] if response.status_code == 302 else link


@pytest.fixture
def invite(letters):
    """Invites a user; the path of the link in the letter."""

    def invite(user, by):
        [letter] = letters(lambda: passwords.invite(user, by=by, request=RequestFactory().get("/")))
        assert letter.to == [user.email]
        return link_in(letter)

    return invite


@pytest.fixture
def newcomer():
    user = UserFactory(name="Nora")
    user.set_unusable_password()
    user.save()
    return user


def test_the_list_says_where_and_ends_one_or_all_others(browser, enter, is_in):
    user = UserFactory()
    clients = [browser(f"192.0.2.{n}") for n in range(1, 4)]
    for client in clients:
        client.defaults["HTTP_USER_AGENT"] = WINDOWS
        enter(client, user.email)
    mine, second, third = clients
    page = mine.get("/accounts/")
    assert [place.is_this for place in page.context["places"]] == [True, False, False]
    assert "Chrome, Windows" in page.content.decode()
    assert "192.0.2.3" in page.content.decode()
    row = StaffSession.objects.get(session_key=second.session.session_key)
    assert mine.post(f"/accounts/sessions/{row.pk}/end/").status_code == 302
    assert [is_in(client) for client in clients] == [True, False, True]
    mine.post("/accounts/sessions/others/end/")
    assert [is_in(client) for client in clients] == [True, False, False]
    assert AuditEntry.objects.filter(action__in=["session_ended", "signed_out_everywhere"]).count() == 2


@pytest.mark.covers("U04")
def test_nobody_ends_anothers_session(browser, enter, is_in):
    client, victim = browser(), browser()
    enter(client, UserFactory().email)
    enter(victim, UserFactory().email)
    row = StaffSession.objects.get(session_key=victim.session.session_key)
    client.post(f"/accounts/sessions/{row.pk}/end/")
    client.post("/accounts/sessions/others/end/")
    assert is_in(victim)


@pytest.mark.covers("U07")
def test_signing_out_forgets_the_session(browser, enter):
    client = browser()
    enter(client, UserFactory().email)
    client.post("/accounts/logout/")
    assert not StaffSession.objects.exists()


def test_a_session_that_was_not_noted_is_noted_when_it_is_used(browser, enter):
    user, client = UserFactory(), browser("192.0.2.1")
    enter(client, user.email)
    StaffSession.objects.all().delete()
    sessions._seen.clear()
    client.get("/accounts/")
    client.get("/accounts/")
    assert StaffSession.objects.get().user == user


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (WINDOWS, "Chrome, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/150.0 Mobile Safari/537.36", "Chrome, Android"),
        ("curl/8", "Unknown browser"),
        ("<script>", "Unknown browser"),
    ],
)  # fmt: skip
def test_a_browser_in_words(agent, words):
    assert sessions.describe(agent) in (words, "Navegador desconocido")


@pytest.mark.covers("U04")
def test_u04_a_new_password_ends_all_other_sessions_and_tokens_if_asked(browser, enter, is_in):
    user = UserFactory()
    mine, other, bystander = browser(), browser(), browser()
    for client, who in ((mine, user), (other, user), (bystander, UserFactory())):
        enter(client, who.email)
    tokens.issue(user, tokens.SCOPES[:1])
    key = mine.session.session_key
    assert mine.post("/accounts/password/", TWICE).status_code == 302
    assert [is_in(client) for client in (mine, other, bystander)] == [True, False, True]
    assert mine.session.session_key != key
    assert not Session.objects.filter(pk=key).exists()
    assert user.api_tokens.filter(revoked_at=None).exists()
    mine.post("/accounts/password/", {"revoke_tokens": "on", "new_password1": PASSWORD, "new_password2": PASSWORD})
    assert not user.api_tokens.filter(revoked_at=None).exists()


@pytest.mark.parametrize(
    "form", [{}, TWICE | {"new_password2": "x"}, dict.fromkeys(TWICE, "short"), dict.fromkeys(TWICE, "1234567890")]
)
def test_a_password_that_cannot_be_is_refused(browser, enter, form):
    user, client = UserFactory(), browser()
    enter(client, user.email)
    response = client.post("/accounts/password/", form)
    assert (response.status_code, response.content.decode().count('role="alert"')) == (200, 1)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_who_forgot_the_password_gets_a_link_that_works_once(browser, enter, is_in, letters):
    user, signed_in, client = UserFactory(language="es"), browser(), browser("192.0.2.9")
    enter(signed_in, user.email)
    [letter] = letters(lambda: client.post("/accounts/forgotten/", {"email": user.email.upper()}))
    assert (letter.to, user.name in letter.body) == ([user.email], True)
    form = opened(client, link_in(letter))
    assert "set-password" in form
    assert client.post(form, TWICE)["Location"] == "/accounts/login/"
    assert not is_in(signed_in)
    assert not is_in(client)
    enter(client, user.email, NEW)
    assert is_in(client)
    assert opened(browser(), link_in(letter)) == link_in(letter)  # no form behind it any more


@pytest.mark.covers("U02")
def test_u02_an_unknown_address_is_answered_the_same(browser, letters, django_assert_max_num_queries):
    invited = UserFactory()
    invited.set_unusable_password()
    invited.save()
    answers = set()
    for email in ("nobody@example.test", UserFactory(is_active=False).email, invited.email, UserFactory().email):
        client = browser()
        found = []
        sent = letters(lambda: found.append(client.post("/accounts/forgotten/", {"email": email})))  # noqa: B023
        page = client.get(found[0]["Location"]).content.decode()
        answers.add((found[0].status_code, found[0]["Location"], re.sub(r'value="\w{64}"', "", page)))
    assert len(answers) == 1
    assert [letter.to for letter in sent] == [[email]]


def test_nobodys_letter_box_is_flooded(browser, letters):
    user = UserFactory()
    sent = letters(
        lambda: [browser(f"192.0.2.{n}").post("/accounts/forgotten/", {"email": user.email}) for n in range(6)]
    )
    assert len(sent) == 3
    answers = [browser().post("/accounts/forgotten/", {"email": f"{n}@example.test"}).status_code for n in range(31)]
    assert set(answers[:-2]) == {302}
    assert answers[-1] == 429


@pytest.mark.covers("U04")
@pytest.mark.parametrize("change", [{"is_active": False}, {"email": "other@example.test"}, {"password": "!"}])
def test_a_link_dies_with_what_it_was_made_for(browser, letters, change):
    user = UserFactory()
    [letter] = letters(lambda: browser().post("/accounts/forgotten/", {"email": user.email}))
    User.objects.filter(pk=user.pk).update(**change)
    assert opened(browser(), link_in(letter)) == link_in(letter)


def test_who_is_invited_chooses_a_password_and_is_in(browser, is_in, invite, newcomer):
    link = invite(newcomer, UserFactory(manager=True))
    client = browser()
    response = client.post(opened(client, link), TWICE)
    assert response["Location"] == "/inbox/"
    assert is_in(client)
    newcomer.refresh_from_db()
    assert newcomer.check_password(NEW)


@pytest.mark.covers("U09")
def test_u09_an_invitation_works_once(browser, is_in, invite, newcomer):
    link = invite(newcomer, UserFactory(manager=True))
    first, second = browser(), browser()
    forms = opened(first, link), opened(second, link)  # both have the form open
    first.post(forms[0], TWICE)
    second.post(forms[1], {"new_password1": "of somebody else", "new_password2": "of somebody else"})
    assert (is_in(first), is_in(second)) == (True, False)
    newcomer.refresh_from_db()
    assert newcomer.check_password(NEW)
    assert opened(browser(), link) == link


@pytest.mark.covers("U09")
def test_u09_role_and_address_are_the_inviters(browser, invite, newcomer):
    link = invite(newcomer, UserFactory(manager=True))
    client = browser()
    evil = {"role": "manager", "email": "evil@example.test", "is_superuser": "1", "user": "1", "teams": "1"}
    client.post(opened(client, link + "?role=manager"), TWICE | evil)
    newcomer.refresh_from_db()
    assert (newcomer.role, newcomer.is_superuser) == (Role.AGENT, False)
    assert newcomer.email != "evil@example.test"


@pytest.mark.covers("U09")
def test_u09_an_invitation_is_for_one_account_ends_and_gives_way_to_the_next(browser, invite, newcomer, monkeypatch):
    manager, other = UserFactory(manager=True), UserFactory()
    link, theirs = invite(newcomer, manager), invite(other, manager)
    crossed = "/".join([*theirs.split("/")[:4], *link.split("/")[4:]])
    assert opened(browser(), crossed) == crossed
    assert opened(browser(), link) != link
    later = invite(newcomer, manager)
    assert opened(browser(), link) == link
    assert opened(browser(), later) != later
    User.objects.filter(pk=newcomer.pk).update(is_active=False)
    assert opened(browser(), later) == later
    User.objects.filter(pk=newcomer.pk).update(is_active=True)
    after = clock.real() + dt.timedelta(days=7, seconds=1)
    monkeypatch.setattr(clock, "real", lambda: after)
    assert opened(browser(), later) == later


def test_managers_land_in_the_administration_and_integrators_at_their_account(browser, enter):
    assert enter(browser(), UserFactory(manager=True).email)["Location"] == "/admin/"
    assert enter(browser(), UserFactory(integrator=True).email)["Location"] == "/accounts/"


@pytest.mark.covers("I10", "P17")
def test_pages_of_the_account_are_strict_and_kept_by_no_cache(browser, enter):
    client = browser()
    for path in ("/accounts/login/", "/accounts/forgotten/", "/accounts/reset/MQ/x-y/", "/accounts/invitation/MQ/x/"):
        assert "no-store" in client.get(path)["Cache-Control"], path
    enter(client, UserFactory().email)
    for path in ("", "second-factor/", "app/add/", "passkeys/add/", "password/", "again/password/"):
        response = client.get(f"/accounts/{path}")
        assert response.status_code == 200, path
        assert "no-store" in response["Cache-Control"], path
        assert "unsafe" not in response["Content-Security-Policy"]
        html = response.content.decode()
        assert " style=" not in html
        assert all(
            "src=" in tag.partition(">")[0] or "json" in tag.partition(">")[0] for tag in html.split("<script")[1:]
        )


@pytest.mark.parametrize(
    "path", ["", "password/", "app/add/", "passkeys/add/", "codes/", "again/password/", "again/code/"]
)
def test_strangers_sign_in_first(browser, path):
    response = browser().get(f"/accounts/{path}")
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


def test_mail_servers_by_url():
    assert mailers("console:")["default"]["BACKEND"].endswith("console.EmailBackend")
    options = mailers("smtp://us%40er:p%2Fw@mail.example.com")["default"]["OPTIONS"]
    assert (options["host"], options["port"], options["username"], options["password"]) == (
        "mail.example.com", 587, "us@er", "p/w",
    )  # fmt: skip
    assert (options["use_tls"], options["use_ssl"]) == (True, False)
    assert mailers("smtps://mail.example.com")["default"]["OPTIONS"]["use_ssl"]
    for wrong in ("http://x", "smtp://", "", "mail.example.com"):
        with pytest.raises(Exception, match="EMAIL_URL"):
            mailers(wrong)


@pytest.mark.covers("G21")
@pytest.mark.parametrize("name", ["reset", "invitation"])
def test_g21_the_address_of_a_link_is_in_no_log_line_nor_in_the_audit_log(browser, enter, monkeypatch, name):
    def fails(*_args, **_kwargs):
        raise ValueError(name)

    path, written = f"/accounts/{name}/MQ/the-secret-of-it/", io.StringIO()
    handler = logging.StreamHandler(written)
    client = browser()
    client.raise_request_exception = False
    enter(client, UserFactory().email)
    configure_logging(level="INFO", as_json=True)
    handler.setFormatter(logging.getLogger().handlers[0].formatter)
    logging.getLogger().addHandler(handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(ResetView, "get_user", fails)
            assert client.get(path).status_code == 500
        client.handler.enforce_csrf_checks = True
        assert client.post(path).status_code == 403
    finally:
        logging.getLogger().removeHandler(handler)
    assert f"/accounts/{name}/" in written.getvalue()
    assert "the-secret-of-it" not in written.getvalue()
    denied = AuditEntry.objects.get(action="denied")
    assert denied.changes["asked_for"][1] == f"POST /accounts/{name}/…/"


def test_a_letter_tells_of_a_new_password(browser, enter, letters):
    user, client = UserFactory(language="es"), browser()
    enter(client, user.email)
    [letter] = letters(lambda: client.post("/accounts/password/", TWICE))
    assert (letter.to, user.name in letter.body, NEW in letter.body) == ([user.email], True, False)
    [asked] = letters(lambda: client.post("/accounts/forgotten/", {"email": user.email}))
    other = browser()
    form = opened(other, link_in(asked))
    assert [one.to for one in letters(lambda: other.post(form, TWICE))] == [[user.email]]
