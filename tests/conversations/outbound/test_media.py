"""Files: fetched after their message and never instead of it; agents' uploads checked by their bytes."""

import base64
import datetime as dt
import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from django.utils import translation

from conversations.channels.whatsapp import limits
from conversations.messaging import errors, media, media_store
from conversations.messaging.models import Attachment
from crm.foundation import clock
from tests.conversations.outbound.sending import again
from tests.conversations.outbound.test_outbox_bodies import PDF, png
from tests.factories import MessageFactory
from tests.graph_side import drops, never_ends, promises_more, raw, refuses, says

pytestmark = pytest.mark.django_db
INFO = "/v24.0/777000"
JPEG = b"\xff\xd8\xff\xe0" + b"j" * 2000


@pytest.fixture(autouse=True)
def _store_is_well():
    yield
    media_store.went_well()


@pytest.fixture
def pending(conversation):
    message = MessageFactory(conversation=conversation, kind="image", text="A caption")
    return Attachment.objects.create(
        message=message, conversation=conversation, kind="image", external_id="777000", mime_type="image/jpeg"
    )


def graph_has(graph, content=JPEG, **info):
    graph.answers_at(INFO, says({"url": f"{graph.url}/file", "mime_type": "image/jpeg", "id": "777000"} | info))
    graph.answers_at("/file", raw(content, content_type="image/jpeg"))


def fetch(attachment):
    media.drain()
    attachment.refresh_from_db()
    return attachment


def make_due(attachment):
    Attachment.objects.filter(pk=attachment.pk).update(next_attempt_at=clock.real() - dt.timedelta(seconds=1))


def test_a_file_is_fetched_by_its_id_with_our_key(graph, pending):
    graph_has(graph)
    version = pending.message.version
    stored = fetch(pending)
    assert (stored.state, stored.size) == ("stored", len(JPEG))
    assert stored.file.read() == JPEG
    stored.file.close()
    info, file = graph.asked
    assert info.query == {"phone_number_id": "555"}
    assert info.headers["Authorization"] == file.headers["Authorization"] == "Bearer access-token"
    message = again(pending.message)
    assert (message.version, message.text, message.status) == (version + 1, "A caption", "received")


def test_a_picture_knows_its_size_before_it_is_shown(graph, pending):
    graph_has(graph, png((40, 30)))
    stored = fetch(pending)
    assert (stored.width, stored.height) == (40, 30)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" + b"<script>", JPEG, b""])
def test_a_picture_that_is_none_is_stored_without_a_size(graph, pending, content):
    graph_has(graph, content)
    stored = fetch(pending)
    assert (stored.state, stored.width) == ("stored", None)


@pytest.mark.parametrize(
    "answer",
    [refuses(131000, 500), raw(b"<html>", 502), refuses(100, 404), drops, raw(b"", 302, Location="/elsewhere")],
    ids=["graph error", "html", "unknown id", "drop", "redirect"],
)
def test_a_lookup_that_fails_is_tried_again_later_and_the_message_stays(graph, pending, answer):
    graph.answers_at(INFO, answer)
    later = fetch(pending)
    assert (later.state, later.attempts_count) == ("pending", 1)
    assert later.next_attempt_at > clock.real()
    asked = len(graph.asked)
    fetch(pending)
    assert len(graph.asked) == asked, "not before its time"
    assert again(pending.message).text == "A caption"


@pytest.mark.parametrize(
    "answer",
    [raw(b"", 404), raw(b"", 403), raw(b"", 500), drops, promises_more, raw(b"", 302, Location="/elsewhere")],
    ids=["404", "403", "500", "drop", "cut", "redirect"],
)
def test_a_download_that_fails_asks_for_a_new_address_next_time(graph, pending, answer):
    graph.answers_at(INFO, says({"url": f"{graph.url}/old"}), says({"url": f"{graph.url}/new"}))
    graph.answers_at("/old", answer)
    graph.answers_at("/new", raw(JPEG))
    assert fetch(pending).state == "pending"
    make_due(pending)
    assert fetch(pending).state == "stored"
    assert [asked.path for asked in graph.asked][-2:] == [INFO, "/new"]
    assert "/old" in [asked.path for asked in graph.asked[:-2]]


def test_the_waits_grow_and_end_after_seven_days(graph, pending):
    graph.answers_at(INFO, refuses(131000, 500))
    waits = []
    for _ in range(8):
        waits.append(round((fetch(pending).next_attempt_at - clock.real()).total_seconds()))
        make_due(pending)
    assert waits == sorted(waits)
    assert waits[-1] <= media.LONGEST_BACKOFF
    Attachment.objects.update(created_at=clock.now() - dt.timedelta(days=7, minutes=1))
    make_due(pending)
    assert fetch(pending).state == "expired"
    asked = len(graph.asked)
    make_due(pending)
    fetch(pending)
    assert len(graph.asked) == asked


def test_an_id_graph_no_longer_knows_is_given_up_after_a_day(graph, pending):
    graph.answers_at(INFO, refuses(100, 404))
    assert fetch(pending).state == "pending"
    pending.created_at -= media.GONE_AFTER
    pending.save()
    make_due(pending)
    assert fetch(pending).state == "expired"
    assert again(pending.message).text == "A caption"


@pytest.mark.parametrize("size", [10, 1 << 40])
def test_a_file_is_measured_by_its_bytes_whatever_was_promised(graph, pending, monkeypatch, size):
    monkeypatch.setattr(limits, "INBOUND_MAX", 1000)
    graph_has(graph, JPEG, file_size=size)
    assert fetch(pending).state == "failed"
    assert not pending.file


def test_an_endless_file_is_cut_off(graph, pending, monkeypatch):
    monkeypatch.setattr(limits, "INBOUND_MAX", 500_000)
    graph.answers_at(INFO, says({"url": f"{graph.url}/file"}))
    graph.answers_at("/file", never_ends)
    assert fetch(pending).state == "failed"


@pytest.mark.parametrize(
    "told", [hashlib.sha256(JPEG).hexdigest(), base64.b64encode(hashlib.sha256(JPEG).digest()).decode(), "", "nonsense"]
)
def test_a_file_that_matches_its_checksum_or_has_none_is_stored(graph, pending, told):
    graph_has(graph, sha256=told)
    stored = fetch(pending)
    assert (stored.state, stored.sha256) == ("stored", hashlib.sha256(JPEG).hexdigest())


def test_a_file_that_is_not_what_its_checksum_says_is_not_shown(graph, pending):
    graph_has(graph, sha256=hashlib.sha256(b"something else").hexdigest())
    assert fetch(pending).state == "pending"
    assert not pending.file
    pending.created_at -= media.KEPT_BY_PROVIDER
    pending.save()
    make_due(pending)
    assert fetch(pending).state == "expired"
    assert again(pending.message).text == "A caption"


def test_a_full_disk_delays_the_file_only(graph, pending, conversation, monkeypatch):
    graph_has(graph)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(media_store, "keep", full)
    assert fetch(pending).state == "pending"
    assert pending.next_attempt_at - clock.real() < dt.timedelta(minutes=1)
    monkeypatch.undo()
    make_due(pending)
    asked = len(graph.asked)
    assert fetch(pending).state == "pending"
    assert len(graph.asked) == asked, "nothing is asked for while nothing can be kept"
    media_store.went_well()
    assert fetch(pending).state == "stored"


def test_one_file_that_breaks_does_not_hold_its_neighbours(graph, pending, conversation, monkeypatch):
    fine = Attachment.objects.create(
        message=MessageFactory(conversation=conversation), conversation=conversation, kind="image", external_id="fine"
    )
    graph.answers_at(INFO, says({"url": f"{graph.url}/file"}))
    graph.answers_at("/v24.0/fine", says({"url": f"{graph.url}/file"}))
    graph.answers_at("/file", raw(JPEG))
    real = media_store.keep

    def keep(attachment, data):
        if attachment.pk == pending.pk:
            raise ValueError("a bug")
        real(attachment, data)

    monkeypatch.setattr(media_store, "keep", keep)
    media.drain()
    fine.refresh_from_db()
    pending.refresh_from_db()
    assert (fine.state, pending.state) == ("stored", "pending")


def office(name="word/document.xml"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(name, "<w/>")
    return out.getvalue()


DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def upload(conversation, agent, data, claimed, name="file"):
    return media.store_upload(conversation, io.BytesIO(data), name=name, size=len(data), claimed=claimed, by=agent)


@pytest.mark.parametrize(
    ("data", "claimed", "kind", "mime_type"),
    [
        (png(), "image/png", "image", "image/png"),
        (png(), "application/x-msdownload", "image", "image/png"),
        (b"\xff\xd8\xff\xe0JFIF" + b"x" * 50, "image/jpeg", "image", "image/jpeg"),
        (PDF, "application/pdf", "document", "application/pdf"),
        (PDF, "image/jpeg", "document", "application/pdf"),
        (b"name;amount\nAna;3\n", "text/csv", "document", "text/csv"),
        (b"Just text", "text/plain; charset=utf-8", "document", "text/plain"),
        (b"<html><script>alert(1)</script>", "text/plain", "document", "text/plain"),
        (office(), DOCX, "document", DOCX),
        (b"ID3\x03" + b"\x00" * 60, "audio/mpeg", "audio", "audio/mpeg"),
        (b"OggS" + b"\x00" * 60, "audio/ogg; codecs=opus", "audio", "audio/ogg"),
        (b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 60, "video/mp4", "video", "video/mp4"),
        (png() + b"<script>alert(1)</script>", "image/png", "image", "image/png"),
    ],
)
def test_a_file_is_what_its_bytes_say(conversation, agent, data, claimed, kind, mime_type):
    stored = upload(conversation, agent, data, claimed)
    assert (stored.kind, stored.mime_type, stored.state, stored.size) == (kind, mime_type, "stored", len(data))


@pytest.mark.parametrize(
    ("data", "claimed"),
    [
        (b"MZ" + b"\x90\x00" * 100, "image/jpeg"),
        (b"\x7fELF" + b"\x00" * 100, "application/pdf"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "image/svg+xml"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png"),
        (b"<html><script>alert(1)</script>", "text/html"),
        (b"<html>", "image/jpeg"),
        (office("classes.dex"), "application/zip"),
        (b"GIF89a" + b"\x00" * 50, "image/gif"),
        (b"\x00\x01binary", "text/plain"),
        (b"anything", ""),
        (b"anything", "x" * 500),
    ],
)
def test_what_whatsapp_does_not_take_is_refused_with_a_sentence(conversation, agent, data, claimed):
    with pytest.raises(errors.MediaRefused, match="WhatsApp"):
        upload(conversation, agent, data, claimed)
    assert not Attachment.objects.exists()


@pytest.mark.parametrize("claimed", ["image/png", "application/pdf", "text/plain", "audio/ogg"])
def test_an_empty_file_is_called_empty(conversation, agent, claimed):
    with translation.override("en"), pytest.raises(errors.MediaRefused, match="empty"):
        upload(conversation, agent, b"", claimed)


def test_a_picture_of_17_mb_is_refused_with_its_limit(conversation, agent):
    with pytest.raises(errors.MediaTooLarge, match="5 MB"):
        upload(conversation, agent, png() + b"\x00" * (17 * limits.MB), "image/png")


def test_a_file_over_every_limit_is_refused_unread(conversation, agent):
    class Unread:
        def read(self, *args):
            raise AssertionError("read")

    with pytest.raises(errors.MediaTooLarge, match="100 MB"):
        media.store_upload(conversation, Unread(), name="film.mp4", size=101 * limits.MB, claimed="video/mp4", by=agent)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b\\c.png", "x" * 400 + ".png", "nul\x00.png", ""])
def test_a_files_name_never_becomes_a_path(conversation, agent, name, settings):
    stored = upload(conversation, agent, png(), "image/png", name)
    assert not set("/\\\x00") & set(stored.filename)
    assert len(stored.filename) <= 255
    path = Path(stored.file.path)
    assert path.is_relative_to(settings.MEDIA_ROOT)
    assert path.name.startswith(stored.pk.hex)


def test_uploads_nobody_sent_go_after_a_day_with_their_files(conversation, agent):
    old, fresh = (upload(conversation, agent, png(), "image/png") for _ in range(2))
    sent = upload(conversation, agent, png(), "image/png")
    Attachment.objects.filter(pk=sent.pk).update(message=MessageFactory(conversation=conversation))
    Attachment.objects.exclude(pk=fresh.pk).update(created_at=clock.now() - dt.timedelta(hours=25))
    assert media.delete_unsent() == 1
    assert set(Attachment.objects.values_list("pk", flat=True)) == {fresh.pk, sent.pk}
    assert not Path(old.file.path).exists()
    assert Path(fresh.file.path).exists()
    assert Path(sent.file.path).exists()
