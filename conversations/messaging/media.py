"""Files: inbound media fetched after (never instead of) its message; uploads of agents checked and stored."""

import base64
import datetime as dt
import hashlib
import io
from typing import IO

import filetype
import structlog
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F, Q
from PIL import Image, UnidentifiedImageError

from conversations.channels.registry import WHATSAPP, channel_for
from conversations.channels.whatsapp import codes, limits
from conversations.graphapi.client import Gone, TooLarge
from conversations.graphapi.errors import GraphError, Refused
from conversations.inboxes.models import Inbox
from conversations.messaging import events, outbound
from conversations.messaging.models import Attachment, Conversation, Message
from conversations.messaging.outbox import address_of
from crm.foundation import aio, clock
from crm.foundation.text import clean_text
from crm.staff.models import User

log = structlog.get_logger(__name__)

BATCH = 5
KEPT_BY_PROVIDER = dt.timedelta(days=7)
LEASE = dt.timedelta(minutes=6)
FIRST_BACKOFF, LONGEST_BACKOFF = 30, 6 * 3600
UNSENT_UPLOADS = dt.timedelta(hours=24)
MOST_PIXELS = 50_000_000
# A media id that Graph still does not know after a day is gone for good.
GONE_AFTER = dt.timedelta(days=1)
SNIFF_BYTES = 8192
STORED_FIELDS = ("state", "next_attempt_at", "attempts_count", "file", "mime_type", "size", "sha256", "width", "height")


def drain() -> bool:
    """Fetch some pending media; True if there may be more."""
    batch = _claim()
    for attachment in batch:
        try:
            _fetch(attachment)
        except Exception:  # a file never holds its neighbours
            log.exception("file not stored", attachment=str(attachment.pk))
            _try_later(attachment, gone=False)
    return bool(batch)


def store_upload(
    conversation: Conversation, file: IO[bytes], *, name: str, size: int, claimed: str, by: User
) -> Attachment:
    """Check a file by its bytes and keep it for sending; raises MediaRefused or MediaTooLarge."""
    largest = max(limit for limit, _mimes in limits.MEDIA.values())
    if size > largest:
        outbound.check_upload("application/pdf", size)
    data = file.read(largest + 1)
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
    _keep(attachment, data)
    attachment.save()
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
    old = Attachment.objects.filter(message=None, created_at__lt=clock.now() - UNSENT_UPLOADS)[:limit]
    for attachment in old:
        attachment.file.delete(save=False)
        attachment.delete()
    return len(old)


def _claim() -> list[Attachment]:
    now = clock.real()
    with transaction.atomic():
        due = Attachment.objects.filter(
            Q(next_attempt_at=None) | Q(next_attempt_at__lte=now),
            state=Attachment.State.PENDING,
            conversation__inbox__in=Inbox.objects.sendable().values("pk"),
        )
        chosen = list(
            due.select_for_update(skip_locked=True).order_by("next_attempt_at").values_list("pk", flat=True)[:BATCH]
        )
        Attachment.objects.filter(pk__in=chosen).update(next_attempt_at=now + LEASE)
    return list(
        Attachment.objects.filter(pk__in=chosen).select_related(
            "message__conversation__inbox__account", "message__conversation__identity", "message__conversation__contact"
        )
    )


def _fetch(attachment: Attachment) -> None:
    assert attachment.message is not None
    conversation = attachment.message.conversation
    channel = channel_for(WHATSAPP, address_of(conversation.inbox))
    try:
        info = aio.run(channel.media_info(attachment.external_id))
        data = aio.run(channel.download(info.url, limit=limits.INBOUND_MAX))
    except TooLarge:
        _finish(attachment, Attachment.State.FAILED)
        return
    except GraphError as error:
        if isinstance(error, Refused) and codes.kind_of(error.code, error.http_status) == codes.CIRCUIT:
            conversation.inbox.open_circuit(str(error.code))
        _try_later(attachment, gone=isinstance(error, Gone))
        return
    if not _matches(data, info.sha256):
        _try_later(attachment, gone=False)
        return
    attachment.mime_type = attachment.mime_type or clean_text(info.mime_type, 100)
    _keep(attachment, data)
    _finish(attachment, Attachment.State.STORED)


def _matches(data: bytes, told: str) -> bool:
    """Whether the bytes are what the provider's checksum says: hexadecimal or base64; anything else tells nothing."""
    digest = hashlib.sha256(data)
    if len(told) == 64:
        return told.lower() == digest.hexdigest()
    return len(told) != 44 or told == base64.b64encode(digest.digest()).decode()


def _keep(attachment: Attachment, data: bytes) -> None:
    attachment.size, attachment.sha256 = len(data), hashlib.sha256(data).hexdigest()
    if attachment.kind in ("image", "sticker"):
        attachment.width, attachment.height = _dimensions(data)
    attachment.file.save("", ContentFile(data), save=False)


def _dimensions(data: bytes) -> tuple[int | None, int | None]:
    """Width and height from the header alone; nothing is decoded."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None, None
    return (width, height) if width * height <= MOST_PIXELS else (None, None)


def _try_later(attachment: Attachment, *, gone: bool) -> None:
    age = clock.real() - attachment.created_at
    attachment.attempts_count += 1
    if age > (GONE_AFTER if gone else KEPT_BY_PROVIDER):
        _finish(attachment, Attachment.State.EXPIRED)
        return
    wait = min(FIRST_BACKOFF * 4 ** min(attachment.attempts_count - 1, 6), LONGEST_BACKOFF)
    attachment.next_attempt_at = clock.real() + dt.timedelta(seconds=wait)
    attachment.save(update_fields=["attempts_count", "next_attempt_at"])


@transaction.atomic
def _finish(attachment: Attachment, state: str) -> None:
    attachment.state, attachment.next_attempt_at = state, None
    attachment.save(update_fields=STORED_FIELDS)
    message = attachment.message
    assert message is not None
    Message.objects.filter(pk=message.pk).update(version=F("version") + 1)  # it may have changed meanwhile
    message.refresh_from_db(fields=["version", "conversation"])
    events.announce_message(message, "message.updated")
