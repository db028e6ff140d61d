"""Every URL of the desk: who may come in, by which method, and what those who may not can change (nothing)."""

import datetime as dt
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from conversations.answers.models import CannedAnswer
from conversations.desk.models import Draft
from conversations.desk.urls import urlpatterns
from conversations.inboxes.models import Inbox
from conversations.live.models import LiveHint
from conversations.messaging.models import (
    Attachment,
    Conversation,
    ConversationEvent,
    ConversationRead,
    Message,
    Reaction,
    ScheduledMessage,
)
from conversations.notices.models import Notice
from crm.consent.models import ConsentEvent
from crm.contacts.models import Contact, ContactChange, ContactFile, ContactNote, ContactPoint, ContactTag, Tag
from crm.foundation import clock
from crm.staff.models import Role, User
from tests.factories import ConversationFactory, UserFactory

pytestmark = pytest.mark.django_db

PUBLIC = {"manifest": "GET", "service-worker": "GET"}
GENERAL = {
    "inbox": "GET", "list": "GET", "rows": "GET", "counts": "GET", "sync": "GET", "preferences": "POST",
    "filters": "GET", "saved-views": "GET POST", "bulk": "GET POST", "bulk-undo": "POST", "search": "GET",
    "canned-answers": "GET POST",
    "upload": "POST", "fence": "POST", "settings": "GET POST", "palette": "GET", "view-as": "POST",
}  # fmt: skip
OF_CONVERSATION = {
    "conversation": "GET", "messages": "GET POST", "note": "POST", "react": "POST", "composer": "GET", "header": "GET",
    "assign": "POST", "status": "POST", "read": "POST", "typing": "POST",
    "snooze": "POST", "priority": "POST", "tags": "GET POST", "pin": "POST", "unread": "POST",
    "panel": "GET", "panel-timeline": "GET", "panel-files": "GET", "contact": "POST", "contact-tags": "POST",
    "contact-notes": "GET POST", "contact-consents": "POST", "contact-points": "POST", "contact-files": "POST",
    "alert": "GET",
    "media-list": "GET", "thread-search": "GET",
    "draft": "POST", "scheduled": "GET POST",
}  # fmt: skip
OF_MESSAGE = {"retry": "POST", "cancel": "POST", "undo": "POST", "info": "GET"}
OF_FILE = {"media": "GET", "media-retry": "POST"}
OF_PLAN = {"scheduled-change": "POST"}
OF_PAPER = {"contact-file": "GET"}
OF_QUERY = {"canned": "GET", "mentions": "GET"}  # the conversation is in ?c=
NARROW = OF_CONVERSATION | OF_MESSAGE | OF_FILE | OF_PLAN | OF_PAPER | OF_QUERY
CLOSED = GENERAL | NARROW

cases = pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name, methods in CLOSED.items() for method in methods.split()]
)
narrow_cases = pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name, methods in NARROW.items() for method in methods.split()]
)
post_cases = pytest.mark.parametrize("name", [name for name, methods in CLOSED.items() if "POST" in methods])


def url_of(name, things):
    if name in OF_CONVERSATION:
        return reverse(f"desk:{name}", args=[things.conversation.pk])
    if name in OF_MESSAGE:
        return reverse(f"desk:{name}", args=[things.message.client_id])
    if name in OF_FILE:
        return reverse(f"desk:{name}", args=[things.file.pk])
    if name in OF_PLAN:
        return reverse(f"desk:{name}", args=[things.planned.pk])
    if name in OF_PAPER:
        return reverse(f"desk:{name}", args=[things.paper.pk])
    query = f"?c={things.conversation.pk}" if name in OF_QUERY else ""
    return reverse(f"desk:{name}") + query


def data_for(things):
    """A form that every POST of the desk would accept."""
    return {
        "client_id": str(uuid.uuid4()), "text": "intrusion", "message": str(things.message.client_id), "emoji": "👍",
        "send_at": (clock.now() + dt.timedelta(hours=1)).isoformat(), "shortcut": "intrusion", "body": "intrusion",
        "assignee": "me", "status": "resolved", "version": things.conversation.version,
        "until": "reply", "priority": "2", "pinned": "1", "add": Tag.objects.get_or_create(name="intrusion")[0].pk,
        "conversation": things.conversation.pk, "language": "es", "theme": "dark", "field": "company",
        "tag": Tag.objects.get_or_create(name="intrusion")[0].name, "value": "+34600999888", "reason": "intrusion",
        "purpose": "marketing", "state": "granted", "file": SimpleUploadedFile("intrusion.txt", b"intrusion"),
    }  # fmt: skip


def ask(client, method, name, things):
    if method == "GET":
        return client.get(url_of(name, things))
    return client.post(url_of(name, things), data_for(things))


def state():
    """Everything an intruder could want to change."""
    models = (Conversation, Message, ConversationRead, ConversationEvent, Reaction, Attachment, LiveHint)
    models += (Contact, ContactChange, ContactFile, ContactNote, ContactPoint, ContactTag, ConsentEvent)
    models += (Draft, ScheduledMessage, Notice, CannedAnswer)
    rows = [list(model.objects.order_by("pk").values_list()) for model in models]
    return [*rows, list(User.objects.order_by("pk").values_list("pk", "language", "theme"))]


def test_the_table_knows_every_url_of_the_desk():
    assert {pattern.name for pattern in urlpatterns} == set(PUBLIC) | set(CLOSED)


@pytest.mark.covers("I07")
@cases
def test_nobody_comes_in_without_signing_in(client, conversation, things, name, method):
    things = things(conversation)
    before = state()
    response = ask(client, method, name, things)
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_login") + "?next=/")
    assert state() == before


@cases
def test_an_integrator_has_no_desk(sign_in, conversation, things, name, method):
    things = things(conversation)
    client = sign_in(UserFactory(integrator=True))
    before = state()
    response = ask(client, method, name, things)
    assert response.status_code == 403
    assert conversation.contact.name not in response.content.decode()
    assert state() == before


@pytest.mark.covers("I04")
@narrow_cases
def test_another_teams_conversation_does_not_exist(desk, theirs, things, name, method):
    things = things(theirs)
    before = state()
    response = ask(desk, method, name, things)
    assert response.status_code == 404
    assert theirs.contact.name not in response.content.decode()
    assert state() == before


@pytest.mark.covers("M01")
def test_a_file_cannot_be_put_into_another_teams_conversation(desk, theirs, things):
    before = state()
    response = ask(desk, "POST", "upload", things(theirs))
    assert response.status_code in (400, 404)
    assert Attachment.objects.count() == len(before[5]) + 1  # the one `things` made


@pytest.mark.covers("I04")
@narrow_cases
def test_a_restricted_agent_does_not_see_what_is_not_theirs(sign_in, conversation, team, things, name, method):
    things = things(conversation)
    client = sign_in(UserFactory(restricted=True, teams=[team]))
    before = state()
    assert ask(client, method, name, things).status_code == 404
    assert state() == before


@pytest.mark.covers("I06")
@narrow_cases
def test_what_one_lost_meanwhile_is_gone_at_the_next_click(desk, agent, conversation, things, name, method):
    things = things(conversation)
    agent.memberships.all().delete()
    before = state()
    assert ask(desk, method, name, things).status_code == 404
    assert state() == before


@pytest.mark.covers("I06")
@cases
def test_a_deactivated_user_is_signed_out_at_once(desk, agent, conversation, things, name, method):
    things = things(conversation)
    User.objects.filter(pk=agent.pk).update(is_active=False)
    assert ask(desk, method, name, things).status_code == 302


@narrow_cases
@pytest.mark.parametrize("role", ["manager", "agent", "restricted with it", "restricted of its team"])
def test_those_who_may_come_in(sign_in, conversation, team, agent, things, name, method, role):
    if role == "manager":
        user = UserFactory(manager=True)
    elif role == "agent":
        user = agent
    else:
        user = UserFactory(restricted=True, teams=[team] if "team" in role else [])
        assigned = {"team": team} if "team" in role else {"assignee": user}
        Conversation.objects.filter(pk=conversation.pk).update(**assigned)
    things = things(conversation)
    if name == "media-retry":
        Attachment.objects.filter(pk=things.file.pk).update(state="pending", attempts_count=1)
    if name == "unread":
        Conversation.objects.filter(pk=conversation.pk).update(inbound_count=1)
    if name in ("cancel", "undo"):
        Message.objects.filter(pk=things.message.pk).update(status="queued")
    response = ask(sign_in(user), method, name, things)
    assert response.status_code in (200, 201, 204), response.content


@pytest.mark.parametrize("name", list(CLOSED))
def test_other_methods_are_refused(desk, conversation, things, name):
    things = things(conversation)
    before = state()
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - set(CLOSED[name].split()):
        response = desk.generic(method, url_of(name, things))
        assert response.status_code == 405, method
    assert state() == before


@pytest.mark.covers("I08")
@post_cases
def test_a_form_from_another_site_is_refused(agent, conversation, things, name):
    things = things(conversation)
    client = Client(enforce_csrf_checks=True)
    client.force_login(agent)
    before = state()
    response = client.post(url_of(name, things), data_for(things))
    assert response.status_code == 403
    assert state() == before


@pytest.mark.covers("I08")
def test_signing_out_needs_a_form_of_ours(agent):
    client = Client(enforce_csrf_checks=True)
    client.force_login(agent)
    assert client.post(reverse("account_logout")).status_code == 403
    assert client.get(reverse("account_logout")).status_code == 405
    assert client.get(reverse("desk:inbox")).status_code == 200


STRICT = {
    "default-src": {"'self'"}, "script-src": {"'self'"}, "style-src": {"'self'"}, "object-src": {"'none'"},
    "frame-ancestors": {"'none'"}, "base-uri": {"'none'"}, "form-action": {"'self'"}, "connect-src": {"'self'"},
}  # fmt: skip


@pytest.mark.covers("I09", "I10", "P17")
@pytest.mark.parametrize("name", [name for name, methods in (PUBLIC | CLOSED).items() if "GET" in methods])
def test_every_page_has_a_strict_policy_and_is_kept_by_no_cache(desk, conversation, things, name):
    things = things(conversation)
    response = ask(desk, "GET", name, things)
    assert response.status_code == 200
    policy = dict(
        part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";") if " " in part.strip()
    )
    if name in ("media", "contact-file"):
        assert response["Content-Security-Policy"].startswith("sandbox")
    else:
        assert {key: set(policy[key].split()) for key in STRICT} == STRICT
        assert "unsafe" not in response["Content-Security-Policy"]
        assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response["Cache-Control"]


@pytest.mark.covers("I10")
@pytest.mark.parametrize("status", [403, 404, 405])
def test_refusals_are_strict_too(desk, theirs, status):
    if status == 403:
        response = Client(enforce_csrf_checks=True).post(reverse("account_login"))
    elif status == 404:
        response = desk.get(reverse("desk:conversation", args=[theirs.pk]))
    else:
        response = desk.post(reverse("desk:inbox"))
    assert response.status_code == status
    assert "script-src 'self'" in response["Content-Security-Policy"]


@pytest.mark.covers("I10")
def test_pages_carry_no_inline_script_or_style(desk, conversation, things):
    things(conversation)
    for url in (reverse("desk:inbox"), reverse("desk:conversation", args=[conversation.pk])):
        html = desk.get(url).content.decode().lower()
        assert " style=" not in html
        assert "<style" not in html
        for tag in html.split("<script")[1:]:
            head = tag.partition(">")[0]
            assert "src=" in head or "application/json" in head


def test_a_restricted_agent_keeps_what_they_are_given_until_it_is_taken(sign_in, conversation, team):
    user = UserFactory(restricted=True, teams=[team])
    client = sign_in(user)
    url = reverse("desk:conversation", args=[conversation.pk])
    for assigned, seen in (({"team": team}, 200), ({"assignee": user, "team": None}, 200), ({"assignee": None}, 404)):
        Conversation.objects.filter(pk=conversation.pk).update(**assigned)
        assert client.get(url).status_code == seen
    other = UserFactory()
    Conversation.objects.filter(pk=conversation.pk).update(assignee=other, team=team)
    assert client.get(url).status_code == 404


def test_the_role_in_the_session_is_the_one_of_now(desk, agent, conversation):
    User.objects.filter(pk=agent.pk).update(role=Role.INTEGRATOR)
    assert desk.get(reverse("desk:inbox")).status_code == 403


def test_an_inbox_closed_to_the_team_takes_its_conversations_along(desk, conversation, inbox):
    Inbox.objects.get(pk=inbox.pk).teams.clear()
    assert desk.get(reverse("desk:conversation", args=[conversation.pk])).status_code == 404


@pytest.mark.parametrize("pk", ["0", "999999999999", "9" * 19, "9" * 40, "9" * 5000])
def test_a_number_no_conversation_has_is_404(desk, pk):
    assert desk.get(f"/inbox/c/{pk}/").status_code == 404
    assert desk.post(f"/inbox/c/{pk}/notes/", {"client_id": str(uuid.uuid4()), "text": "x"}).status_code == 404


def test_lists_and_counts_show_only_what_one_may_see(sign_in, agent, conversation, theirs, team):
    mine_restricted = UserFactory(restricted=True, teams=[team])
    taken = ConversationFactory(inbox=conversation.inbox, assignee=mine_restricted)
    expected = {agent: {conversation.pk, taken.pk}, mine_restricted: {taken.pk}, UserFactory(): set()}
    expected[UserFactory(manager=True)] = {conversation.pk, taken.pk, theirs.pk}
    for user, seen in expected.items():
        client = sign_in(user)
        html = client.get(reverse("desk:list"), {"view": "all"}).content.decode()
        assert {c.pk for c in Conversation.objects.all() if f'id="row-{c.pk}"' in html} == seen
        counts = client.get(reverse("desk:counts")).content.decode()
        assert f'data-testid="count-all">{len(seen)}<' in counts
        rows = client.get(reverse("desk:rows"), {"view": "all", "ids": f"{theirs.pk}"}).content.decode()
        assert (theirs.contact.name in rows) == (theirs.pk in seen)
