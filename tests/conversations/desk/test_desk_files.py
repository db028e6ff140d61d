"""Handing out files: checked at each access, never run in our origin."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from conversations.messaging.models import Attachment, Conversation, Message
from crm.foundation import clock
from tests.factories import MessageFactory, UserFactory

pytestmark = pytest.mark.django_db
CONTENT = bytes(range(200))


def stored(conversation, mime_type="image/png", content=CONTENT, name="photo.png", **more):
    message = more.pop("message", None) or MessageFactory(conversation=conversation)
    return Attachment.objects.create(
        message=message, conversation=conversation, kind="image", state="stored", mime_type=mime_type,
        size=len(content), filename=name, file=ContentFile(content, "x"), **more,
    )  # fmt: skip


def get(client, attachment, **headers):
    return client.get(reverse("desk:media", args=[attachment.pk]), headers=headers)


@pytest.mark.parametrize(
    "mime_type", ["image/jpeg", "image/png", "image/webp", "image/gif", "audio/ogg; codecs=opus", "video/mp4"]
)
def test_pictures_sound_and_film_are_shown_in_place(desk, conversation, mime_type):
    response = get(desk, stored(conversation, mime_type))
    assert (response.status_code, response.content) == (200, CONTENT)
    assert response["Content-Type"] == mime_type.partition(";")[0]
    assert not response["Content-Disposition"].startswith("attachment")


@pytest.mark.covers("M03", "M04", "M05")
@pytest.mark.parametrize(
    "mime_type",
    [
        "text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/pdf", "text/javascript", "",
        "application/octet-stream", "image/pngx", "image/png\r\nX-Evil: 1", "image/png, text/html", "audio/<script>",
        "IMAGE/SVG+XML", "multipart/form-data", "audio/", "video/a b", "audio/ñ",
    ],
)  # fmt: skip
def test_everything_else_is_a_download_without_a_type(desk, conversation, mime_type):
    response = get(desk, stored(conversation, mime_type, name="page.html"))
    assert response.status_code == 200
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == 'attachment; filename="page.html"'


@pytest.mark.covers("M03", "M04")
@pytest.mark.parametrize("mime_type", ["image/png", "text/html"])
def test_no_file_can_act_in_our_name(desk, conversation, mime_type):
    response = get(desk, stored(conversation, mime_type, b"<script>alert(1)</script>"))
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(
    "name", ['a"b.png', "a\r\nSet-Cookie: x=1.png", "póliza ✓.png", "", "../../x", "\u202egnp.exe"]
)
def test_a_files_name_cannot_break_the_header(desk, conversation, name):
    response = get(desk, stored(conversation, "application/pdf", name=name))
    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers
    assert "\n" not in response["Content-Disposition"]


@pytest.mark.parametrize(
    ("wanted", "content", "says"),
    [
        ("bytes=0-9", CONTENT[:10], "bytes 0-9/200"),
        ("bytes=190-", CONTENT[190:], "bytes 190-199/200"),
        ("bytes=190-9999", CONTENT[190:], "bytes 190-199/200"),
        ("bytes=199-199", CONTENT[199:], "bytes 199-199/200"),
    ],
)
def test_a_player_gets_the_part_it_asks_for(desk, conversation, wanted, content, says):
    response = get(desk, stored(conversation, "video/mp4"), Range=wanted)
    assert (response.status_code, response.content, response["Content-Range"]) == (206, content, says)


@pytest.mark.parametrize(
    "wanted",
    ["bytes=200-", "bytes=10-5", "bytes=-5", "bytes=0-1,3-4", "bytes=a-b", "lines=0-1", "bytes=²-", "", "x" * 5000],
)
def test_a_range_that_makes_no_sense_gets_the_whole_file(desk, conversation, wanted):
    response = get(desk, stored(conversation), Range=wanted.encode().decode("latin-1"))
    assert (response.status_code, response.content) == (200, CONTENT)
    assert "Content-Range" not in response.headers


@pytest.mark.parametrize("content", [b"", b"x"])
def test_an_empty_file_is_empty(desk, conversation, content):
    attachment = stored(conversation, content=content)
    assert get(desk, attachment, Range="bytes=0-").content == content


@pytest.mark.covers("M02")
def test_whose_right_ends_gets_nothing_at_the_next_access(desk, agent, conversation):
    attachment = stored(conversation)
    assert get(desk, attachment).status_code == 200
    agent.memberships.all().delete()
    assert get(desk, attachment).status_code == 404
    assert get(Client(), attachment).status_code == 302


@pytest.mark.covers("M08")
def test_a_deleted_messages_file_is_gone(desk, conversation):
    attachment = stored(conversation)
    Message.objects.update(revoked_at=clock.now())
    assert get(desk, attachment).status_code == 404


@pytest.mark.parametrize("state", ["pending", "failed", "expired"])
def test_a_file_that_is_not_here_is_404(desk, conversation, state):
    attachment = stored(conversation)
    Attachment.objects.update(state=state)
    assert get(desk, attachment).status_code == 404


def test_a_file_that_vanished_from_the_disk_is_404(desk, conversation):
    attachment = stored(conversation)
    attachment.file.storage.delete(attachment.file.name)
    assert get(desk, attachment).status_code == 404
    Attachment.objects.update(file="")
    assert get(desk, attachment).status_code == 404


@pytest.mark.covers("M02")
def test_an_upload_belongs_to_who_made_it_until_it_is_sent(sign_in, agent, team, conversation):
    response = upload(sign_in(agent), conversation)
    assert response.status_code == 201
    attachment = Attachment.objects.get(pk=response.json()["id"])
    assert (attachment.uploaded_by, attachment.conversation) == (agent, conversation)
    assert get(sign_in(agent), attachment).status_code == 200
    colleague = UserFactory(teams=[team])
    assert get(sign_in(colleague), attachment).status_code == 404
    Attachment.objects.update(message=MessageFactory(conversation=conversation))
    assert get(sign_in(colleague), attachment).status_code == 200


PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\nIDATx\x9cc\x00\x01\x00\x00\x05\x00\x01\r\n-\xb4\x00\x00\x00\x00IEND\xaeB`\x82"
)


def upload(client, conversation, content=PNG, name="photo.png", claimed="image/png"):
    file = SimpleUploadedFile(name, content, claimed)
    return client.post(reverse("desk:upload"), {"conversation": conversation.pk, "file": file})


@pytest.mark.parametrize(
    ("content", "name", "claimed", "code"),
    [
        (b"MZ\x90\x00" * 50, "photo.jpg", "image/jpeg", "media_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", "image/svg+xml", "media_type"),
        (b"<html>", "photo.jpg", "image/jpeg", "media_type"),
        (PNG + b"\x00" * 17 * 1024 * 1024, "big.png", "image/png", "too_big"),
    ],
)
def test_a_refused_file_has_a_code_and_a_sentence_and_leaves_nothing(desk, conversation, content, name, claimed, code):
    response = upload(desk, conversation, content, name, claimed)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert len(response.json()["detail"]) > 30
    assert not Attachment.objects.exists()


def test_files_are_sent_with_the_text_as_the_first_ones_caption(desk, conversation):
    ids = [upload(desk, conversation).json()["id"] for _ in range(2)]
    url = reverse("desk:messages", args=[conversation.pk])
    client_id = "7b0c9d1e-1f0a-4a7e-9a58-3f6f7b6e2f10"
    for status in (201, 200):
        response = desk.post(url, {"client_id": client_id, "text": "Look", "attachment": ids})
        assert response.status_code == status
        assert response.content.decode().count('data-testid="bubble"') == 2
    first, second = Message.objects.filter(conversation=conversation).order_by("pk")
    assert (first.kind, first.text, second.kind, second.text) == ("image", "Look", "image", "")
    assert [str(message.attachments.get().pk) for message in (first, second)] == ids


@pytest.mark.covers("M01")
def test_a_file_of_a_colleague_cannot_be_sent(sign_in, agent, team, conversation):
    theirs = upload(sign_in(UserFactory(teams=[team])), conversation).json()["id"]
    response = sign_in(agent).post(
        reverse("desk:messages", args=[conversation.pk]),
        {"client_id": "7b0c9d1e-1f0a-4a7e-9a58-3f6f7b6e2f10", "text": "x", "attachment": theirs},
    )
    assert (response.status_code, response["X-Error"]) == (422, "attachment")
    assert Conversation.objects.get(pk=conversation.pk).messages.count() == 0
