"""Accounts and numbers in the administration: secrets go in and never come out, and the set-up page says what to do."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.inboxes import checkup, rotation
from conversations.inboxes.models import AppSecret, Inbox, NumberCheck, WhatsAppAccount
from conversations.ingest.models import RefusedWebhooks
from conversations.messaging import numbers
from crm.audit.models import AuditEntry
from crm.foundation import aio, clock
from tests.graph_side import GraphSide, drops, refuses, says

pytestmark = pytest.mark.django_db
TOKEN, SECRET = "EAAG-very-secret-token", "0123456789abcdef0123456789abcdef"
ALL_FIELDS = [
    "messages", "message_template_status_update", "phone_number_quality_update", "account_update", "account_alerts",
]  # fmt: skip


@pytest.fixture(scope="module")
def graph():
    side = GraphSide().start()
    yield side
    side.stop()
    aio.close()


@pytest.fixture
def inbox(graph, factories, monkeypatch, settings):
    """A number of its own path at Meta, which is given all the time it needs."""
    monkeypatch.setattr(checkup, "ANSWER_SECONDS", 120)
    settings.GRAPH_BASE_URL = f"{graph.url}/"
    account = factories.AccountFactory(access_token=TOKEN, app_secret=SECRET)
    inbox = factories.InboxFactory(account=account, teams=[factories.TeamFactory(name="Sales")], name="Main")
    number = {"id": "1", "display_phone_number": "+34 910 111 222", "quality_rating": "GREEN", "status": "CONNECTED",
              "throughput": {"level": "HIGH"}, "whatsapp_business_manager_messaging_limit": "TIER_10K"}  # fmt: skip
    root = f"/v24.0/{account.waba_id}"
    graph.answers_at(f"/v24.0/{inbox.phone_number_id}", says(number))
    graph.answers_at(root, says({"id": "9", "primary_funding_id": "5"}))
    graph.answers_at(f"{root}/message_templates", says({"data": [{"status": "APPROVED"}, {"status": "APPROVED"}]}))
    graph.answers_at(f"{root}/subscribed_apps", says({"data": [{"whatsapp_business_api_data": {"id": "77"}}]}))
    fields = [{"name": name, "version": "v24.0"} for name in ALL_FIELDS]
    told = {"data": [{"object": "whatsapp_business_account", "callback_url": "https://x.test/", "fields": fields}]}
    graph.answers_at("/v24.0/77/subscriptions", says(told))
    return inbox


def set_up(inbox):
    return reverse("admin:conversations_inbox_setup", args=[inbox.pk])


def account_form(account):
    return reverse("admin:conversations_whatsappaccount_change", args=[account.pk])


def states(page):
    return {finding.key: finding.state for finding in page.context["findings"]}


def sentence(page, key):
    return next(finding.sentence for finding in page.context["findings"] if finding.key == key)


def test_the_set_up_of_a_new_number_says_what_to_do(admin, inbox):
    with CaptureQueriesContext(connection) as queries:
        page = admin.get(set_up(inbox))
    assert len(queries) <= 10
    assert states(page) == {
        "token": "unknown", "webhook": "bad", "event": "warn", "signature": "ok", "fields": "unknown",
        "quality": "unknown", "limit": "unknown", "payment": "unknown", "templates": "unknown", "teams": "ok",
    }  # fmt: skip
    text = page.content.decode()
    assert inbox.account.verify_token in text
    assert "/webhooks/whatsapp/" in text
    assert TOKEN not in text
    assert SECRET not in text


def test_meta_is_asked_only_on_the_button_and_everything_becomes_fine(admin, manager, graph, inbox, factories):
    WhatsAppAccount.objects.update(webhook_verified_at=clock.real(), last_event_at=clock.real())
    factories.ConversationFactory(inbox=inbox)
    before = len(graph.asked)
    admin.get(set_up(inbox))
    admin.get(reverse("admin:conversations_inbox_changelist"))
    admin.get(reverse("admin:index"))
    assert len(graph.asked) == before
    page = admin.post(set_up(inbox), follow=True)
    assert set(states(page).values()) == {"ok"}
    assert "10,000 people" in sentence(page, "limit")
    assert "2 approved of 2" in sentence(page, "templates")
    inbox.refresh_from_db()
    assert (inbox.sends_per_second, inbox.display_phone_number) == (1000, "+34 910 111 222")
    assert inbox.account.messaging_limit == 10_000
    asked = [one for one in graph.asked[before:] if one.path.endswith("/subscriptions")]
    assert asked[0].headers["Authorization"] == f"Bearer 77|{SECRET}"
    entry = AuditEntry.objects.about("conversations.inbox", inbox.pk).first()
    assert (entry.action, entry.user) == ("checked", manager)
    admin.post(set_up(inbox))
    assert len([one for one in graph.asked[before:] if one.path.endswith("/subscriptions")]) == 1


@pytest.mark.parametrize(
    ("path", "answer", "key", "state", "words"),
    [
        ("{phone}", refuses(190, 401), "token", "bad", "does not accept it any more"),
        ("{phone}", refuses(200), "token", "bad", "lacks a right"),
        ("{phone}", refuses(100), "token", "bad", "does not open this number (error 100)"),
        ("{phone}", drops, "token", "unknown", "did not answer in time"),
        ("{phone}", says({"status": "FLAGGED"}), "quality", "bad", "FLAGGED"),
        ("{phone}", says({"quality_rating": "RED", "status": "CONNECTED"}), "quality", "bad", "block or report"),
        ("{phone}", says({"whatsapp_business_manager_messaging_limit": "TIER_250"}), "limit", "warn", "Verify"),
        ("{phone}", says({}), "limit", "unknown", "WhatsApp Manager"),
        ("{waba}", says({"id": "9"}), "payment", "warn", "Meta names none"),
        ("{waba}", refuses(100), "payment", "unknown", "Meta has not said"),
        ("{waba}/message_templates", says({"data": []}), "templates", "warn", "None is approved"),
        ("{waba}/message_templates", says({"data": "x"}), "templates", "warn", "None is approved"),
        ("{waba}/subscribed_apps", says({"data": []}), "fields", "bad", "No app is subscribed"),
        ("77/subscriptions", refuses(190, 401), "fields", "unknown", "Meta tells only the app itself"),
        ("77/subscriptions", says({"data": []}), "fields", "bad", "not ticked"),
        ("{waba}/subscribed_apps", says({"data": [{"whatsapp_business_api_data": {"id": "7\u0000"}}, 3]}), "fields",
         "bad", "No app is subscribed"),
    ],
)  # fmt: skip
def test_each_trouble_has_its_sentence(admin, graph, inbox, path, answer, key, state, words):
    path = path.format(phone=inbox.phone_number_id, waba=inbox.account.waba_id)
    graph.at[f"/v24.0/{path}"].clear()
    graph.answers_at(f"/v24.0/{path}", answer)
    page = admin.post(set_up(inbox), follow=True)
    assert states(page)[key] == state
    assert words in sentence(page, key)


def test_what_stops_the_number_stands_on_its_page(admin, inbox):
    Inbox.objects.update(circuit_code="131042", circuit_until=clock.real() + dt.timedelta(minutes=1))
    page = admin.get(set_up(inbox))
    assert states(page)["payment"] == "bad"
    Inbox.objects.update(circuit_code="190")
    page = admin.get(set_up(inbox))
    assert (states(page)["token"], "renew it" in sentence(page, "token")) == ("bad", True)
    listed = admin.get(reverse("admin:conversations_inbox_changelist")).content.decode()
    assert "Stopped" in listed


def test_a_silent_number_beside_a_busy_one_is_not_called_fine(admin, inbox, factories):
    busy = factories.InboxFactory(account=inbox.account)
    factories.ConversationFactory(inbox=busy)
    silent_for = {"window_expires_at": clock.now() - dt.timedelta(days=2)}
    factories.ConversationFactory(inbox=inbox, **silent_for)  # we wrote today, they did two days ago
    WhatsAppAccount.objects.update(last_event_at=clock.real())
    page = admin.get(set_up(inbox))
    assert (states(page)["event"], "nobody has written to this number" in sentence(page, "event")) == ("warn", True)
    assert states(admin.get(set_up(busy)))["event"] == "ok"


def test_what_meta_said_is_asked_anew_every_day_and_not_called_fine_when_old(
    admin, graph, inbox, factories, monkeypatch
):
    monkeypatch.setattr(numbers, "_next_look", float("-inf"))
    factories.InboxFactory()  # never asked about
    admin.post(set_up(inbox))
    assert numbers.drain() is False
    before = len(graph.asked)
    NumberCheck.objects.update(asked_at=clock.real() - dt.timedelta(days=3))
    page = admin.get(set_up(inbox))
    assert {key for key, state in states(page).items() if state == "warn"} >= {"token", "quality", "templates", "limit"}
    assert "was not asked since" in sentence(page, "quality")
    assert numbers.drain() is False, "it has just looked"
    monkeypatch.setattr(numbers, "_next_look", float("-inf"))
    assert numbers.drain() is True
    assert len(graph.asked) > before
    assert states(admin.get(set_up(inbox)))["quality"] == "ok"
    NumberCheck.objects.update(asked_at=clock.real() - dt.timedelta(hours=2))
    assert numbers.drain() is False
    monkeypatch.setattr(numbers, "_next_look", float("-inf"))
    NumberCheck.objects.update(problems={"limit": "unanswered"})
    assert numbers.drain() is True, "after trouble it does not wait for a day"
    assert NumberCheck.objects.count() == 1


def test_rejected_templates_wait_for_somebody(admin, inbox):
    NumberCheck.objects.create(inbox=inbox, answers={"templates": {"states": {"APPROVED": 1}}})
    assert not any("rejected" in need.sentence for need in admin.get(reverse("admin:index")).context["needs"])
    NumberCheck.objects.update(answers={"templates": {"states": {"APPROVED": 1, "REJECTED": 1}}})
    need = next(need for need in admin.get(reverse("admin:index")).context["needs"] if "rejected" in need.sentence)
    assert need.url == set_up(inbox)


@pytest.mark.covers("W03")
def test_refused_signatures_are_told_from_a_stranger_who_knocks(admin, inbox):
    now = clock.real()
    RefusedWebhooks.objects.create(day=now.date(), count=1200, last_at=now)
    page = admin.get(set_up(inbox))
    assert (states(page)["signature"], "a stranger tried" in sentence(page, "signature")) == ("warn", True)
    assert "1,200 webhooks" in sentence(page, "signature")
    WhatsAppAccount.objects.update(refused_at=now)
    page = admin.get(set_up(inbox))
    assert (states(page)["signature"], "compare the app secret" in sentence(page, "signature")) == ("bad", True)
    WhatsAppAccount.objects.update(last_event_at=now)
    page = admin.get(set_up(inbox))
    assert (states(page)["signature"], "Nothing needs" in sentence(page, "signature")) == ("warn", True)
    AppSecret.objects.update(is_active=False)
    assert states(admin.get(set_up(inbox)))["signature"] == "bad"


@pytest.mark.covers("A07")
def test_secrets_go_in_and_never_come_out(admin, posted, inbox):
    account = inbox.account
    assert posted(account_form(account), new_token="EAAG-another-token", new_secret="f" * 32).status_code == 302
    account.refresh_from_db()
    assert account.access_token == "EAAG-another-token"
    assert account.app_secrets.filter(is_active=True).count() == 2
    for address in (account_form(account), reverse("admin:conversations_whatsappaccount_changelist"),
                    reverse("admin:conversations_whatsappaccount_history", args=[account.pk])):  # fmt: skip
        page = admin.get(address).content.decode()
        for secret in ("EAAG-another-token", "f" * 32, TOKEN, SECRET, account.verify_token):
            assert secret not in page
    entry = AuditEntry.objects.about("conversations.whatsappaccount", account.pk).first()
    assert entry.changes["access_token"] == ["•••", "•••"]
    assert "f" * 32 not in str(entry.changes)


@pytest.mark.covers("A07")
def test_no_app_secret_is_shown_to_an_address_of_the_accounts_own_even_if_it_names_an_app(
    admin, posted, graph, inbox, settings
):
    settings.GRAPH_BASE_URL, settings.DEMO = "https://graph.facebook.com", True
    page = posted(account_form(inbox.account), graph_base_url=graph.url, new_token="EAAG-its-own-token")
    assert page.status_code == 302
    before = len(graph.asked)
    page = admin.post(set_up(inbox), follow=True)
    asked = graph.asked[before:]
    assert any(one.path.endswith("/subscribed_apps") for one in asked), "it was asked, and named an app"
    assert {one.headers["Authorization"] for one in asked} == {"Bearer EAAG-its-own-token"}
    assert (states(page)["fields"], states(page)["quality"]) == ("unknown", "ok")
    assert "only the app itself" in sentence(page, "fields")


def test_a_form_saved_without_secrets_keeps_them(admin, posted, inbox):
    assert posted(account_form(inbox.account), name="Renamed").status_code == 302
    account = WhatsAppAccount.objects.get(pk=inbox.account_id)
    assert (account.name, account.access_token) == ("Renamed", TOKEN)
    assert account.app_secrets.get().secret == SECRET


def test_the_old_secret_is_retired_and_forgotten(admin, posted, inbox):
    old = inbox.account.app_secrets.get()
    page = posted(account_form(inbox.account), retire=[old.pk])
    assert page.status_code == 200
    assert "Enter the new one first" in page.content.decode()
    assert posted(account_form(inbox.account), new_secret="e" * 32, retire=[old.pk]).status_code == 302
    old.refresh_from_db()
    assert (old.is_active, old.secret) == (False, "")
    assert inbox.account.app_secrets.get(is_active=True).secret == "e" * 32
    entries = AuditEntry.objects.about("conversations.whatsappaccount", inbox.account_id)
    new = inbox.account.app_secrets.get(is_active=True)
    assert list(entries.values_list("action", "changes")) == [
        ("secret_retired", {"number": [old.pk, None]}), ("secret_added", {"number": [None, new.pk]}),
    ]  # fmt: skip


def test_the_last_secret_is_not_retired_even_by_two_at_once(inbox):
    first = inbox.account.app_secrets.get()
    rotation.rotate(inbox.account, new="d" * 32)
    second = inbox.account.app_secrets.exclude(pk=first.pk).get()
    rotation.rotate(inbox.account, retire=[first.pk])
    with pytest.raises(rotation.LastSecret):
        rotation.rotate(inbox.account, retire=[second.pk, first.pk])


@pytest.mark.covers("A08")
@pytest.mark.parametrize(
    ("field", "value"),
    [("new_token", "with space in it"), ("new_secret", "é" * 20), ("graph_base_url", "http://evil.example/"),
     ("graph_base_url", "file:///etc/passwd"), ("auth_header", "X-Key: 1\r\nX"), ("name", "")],
)  # fmt: skip
def test_what_cannot_be_is_refused_at_its_field(posted, inbox, field, value):
    page = posted(account_form(inbox.account), **{field: value})
    assert page.status_code == 200
    assert field in page.context["adminform"].form.errors


def test_an_account_and_a_number_are_connected_by_form(admin, manager, factories):
    page = admin.post(reverse("admin:conversations_whatsappaccount_add"), {
        "name": "New", "waba_id": "4242", "auth_header": "Authorization", "new_token": TOKEN, "new_secret": SECRET,
    })  # fmt: skip
    assert page.status_code == 302
    account = WhatsAppAccount.objects.get(waba_id="4242")
    assert (account.access_token, account.app_secrets.get().secret) == (TOKEN, SECRET)
    team = factories.TeamFactory()
    page = admin.post(reverse("admin:conversations_inbox_add"), {
        "name": "Sales", "account": account.pk, "phone_number_id": "777", "teams": [team.pk], "sends_per_second": 80,
    })  # fmt: skip
    inbox = Inbox.objects.get(phone_number_id="777")
    assert page["Location"] == set_up(inbox)
    assert list(inbox.teams.all()) == [team]
    assert TOKEN not in str(list(AuditEntry.objects.values_list("changes", flat=True)))


def test_without_a_token_or_secret_no_account_is_made(admin):
    page = admin.post(reverse("admin:conversations_whatsappaccount_add"), {"name": "New", "waba_id": "4242"})
    assert {"new_token", "new_secret"} <= set(page.context["adminform"].form.errors)


def test_a_number_keeps_its_id_and_a_used_one_is_not_deleted(admin, posted, inbox, factories):
    address = reverse("admin:conversations_inbox_change", args=[inbox.pk])
    posted(address, phone_number_id="1", account="1", name="Other")
    fresh = Inbox.objects.get(pk=inbox.pk)
    assert (fresh.name, fresh.phone_number_id, fresh.account_id) == ("Other", inbox.phone_number_id, inbox.account_id)
    factories.ConversationFactory(inbox=inbox)
    admin.post(reverse("admin:conversations_inbox_delete", args=[inbox.pk]), {"post": "yes"})
    assert Inbox.objects.filter(pk=inbox.pk).exists()


def test_what_meta_says_is_kept_with_the_number_and_escaped(admin, graph, inbox):
    graph.at[f"/v24.0/{inbox.phone_number_id}"].clear()
    graph.answers_at(f"/v24.0/{inbox.phone_number_id}", says({"status": "<script>alert(1)</script>"}))
    assert "<script>alert(1)" not in admin.post(set_up(inbox), follow=True).content.decode()
    assert NumberCheck.objects.get().inbox == inbox
