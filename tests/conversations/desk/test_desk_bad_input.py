"""Nonsense in every field of every request: refused in words or ignored, never a 500, never half done."""

import uuid

import pytest
from django.urls import reverse

from conversations.messaging.models import Conversation, Message
from tests.factories import MessageFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]

GARBAGE = [
    "", " ", "\x00", "a\x00b", "-1", "0", "9" * 18, "9" * 19, "9" * 40, "9" * 5000, "1.5", "1e9", "NaN", "null", "[]",
    "²", "१२३", "\ud83d".encode("utf-8", "surrogatepass").decode("latin-1"), "'; DROP TABLE x; --", "%", "_", "\\",
    "../../etc/passwd", "<script>alert(1)</script>", "x" * 70_000, "\u202e\u0000", "💥" * 500, "{}", "true", "1,2,,x",
    "0001-01-01T00:00:00+14:00~1", "9999-12-31T23:59:59-14:00~1", "2026-01-01T00:00:00+00:00~" + "9" * 40,
    "2026-01-01T00:00:00~1", "2026-01-01T00:00:00+00:00~-5", "99999999999999.1", "1.99999999999999999",
    "0.0", "1763797322123." + "9" * 30, str(uuid.UUID(int=0)), "{" + str(uuid.UUID(int=0)) + "}",
]  # fmt: skip
garbage = pytest.mark.parametrize("value", GARBAGE, ids=range(len(GARBAGE)))

GETS = {
    "inbox": ("view", "status", "sort", "q", "cursor"), "list": ("view", "status", "q", "cursor", "sort"),
    "filters": ("assignee", "team", "inbox", "tag", "window", "priority", "since", "until", "unread", "waiting"),
    "bulk": ("assignee", "team", "inbox", "tag", "window", "priority", "since", "until"), "search": ("q", "scope"),
    "saved-views": ("view", "tag", "sort"),
    "rows": ("view", "ids", "q"), "counts": ("view", "status", "q"), "sync": ("since", "c"),
}  # fmt: skip
POSTS = {
    "messages": ("client_id", "text", "reply_to", "attachment"), "note": ("client_id", "text"),
    "react": ("message", "emoji"), "assign": ("assignee", "team", "version"), "status": ("status", "version"),
    "snooze": ("until", "version"), "priority": ("priority", "version"), "tags": ("add", "remove", "name", "version"),
    "pin": ("pinned",), "unread": ("message",),
}  # fmt: skip


def allowed(response):
    assert response.status_code < 500
    return response.status_code


@garbage
def test_in_the_address_of_lists(desk, conversation, value):
    for name, keys in GETS.items():
        assert allowed(desk.get(reverse(f"desk:{name}"), dict.fromkeys(keys, value))) in (200, 400)


@garbage
def test_in_the_address_of_a_thread(desk, conversation, value):
    MessageFactory(conversation=conversation)
    page = reverse("desk:conversation", args=[conversation.pk])
    assert allowed(desk.get(page, {"at": value, "view": value, "q": value})) == 200
    for key in ("before", "after", "ids", "around"):
        url = reverse("desk:messages", args=[conversation.pk])
        assert allowed(desk.get(url, {key: value})) in (200, 404)
    for key in ("before", "after", "around"):
        assert allowed(desk.get(reverse("desk:media-list", args=[conversation.pk]), {key: value})) == 404
    assert allowed(desk.get(reverse("desk:thread-search", args=[conversation.pk]), {"q": value})) == 200


@garbage
def test_in_every_field_of_a_form(desk, conversation, value):
    message = MessageFactory(conversation=conversation)
    sensible = {
        "client_id": str(uuid.uuid4()), "text": "Hi", "message": str(message.client_id), "emoji": "👍",
        "assignee": "me", "status": "resolved", "until": "reply", "priority": "1", "pinned": "1",
    }  # fmt: skip
    for name, keys in POSTS.items():
        for key in keys:
            url = reverse(f"desk:{name}", args=[conversation.pk])
            data = sensible | {"client_id": str(uuid.uuid4()), key: value}
            assert allowed(desk.post(url, data)) in (200, 201, 204, 400, 404, 409, 422), (name, key)
    assert Conversation.objects.get(pk=conversation.pk)


@garbage
def test_in_the_fields_of_an_upload_and_in_headers(desk, conversation, value):
    assert allowed(desk.post(reverse("desk:upload"), {"conversation": value, "file": value})) in (400, 404)
    for header in ("Range", "HX-Request", "Accept-Language"):
        text = value.encode("latin-1", "replace").decode("latin-1").replace("\n", "")[:2000]
        allowed(desk.get(reverse("desk:inbox"), headers={header: text}))


def test_every_refusal_of_the_composer_has_a_code_and_a_sentence(desk, conversation, theirs):
    url = reverse("desk:messages", args=[conversation.pk])
    theirs_message = MessageFactory(conversation=theirs)

    def post(**data):
        response = desk.post(url, {"client_id": str(uuid.uuid4()), "text": "Hi"} | data)
        return response.status_code, response.headers.get("X-Error"), response.content.decode()

    for data, code in (
        ({"text": ""}, "empty"),
        ({"text": "x" * 4097}, "too_long"),
        ({"attachment": str(uuid.uuid4())}, "attachment"),
    ):
        status, error, html = post(**data)
        assert (status, error) == (422, code)
        assert len(html) > 40
    assert post(client_id="")[:2] == (400, "bad_request")
    assert post(reply_to=str(theirs_message.client_id))[0] == 404
    Conversation.objects.filter(pk=conversation.pk).update(window_expires_at=None)
    assert post()[:2] == (422, "window_closed")
    assert not Message.objects.filter(conversation=conversation).exists()
