"""The commands of an installation: create_token, add_user, add_number."""

import io
import sys

import pytest
from django.core.management import CommandError, call_command

from conversations.inboxes.models import AppSecret, Inbox, WhatsAppAccount
from crm.foundation import aio
from crm.staff import tokens
from crm.staff.models import ApiToken, Team, User
from tests.factories import UserFactory
from tests.graph_side import GraphSide, raw, refuses, says

pytestmark = pytest.mark.django_db


@pytest.fixture
def graph():
    side = GraphSide().start()
    yield side
    aio.close()
    side.stop()


def run(*arguments, typed="", monkeypatch):
    """A command's standard output; `typed` is what stands on its standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_create_token_prints_the_token_and_nothing_else(monkeypatch):
    user = UserFactory()
    printed = run("create_token", "--user", user.email.upper(), "--scope", "read", "write", monkeypatch=monkeypatch)
    assert printed.count("\n") == 1
    assert printed == printed.strip() + "\n"
    token = tokens.find(printed.strip())
    assert (token.user, token.scopes) == (user, ["read", "write"])


def test_create_token_for_nobody_is_a_sentence(monkeypatch):
    gone = UserFactory(is_active=False)
    for email in ("nobody@example.test", gone.email):
        with pytest.raises(CommandError, match="no active user"):
            run("create_token", "--user", email, "--scope", "read", monkeypatch=monkeypatch)
    assert not ApiToken.objects.exists()


def test_add_user_makes_somebody_who_can_sign_in(client, monkeypatch):
    run(
        "add_user", "Ana@Example.test", "--name", "Ana", "--role", "manager", "--team", "Sales", "--team", "Claims",
        typed="a-long-pass-phrase\n", monkeypatch=monkeypatch,
    )  # fmt: skip
    user = User.objects.get()
    assert (user.email, user.role) == ("ana@example.test", "manager")
    assert set(user.teams.values_list("name", flat=True)) == {"Sales", "Claims"}
    assert client.login(username="ana@example.test", password="a-long-pass-phrase")


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ana@example.test", "short"),
        ("ana@example.test", ""),
        ("ana@example.test", "1234567890"),
        ("ana", "long-enough-x"),
    ],
)
def test_add_user_refuses_what_is_weak_or_no_address(monkeypatch, email, password):
    with pytest.raises(CommandError) as refusal:
        run("add_user", email, "--name", "Ana", "--team", "Sales", typed=password + "\n", monkeypatch=monkeypatch)
    assert len(str(refusal.value)) > 10
    assert not User.objects.exists()
    assert not Team.objects.exists()


def test_add_user_knows_who_is_there_already(monkeypatch):
    user = UserFactory()
    with pytest.raises(CommandError, match="already exists"):
        run("add_user", user.email.upper(), "--name", "X", typed="a-long-pass-phrase\n", monkeypatch=monkeypatch)


NUMBER = ("add_number", "--name", "Sales", "--waba-id", "1", "--phone-number-id", "555", "--team", "Claims")


def test_add_number_asks_graph_and_says_what_to_enter_at_meta(graph, monkeypatch):
    graph.answers_at("/v24.0/555", says({"id": "555", "display_phone_number": "+34 910 000 000"}))
    printed = run(*NUMBER, "--graph-base-url", graph.url, typed="the-token\nthe-secret\n", monkeypatch=monkeypatch)
    account, inbox = WhatsAppAccount.objects.get(), Inbox.objects.get()
    assert graph.asked[0].headers["Authorization"] == "Bearer the-token"
    assert (account.access_token, account.app_secrets.get().secret) == ("the-token", "the-secret")
    assert (inbox.name, inbox.display_phone_number, inbox.account) == ("Sales", "+34 910 000 000", account)
    assert list(inbox.teams.values_list("name", flat=True)) == ["Claims"]
    assert "/webhooks/whatsapp/" in printed
    assert account.verify_token in printed
    assert "the-token" not in printed
    assert "the-secret" not in printed


def test_add_number_again_renews_the_token_and_keeps_the_old_secret_during_the_change(graph, monkeypatch):
    graph.answers_at("/v24.0/555", says({"display_phone_number": "+34 910 000 000"}))
    for typed in ("token-1\nsecret-1\n", "token-2\nsecret-2\n", "token-2\nsecret-2\n"):
        run(*NUMBER, "--graph-base-url", graph.url, typed=typed, monkeypatch=monkeypatch)
    assert WhatsAppAccount.objects.get().access_token == "token-2"
    assert Inbox.objects.count() == 1
    assert sorted(row.secret for row in AppSecret.objects.all()) == ["secret-1", "secret-2"]


@pytest.mark.parametrize("answer", [refuses(190, 401), raw(b"<html>", 502), refuses(100, 404)])
def test_add_number_stores_nothing_graph_does_not_accept(graph, monkeypatch, answer):
    graph.answers_at("/v24.0/555", answer)
    with pytest.raises(CommandError, match="Nothing was stored"):
        run(*NUMBER, "--graph-base-url", graph.url, typed="token\nsecret\n", monkeypatch=monkeypatch)
    assert not WhatsAppAccount.objects.exists()


@pytest.mark.parametrize("typed", ["", "\n\n", "token\n", "token\n   \n", "\nsecret\n"])
def test_add_number_needs_both_secrets(monkeypatch, typed):
    with pytest.raises(CommandError, match="Both"):
        run(*NUMBER, "--no-check", typed=typed, monkeypatch=monkeypatch)
    assert not WhatsAppAccount.objects.exists()


@pytest.mark.parametrize(
    ("told", "limit", "rate"),
    [
        ({"throughput": {"level": "HIGH"}, "whatsapp_business_manager_messaging_limit": "TIER_2K"}, 2000, 1000),
        ({"throughput": {"level": "STANDARD"}, "whatsapp_business_manager_messaging_limit": "TIER_250"}, 250, 80),
        ({"whatsapp_business_manager_messaging_limit": "TIER_UNLIMITED"}, None, 20),
        ({"throughput": {"level": "NOT_APPLICABLE"}, "whatsapp_business_manager_messaging_limit": 7}, None, 20),
        ({"throughput": "fast"}, 10_000, 20),
    ],
)
def test_add_number_keeps_the_limits_graph_tells(graph, monkeypatch, told, limit, rate):
    graph.answers_at("/v24.0/555", says({"display_phone_number": "+34 910 000 000"} | told))
    account = WhatsAppAccount.objects.create(waba_id="1", name="Sales", messaging_limit=10_000)
    Inbox.objects.create(account=account, name="Sales", phone_number_id="555", sends_per_second=20)
    run(*NUMBER, "--graph-base-url", graph.url, typed="token\nsecret\n", monkeypatch=monkeypatch)
    assert (WhatsAppAccount.objects.get().messaging_limit, Inbox.objects.get().sends_per_second) == (limit, rate)


def test_add_number_does_without_limits_graph_does_not_know(graph, monkeypatch):
    graph.answers_at("/v24.0/555", says({"display_phone_number": "+34 910 000 000"}), refuses(100, 400))
    run(*NUMBER, "--graph-base-url", graph.url, typed="token\nsecret\n", monkeypatch=monkeypatch)
    assert (WhatsAppAccount.objects.get().messaging_limit, Inbox.objects.get().sends_per_second) == (None, 80)
