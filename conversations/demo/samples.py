"""The demo's sample files, and ids in the shape that WhatsApp gives them."""

import base64
import datetime as dt
import functools
import hashlib
import io
import uuid
from pathlib import Path

from django.core.files.base import ContentFile
from PIL import Image

from conversations.messaging.models import Attachment, Message
from crm.foundation import clock

ASK_AGAIN = dt.timedelta(hours=6)
FOLDER = Path(__file__).parent / "media"
MIME_TYPES = {
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
    ".ogg": "audio/ogg; codecs=opus",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
}


def described(file: str) -> dict[str, str]:
    """What a webhook says of a sample: type and digest."""
    return {"mime_type": MIME_TYPES[Path(file).suffix], "sha256": hashlib.sha256(_content(file)).hexdigest()}


def attachment(file: str, pk: uuid.UUID, message: Message, state: str = "stored") -> Attachment:
    """An unsaved attachment; stored ones have a copy of the file, pending ones are asked for again in hours."""
    row = Attachment(
        pk=pk,
        message=message,
        conversation=message.conversation,
        kind=message.kind,
        state=state,
        created_at=message.created_at,
        **described(file),
    )
    if state == Attachment.State.STORED:
        row.size = len(_content(file))
        if message.kind in ("image", "sticker"):
            row.width, row.height = _dimensions(file)
        row.file.save("", ContentFile(_content(file)), save=False)
    elif state == Attachment.State.PENDING:
        row.attempts_count, row.next_attempt_at = 3, clock.real() + ASK_AGAIN
    return row


def wamid(address: str, core: str) -> str:
    """`wamid.` and base64 of the phone and the message's own hexadecimal id."""
    phone, own = address.encode(), core.encode()
    wrapped = b"\x1c\x18" + bytes([len(phone)]) + phone + b"\x15\x02\x00\x12\x18" + bytes([len(own)]) + own + b"\x00"
    return "wamid." + base64.b64encode(wrapped).decode()


@functools.cache
def _content(file: str) -> bytes:
    return (FOLDER / file).read_bytes()


@functools.cache
def _dimensions(file: str) -> tuple[int, int]:
    with Image.open(io.BytesIO(_content(file))) as image:
        return image.size
