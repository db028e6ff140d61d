"""Sound by ffmpeg: recordings become voice messages, sound files get their picture, and nothing else is read."""

import array
import datetime as dt
import os
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DataError, OperationalError
from django.urls import reverse

from conversations.channels.base import OutboundMessage, Person
from conversations.channels.whatsapp.channel import body_of
from conversations.messaging import content, media_store, sound
from conversations.messaging.errors import SoundRefused
from conversations.messaging.models import Attachment, Message
from crm.foundation import clock, work
from tests.factories import ConversationFactory, InboxFactory, MessageFactory, TeamFactory, UserFactory

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not sound.is_available(), reason="needs ffmpeg"),
]
VOICE = Path(settings.BASE_DIR, "conversations/demo/media/voice.ogg")


def recording(tmp_path, kind, *codec):
    """Two seconds of a tone that grows louder, as a browser would record it."""
    path = tmp_path / f"recording.{kind}"
    tone = ("-f", "lavfi", "-i", "sine=440:duration=2", "-af", "volume='t/2':eval=frame")
    subprocess.run(["ffmpeg", "-v", "error", *tone, *codec, str(path)], check=True)
    return path.read_bytes()


def stored(conversation, data, *, kind="voice", mime_type="audio/ogg", message=None):
    attachment = Attachment(
        conversation=conversation, message=message, kind=kind, state="stored", mime_type=mime_type, filename="a"
    )
    media_store.keep(attachment, data)
    attachment.save()
    return attachment


@pytest.mark.parametrize(
    ("kind", "codec"), [("webm", ("-c:a", "libopus")), ("mp4", ("-c:a", "aac")), ("ogg", ("-c:a", "libopus"))]
)
def test_what_a_browser_records_becomes_a_voice_message(tmp_path, client, kind, codec):
    team = TeamFactory()
    conversation, agent = ConversationFactory(inbox=InboxFactory(teams=[team])), UserFactory(teams=[team])
    client.force_login(agent)
    file = SimpleUploadedFile("voice", recording(tmp_path, kind, *codec), "audio/webm")
    response = client.post(reverse("desk:upload"), {"conversation": conversation.pk, "file": file, "voice": "1"})
    assert response.status_code == 201, response.content
    assert response.json()["kind"] == "voice"
    kept = Attachment.objects.get()
    assert (kept.kind, kept.mime_type) == ("voice", "audio/ogg; codecs=opus")
    assert Path(kept.file.path).read_bytes()[:4] == b"OggS"
    form = {"client_id": "8d7f6f4e-0000-4000-8000-000000000001", "text": "", "attachment": str(kept.pk)}
    assert client.post(reverse("desk:messages", args=[conversation.pk]), form).status_code == 201
    sent = Message.objects.prefetch_related("attachments").get()
    body = body_of(OutboundMessage(Person(address="1"), content._content(sent), "r", ""))
    assert body["type"] == "audio"
    assert body["audio"]["voice"] is True


@pytest.mark.parametrize("data", [b"", b"not sound", b"OggS" + b"\0" * 400, b"\x1aE\xdf\xa3" + b"\0" * 400])
def test_a_recording_that_is_none_is_refused_with_a_sentence(data):
    with pytest.raises(SoundRefused):
        sound.voice_of(data)


def test_a_playlist_is_not_followed(tmp_path):
    secret = tmp_path / "secret.ogg"
    secret.write_bytes(VOICE.read_bytes())
    for playlist in (f"#EXTM3U\n#EXTINF:1,\n{secret}\n", f"ffconcat version 1.0\nfile '{secret}'\n"):
        with pytest.raises(SoundRefused):
            sound.voice_of(playlist.encode())


def test_sound_gets_length_peaks_and_a_rendition(tmp_path):
    conversation = ConversationFactory()
    message = MessageFactory(conversation=conversation, kind="voice")
    kept = stored(conversation, recording(tmp_path, "ogg", "-c:a", "libopus"), message=message)
    work.run_until_idle("sound")
    kept.refresh_from_db()
    assert 1900 <= kept.duration_ms <= 2100
    assert len(kept.peaks) == 64
    assert max(kept.peaks) == 100
    assert kept.peaks[5] < 40 < kept.peaks[55]
    assert b"ftyp" in Path(kept.rendition.path).read_bytes()[:16]
    message.refresh_from_db()
    assert message.version == 2


def test_what_every_browser_plays_is_not_kept_twice(tmp_path):
    kept = stored(ConversationFactory(), recording(tmp_path, "mp3"), kind="audio", mime_type="audio/mpeg")
    work.run_until_idle("sound")
    kept.refresh_from_db()
    assert kept.peaks
    assert not kept.rendition


def test_a_broken_file_is_looked_at_once_and_stops_nobody():
    conversation = ConversationFactory()
    broken = stored(conversation, b"nothing to hear")
    fine = stored(conversation, VOICE.read_bytes())
    work.run_until_idle("sound")
    broken.refresh_from_db()
    fine.refresh_from_db()
    assert broken.sound_read_at is not None
    assert broken.duration_ms is None
    assert fine.peaks


def test_the_newest_is_looked_at_first():
    conversation = ConversationFactory()
    old, new = (stored(conversation, VOICE.read_bytes()) for _ in range(2))
    Attachment.objects.filter(pk=old.pk).update(created_at=clock.now() - dt.timedelta(days=400))
    assert sound._claim() == new
    assert sound._claim() == old
    assert sound._claim() is None


def test_a_restart_loses_nothing(monkeypatch):
    kept = stored(ConversationFactory(), VOICE.read_bytes())
    with monkeypatch.context() as patched:
        patched.setattr(sound, "_run", lambda *arguments: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            sound.drain()
    work.run_until_idle("sound")
    kept.refresh_from_db()
    assert not kept.peaks  # somebody may still be looking at it
    Attachment.objects.update(sound_lease_until=clock.real() - dt.timedelta(seconds=1))
    work.run_until_idle("sound")
    kept.refresh_from_db()
    assert kept.peaks
    assert kept.sound_read_at is not None


@pytest.mark.parametrize("error", [ValueError("no file"), OSError("disk"), DataError("bad")])
def test_what_breaks_is_tried_three_times_and_stops_nobody(monkeypatch, error):
    conversation = ConversationFactory()
    fine, broken = (stored(conversation, VOICE.read_bytes()) for _ in range(2))
    read, tried = sound._read, []

    def sometimes(attachment):
        if attachment == broken:
            tried.append(attachment)
            raise error
        read(attachment)

    monkeypatch.setattr(sound, "_read", sometimes)
    for times in (1, 2, 3, 3):
        work.run_until_idle("sound")
        assert len(tried) == times
        Attachment.objects.filter(sound_read_at=None).update(sound_lease_until=clock.real() - dt.timedelta(seconds=1))
    fine.refresh_from_db()
    broken.refresh_from_db()
    assert fine.peaks
    assert broken.sound_read_at is not None


def test_what_ends_the_process_is_given_up_too():
    kept = stored(ConversationFactory(), VOICE.read_bytes())
    Attachment.objects.update(sound_tries=3, sound_lease_until=clock.real() - dt.timedelta(seconds=1))
    work.run_until_idle("sound")
    kept.refresh_from_db()
    assert kept.sound_read_at is not None
    assert not kept.peaks


def test_a_database_that_is_away_gives_up_nothing(monkeypatch):
    kept = stored(ConversationFactory(), VOICE.read_bytes())
    monkeypatch.setattr(sound, "_store", lambda attachment: (_ for _ in ()).throw(OperationalError("away")))
    with pytest.raises(OperationalError):
        sound.drain()
    kept.refresh_from_db()
    assert kept.sound_read_at is None
    assert kept.sound_lease_until is not None


def test_who_was_too_slow_writes_nothing():
    kept = stored(ConversationFactory(), VOICE.read_bytes())
    slow = sound._claim()
    Attachment.objects.update(sound_lease_until=clock.real() - dt.timedelta(seconds=1))
    sound._claim()
    sound._look_at(slow)
    kept.refresh_from_db()
    assert (kept.peaks, kept.sound_read_at, kept.rendition.name) == ([], None, "")


def test_renditions_survive_the_sweep_and_go_with_their_upload():
    kept = stored(ConversationFactory(), VOICE.read_bytes())
    work.run_until_idle("sound")
    kept.refresh_from_db()
    folder = Path(settings.MEDIA_ROOT, kept.pk.hex[:2])
    stray = folder / f"{kept.pk.hex}-{'0' * 32}"
    stray.write_bytes(b"left by a crash")
    for path in folder.iterdir():
        past = path.stat().st_mtime - 2 * media_store.STRAY_SECONDS
        os.utime(path, (past, past))
    media_store.delete_strays(int(kept.pk.hex[:2], 16))
    assert not stray.exists()
    assert Path(kept.file.path).exists()
    assert Path(kept.rendition.path).exists()
    media_store.delete_files(kept)
    assert not list(folder.glob(f"{kept.pk.hex}*"))


def test_without_ffmpeg_nothing_is_recorded_and_nothing_breaks(monkeypatch):
    monkeypatch.setattr(sound, "is_available", lambda: False)
    kept = stored(ConversationFactory(), VOICE.read_bytes())
    work.run_until_idle("sound")
    kept.refresh_from_db()
    assert kept.sound_read_at is None
    with pytest.raises(SoundRefused):
        sound.voice_of(VOICE.read_bytes())


def test_the_microphone_is_hidden_without_ffmpeg(client, monkeypatch):
    team = TeamFactory()
    conversation = ConversationFactory(inbox=InboxFactory(teams=[team]))
    client.force_login(UserFactory(teams=[team]))
    url = reverse("desk:conversation", args=[conversation.pk])
    assert 'data-testid="record"' in client.get(url).content.decode()
    monkeypatch.setattr(sound, "is_available", lambda: False)
    assert 'data-testid="record"' not in client.get(url).content.decode()


@pytest.mark.parametrize("samples", [[], [0], [0] * 10, list(range(-32768, 32767, 100))])
def test_peaks_of_any_length(samples):
    peaks = sound.peaks_of(array.array("h", samples))
    assert len(peaks) == (64 if samples else 0)
    assert all(0 <= one <= 100 for one in peaks)


def test_a_file_is_content_whatever_its_name(tmp_path):
    kept = stored(ConversationFactory(), VOICE.read_bytes())
    kept.rendition.save("../../etc/passwd", ContentFile(b"x"), save=False)
    assert Path(kept.rendition.path).is_relative_to(settings.MEDIA_ROOT)
