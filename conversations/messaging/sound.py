"""Sound by ffmpeg: recordings made voice messages; length, loudness and a rendition every browser plays.

What people send is not trusted: ffmpeg reads plain sound containers only, never what they refer to, for a limited time.
Without ffmpeg nothing is recorded and sound files are played as they are.
"""

import array
import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import structlog
from django.core.files.base import ContentFile
from django.db.models import F
from django.utils.translation import gettext as _

from conversations.messaging import events
from conversations.messaging.errors import SoundRefused
from conversations.messaging.models import Attachment, Message
from crm.foundation import clock, work
from crm.foundation.retrying import in_transaction

log = structlog.get_logger(__name__)

VOICE_TYPE = "audio/ogg; codecs=opus"
KINDS = ("voice", "audio")
PEAKS = 64
SAMPLES_PER_SECOND = 8000
LONGEST_SECONDS = 3600
SECONDS = 60  # of one call of ffmpeg
AT_ONCE = 5
READS = (
    "-nostdin", "-v", "error", "-protocol_whitelist", "file",
    "-format_whitelist", "ogg,matroska,webm,mov,mp4,m4a,mp3,aac,amr,wav,flac",
)  # fmt: skip
# What every browser plays by itself.
PLAYED_EVERYWHERE = ("audio/mpeg", "audio/mp4", "audio/aac", "audio/wav", "audio/x-wav")


class Unreadable(Exception):
    """ffmpeg could not make sense of it."""


@functools.cache
def is_available() -> bool:
    """Whether this machine has ffmpeg."""
    return shutil.which("ffmpeg") is not None


def voice_of(recording: bytes) -> bytes:
    """A browser's recording (WebM, MP4 or Ogg) as the Ogg/Opus that WhatsApp shows as a voice message; Opus is copied,
    anything else encoded anew. Raises SoundRefused.
    """
    if not is_available():
        raise SoundRefused(_("Voice messages cannot be recorded on this installation. Attach an audio file instead."))
    with tempfile.TemporaryDirectory(prefix="voice-") as folder:
        source, target = Path(folder, "recording"), Path(folder, "voice.ogg")
        source.write_bytes(recording)
        voice = ("-map", "0:a:0", "-map_metadata", "-1", "-f", "ogg", str(target))
        opus = ("-c:a", "libopus", "-b:a", "32k", "-ac", "1", "-ar", "48000", "-application", "voip")
        try:
            if recording[:4] == b"\x1aE\xdf\xa3" or b"OpusHead" in recording[:200]:
                _run(source, "-c:a", "copy", *voice)
            else:
                _run(source, *opus, *voice)
            data = target.read_bytes()
        except (Unreadable, OSError) as error:
            raise SoundRefused(_("The recording could not be read. Record it again.")) from error
    if b"OpusHead" not in data[:200]:
        raise SoundRefused(_("The recording could not be read. Record it again."))
    return data


def ring_for(attachment: Attachment) -> None:
    """Have the sound of a stored file looked at, if it has any."""
    if attachment.kind in KINDS and attachment.state == Attachment.State.STORED:
        work.ring("sound")


def drain() -> bool:
    """Look at a few sound files that nobody has looked at; True if there may be more."""
    if not is_available():
        return False
    chosen = _claim()
    for attachment in chosen:
        if work.is_stopping():
            _give_back(attachment)
            continue
        try:
            _read(attachment)
        except (Unreadable, OSError) as error:
            log.info("sound not read", attachment=str(attachment.pk), error=type(error).__name__, says=str(error)[:200])
    return len(chosen) == AT_ONCE


def peaks_of(samples: "array.array[int]") -> list[int]:
    """Loudness in 64 steps of equal length, 0 to 100, the loudest one 100."""
    length = len(samples)
    if not length:
        return []
    edges = [length * step // PEAKS for step in range(PEAKS + 1)]
    parts = [samples[start : max(end, start + 1)] for start, end in zip(edges, edges[1:], strict=False)]
    loud = [max(max(part), -min(part)) if part else 0 for part in parts]
    most = max(loud) or 1
    return [round(100 * one / most) for one in loud]


@in_transaction
def _claim() -> list[Attachment]:
    """Once and for all: a file whose look was cut short is played without a picture of its sound."""
    unheard = Attachment.objects.select_for_update(of=("self",), skip_locked=True).filter(
        kind__in=KINDS, state=Attachment.State.STORED, sound_read_at=None
    )
    chosen = list(unheard.order_by("created_at")[:AT_ONCE])
    Attachment.objects.filter(pk__in=[one.pk for one in chosen]).update(sound_read_at=clock.real())
    return chosen


def _give_back(attachment: Attachment) -> None:
    Attachment.objects.filter(pk=attachment.pk).update(sound_read_at=None)


def _read(attachment: Attachment) -> None:
    source = Path(attachment.file.path)
    pcm = ("-map", "0:a:0", "-ac", "1", "-ar", str(SAMPLES_PER_SECOND), "-t", str(LONGEST_SECONDS), "-f", "s16le", "-")
    raw = _run(source, *pcm)
    samples = array.array("h", raw[: len(raw) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    if not samples:
        raise Unreadable("no sound")
    attachment.duration_ms = 1000 * len(samples) // SAMPLES_PER_SECOND
    attachment.peaks = peaks_of(samples)
    if attachment.mime_type.partition(";")[0].strip() not in PLAYED_EVERYWHERE:
        attachment.rendition.save("", ContentFile(_rendition(source)), save=False)
    _store(attachment)


def _rendition(source: Path) -> bytes:
    """AAC in MP4, for browsers that do not play Ogg."""
    with tempfile.TemporaryDirectory(prefix="sound-") as folder:
        target = Path(folder, "sound.m4a")
        aac = ("-c:a", "aac", "-b:a", "48k", "-ac", "1", "-movflags", "+faststart", "-f", "mp4")
        _run(source, "-map", "0:a:0", "-map_metadata", "-1", "-t", str(LONGEST_SECONDS), *aac, str(target))
        return target.read_bytes()


@in_transaction
def _store(attachment: Attachment) -> None:
    """Write what was found; the bubble is drawn anew."""
    found = {"duration_ms": attachment.duration_ms, "peaks": attachment.peaks, "rendition": attachment.rendition.name}
    if not Attachment.objects.filter(pk=attachment.pk).update(**found):
        attachment.rendition.delete(save=False)
        return
    message = Message.objects.filter(attachments=attachment.pk).select_related("conversation").first()
    if message is not None:
        Message.objects.filter(pk=message.pk).update(version=F("version") + 1)
        message.refresh_from_db(fields=["version"])
        events.announce_message(message, "message.updated")


def _run(source: Path, *arguments: str) -> bytes:
    command = ["ffmpeg", *READS, "-i", str(source), "-vn", "-sn", "-dn", "-threads", "1", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unreadable("took too long") from error
    if done.returncode:
        raise Unreadable(done.stderr.decode(errors="replace")[-300:])
    return done.stdout
