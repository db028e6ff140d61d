"""What any request may do: a GET changes nothing, a foreign id opens nothing, SQL is data."""

import json
import math
import string

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.urls import reverse

from conversations.inboxes.models import new_verify_token
from conversations.live import keys
from conversations.messaging.models import Attachment, Conversation, Message
from crm.foundation import aio
from crm.staff import passwords, tokens
from tests.factories import ConversationFactory, InboxFactory, MessageFactory, TeamFactory, UserFactory
from tests.permissions.routes import routes
from tests.permissions.test_route_matrix import is_redirect, methods_of, undone
from tests.permissions.world import World

pytestmark = pytest.mark.django_db

# What is noted about the request itself: that a session, a token, a browser is in use.
BOOKS = (
    "django_session", "crm_staffsession", "crm_tries", 'UPDATE "crm_apitoken" SET "last_used_at"', "crm_accesslogentry",
)  # fmt: skip
# The same for everybody, and so for caches, too.
FOR_EVERYBODY = {(name, "no-store") for name in ("api:schema", "api:docs", "admin:jsi18n")}
READS = ("SELECT", "(SELECT", "WITH", "SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "SET LOCAL")
MARK = "zq9"
SQL = [
    f"{MARK}' OR '1'='1", f"{MARK}'; SELECT pg_sleep(9); --", f"{MARK}\") OR 1=1 --",
    f"{MARK}%' AND pg_sleep(9) IS NULL --",
    f"1 UNION SELECT '{MARK}'", f"{MARK}\\'; DROP TABLE crm_user; --", f"{MARK}}}' || pg_sleep(9) || '",
]  # fmt: skip


@pytest.fixture
def world():
    yield World()
    aio.close()


@pytest.fixture
def statements():
    """Every statement that is sent, as the database gets it, its values apart."""
    sent = []

    def note(execute, sql, params, many, context):
        sent.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield sent


def changes(sent):
    return [sql for sql in sent if not sql.lstrip().startswith(READS) and not any(book in sql for book in BOOKS)]


def own_query(world, route):
    if route.name in ("desk:canned", "desk:mentions"):
        return f"?c={world.conversation.pk}"
    return "?app_label=crm&model_name=apitoken&field_name=user" if route.name == "admin:autocomplete" else ""


@pytest.mark.covers("A13", "P17", "I09")
@pytest.mark.parametrize("who", ["manager", "agent"])
def test_a13_no_get_changes_anything_and_no_answer_is_kept_or_framed(world, statements, who):
    asked, wrong = 0, []
    for route in routes():
        client = world.program(who) if route.name.startswith("api:") else world.browser(who)
        path = route.address(**world.arguments(route)) + own_query(world, route)
        del statements[:]
        answer = client.get(path)
        asked += 1
        is_told = answer.status_code in (403, 404) or answer.get("Content-Disposition", "").startswith("attachment")
        told = 'INSERT INTO "crm_auditentry"' if is_told else None  # who was refused, and who took a file along
        wrong += [(path, sql[:120]) for sql in changes(statements) if not told or not sql.startswith(told)]
        if not is_redirect(route) and "GET" not in methods_of(route) and answer.status_code not in (302, 403, 404, 405):
            wrong.append((path, answer.status_code))
        if answer.status_code == 200:
            wrong += [(path, word) for word in lacking(answer) if (route.name, word) not in FOR_EVERYBODY]
    assert asked > 200
    assert wrong == []


def lacking(answer):
    """What keeps an answer out of caches and frames, and is not there."""
    policy = answer["Content-Security-Policy"]
    if "no-store" not in answer.get("Cache-Control", ""):
        yield "no-store"
    if "frame-ancestors 'none'" not in policy and not policy.startswith("sandbox"):
        yield "frame-ancestors"


def test_what_changes_something_would_be_noticed(world, statements):
    world.browser("agent").post(f"/inbox/c/{world.conversation.pk}/notes/", world.form())
    assert changes(statements)


@pytest.fixture
def foreign(world):
    """A conversation that the agent may not see, with a message and a file that waits to be sent."""
    row = ConversationFactory(inbox=InboxFactory(teams=[TeamFactory()]))
    row.message = MessageFactory(conversation=row)
    row.file = Attachment.objects.create(
        conversation=row, uploaded_by=UserFactory(), kind="image", state="stored", mime_type="image/png", size=3,
        file=ContentFile(b"png", "x"),
    )  # fmt: skip
    return row


def told(answer):
    """What a caller can tell answers apart by."""
    words = {key: value for key, value in answer.json().items() if key not in ("instance",)}
    return answer.status_code, json.dumps(words, sort_keys=True)


@pytest.mark.covers("P05")
def test_p05_what_one_may_not_see_is_not_there_for_a_body_either(world, foreign):
    api, messages = world.program("agent"), f"conversations/{world.conversation.pk}/messages/"
    nothing = 10**12
    cases = [
        (messages, lambda pk, uid: {"text": "x", "reply_to": pk}, foreign.message.pk, None),
        (messages, lambda pk, uid: {"reaction": {"message": pk, "emoji": "x"}}, foreign.message.pk, None),
        (messages, lambda pk, uid: {"attachment": uid}, 0, foreign.file.pk),
    ]  # fmt: skip
    for path, body, pk, uid in cases:
        unknown = "00000000-0000-4000-8000-000000000000"
        with undone():
            found = told(api.post(f"/api/v1/{path}", body(pk, uid), "application/json"))
        with undone():
            absent = told(api.post(f"/api/v1/{path}", body(nothing, unknown), "application/json"))
        assert found == absent, path
        assert found[0] in (400, 404, 409)
    for path in (
        f"contacts/{foreign.contact_id}/", f"conversations/{foreign.pk}/", f"messages/{foreign.message.pk}/",
        f"conversations/{foreign.pk}/messages/", f"contacts/{foreign.contact_id}/notes/",
    ):  # fmt: skip
        assert api.get(f"/api/v1/{path}").status_code == 404, path
    assert api.get(reverse("api:attachment", args=[foreign.file.pk])).status_code == 404
    for query in (f"contact={foreign.contact_id}", f"inbox={foreign.inbox_id}"):
        assert api.get(f"/api/v1/conversations/?{query}").json()["results"] == []


@pytest.mark.covers("P05", "P04", "I04")
def test_p05_forms_of_the_inbox_name_nothing_foreign(world, foreign):
    browser, own = world.browser("agent"), f"/inbox/c/{world.conversation.pk}/"
    before = [list(model.objects.order_by("pk").values()) for model in (Conversation, Message)]
    outsider = foreign.message
    for path, form in [
        (f"{own}messages/", {"reply_to": outsider.client_id}), (f"{own}react/", {"message": outsider.client_id}),
        (f"{own}messages/", {"attachment": str(foreign.file.pk)}),
        (f"{own}unread/", {"message": outsider.client_id}), (f"{own}assign/", {"assignee": UserFactory().pk}),
        (f"{own}tags/", {"add": 10**12}),
        ("/inbox/bulk/", {"ids": str(foreign.pk), "action": "status", "value": "resolved"}),
    ]:  # fmt: skip
        with undone():
            answer = browser.post(path, world.form() | {"text": ""} | form)
            assert answer.status_code < 500, path
            after = Message.objects.filter(reply_to=outsider).exists(), Attachment.objects.get(pk=foreign.file.pk)
            assert after[0] is False, path
            assert after[1].message_id is None, path
            foreign.refresh_from_db()
            assert foreign.status == "open", path
    assert [list(model.objects.order_by("pk").values()) for model in (Conversation, Message)] == before


@pytest.mark.covers("P11")
def test_p11_sql_is_data_wherever_it_stands(world, statements):
    api, browser, manager = world.program("manager"), world.browser("agent"), world.browser("manager")
    names = ("search", "phone", "tag", "language", "status", "assignee", "inbox", "contact", "cursor", "ordering", "id")
    asked = 0
    for sql in SQL:
        for path in (
            "contacts",
            "conversations",
            f"conversations/{world.conversation.pk}/messages",
            "tags",
            "products",
        ):
            for name in names:
                asked += api.get(f"/api/v1/{path}/", {name: sql}).status_code < 500
        for path, name in (
            ("list/", "q"), ("list/", "view"), ("list/", "tag"), ("list/", "sort"), ("search/", "q"), ("palette/", "q"),
            ("rows/", "ids"), ("canned/", "q"), (f"c/{world.conversation.pk}/search/", "q"),
        ):  # fmt: skip
            asked += browser.get(f"/inbox/{path}", {name: sql, "c": world.conversation.pk}).status_code < 500
        for path in (
            "crm/contact",
            "crm/user",
            "crm/auditentry",
            "conversations/message",
            "conversations/webhookevent",
        ):
            for name in ("q", "after", "before", "o", "user__id__exact", "status", sql):
                asked += manager.get(f"/admin/{path}/", {name: sql}).status_code < 500
        with undone():
            body = {"name": sql, "company": sql, "attributes": {"plan": sql}, "tags": [sql[:50]]}
            asked += api.post("/api/v1/contacts/", body, "application/json").status_code < 500
    assert asked == len(SQL) * (5 * len(names) + 9 + 5 * 7 + 1)
    assert [sql for sql in statements if MARK in sql] == []


@pytest.mark.covers("P13")
def test_p13_no_list_of_the_api_reads_more_than_a_page(world, statements):
    api = world.program("manager")
    lists = [
        route
        for route in routes()
        if route.name.startswith("api:") and route.name.endswith("-list") and "GET" in methods_of(route)
    ]
    assert len(lists) > 8
    for route in lists:
        del statements[:]
        path = route.address(**world.arguments(route))
        answer = api.get(path, {"page_size": 10**9, "limit": 10**9, "offset": 10**9, "page": 10**9})
        assert answer.status_code == 200, path
        assert "results" in answer.json(), path
        pages = [sql for sql in statements if "ORDER BY" in sql and "LIMIT" in sql]
        assert pages, path
        assert all(int(sql.rpartition("LIMIT ")[2].split()[0]) <= 201 for sql in pages), path
        assert not [sql for sql in statements if "OFFSET" in sql], path


@pytest.mark.covers("P20")
def test_p20_what_opens_something_by_itself_cannot_be_guessed(world, rf):
    letters = string.ascii_letters + string.digits + "-_"
    agent, manager = world.users["agent"], world.users["manager"]
    makers = {
        "token": lambda: tokens.issue(agent, ["read"]).removeprefix(tokens.PREFIX),
        "verify token": new_verify_token,
        "invitation": lambda: passwords.invite(agent, by=manager, request=rf.get("/")).rstrip("/").rpartition("/")[2],
    }
    for name, make in makers.items():
        made = [make() for _ in range(8)]
        assert len(set(made)) == 8, name
        assert all(set(one) <= set(letters) for one in made), name
        assert min(len(one) for one in made) * math.log2(len(letters)) >= 128, name
    key = keys.key_for(agent.pk, keys.Place(1, 1))
    assert len(key.rpartition(":")[2]) * 6 >= 128  # a signature: nobody makes one without the server's key
    forged = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert keys.read_key(forged, agent.pk) is None


def test_the_addresses_of_files_open_nothing_by_themselves(world):
    for who, status in (("anonymous", 401), ("stranger", 404)):
        answer = world.program(who).get(reverse("api:attachment", args=[world.file.pk]))
        assert answer.status_code == status
