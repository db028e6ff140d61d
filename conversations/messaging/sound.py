"""Sound by ffmpeg: recordings made voice messages; length, loudness and a rendition every browser plays.

What people send is not trusted: ffmpeg reads plain sound containers only, never what they refer to, for a limited time.
Without ffmpeg nothing is recorded and sound files are played as they are.
"""

import array
import datetime as dt
import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import structlog
from django.core.files.base import ContentFile
from django.db import InterfaceError, OperationalError
from django.db.models import F, Q, QuerySet
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
TRIES = 3
LEASE = dt.timedelta(seconds=3 * SECONDS)  # ffmpeg is called twice
AGAIN = dt.timedelta(minutes=1)
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
    """Look at a few sound files that nobody has looked at, the newest first; True if there may be more."""
    if not is_available():
        return False
    for _file in range(AT_ONCE):
        attachment = None if work.is_stopping() else _claim()
        if attachment is None:
            return False
        _look_at(attachment)
    return True


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
def _claim() -> Attachment | None:
    """The newest one that nobody is looking at: people wait for what has just come, not for their history."""
    unheard = Attachment.objects.select_for_update(of=("self",), skip_locked=True).filter(
        Q(sound_lease_until=None) | Q(sound_lease_until__lt=clock.real()),
        kind__in=KINDS,
        state=Attachment.State.STORED,
        sound_read_at=None,
    )
    chosen = unheard.order_by("-created_at").first()
    if chosen is not None:
        chosen.sound_tries += 1
        chosen.sound_lease_until = clock.real() + LEASE
        chosen.save(update_fields=["sound_tries", "sound_lease_until"])
    return chosen


def _look_at(attachment: Attachment) -> None:
    """One that is no sound is done with; whatever else happens, it is tried again a while later, three times in all."""
    about = {"attachment": str(attachment.pk)}
    if attachment.sound_tries > TRIES:  # the last time the process ended over it
        log.warning("sound given up", **about)
        _done(attachment)
        return
    try:
        _read(attachment)
    except Unreadable as error:
        log.info("sound not read", **about, says=str(error)[:200])
    except (OperationalError, InterfaceError):
        raise  # the lease runs out
    except Exception:
        log.exception("sound not read", **about)
        if attachment.sound_tries < TRIES:
            _of(attachment).update(sound_lease_until=clock.real() + AGAIN)
            return
    _done(attachment)


def _of(attachment: Attachment) -> QuerySet[Attachment]:
    """It, as long as nobody else has begun with it since."""
    return Attachment.objects.filter(pk=attachment.pk, sound_tries=attachment.sound_tries)


def _done(attachment: Attachment) -> None:
    _of(attachment).update(sound_read_at=clock.real(), sound_lease_until=None)


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
    if not _of(attachment).update(**found, sound_read_at=clock.real(), sound_lease_until=None):
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
