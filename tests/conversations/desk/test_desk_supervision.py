"""A manager sees the inbox exactly as an agent does, and changes nothing; restricted agents see only what is theirs."""

import re

import pytest
from django.db import connection
from django.urls import reverse

from conversations.desk import viewing
from conversations.desk.access import access_of
from conversations.desk.views import pages
from conversations.live.models import LiveHint
from conversations.messaging import threads
from conversations.messaging.models import Conversation, ConversationEvent, ConversationRead, Message
from conversations.notices.models import Notice
from crm.audit.models import AuditEntry
from crm.contacts.models import Contact
from crm.privacy.models import AccessLogEntry
from crm.staff.models import Role, User
from tests.conversations.desk.test_desk_doors import CLOSED, OF_CONVERSATION, ask
from tests.factories import ConversationFactory, MessageFactory, UserFactory

pytestmark = pytest.mark.django_db
AS = "/inbox/as/"
HX = {"HX-Request": "true"}
POSTS = [name for name, methods in CLOSED.items() if "POST" in methods.split() and name != "view-as"]


@pytest.fixture
def manager(db):
    return UserFactory(manager=True, name="Marta Jefa", language="en", theme="dark")


@pytest.fixture
def restricted(team):
    return UserFactory(restricted=True, teams=[team], name="Rita Restringida")


@pytest.fixture
def looking(sign_in, manager, restricted):
    """The manager's browser, seeing what the restricted agent sees."""
    client = sign_in(manager)
    assert client.post(AS, {"user": restricted.pk}).status_code == 302
    return client


def state():
    models = (Conversation, Message, ConversationRead, ConversationEvent, LiveHint, Notice, User)
    return [list(model.objects.order_by("pk").values_list()) for model in models]


@pytest.mark.covers("A14")
def test_it_shows_that_persons_list_and_nothing_else(looking, restricted, conversation, inbox, theirs):
    own = ConversationFactory(inbox=inbox, assignee=restricted)
    page = looking.get("/inbox/?view=all").content.decode()
    assert set(re.findall(r'id="row-(\d+)"', page)) == {str(own.pk)}
    assert conversation.contact.name not in page
    assert theirs.contact.name not in page
    for hidden in (conversation, theirs):
        assert looking.get(reverse("desk:conversation", args=[hidden.pk])).status_code == 404
    assert looking.get(reverse("desk:conversation", args=[own.pk])).status_code == 200


def test_the_rows_are_the_ones_the_agent_gets(looking, sign_in, manager, restricted, inbox):
    for _ in range(3):
        ConversationFactory(inbox=inbox, assignee=restricted, inbound_count=2)
    User.objects.filter(pk=restricted.pk).update(language="en")

    def rows(client):
        return re.findall(r'<li id="row-[\s\S]*?</li>', client.get("/inbox/list/?view=mine").content.decode())

    seen = rows(looking)
    assert len(seen) == 3
    assert seen == rows(sign_in(restricted))


@pytest.mark.covers("A14")
def test_a_banner_says_whose_inbox_it_is_in_the_managers_own_language(looking, restricted):
    page = looking.get("/inbox/").content.decode()
    assert 'data-testid="viewing-banner"' in page
    assert restricted.name in page
    assert '<html lang="en"' in page
    assert 'data-theme="dark"' in page


@pytest.mark.covers("A14", "A12")
def test_who_looked_as_whom_is_in_the_audit_log(looking, manager, restricted):
    (entry,) = AuditEntry.objects.filter(action="looked_as")
    assert (entry.user, entry.object_id, entry.model) == (manager, str(restricted.pk), "crm.user")
    looking.post(AS, {})
    assert AuditEntry.objects.filter(action="looked_as").count() == 1


def test_whom_they_looked_at_meanwhile_is_in_the_access_log(looking, manager, restricted, inbox):
    own = ConversationFactory(inbox=inbox, assignee=restricted)
    assert looking.get(reverse("desk:conversation", args=[own.pk])).status_code == 200
    assert AccessLogEntry.objects.values_list("user", "contact").get() == (manager.pk, own.contact_id)


def test_stopping_gives_the_manager_their_own_inbox_back(looking, conversation):
    assert looking.post(AS, {}).status_code == 302
    page = looking.get("/inbox/?view=all").content.decode()
    assert "viewing-banner" not in page
    assert f'id="row-{conversation.pk}"' in page


@pytest.mark.covers("A14")
@pytest.mark.parametrize("name", POSTS)
def test_nothing_can_be_changed_meanwhile(looking, restricted, inbox, things, name):
    things = things(ConversationFactory(inbox=inbox, assignee=restricted))
    before = state()
    response = ask(looking, "POST", name, things)
    assert (response.status_code, response["X-Error"]) == (422, "viewing_as")
    assert "data-error" in response.content.decode()
    assert state() == before


@pytest.mark.covers("A14")
def test_looking_leaves_no_trace(looking, restricted, inbox):
    own = ConversationFactory(inbox=inbox, assignee=restricted, inbound_count=3)
    note = MessageFactory(conversation=own)
    Notice.objects.create(user=restricted, conversation=own, message=note)
    before = state()
    statements = []

    def note(execute, sql, params, many, context):
        statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        for name, methods in OF_CONVERSATION.items():
            if "GET" in methods.split():
                response = looking.get(reverse(f"desk:{name}", args=[own.pk]), headers=HX)
                assert response.status_code in (200, 400, 404), name
        assert looking.get(reverse("desk:conversation", args=[own.pk])).status_code == 200
        assert looking.get("/inbox/").status_code == 200
    assert state() == before
    rest = [sql for sql in statements if AccessLogEntry._meta.db_table not in sql]
    assert {sql.lstrip("(").split()[0] for sql in rest} == {"SELECT"}  # no transaction: it would hold up writers


def test_a_page_that_would_change_something_is_refused_meanwhile(looking, restricted, inbox, monkeypatch):
    own = ConversationFactory(inbox=inbox, assignee=restricted, inbound_count=3)
    monkeypatch.setattr(pages, "thread_context", lambda request, chosen: threads.mark_read(chosen, request.user))
    response = looking.get(reverse("desk:conversation", args=[own.pk]), headers=HX)
    assert (response.status_code, response["X-Error"]) == (422, "viewing_as")
    assert not ConversationRead.objects.exists()


@pytest.mark.covers("A14")
def test_nobody_but_managers_may(sign_in, agent, restricted, conversation):
    client = sign_in(agent)
    assert client.post(AS, {"user": restricted.pk}).status_code == 403
    assert "viewing_as" not in client.session
    session = client.session
    session[viewing.SESSION_NAME] = str(restricted.pk)
    session.save()
    page = client.get("/inbox/?view=all").content.decode()
    assert "viewing-banner" not in page
    assert f'id="row-{conversation.pk}"' in page


@pytest.mark.covers("A14")
@pytest.mark.parametrize("change", [{"role": Role.AGENT}, {"role": Role.RESTRICTED}])
def test_a_manager_who_is_one_no_longer_is_themselves_again(looking, manager, change, restricted, inbox):
    own = ConversationFactory(inbox=inbox, assignee=restricted)
    User.objects.filter(pk=manager.pk).update(**change)
    assert "viewing-banner" not in looking.get("/inbox/").content.decode()
    assert looking.get(reverse("desk:conversation", args=[own.pk])).status_code == 404


def test_somebody_who_is_gone_cannot_be_looked_as(looking, restricted):
    User.objects.filter(pk=restricted.pk).update(is_active=False)
    assert "viewing-banner" not in looking.get("/inbox/").content.decode()


@pytest.mark.parametrize("user", ["0", "999999", "x", "-1", "9" * 30, "\x00"])
def test_nonsense_is_answered_with_a_sentence(sign_in, manager, user):
    response = sign_in(manager).post(AS, {"user": user})
    assert response.status_code in (400, 404)


def test_an_integrator_or_oneself_is_nobody_to_look_as(sign_in, manager):
    client = sign_in(manager)
    for user in (manager, UserFactory(integrator=True)):
        client.post(AS, {"user": user.pk})
        assert "viewing-banner" not in client.get("/inbox/").content.decode()


def test_what_was_missed_is_what_the_agent_missed(looking, conversation, restricted):
    LiveHint.objects.create(groups=[f"inbox.{conversation.inbox_id}"], payload={"t": "message.created", "c": 1})
    LiveHint.objects.create(groups=[f"u.{restricted.pk}"], payload={"t": "message.created", "c": 2})
    answer = looking.get("/inbox/sync/?since=0").json()
    assert [hint["c"] for hint in answer.get("hints", [])] in ([2], [])
    assert 1 not in [hint["c"] for hint in answer.get("hints", [])]


SECRET = "Contraseña-de-la-caja-4711"


@pytest.fixture
def hidden(inbox, agent):
    """A conversation of the same number that is somebody else's, full of words to look for."""
    conversation = ConversationFactory(inbox=inbox, assignee=agent, inbound_count=2)
    Contact.objects.filter(pk=conversation.contact_id).update(name=SECRET, search_text=SECRET.lower())
    Conversation.objects.filter(pk=conversation.pk).update(last_preview=SECRET)
    MessageFactory(conversation=conversation, text=SECRET)
    return conversation


@pytest.mark.parametrize(
    "url",
    [
        "/inbox/?view=all&status=all", "/inbox/list/?view=all&status=all", "/inbox/list/?view=all&q={secret}",
        "/inbox/rows/?view=all&ids={pk}", "/inbox/search/?q={secret}", "/inbox/palette/?q={secret}&c={pk}",
        "/inbox/canned/?q=a&c={pk}", "/inbox/mentions/?q=a&c={pk}", "/inbox/counts/", "/inbox/sync/?since=0",
        "/inbox/list/?view=mentions", "/inbox/list/?view=waiting", "/inbox/list/?view=resolved",
        "/inbox/c/{pk}/", "/inbox/c/{pk}/panel/", "/inbox/c/{pk}/panel/timeline/", "/inbox/c/{pk}/panel/files/",
        "/inbox/c/{pk}/media/", "/inbox/c/{pk}/search/?q={secret}", "/inbox/c/{pk}/messages/?after=0",
        "/inbox/c/{pk}/alert/", "/inbox/c/{pk}/header/", "/inbox/c/{pk}/draft/", "/inbox/c/{pk}/scheduled/",
    ],
)  # fmt: skip
def test_a_restricted_agent_finds_no_word_of_what_is_not_theirs(sign_in, restricted, hidden, url):
    own = ConversationFactory(inbox=hidden.inbox, assignee=restricted)
    MessageFactory(conversation=own, text="mío")
    client = sign_in(restricted)
    response = client.get(url.format(pk=hidden.pk, secret=SECRET[:10]), headers=HX)
    assert response.status_code in (200, 400, 404, 405)
    if f"/c/{hidden.pk}/" in url.format(pk=hidden.pk, secret=""):
        assert response.status_code in (404, 405)
    html = response.content.decode()
    assert SECRET not in html
    assert SECRET.lower() not in html.replace(SECRET[:10].lower(), "")


def test_the_counters_of_a_restricted_agent_count_only_theirs(sign_in, restricted, hidden):
    ConversationFactory(inbox=hidden.inbox, assignee=restricted)
    html = sign_in(restricted).get("/inbox/?view=all").content.decode()
    assert re.search(r'data-testid="count-all">1<', html)


def test_a_restricted_agent_hears_only_of_theirs(restricted, hidden, team):
    access = access_of([restricted])[restricted.pk]
    assert access.groups == {f"u.{restricted.pk}", f"team.{team.pk}"}
    assert access.is_restricted


def test_nothing_is_marked_as_read_for_who_is_looked_at(looking, sign_in, restricted):
    assert '"read_on": "never"' in looking.get("/inbox/").content.decode()
    assert '"read_on": "never"' not in sign_in(restricted).get("/inbox/").content.decode()
