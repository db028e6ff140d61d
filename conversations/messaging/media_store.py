"""Keeping the bytes of files: what is written, and whether there is room before anything is asked of the provider."""

import hashlib
import io
import itertools
import re
import shutil
import time
import uuid
from pathlib import Path

import structlog
from django.conf import settings
from django.core.files.base import ContentFile
from PIL import Image, UnidentifiedImageError

from conversations.messaging.models import Attachment
from crm.foundation import clock
from crm.foundation.files import PART

log = structlog.get_logger(__name__)

MOST_PIXELS = 50_000_000
# What stays free for everybody else on the disk.
RESERVE = 64 * 1024 * 1024
STRAY_SECONDS = 24 * 3600
ROWS_AT_ONCE = 500
# Names of files: their row's id, then one for each try.
OURS = re.compile(r"[0-9a-f]{32}(-[0-9a-f]{32})?\Z")
FIRST_REST, LONGEST_REST = 30.0, 600.0

_rest = 0.0
_rests_until = float("-inf")


def keep(attachment: Attachment, data: bytes) -> None:
    """Write the bytes and note their size, checksum and dimensions on the (unsaved) attachment; raises OSError."""
    attachment.size, attachment.sha256 = len(data), hashlib.sha256(data).hexdigest()
    if attachment.kind in ("image", "sticker"):
        attachment.width, attachment.height = _dimensions(data)
    attachment.file.save("", ContentFile(data), save=False)


def delete_files(attachment: Attachment) -> None:
    """Remove the bytes of an attachment whose row has gone."""
    for file in (attachment.file, attachment.rendition):
        if file:
            file.delete(save=False)


def is_ready() -> bool:
    """Whether files can be written now. After trouble it is looked at again after 30 s, then ever less often."""
    if time.monotonic() < _rests_until:
        return False
    try:
        if has_room(0):
            _probe()
            went_well()
            return True
        raise OSError("no room on the disk for files")
    except OSError as error:
        went_wrong(error)
        return False


def has_room(size: int) -> bool:
    """Whether a file of `size` bytes fits beside the reserve."""
    root = Path(settings.MEDIA_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(root).free >= size + RESERVE


def went_wrong(error: OSError) -> None:
    """A file could not be written: this process asks the provider for none until it has rested."""
    global _rest, _rests_until
    _rest = min(_rest * 2 or FIRST_REST, LONGEST_REST)
    _rests_until = time.monotonic() + _rest
    log.error("files cannot be written", error=type(error).__name__, errno=error.errno, next_try_in=_rest)


def went_well() -> None:
    """Files can be written: what was is forgotten."""
    global _rest, _rests_until
    _rest, _rests_until = 0.0, float("-inf")


def delete_strays(folder: int) -> int:
    """Remove what a crash has left in one of the 256 folders: half files, and those whose row names another one or
    has ended without. Returns how many went.

    A file without any row stays: the database may be the wrong one.
    """
    path = Path(settings.MEDIA_ROOT, f"{folder:02x}")
    since = clock.real().timestamp() - STRAY_SECONDS
    old = [file for file in path.iterdir() if file.stat().st_mtime < since] if path.is_dir() else []
    gone = [file for file in old if file.name.endswith(PART)]
    for files in itertools.batched(old, ROWS_AT_ONCE):
        owners = {file: file.name[:32] for file in files if OURS.match(file.name)}
        ended = Attachment.objects.exclude(state=Attachment.State.PENDING).filter(pk__in=owners.values())
        named = {pk.hex: names for pk, *names in ended.values_list("pk", "file", "rendition")}
        gone += [file for file, pk in owners.items() if pk in named and f"{path.name}/{file.name}" not in named[pk]]
    for file in gone:
        file.unlink(missing_ok=True)
    return len(gone)


def _probe() -> None:
    path = Path(settings.MEDIA_ROOT, f".probe-{uuid.uuid4().hex}")
    try:
        path.write_bytes(b"x" * 4096)
    finally:
        path.unlink(missing_ok=True)


def _dimensions(data: bytes) -> tuple[int | None, int | None]:
    """Width and height from the header alone; nothing is decoded."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None, None
    return (width, height) if width * height <= MOST_PIXELS else (None, None)
