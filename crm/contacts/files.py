"""Files about a contact: checked, kept under a name nobody can guess, handed out to who sees the contact."""

import hashlib
import uuid
from collections.abc import Iterable
from typing import Any

import filetype
import structlog
from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.http import Http404, HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from crm.audit import log as audit
from crm.contacts.models import Contact, ContactFile
from crm.contacts.profile import contact_changed
from crm.foundation.errors import Refusal
from crm.foundation.text import clean_text
from crm.staff.models import User

log = structlog.get_logger(__name__)

MOST = 200  # files of one contact
NAME_MAX = 200
SNIFF_BYTES = 8192
# What WhatsApp's media may be, which is what offices exchange; never what a browser or a computer would run.
TYPES = frozenset({
    "image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "video/3gpp",
    "audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg",
    "text/plain", "text/csv", "application/pdf", "application/zip",
    "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
})  # fmt: skip
# How sniffers call what stands in TYPES under another name.
_SAME = {
    "audio/x-aac": "audio/aac", "audio/m4a": "audio/mp4", "audio/x-m4a": "audio/mp4", "application/ogg": "audio/ogg",
    "video/3gp": "video/3gpp",
}  # fmt: skip
# Containers do not show what they hold: there the sender's word counts.
_CONTAINERS = frozenset({"application/zip", "application/x-ole-storage", "application/msword"})
_HELD = frozenset(kind for kind in TYPES if kind.startswith("application/") and kind != "application/pdf")
_TEXTS = frozenset({"text/plain", "text/csv"})


class BadFile(Refusal):
    """A file that is not kept."""

    code = "media_type"
    http_status = 422

    @classmethod
    def none_chosen(cls) -> "BadFile":
        """A form without a file."""
        return cls(_("Choose a file first."))


class TooBig(Refusal):
    """More bytes than a file may have, or more files than a contact."""

    code = "too_big"
    http_status = 413


class NotKept(Refusal):
    """The disk does not take it now."""

    code = "unavailable"
    http_status = 503


def add(contact: Contact, upload: "File[Any]", *, by: User, claimed: str = "") -> ContactFile:
    """Keep a file about a contact; `claimed`: what the sender calls its type. Raises BadFile, TooBig, NotKept."""
    size = upload.size or 0
    if size > settings.UPLOAD_MAX_BYTES:
        sentence = _("The file is too big: at most %(limit)s MB. Make it smaller.")
        raise TooBig(sentence % {"limit": settings.UPLOAD_MAX_BYTES // 1024**2})
    if size == 0:
        raise BadFile(_("The file is empty. Choose another one."))
    if contact.files.count() >= MOST:
        raise TooBig(_("This contact has %(most)d files already. Delete one that nobody needs.") % {"most": MOST})
    row = ContactFile(contact=contact, name=name_of(upload.name or ""), mime_type=_type(upload, claimed), size=size)
    digest = hashlib.sha256()
    for chunk in upload.chunks():
        digest.update(chunk)
    row.sha256, row.added_by = digest.hexdigest(), by
    try:
        row.file.save(uuid.uuid4().hex, upload, save=False)
    except OSError as error:
        log.error("a contact's file could not be written", error=type(error).__name__, errno=error.errno)
        raise NotKept(_("The file could not be kept: there is no room. Tell a manager.")) from error
    try:
        _store(row, by)
    except BaseException:
        row.file.delete(save=False)
        raise
    return row


def delete(row: ContactFile, *, by: User) -> None:
    """The row now, its bytes once that is certain. That it was there stays in the audit log."""
    with transaction.atomic():
        audit.record("file_deleted", row.contact, by=by, changes={"file": [row.name, None]})
        delete_bytes([row])
        row.delete()
        contact_changed.send(Contact, contact=row.contact)


def delete_bytes(rows: Iterable[ContactFile]) -> None:
    """The bytes of rows that are about to go, after commit."""
    for stored in [row.file for row in rows]:
        transaction.on_commit(lambda file=stored: file.delete(save=False))  # type: ignore[misc]


def download(row: ContactFile) -> HttpResponse:
    """The bytes, always as a file to keep: nothing of it runs in our origin. Raises Http404 if they are gone."""
    try:
        with row.file.open("rb") as file:
            response = HttpResponse(file.read(), content_type="application/octet-stream")
    except (OSError, ValueError) as error:
        raise Http404 from error
    response["Content-Disposition"] = content_disposition_header(True, row.name) or "attachment"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def name_of(text: str) -> str:
    """A file's name as lists show it: no folders, nothing invisible."""
    bare = clean_text(text).replace("\\", "/").rpartition("/")[2]
    bare = "".join(char for char in bare if char.isprintable()).strip()
    return bare[-NAME_MAX:] or _("file")


def _store(row: ContactFile, by: User) -> None:
    with transaction.atomic():
        row.save()
        audit.record("file_added", row.contact, by=by, changes={"file": [None, row.name]})
        contact_changed.send(Contact, contact=row.contact)


def _type(upload: "File[Any]", claimed: str) -> str:
    """What the bytes say it is; of text, which says nothing, what the sender says. Raises BadFile."""
    head = upload.read(SNIFF_BYTES)
    upload.seek(0)
    guess = filetype.guess_mime(head) or ""
    claimed = claimed.partition(";")[0].strip().lower()
    if guess in _CONTAINERS and claimed in _HELD:
        return claimed
    found = _SAME.get(guess, guess)
    if not guess and _is_text(head):
        found = claimed if claimed in _TEXTS else "text/plain"
    if found not in TYPES:
        sentence = _("Files of this type are not kept. Choose a picture, a sound, a film, a PDF or an office document.")
        raise BadFile(sentence)
    return found


def _is_text(head: bytes) -> bool:
    """Readable, and not a page or a script that a browser or a shell would run."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"\x00" in head or start.startswith((b"<", b"#!")):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # cut within a letter
    return True
