"""A place on the map as a message: sent once, within the window, where one may; and the limits that the page knows."""

import json
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from conversations.channels.whatsapp import limits
from conversations.desk.views.pages import page_limits
from conversations.messaging import content, outbound
from conversations.messaging.errors import MediaTooLarge
from conversations.messaging.models import Conversation, Message

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
PRADO = {"latitude": 40.413782, "longitude": -3.692127, "name": "Museo del Prado", "address": "Calle Ruiz de Alarcón"}


def send(desk, conversation, place, **more):
    form = {"client_id": str(uuid.uuid4()), "text": "", "place": place if isinstance(place, str) else json.dumps(place)}
    return desk.post(reverse("desk:messages", args=[conversation.pk]), form | more)


def test_a_place_is_queued_once_and_shown_as_a_card(desk, conversation):
    client_id = str(uuid.uuid4())
    first, again = (send(desk, conversation, PRADO, client_id=client_id) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    message = Message.objects.get(conversation=conversation)
    assert (message.kind, message.payload, message.status) == ("location", PRADO, "queued")
    place = content.outbound(message).content
    assert (place.latitude, place.longitude, place.name, place.address) == tuple(PRADO.values())
    html = first.content.decode()
    assert "Museo del Prado" in html
    assert "mlat=40.413782&amp;mlon=-3.692127" in html


def test_name_and_address_may_be_missing(desk, conversation):
    assert send(desk, conversation, {"latitude": 0, "longitude": -180, "name": "", "address": ""}).status_code == 201
    assert Message.objects.get().payload == {"latitude": 0, "longitude": -180}


@pytest.mark.parametrize(
    "place",
    [
        "40.4, -3.7",
        "[" * 100_000,
        "null",
        "[]",
        '{"latitude": 1}',
        '{"latitude": NaN, "longitude": 1}',
        '{"latitude": 1e400, "longitude": 1}',
        {"latitude": 90.01, "longitude": 0},
        {"latitude": 0, "longitude": 181},
        {"latitude": "x", "longitude": 0},
        {"latitude": 1, "longitude": 2, "name": "n" * 1001},
        {"latitude": 1, "longitude": 2, "name": ["n"]},
    ],
    ids=lambda place: str(place)[:30],
)
def test_what_is_no_place_is_refused_in_words(desk, conversation, place):
    response = send(desk, conversation, place)
    assert (response.status_code, response["X-Error"]) == (422, "place")
    assert len(response.content.decode()) > 40
    assert not Message.objects.exists()


def test_a_place_needs_the_window_and_a_conversation_one_sees(desk, conversation, theirs):
    assert send(desk, theirs, PRADO).status_code == 404
    Conversation.objects.filter(pk=conversation.pk).update(window_expires_at=None)
    assert send(desk, conversation, PRADO)["X-Error"] == "window_closed"
    assert not Message.objects.exists()


def test_the_page_knows_the_servers_limits(desk, conversation):
    known = page_limits()
    url = reverse("desk:messages", args=[conversation.pk])
    for key, target, code in (("text", url, 201), ("note", reverse("desk:note", args=[conversation.pk]), 201)):
        for length, status in ((known[key], code), (known[key] + 1, 422)):
            form = {"client_id": str(uuid.uuid4()), "text": "x" * length}
            assert desk.post(target, form).status_code == status, (key, length)
    for kind, media in known["media"].items():
        for mime in media["mimes"]:
            assert outbound.check_upload(mime, media["max_bytes"]) == kind
            with pytest.raises(MediaTooLarge):
                outbound.check_upload(mime, media["max_bytes"] + 1)
    file = SimpleUploadedFile("a.txt", b"text", content_type="text/plain")
    upload = desk.post(reverse("desk:upload"), {"conversation": conversation.pk, "file": file}).json()
    caption = {"client_id": str(uuid.uuid4()), "text": "x" * (known["caption"] + 1), "attachment": upload["id"]}
    assert desk.post(url, caption)["X-Error"] == "too_long"
    assert desk.post(url, caption | {"text": "x" * known["caption"]}).status_code == 201
    assert known["media"].keys() == limits.MEDIA.keys()
