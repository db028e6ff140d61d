import itertools

import pytest
from django.utils.http import urlencode

from tests.api import Integrator
from tests.factories import ConversationFactory, MessageFactory, TagFactory, UserFactory

pytestmark = pytest.mark.django_db

NASTY = [
    "null",
    "true",
    "-1",
    "0",
    "1.5",
    "1e400",
    "-1e400",
    "1" * 25,
    "9" * 5000,
    '"9223372036854775808"',
    '"\\u0000"',
    '"\\ud800"',
    '"x\x00"',
    '"nan"',
    '"Infinity"',
    '"' + "x" * 100_000 + '"',
    "[]",
    "[null]",
    "[[[1]]]",
    "{}",
    '{"a": {"b": null}}',
    '{"message": {}, "emoji": []}',
    '{"message": 1e400, "emoji": "\\u0000"}',
    '{"latitude": 1e400, "longitude": "Infinity", "name": {}}',
    '[{"name": {"formatted_name": 1e400}, "phones": "x", "org": []}]',
]
PADDED = b'{"a": 1' + b" " * 3_000_000 + b"}"
WHOLE = [b"", b"{", b"null", b"[]", b'"x"', b"NaN", b"\xff\xfe", b"[" * 100_000, b"1e400", PADDED]
FIELDS = {
    "contacts/": ["name", "kind", "phone", "tags", "identities", "id", "created_at", "nonsense"],
    "tags/": ["name", "colour"],
    "products/": ["retailer_id", "name", "price", "currency"],
    "conversations/{c}/assign/": ["assignee", "team", "version"],
    "conversations/{c}/resolve/": ["version"],
    "conversations/{c}/reopen/": ["version"],
    "conversations/{c}/snooze/": ["until", "version"],
    "conversations/{c}/priority/": ["priority", "version"],
    "conversations/{c}/tags/": ["add", "remove", "version"],
    "conversations/{c}/messages/": [
        "text", "client_id", "reply_to", "kind", "attachment", "location", "contacts", "reaction",
    ],
    "messages/{m}/retry/": ["nonsense"],
    "messages/{m}/cancel/": ["nonsense"],
}  # fmt: skip
PATCHED = {"contacts/{p}/": ["name", "kind", "phone", "tags"], "tags/{t}/": ["name", "colour"]}
QUERIES = {
    "contacts/": ["search", "phone"],
    "conversations/": ["status", "assignee", "inbox", "contact", "tag", "priority", "updated_after"],
    "conversations/{c}/messages/": ["direction", "created_after"],
    "tags/": [],
    "schema/": ["format", "lang"],
    "products/": [],
    "inboxes/": [],
}
QUERY_VALUES = [
    "", "\x00", "-1", "0", "1e400", "9" * 25, "9" * 5000, "nan", "x" * 5000, "é\ud83d".encode("utf-8", "replace"),
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30", "١٢", "+ + +", "00", "cD14", "W10:1:x",
]  # fmt: skip


@pytest.fixture
def world():
    row = ConversationFactory()
    return {"c": row.pk, "p": row.contact_id, "m": MessageFactory(conversation=row).pk, "t": TagFactory().pk}


@pytest.fixture
def api():
    return Integrator(UserFactory(manager=True))


def check(answer, what):
    assert answer.status_code < 500, what
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json", what
        body = answer.json()
        assert isinstance(body["code"], str), what
        assert isinstance(body["detail"], str), what
        assert body["detail"], what


@pytest.mark.covers("P09")
@pytest.mark.sqlite_too
@pytest.mark.parametrize(("method", "path", "fields"), [
    *(("post", path, fields) for path, fields in FIELDS.items()),
    *(("patch", path, fields) for path, fields in PATCHED.items()),
])  # fmt: skip
def test_no_body_breaks_a_route(api, world, method, path, fields):
    path = path.format(**world)
    for field, value in itertools.product(fields, NASTY):
        raw = f'{{"{field}": {value}}}'
        check(api.send(method, path, raw.encode("utf-8", "surrogatepass")), (path, raw[:100]))
    for raw in WHOLE:
        check(api.send(method, path, raw), (path, raw[:100]))
    for content_type in ("text/plain", "application/json; charset=hex", "application/json; charset=nonsense", ""):
        check(api.send(method, path, b'{"name": "x"}', content_type), (path, content_type))


@pytest.mark.covers("P09", "P11")
@pytest.mark.sqlite_too
@pytest.mark.parametrize(("path", "names"), QUERIES.items())
def test_no_query_breaks_a_list(api, world, path, names):
    path = path.format(**world)
    for name, value in itertools.product([*names, "cursor", "page_size", "nonsense"], QUERY_VALUES):
        check(api.client.get(f"/api/v1/{path}?{urlencode({name: value})}"), (path, name, value[:50]))
    check(api.client.get(f"/api/v1/{path}?cursor=%ff%00&page_size=%00"), path)


def test_bodies_beyond_the_limit_are_413(api):
    answer = api.send("post", "contacts/", b'"' + b"x" * 3_000_000 + b'"')
    assert (answer.status_code, answer.json()["code"]) == (413, "too_big")


def test_the_other_methods_answer_too(api, world):
    for path, method in itertools.product([*FIELDS, *PATCHED], ["put", "delete", "options", "head", "trace"]):
        if (method, path) != ("delete", "tags/{t}/"):
            answer = api.send(method, path.format(**world), b"")
            assert answer.status_code < 500, (method, path)
