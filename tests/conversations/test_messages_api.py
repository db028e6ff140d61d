import datetime as dt
import io
import uuid

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from conversations.messaging.models import Attachment, Conversation, Message, Reaction
from crm.foundation import clock
from tests.api import Integrator
from tests.factories import ContactFactory, ConversationFactory, MessageFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    return UserFactory(manager=True, name="Robot")


@pytest.fixture
def api(user):
    return Integrator(user)


@pytest.fixture
def row():
    return ConversationFactory(contact__name="Ana")


def picture(size=(4, 3)):
    data = io.BytesIO()
    Image.new("RGB", size, "red").save(data, "PNG")
    data.seek(0)
    data.name = "casa ñ.png"
    return data


def code(answer):
    return answer.status_code, answer.json()["code"]


@pytest.mark.sqlite_too
def test_a_text_is_queued_once_however_often_it_is_sent(api, row, user):
    asked = MessageFactory(conversation=row)
    body = {"text": "Hola", "client_id": str(uuid.uuid4()), "reply_to": asked.pk}
    first = api.post(f"conversations/{row.pk}/messages/", body)
    assert first.status_code == 201
    shown = first.json()
    assert (shown["client_id"], shown["text"], shown["reply_to"]) == (body["client_id"], "Hola", asked.pk)
    assert (shown["direction"], shown["kind"], shown["status"]) == ("out", "text", "queued")
    assert (shown["error"], shown["external_id"], shown["provider_time"]) == (None, None, None)
    assert shown["author"] == {"kind": "api", "id": user.pk, "name": "Robot"}
    again = api.post(f"conversations/{row.pk}/messages/", body)
    assert (again.status_code, again.json()) == (200, shown)
    Conversation.objects.update(window_expires_at=clock.now() - dt.timedelta(hours=1))
    assert api.post(f"conversations/{row.pk}/messages/", body).status_code == 200
    assert Message.objects.filter(direction="out").count() == 1
    assert api.get(f"messages/{shown['id']}/").json() == shown


def test_a_closed_window_is_a_409_that_says_what_to_do(api):
    row = ConversationFactory(closed=True)
    answer = api.post(f"conversations/{row.pk}/messages/", {"text": "Hola"})
    assert code(answer) == (409, "window_closed")
    assert answer.json()["detail"].startswith("The 24-hour window is closed: the person must write first")


@pytest.mark.parametrize(("language", "sentence"), [("en", "Not a valid string."), ("es", "No es una cadena válida.")])
def test_refusals_are_in_the_language_of_the_tokens_user(row, language, sentence):
    api = Integrator(UserFactory(manager=True, language=language))
    answer = api.post(f"conversations/{row.pk}/messages/", {"text": []})
    assert answer.json()["detail"] == f"text: {sentence}"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"text": "x" * 4097}, (409, "too_long")),
        ({"text": "  \n "}, (409, "empty")),
        ({}, (409, "empty")),
        ({"text": "x", "reply_to": 10**15}, (409, "reply_to")),
        ({"text": "x", "client_id": "abc"}, (400, "invalid")),
        ({"text": ["x"]}, (400, "invalid")),
        ({"text": "a\x00b"}, (400, "invalid")),
        ({"kind": "template"}, (400, "invalid")),
        ({"kind": "location"}, (400, "invalid")),
        ({"kind": "text", "location": {"latitude": 1, "longitude": 2}}, (400, "invalid")),
        ({"location": {"latitude": 91, "longitude": 2}}, (400, "invalid")),
        ({"location": {"latitude": "nan", "longitude": 2}}, (400, "invalid")),
        ({"contacts": []}, (400, "invalid")),
        ({"contacts": [{"name": {}}]}, (400, "invalid")),
        ({"attachment": str(uuid.uuid4())}, (400, "invalid")),
        ({"reaction": {"message": 10**15, "emoji": "👍"}}, (409, "reply_to")),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_sentence(api, row, body, expected):
    answer = api.post(f"conversations/{row.pk}/messages/", body)
    assert code(answer) == expected
    assert isinstance(answer.json()["detail"], str)
    assert answer.json()["detail"]
    assert not Message.objects.exists()


@pytest.mark.covers("P05")
def test_a_message_of_another_conversation_is_not_quoted(api, row):
    other = MessageFactory()
    assert code(api.post(f"conversations/{row.pk}/messages/", {"text": "x", "reply_to": other.pk})) == (409, "reply_to")


def test_groups_are_read_only(api):
    row = ConversationFactory(identity__contact=ContactFactory(kind="group", phone=None), identity__wa_id="g1")
    assert code(api.post(f"conversations/{row.pk}/messages/", {"text": "x"})) == (409, "read_only")


def test_places_cards_and_reactions_are_sent(api, row):
    path = f"conversations/{row.pk}/messages/"
    place = api.post(path, {"kind": "location", "location": {"latitude": 40.4, "longitude": "-3.7", "name": "Sol"}})
    assert (place.status_code, place.json()["kind"]) == (201, "location")
    assert place.json()["content"] == {"latitude": 40.4, "longitude": -3.7, "name": "Sol"}
    card = {"name": {"formatted_name": "Luis"}, "phones": [{"phone": "+34600000000", "extra": 1}]}
    cards = api.post(path, {"contacts": [card]})
    assert cards.status_code == 201
    assert cards.json()["content"] == {
        "contacts": [{"name": {"first_name": "Luis", "formatted_name": "Luis"}, "phones": [{"phone": "+34600000000"}]}]
    }
    target = MessageFactory(conversation=row)
    reaction = api.post(path, {"reaction": {"message": target.pk, "emoji": "👍"}})
    assert (reaction.status_code, reaction.json()["kind"]) == (201, "reaction")
    assert api.get(f"messages/{target.pk}/").json()["reactions"] == [{"emoji": "👍", "by": "us"}]
    assert reaction.json()["id"] not in [message["id"] for message in api.get(path).json()["results"]]


def test_a_file_is_uploaded_sent_and_read_again(api, row):
    answer = api.upload(f"conversations/{row.pk}/uploads/", file=picture())
    assert answer.status_code == 201
    file = answer.json()
    assert (file["kind"], file["name"]) == ("image", "casa ñ.png")
    body = {"attachment": file["id"], "text": "The house", "client_id": str(uuid.uuid4())}
    sent = api.post(f"conversations/{row.pk}/messages/", body)
    assert sent.status_code == 201
    shown = sent.json()
    assert (shown["kind"], shown["text"]) == ("image", "The house")
    assert api.post(f"conversations/{row.pk}/messages/", body).status_code == 200
    (attachment,) = shown["attachments"]
    assert attachment == {
        "id": file["id"],
        "kind": "image",
        "name": "casa ñ.png",
        "mime_type": "image/png",
        "size": file["size"],
        "state": "stored",
        "url": f"http://testserver/api/v1/attachments/{file['id']}/",
    }
    download = api.get(f"attachments/{file['id']}/")
    assert (download.content, download.headers["Content-Type"]) == (picture().getvalue(), "image/png")
    assert download.headers["Content-Disposition"].startswith("attachment")
    stranger = Integrator(UserFactory())
    assert code(stranger.get(f"attachments/{file['id']}/")) == (404, "not_found")
    again = api.post(f"conversations/{row.pk}/messages/", {"attachment": file["id"]})
    assert code(again) == (409, "media_type")


def test_files_whatsapp_does_not_take_are_refused(api, row, settings):
    path = f"conversations/{row.pk}/uploads/"
    wrong, empty, huge = io.BytesIO(b"MZ\x90\x00\x03"), io.BytesIO(b""), io.BytesIO(picture().getvalue() + b"x" * 2**23)
    for file, expected in ((wrong, "media_type"), (empty, "media_type"), (huge, "too_big")):
        file.name = "x.bin"
        assert code(api.upload(path, file=file)) == (409, expected)
    assert code(api.upload(path, file="text")) == (400, "invalid")
    assert code(api.upload(path)) == (400, "invalid")
    assert code(api.send("post", path, b"--x", "multipart/form-data; boundary=y")) == (400, "invalid")
    assert code(api.send("post", path, b"x", "multipart/form-data")) == (400, "parse_error")
    assert code(api.post(path, {})) == (415, "unsupported_media_type")
    settings.UPLOAD_MAX_BYTES = 1
    big = b"x" * 70_000
    assert code(api.send("post", path, big, "multipart/form-data; boundary=y")) == (413, "too_big")
    assert not Attachment.objects.exists()


def test_an_odd_type_of_a_file_breaks_no_header(api, row):
    file = Attachment(conversation=row, message=MessageFactory(conversation=row), kind="document", state="stored")
    file.mime_type, file.filename = "text/x\r\nX-Evil: 1", 'a"\r\nb'
    file.file.save("", ContentFile(b"bytes"), save=False)
    file.save()
    answer = api.get(f"attachments/{file.pk}/")
    assert (answer.content, answer.headers["Content-Type"]) == (b"bytes", "application/octet-stream")
    file.file.delete(save=False)
    assert code(api.get(f"attachments/{file.pk}/")) == (404, "not_found")


def test_the_list_runs_from_the_newest_and_shows_who_wrote(api, row):
    start = clock.now() - dt.timedelta(hours=1)
    agent = UserFactory(name="Eva")
    said = [
        MessageFactory(conversation=row, sort_at=start),
        MessageFactory(conversation=row, outbound=True, author=agent, sort_at=start + dt.timedelta(minutes=1)),
        MessageFactory(conversation=row, note=True, author=agent, sort_at=start + dt.timedelta(minutes=1)),
    ]
    MessageFactory()
    shown = api.pages(f"conversations/{row.pk}/messages/", page_size=1)
    assert [message["id"] for message in shown] == [message.pk for message in reversed(said)]
    assert [message["author"] for message in shown] == [
        {"kind": "agent", "id": agent.pk, "name": "Eva"},
        {"kind": "agent", "id": agent.pk, "name": "Eva"},
        {"kind": "contact", "id": row.contact_id, "name": row.contact.title},
    ]
    path = f"conversations/{row.pk}/messages/"
    assert [m["id"] for m in api.get(path, direction="in").json()["results"]] == [said[0].pk]
    assert api.get(path, created_after="2100-01-01").json()["results"] == []


@pytest.mark.covers("M08")
def test_a_deleted_message_shows_nothing_of_what_it_said(api, row):
    message = MessageFactory(conversation=row, kind="image", payload={"a": 1}, revoked_at=clock.now())
    Attachment.objects.create(conversation=row, message=message, kind="image", state="stored")
    shown = api.get(f"messages/{message.pk}/").json()
    assert (shown["text"], shown["content"], shown["attachments"]) == ("", {}, [])
    assert shown["revoked_at"]


def test_a_failure_comes_with_its_code_and_a_sentence(api, row):
    message = MessageFactory(conversation=row, outbound=True, status="failed", error_code="131047")
    error = api.get(f"messages/{message.pk}/").json()["error"]
    assert error["code"] == "131047"
    assert error["detail"].startswith("More than 24 hours have passed")


def test_failed_messages_are_sent_again_and_queued_ones_taken_back(api, row):
    message = MessageFactory(conversation=row, outbound=True, status="failed", error_code="1")
    answer = api.post(f"messages/{message.pk}/retry/")
    assert (answer.status_code, answer.json()["status"], answer.json()["error"]) == (200, "queued", None)
    assert code(api.post(f"messages/{message.pk}/retry/")) == (409, "not_retryable")
    assert api.post(f"messages/{message.pk}/cancel/").json()["status"] == "cancelled"
    assert code(api.post(f"messages/{message.pk}/cancel/")) == (409, "not_retryable")
    inbound = MessageFactory(conversation=row)
    assert code(api.post(f"messages/{inbound.pk}/retry/")) == (404, "not_found")


def test_the_cost_of_a_page_does_not_depend_on_its_rows(api, row, django_assert_num_queries):
    api.get(f"conversations/{row.pk}/messages/")
    for count in (2, 18):
        for _ in range(count):
            message = MessageFactory(conversation=row, outbound=True, author=UserFactory(), reply_to=MessageFactory())
            Attachment.objects.create(conversation=row, message=message, kind="image")
            Reaction.objects.create(message=message, actor="us", emoji="👍", reacted_at=clock.now())
        with django_assert_num_queries(5):  # token, conversation, messages, files, reactions
            api.get(f"conversations/{row.pk}/messages/")
