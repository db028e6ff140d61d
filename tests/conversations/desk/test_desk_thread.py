"""What a thread shows beside its newest page: any part of it, its pictures, what is known of a message."""

import datetime as dt
import json
import re
import shlex
import uuid

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.channels.base import Reaction as SentReaction
from conversations.channels.base import StatusUpdate
from conversations.desk.bubbles import waveform
from conversations.desk.formatting import formatted
from conversations.live.models import LiveHint
from conversations.messaging import deliveries, fence, outbound
from conversations.messaging.models import Attachment, Attempt, Message, Reaction
from crm.foundation import clock
from tests.factories import MessageFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def talk(conversation, count, **more):
    """Messages a second apart, oldest first."""
    start = clock.now() - dt.timedelta(hours=1)
    times = [start + dt.timedelta(seconds=number) for number in range(count)]
    return [
        MessageFactory(conversation=conversation, text=f"line {number:03}", sort_at=at, **more)
        for number, at in enumerate(times)
    ]


def picture(message, **more):
    values = {"kind": "image", "state": "stored", "mime_type": "image/png", "size": 3} | more
    return Attachment.objects.create(
        message=message, conversation=message.conversation, file=ContentFile(b"png", "x"), **values
    )


def get(client, name, key, **data):
    return client.get(reverse(f"desk:{name}", args=[key]), data)


def shown(response):
    return re.findall(r"line \d\d\d", response.content.decode())


def test_the_surroundings_of_a_message_have_it_in_their_middle(desk, conversation):
    messages = talk(conversation, 100)
    response = get(desk, "messages", conversation.pk, around=str(messages[50].client_id))
    assert shown(response) == [f"line {number:03}" for number in range(36, 66)]
    assert response["X-Before"] == messages[36].sort_key
    assert response["X-After"] == messages[65].sort_key
    following = get(desk, "messages", conversation.pk, after=response["X-After"])
    assert shown(following) == [f"line {number:03}" for number in range(66, 100)]
    assert following["X-After"] == ""


@pytest.mark.parametrize(("place", "before", "after"), [(0, False, True), (99, True, False)])
def test_at_an_end_there_is_no_cursor_beyond_it(desk, conversation, place, before, after):
    messages = talk(conversation, 100)
    response = get(desk, "messages", conversation.pk, around=str(messages[place].client_id))
    assert f"line {place:03}" in shown(response)
    assert (bool(response["X-Before"]), bool(response["X-After"])) == (before, after)


def test_a_thread_opens_at_a_message_and_at_its_end_if_that_is_not_here(desk, conversation, theirs):
    messages, foreign = talk(conversation, 100), MessageFactory(conversation=theirs)
    html = get(desk, "conversation", conversation.pk, at=str(messages[10].client_id)).content.decode()
    assert f'data-at="{messages[10].client_id}"' in html
    assert "line 010" in html
    assert "line 099" not in html
    for wrong in (foreign.client_id, uuid.uuid4(), "nonsense", ""):
        html = get(desk, "conversation", conversation.pk, at=str(wrong)).content.decode()
        assert 'data-at=""' in html
        assert "line 099" in html


def test_a_search_ignores_accents_and_case_and_finds_names_of_files(desk, conversation):
    first = MessageFactory(conversation=conversation, text="La PÓLIZA está lista")
    second = MessageFactory(conversation=conversation, text="Otra cosa")
    picture(second, kind="document", filename="Póliza-2026.pdf")
    MessageFactory(conversation=conversation, text="póliza borrada", revoked_at=clock.now())
    MessageFactory(conversation=conversation, kind="reaction", text="póliza")
    MessageFactory(text="póliza de otra conversación")
    search = reverse("desk:thread-search", args=[conversation.pk])
    assert desk.get(search, {"q": "poliza"}).json() == {"hits": [str(second.client_id), str(first.client_id)]}
    assert desk.get(search, {"q": "lista PÓLIZA"}).json() == {"hits": [str(first.client_id)]}
    for nothing in ("", "   ", "%", "no existe"):
        assert desk.get(search, {"q": nothing}).json() == {"hits": []}


def test_the_viewer_has_the_neighbours_of_a_picture_and_goes_on_from_its_ends(desk, conversation):
    files = [picture(message) for message in talk(conversation, 70)]
    for message, more in (
        (talk(conversation, 1)[0], {"state": "pending"}),
        (talk(conversation, 1)[0], {"kind": "voice"}),
    ):
        picture(message, **more)
    revoked = MessageFactory(conversation=conversation, revoked_at=clock.now())
    hidden = picture(revoked)
    html = get(desk, "media-list", conversation.pk, around=str(files[35].pk)).content.decode()
    assert re.findall(r'<li data-file="([\w-]+)"', html) == [str(file.pk) for file in files[5:66]]
    assert f'data-before="{files[5].pk}" data-after="{files[65].pk}"' in html
    html = get(desk, "media-list", conversation.pk, before=str(files[5].pk)).content.decode()
    assert re.findall(r'<li data-file="([\w-]+)"', html) == [str(file.pk) for file in files[:5]]
    assert "<dialog" not in html
    for wrong in (hidden.pk, uuid.uuid4()):
        assert get(desk, "media-list", conversation.pk, around=str(wrong)).status_code == 404


def test_the_viewer_shows_nothing_of_another_conversation(desk, conversation, theirs):
    foreign = picture(MessageFactory(conversation=theirs))
    picture(MessageFactory(conversation=conversation))
    assert get(desk, "media-list", conversation.pk, around=str(foreign.pk)).status_code == 404


def test_a_message_tells_its_times_tries_and_error(desk, conversation):
    message = MessageFactory(conversation=conversation, outbound=True, status="failed", error_code="131026",
                             error_details="Undeliverable <b>", failed_at=clock.now())  # fmt: skip
    for code in ("131000", "131026"):
        Attempt.objects.create(message=message, outcome="refused", error_code=code)
    html = get(desk, "info", message.client_id).content.decode()
    for part in (message.external_id, str(message.client_id), "131026", "Undeliverable &lt;b&gt;", "2 attempts"):
        assert part in html
    assert "curl" not in html, "for managers"


def test_a_manager_gets_the_api_call_that_sends_the_same(sign_in, conversation):
    manager = sign_in(UserFactory(manager=True))
    text = 'It\'s 30 € `rm -rf` $HOME "now"'
    message = MessageFactory(conversation=conversation, outbound=True, text=text)
    html = get(manager, "info", message.client_id).content.decode()
    curl = re.search(r"<pre[^>]*>(.+?)</pre>", html, re.S)[1]
    for entity, sign in (("&quot;", '"'), ("&#x27;", "'"), ("&amp;", "&")):
        curl = curl.replace(entity, sign)
    words = shlex.split(curl.replace("\\\n", " "))
    assert words[:3] == ["curl", "-X", "POST"]
    assert words[3].endswith(f"/api/v1/conversations/{conversation.pk}/messages/")
    assert "Authorization: Bearer $TOKEN" in words
    assert json.loads(words[-1]) == {"text": text}


@pytest.mark.parametrize("direction", ["in", "note"])
def test_what_the_api_does_not_send_has_no_call(sign_in, conversation, direction):
    message = MessageFactory(conversation=conversation, note=direction == "note")
    html = get(sign_in(UserFactory(manager=True)), "info", message.client_id).content.decode()
    assert "Bearer" not in html


@pytest.mark.parametrize(
    ("values", "days", "status"),
    [
        ({"state": "pending", "attempts_count": 2}, 0, 200),
        ({"state": "pending", "attempts_count": 0}, 0, 422),
        ({"state": "expired", "attempts_count": 3}, 2, 200),
        ({"state": "expired", "attempts_count": 3}, 8, 422),
        ({"state": "failed"}, 0, 422),
        ({"state": "stored"}, 0, 422),
    ],
)
def test_a_file_is_asked_for_again_where_it_may_help(desk, conversation, values, days, status):
    file = picture(MessageFactory(conversation=conversation, kind="image"))
    later, made = clock.real() + dt.timedelta(hours=6), clock.now() - dt.timedelta(days=days)
    Attachment.objects.filter(pk=file.pk).update(**values, next_attempt_at=later, created_at=made)
    html = get(desk, "messages", conversation.pk).content.decode()
    assert ('data-testid="media-retry"' in html) == (status == 200)
    response = desk.post(reverse("desk:media-retry", args=[file.pk]))
    assert response.status_code == status
    file.refresh_from_db()
    if status == 200:
        assert file.state == "pending"
        assert file.next_attempt_at <= clock.real()
    else:
        assert (file.state, file.next_attempt_at) == (values["state"], later)


def react(conversation, agent, target, emoji):
    sent, _made = outbound.compose(
        conversation, by=agent, content=SentReaction(target.external_id, emoji), origin="agent"
    )
    return sent


def chip(target):
    return Reaction.objects.get(message=target, actor="us").emoji


def test_a_cancelled_reaction_takes_its_chip_along(agent, conversation):
    target = MessageFactory(conversation=conversation)
    sent = react(conversation, agent, target, "👍")
    assert chip(target) == "👍"
    outbound.cancel(sent)
    assert chip(target) == ""
    assert LiveHint.objects.order_by("-pk").first().payload["m"] == str(target.client_id)


def test_a_reaction_that_fails_gives_place_to_the_one_before(agent, conversation):
    target = MessageFactory(conversation=conversation)
    first, second = react(conversation, agent, target, "👍"), react(conversation, agent, target, "❤️")
    Message.objects.filter(pk=first.pk).update(status="delivered", external_id="wamid.first")
    Message.objects.filter(pk=second.pk).update(status="accepted", external_id="wamid.second")
    update = StatusUpdate(external_id="wamid.second", status="failed", at=clock.now(), error_code=131026)
    deliveries.apply(conversation.inbox, update)
    assert chip(target) == "👍"


def test_an_older_reaction_that_fails_changes_nothing(agent, conversation):
    target = MessageFactory(conversation=conversation)
    first = react(conversation, agent, target, "👍")
    react(conversation, agent, target, "👍")
    outbound.cancel(first)
    assert chip(target) == "👍"


def test_cancelling_all_that_waits_takes_the_chips_along(agent, conversation):
    target = MessageFactory(conversation=conversation)
    react(conversation, agent, target, "👍")
    react(conversation, agent, target, "❤️")
    fence.raise_("restore")
    fence.lift(None, cancel_waiting=True)
    assert chip(target) == ""


@pytest.mark.parametrize("code", ["131047", "window_closed"])
def test_what_only_a_template_gets_past_offers_one(desk, conversation, code):
    MessageFactory(conversation=conversation, outbound=True, status="failed", error_code=code)
    html = get(desk, "messages", conversation.pk).content.decode()
    assert 'data-testid="bubble-template"' in html
    assert 'data-testid="retry"' in html


@pytest.mark.parametrize("peaks", [[], None, "x", [1, "a", None, 1e9, -5, 50.5], list(range(500)), {}])
def test_a_waveform_is_drawn_of_whatever_is_known(peaks):
    path = waveform(peaks)
    assert re.fullmatch(r"(M\d+ [\d.]+v\d+)+", path)
    assert path.count("M") <= 64


def cost(client, url, data):
    client.get(url, data)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url, data).status_code == 200
    return len(queries)


def test_what_it_costs(desk, conversation):
    messages = talk(conversation, 100)
    files = [picture(message) for message in messages]
    of = {name: reverse(f"desk:{name}", args=[conversation.pk]) for name in ("messages", "media-list", "thread-search")}
    assert cost(desk, of["messages"], {"around": str(messages[50].client_id)}) <= 10
    assert cost(desk, of["media-list"], {"around": str(files[50].pk)}) <= 6
    assert cost(desk, of["thread-search"], {"q": "line"}) <= 4
    assert cost(desk, reverse("desk:info", args=[messages[0].client_id]), {}) <= 5


def test_a_rendition_is_handed_out_as_what_every_browser_plays(desk, conversation):
    file = picture(MessageFactory(conversation=conversation), kind="voice", mime_type="audio/ogg; codecs=opus")
    url = reverse("desk:media", args=[file.pk])
    assert desk.get(url, {"rendition": "1"})["Content-Type"] == "audio/ogg", "there is none yet"
    file.rendition.save("", ContentFile(b"m4a!!"))
    response = desk.get(url, {"rendition": "1"}, headers={"Range": "bytes=1-2"})
    assert (response.status_code, response.content, response["Content-Type"]) == (206, b"4a", "audio/mp4")
    assert desk.get(url)["Content-Type"] == "audio/ogg"
    assert desk.get(url, {"download": "1"})["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("text", "names", "marked"),
    [
        ("@Ana Torres mira", ["Ana Torres"], ["@Ana Torres"]),
        ("@Ana y @Ana Torres", ["Ana", "Ana Torres"], ["@Ana", "@Ana Torres"]),
        ("@Anabel no", ["Ana"], []),
        ("https://example.test/@Ana y @Ana", ["Ana"], ["@Ana", "@Ana"]),
        ("@<b> & @A&B", ["<b>", "A&B"], ["@&lt;b&gt;", "@A&amp;B"]),
        ("nadie", [], []),
    ],
)
def test_mentioned_names_are_marked_in_a_note(text, names, marked):
    html = formatted(text, names)
    assert re.findall(r'<span class="mention">(.*?)</span>', html) == marked
    assert 'href="https://example.test/@Ana"' in html or "https" not in text
    assert "<b>" not in html
