"""Files: inbound media fetched after (never instead of) its message; uploads of agents checked and stored."""

import asyncio
import base64
import concurrent.futures
import contextlib
import datetime as dt
import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from weakref import WeakKeyDictionary

import filetype
import structlog
from django.db.models import F, Q, QuerySet

from conversations.channels.base import Channel
from conversations.channels.registry import WHATSAPP, channel_for
from conversations.channels.whatsapp import codes, limits
from conversations.graphapi.client import NEVER_LEFT, Gone, MediaInfo, TooLarge
from conversations.graphapi.errors import GraphError, Refused
from conversations.inboxes.models import Inbox
from conversations.messaging import events, media_budget, media_store, outbound, sound
from conversations.messaging.models import Attachment, Conversation, Message
from conversations.messaging.outbox import address_of
from crm.foundation import aio, clock, work
from crm.foundation.retrying import in_transaction
from crm.foundation.text import clean_text
from crm.staff.models import User

log = structlog.get_logger(__name__)

IN_FLIGHT = 5
LARGE = 16 * limits.MB  # of these one at a time: they are read into memory
ROUND_SECONDS = 8
LOOK_SECONDS = 1  # while some are on their way: how long a new one waits at most to be seen
JOB_SECONDS = 540
LEASE = dt.timedelta(minutes=10)
KEPT_BY_PROVIDER = dt.timedelta(days=7)
FIRST_BACKOFF, LONGEST_BACKOFF = 30, 6 * 3600
UNSENT_UPLOADS = dt.timedelta(hours=24)
# A media id that Graph still does not know after a day is gone for good.
GONE_AFTER = dt.timedelta(days=1)
SNIFF_BYTES = 8192
STORED_FIELDS = ("state", "next_attempt_at", "attempts_count", "file", "mime_type", "size", "sha256", "width", "height")


@dataclass
class Job:
    """A file on its way to us; `lease`: until when it is ours, and the proof of it (a later claim has a later one)."""

    attachment: Attachment
    lease: dt.datetime
    call: int
    channel: Channel


class NoRoom(Exception):
    """The disk is too full for this file: it was not asked for."""


_running: dict[concurrent.futures.Future[tuple[MediaInfo, bytes]], Job] = {}
_one_round = threading.Lock()
_large: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def drain() -> bool:
    """Fetch pending media, five at a time, for a few seconds; True if there may be more. What is still on its way then
    is picked up by the next round.
    """
    if not _one_round.acquire(blocking=False):
        return False
    try:
        return _round(time.monotonic() + ROUND_SECONDS)
    finally:
        _one_round.release()


def _round(until: float) -> bool:
    while time.monotonic() < until:
        if work.is_stopping():
            _let_go()
            return False
        free = IN_FLIGHT - len(_running)
        if free and media_store.is_ready():
            for job in _claim(free):
                _running[asyncio.run_coroutine_threadsafe(_download(job), aio.loop())] = job
        if not _running:
            return False
        done, _late = concurrent.futures.wait(_running, LOOK_SECONDS, concurrent.futures.FIRST_COMPLETED)
        for future in done:
            _land(_running.pop(future), future)
    return True


def _let_go() -> None:
    """The process ends: what it was fetching is anybody's at once, and no call that failed."""
    for future, job in _running.items():
        future.cancel()
        media_budget.settle(job.call, failed=False)
        _mine(job).update(next_attempt_at=clock.real())
    _running.clear()


def store_upload(
    conversation: Conversation, file: IO[bytes], *, name: str, size: int, claimed: str, by: User, is_voice: bool = False
) -> Attachment:
    """Check a file by its bytes and keep it for sending, a recording made a voice message; raises MediaRefused or
    MediaTooLarge.
    """
    largest = max(limit for limit, _mimes in limits.MEDIA.values())
    if size > largest:
        outbound.check_upload("application/pdf", size)
    data = file.read(largest + 1)
    if is_voice:
        data, mime_type, kind = sound.voice_of(data), sound.VOICE_TYPE, "voice"
        outbound.check_upload(mime_type, len(data))
    else:
        mime_type = sniff(data, claimed)
        kind = outbound.check_upload(mime_type, len(data))
    attachment = Attachment(
        conversation=conversation,
        kind=kind,
        state=Attachment.State.STORED,
        filename=clean_text(name, 255).replace("/", "_").replace("\\", "_"),
        mime_type=mime_type,
        uploaded_by=by,
    )
    media_store.keep(attachment, data)
    attachment.save()
    sound.ring_for(attachment)
    return attachment


def sniff(data: bytes, claimed: str) -> str:
    """The type the bytes show; the claimed one only for text and for containers that hide what they hold."""
    guess = filetype.guess_mime(data[:SNIFF_BYTES])
    claimed = claimed.partition(";")[0].strip().lower()[:100]
    if guess == "image/heif":
        guess = "image/heic"
    if (
        guess in ("application/zip", "application/x-ole-storage", "application/msword")
        and claimed in limits.MEDIA["document"][1]
    ):
        return claimed
    if guess == "video/mp4" and claimed in ("audio/mp4", "video/mp4"):
        return claimed
    if guess in ("audio/x-aac", "audio/aac"):
        return "audio/aac"
    if guess in ("audio/m4a", "audio/x-m4a"):
        return "audio/mp4"
    if guess:
        return str(guess)
    is_text = b"\x00" not in data[:SNIFF_BYTES]
    if is_text and claimed in ("text/plain", "text/csv"):
        return claimed
    return "application/octet-stream"


def delete_unsent(limit: int = 100) -> int:
    """Remove uploads nobody sent within a day, files included; returns how many."""
    unsent = Attachment.objects.filter(message=None, scheduled=None)
    old = unsent.filter(created_at__lt=clock.now() - UNSENT_UPLOADS)[:limit]
    for attachment in old:
        if unsent.filter(pk=attachment.pk).delete()[0]:  # not sent at the last moment
            media_store.delete_files(attachment)
    return len(old)


@in_transaction
def _claim(limit: int) -> list[Job]:
    """Up to `limit` files whose time has come and whose number may fail once more; new ones first."""
    lease = clock.real() + LEASE
    jobs = []
    for attachment in _due(limit):
        assert attachment.message is not None
        inbox = attachment.message.conversation.inbox
        call = media_budget.admit(inbox.pk, is_retry=attachment.attempts_count > 0)
        if call is not None:
            jobs.append(Job(attachment, lease, call, channel_for(WHATSAPP, address_of(inbox))))
    Attachment.objects.filter(pk__in=[job.attachment.pk for job in jobs]).update(next_attempt_at=lease)
    return jobs


def _due(limit: int) -> Iterator[Attachment]:
    wholly, for_retries = media_budget.used_up()
    pending = (
        Attachment.objects.select_for_update(of=("self",), skip_locked=True)
        .filter(state=Attachment.State.PENDING, message__isnull=False)
        .filter(conversation__inbox__in=Inbox.objects.sendable().values("pk"))
        .exclude(conversation__inbox__in=wholly)
        .select_related("message__conversation__inbox__account")
    )
    due = pending.filter(Q(next_attempt_at=None) | Q(next_attempt_at__lte=clock.real())).order_by("next_attempt_at")
    found = list(due.filter(attempts_count=0)[:limit])
    yield from found
    if len(found) < limit:
        again = due.filter(attempts_count__gt=0).exclude(conversation__inbox__in=for_retries)
        yield from again[: limit - len(found)]


async def _download(job: Job) -> tuple[MediaInfo, bytes]:
    async with asyncio.timeout(JOB_SECONDS):
        info = await job.channel.media_info(job.attachment.external_id)
        if not await asyncio.to_thread(media_store.has_room, min(info.size, limits.INBOUND_MAX)):
            raise NoRoom(f"{info.size} bytes")
        if 0 < info.size <= LARGE:
            with contextlib.suppress(TooLarge):  # larger than was told: again, as a large one
                return info, await job.channel.download(info.url, limit=min(LARGE, limits.INBOUND_MAX))
        async with _large.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(1)):
            return info, await job.channel.download(info.url, limit=limits.INBOUND_MAX)


def _land(job: Job, future: concurrent.futures.Future[tuple[MediaInfo, bytes]]) -> None:
    """Store what came, or plan the next try; whatever happens to one file never holds its neighbours."""
    try:
        _take(job, future)
    except Exception:
        log.exception("file not stored", attachment=str(job.attachment.pk))
        _try_later(job, gone=False)


def _take(job: Job, future: concurrent.futures.Future[tuple[MediaInfo, bytes]]) -> None:
    error = future.exception()
    media_budget.settle(job.call, failed=_is_failed_call(error))
    if isinstance(error, TooLarge):
        _finish(job, Attachment.State.FAILED)
    elif isinstance(error, NoRoom):
        log.error("no room on the disk for a file", attachment=str(job.attachment.pk), size=str(error))
        _try_later(job, gone=False)
    elif isinstance(error, GraphError):
        if isinstance(error, Refused) and codes.kind_of(error.code, error.http_status) == codes.CIRCUIT:
            _inbox(job).open_circuit(str(error.code))
        _try_later(job, gone=isinstance(error, Gone))
    elif error is not None:
        raise error
    else:
        info, data = future.result()
        if _matches(data, info.sha256):
            _store(job, info, data)
        else:
            _try_later(job, gone=False)


def _is_failed_call(error: BaseException | None) -> bool:
    """Whether the provider may have counted it: not what went well, was too large for us, or never left."""
    if error is None or isinstance(error, TooLarge | NoRoom):
        return False
    return not isinstance(error.__cause__, NEVER_LEFT)


def _store(job: Job, info: MediaInfo, data: bytes) -> None:
    attachment = job.attachment
    attachment.mime_type = attachment.mime_type or clean_text(info.mime_type, 100)
    if not _mine(job).exists():
        return
    try:
        media_store.keep(attachment, data)
    except OSError as error:
        media_store.went_wrong(error)
        raise
    # If the database fails here nobody knows what became of the row: the file stays.
    if not _finish(job, Attachment.State.STORED) and not _is_named(attachment):
        attachment.file.delete(save=False)  # somebody else took it meanwhile


def _is_named(attachment: Attachment) -> bool:
    """Whether its row names this very file: a commit whose answer was lost has counted all the same."""
    return Attachment.objects.filter(
        pk=attachment.pk, state=Attachment.State.STORED, file=attachment.file.name
    ).exists()


def _matches(data: bytes, told: str) -> bool:
    """Whether the bytes are what the provider's checksum says: hexadecimal or base64; anything else tells nothing."""
    digest = hashlib.sha256(data)
    if len(told) == 64:
        return told.lower() == digest.hexdigest()
    return len(told) != 44 or told == base64.b64encode(digest.digest()).decode()


def _mine(job: Job) -> QuerySet[Attachment]:
    return Attachment.objects.filter(pk=job.attachment.pk, state=Attachment.State.PENDING, next_attempt_at=job.lease)


def _inbox(job: Job) -> Inbox:
    assert job.attachment.message is not None
    return job.attachment.message.conversation.inbox


def _try_later(job: Job, *, gone: bool) -> None:
    attachment = job.attachment
    attachment.attempts_count += 1
    if clock.now() - attachment.created_at > (GONE_AFTER if gone else KEPT_BY_PROVIDER):
        _finish(job, Attachment.State.EXPIRED)
        return
    wait = min(FIRST_BACKOFF * 4 ** min(attachment.attempts_count - 1, 6), LONGEST_BACKOFF)
    later = clock.real() + dt.timedelta(seconds=wait)
    _mine(job).update(attempts_count=attachment.attempts_count, next_attempt_at=later)


@in_transaction
def _finish(job: Job, state: str) -> bool:
    """Write how it ended, if the file is still ours; the message's bubble is drawn anew."""
    attachment, message = job.attachment, job.attachment.message
    assert message is not None
    values = {name: getattr(attachment, name) for name in STORED_FIELDS}
    if not _mine(job).update(**values | {"state": state, "next_attempt_at": None}):
        return False
    attachment.state = state
    Message.objects.filter(pk=message.pk).update(version=F("version") + 1)  # it may have changed meanwhile
    message.refresh_from_db(fields=["version", "conversation"])
    events.announce_message(message, "message.updated")
    sound.ring_for(attachment)
    return True
