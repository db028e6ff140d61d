"""Copies of people's data that no key leads to: stored answers, files of imports and exports, earlier copies."""

import lzma
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from django.db import transaction
from django.db.models import Model, Q
from django.db.models.fields.files import FieldFile
from django.utils.translation import gettext as _

from crm.exchange.models import ExportJob, ImportJob, ImportRow, Job
from crm.foundation import clock
from crm.privacy.models import PrivacyRequest
from crm.privacy.person import Person
from crm.staff.models import StoredAnswer

CHUNK = 1 << 20
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp1252")
FINISHED = (Job.State.DONE, Job.State.FAILED, Job.State.CANCELLED)
GONE = {"erased": True}
# What a file that is damaged, locked or packed in an unknown way raises.
UNREADABLE = (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)


def empty_answer(row: StoredAnswer, person: Person) -> bool:
    """The same request again is still answered with the same status."""
    if row.body == GONE or not speaks_of(person, orjson.dumps(row.body).decode()):
        return False
    StoredAnswer.objects.filter(pk=row.pk).update(body=GONE)
    return True


def is_theirs(job: ImportJob, person: Person) -> bool:
    """Whether an import's file speaks of them; it may take a while to be read."""
    return bool(job.file) and (job.pk in person.imports or _file_speaks_of(person, job.file))


def delete_import(job: ImportJob, person: Person, is_known: bool | None = None) -> bool:
    """A file that `is_theirs` goes, and what is not committed of it is not imported any more; so do the reasons in its
    report that quote them.
    """
    is_going = is_theirs(job, person) if is_known is None else is_known
    is_cleaned = scrub(job, person, "headers", "file_name")
    quoting = Q()
    for word in person.marks:
        quoting |= Q(reason__contains=word)
    quoted = bool(quoting) and ImportRow.objects.filter(quoting, job=job).update(reason="")
    if is_going:
        _drop(job)
    return is_going or bool(quoted) or is_cleaned


def stop_imports(person: Person) -> None:
    """Imports with rows of theirs, at once: one that goes on would make them anew."""
    for job in ImportJob.objects.filter(pk__in=person.imports).exclude(file="", state__in=FINISHED).order_by("pk"):
        _drop(job)


def _drop(job: ImportJob) -> None:
    jobs = ImportJob.objects.filter(pk=job.pk)
    jobs.exclude(state__in=FINISHED).update(
        state=Job.State.CANCELLED, problem=_("Somebody in it was erased."), finished_at=clock.now(), lease_token="",
        lease_until=None,
    )  # fmt: skip
    jobs.update(file="")
    if job.file:
        _delete(job.file)


def delete_export(job: ExportJob, person: Person) -> bool:
    """A finished file that may hold them goes, whoever else is in it: it can be made anew. One that is being made is
    begun again.
    """
    is_cleaned = scrub(job, person, "selection")
    if job.state not in FINISHED:
        running = ExportJob.objects.filter(pk=job.pk, state=Job.State.RUNNING)
        return bool(running.update(state=Job.State.QUEUED, lease_token="", lease_until=None)) or is_cleaned
    if not job.file or job.created_at < person.known_since:
        return is_cleaned
    ExportJob.objects.filter(pk=job.pk).update(file="")
    _delete(job.file)
    return True


def delete_copies(rows: Iterable[PrivacyRequest]) -> None:
    """The files of earlier requests, and their links."""
    for row in rows:
        if row.file:
            _delete(row.file)
    PrivacyRequest.objects.filter(pk__in=[row.pk for row in rows]).update(file="", secret=None)


def scrub(row: Model, person: Person, *fields: str) -> bool:
    """Take addresses out of what staff sort people by: rules, selections, kept searches."""
    clean = {}
    for field in fields:
        value = getattr(row, field)
        without = person.without_addresses(value)
        if without != value:
            longest = getattr(row._meta.get_field(field), "max_length", None)
            clean[field] = without[:longest] if isinstance(without, str) else without
    if clean:
        type(row)._base_manager.filter(pk=row.pk).update(**clean)
    return bool(clean)


def speaks_of(person: Person, text: str) -> bool:
    """Whether a text holds one of their addresses, or their whole name."""
    return any(word in text for word in person.marks)


def _file_speaks_of(person: Person, file: FieldFile) -> bool:
    try:
        with file.open("rb") as stream:
            if zipfile.is_zipfile(stream):
                stream.seek(0)
                with zipfile.ZipFile(stream) as archive:
                    return any(_found(person, archive.open(name)) for name in archive.namelist())
            stream.seek(0)
            return _found(person, stream)
    except UNREADABLE:
        return True  # nobody can say: rather go


def _found(person: Person, stream: Any) -> bool:
    """Piece by piece, each with the end of the one before; letters large or small."""
    words = _encoded(person)
    longest = max(map(len, words), default=1)
    before = b""
    for piece in _pieces(stream):
        piece = before + piece.lower()
        if any(word in piece for word in words):
            return True
        before = piece[-longest:]
    return False


def _pieces(stream: Any) -> Iterator[bytes]:
    while piece := stream.read(CHUNK):
        yield piece


def _encoded(person: Person) -> set[bytes]:
    return {word.encode(how, "replace").lower() for word in person.marks for how in ENCODINGS}


def _delete(file: FieldFile) -> None:
    transaction.on_commit(lambda: file.delete(save=False))
