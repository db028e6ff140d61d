"""Importing contacts: a file comes in, is mapped, tried, taken over and perhaps taken back, in the background."""

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from crm.audit import log as audit
from crm.contacts import files
from crm.contacts.models import Tag
from crm.exchange import fields, jobs, matching, tables, undoing, writing
from crm.exchange.given import Given, Reader
from crm.exchange.models import ImportJob, ImportMapping, ImportRow
from crm.foundation import clock
from crm.foundation.text import clean_text
from crm.staff.models import User

log = structlog.get_logger(__name__)

PERMISSION = "crm.add_importjob"
OPEN_MAX = 20  # of one person, not yet taken over
TRIES = 3
Step, State = ImportJob.Step, ImportJob.State


def upload(file: "File[Any]", *, by: User) -> ImportJob:
    """Keep a file and look at it: encoding, separator, headers, and which column is what, as far as one can tell.
    Raises FileProblem, TooBig, NotKept.
    """
    if (file.size or 0) > settings.UPLOAD_MAX_BYTES:
        sentence = _("The file is too big: at most %(limit)s MB. Make it smaller.")
        raise files.TooBig(sentence % {"limit": settings.UPLOAD_MAX_BYTES // 1024**2})
    if ImportJob.objects.filter(created_by=by, state=State.DRAFT).count() >= OPEN_MAX:
        raise jobs.NoLonger(_("You have too many files that are only begun. Finish or cancel some of them first."))
    job = ImportJob(file_name=files.name_of(file.name or ""), created_by=by)
    try:
        job.file.save(uuid.uuid4().hex, file, save=False)
    except OSError as error:
        log.error("an import could not be written", error=type(error).__name__, errno=error.errno)
        raise files.NotKept(_("The file could not be kept: there is no room. Tell a manager.")) from error
    try:
        layout = tables.look(Path(job.file.path))
        job.options = fields.checked_options({}, vars(layout))
        _read_headers(job)
        with transaction.atomic():
            job.save()
            audit.record("file_added", job, by=by, changes={"file": [None, job.file_name]})
    except BaseException:
        job.file.delete(save=False)
        raise
    return job


def configure(job: ImportJob, *, mapping: Any = None, options: Any = None) -> ImportJob:
    """Say which column is what and how the file is to be read; forgets a dry run. Raises BadMapping, FileProblem,
    NoLonger.
    """
    row = _locked(job, Step.MAP, Step.CHECK)
    wanted = fields.checked_options(options or {}, row.options)
    is_read_anew = any(wanted[name] != row.options.get(name) for name in ("encoding", "delimiter", "sheet"))
    row.options = wanted
    if is_read_anew:
        _read_headers(row)
    if mapping is not None and not (is_read_anew and _names_none(mapping, row)):
        row.mapping = fields.checked_mapping(mapping, row.headers)
    row.step, row.state, row.counts, row.done, row.total = Step.MAP, State.DRAFT, {}, 0, None
    row.finished_at, row.problem = None, ""
    return _saved(row, job)


def start_check(job: ImportJob) -> ImportJob:
    """Try it: every row is read and compared, nothing is written. Raises BadMapping, NoLonger."""
    row = _locked(job, Step.MAP, Step.CHECK)
    row.mapping = fields.checked_mapping(row.mapping, row.headers)
    row.options = fields.checked_options({}, row.options, row.mapping)
    ImportMapping.objects.update_or_create(
        digest=fields.digest_of(row.headers),
        defaults={"mapping": row.mapping, "options": row.options, "used_at": clock.now()},
    )
    return _queued(row, job, Step.CHECK)


@transaction.atomic
def start_commit(job: ImportJob, *, by: User) -> ImportJob:
    """Take it over, as it was tried. Raises NoLonger."""
    row = _locked(job, Step.CHECK)
    if row.state != State.DONE:
        raise _not_now()
    audit.record("import_started", row, by=by, changes={"rows": [None, row.total]})
    return _queued(row, job, Step.COMMIT)


@transaction.atomic
def start_undo(job: ImportJob, *, by: User) -> ImportJob:
    """Take back what it has written, where nobody has changed it since. Raises NoLonger."""
    row = _locked(job, Step.COMMIT)
    if not row.rows.filter(is_committed=True, is_undone=False).exists():
        raise _not_now()
    audit.record("import_undone", row, by=by)
    return _queued(row, job, Step.UNDO)


@transaction.atomic
def go_on(job: ImportJob, *, by: User) -> ImportJob:
    """A failed or cancelled step once more, from where it stopped. Raises NoLonger."""
    row = _locked(job, Step.CHECK, Step.COMMIT, Step.UNDO)
    if row.state not in (State.FAILED, State.CANCELLED):
        raise _not_now()
    row.state, row.problem, row.finished_at = State.QUEUED, "", None
    audit.record("import_resumed", row, by=by, changes={"done": [None, row.done]})
    LINE.ring()
    return _saved(row, job)


def path_of(job: ImportJob) -> Path:
    """Where its file is; raises FileProblem once it has been deleted."""
    path = Path(job.file.path) if job.file else None
    if path is None or not path.is_file():
        raise tables.FileProblem(_("The file has been deleted: its time is over."))
    return path


def steps(job: ImportJob) -> Iterator[None]:
    """What the drain does, piece by piece."""
    by = jobs.maker_of(job, PERMISSION)
    yield from {Step.CHECK: _check, Step.COMMIT: _commit, Step.UNDO: undoing.undo}[Step(job.step)](job, by)


def _check(job: ImportJob, by: User) -> Iterator[None]:
    while not job.done and (old := list(job.rows.order_by("number").values_list("pk", flat=True)[: jobs.at_once()])):
        with transaction.atomic():
            ImportRow.objects.filter(pk__in=old).delete()
            jobs.advance(job)
        yield
    counts, tags = dict(job.counts), _tag_names(job)
    for chunk in _chunks(job):
        if not chunk:
            jobs.advance(job)
            yield
            continue
        decided = matching.decide(chunk, job, tags=tags)
        counts = _counted(counts, decided)
        with transaction.atomic():
            writing.note(decided, job)
            jobs.advance(job, done=chunk[-1].number, counts=counts)
        yield
    jobs.done(job, total=max(job.done, 1))


def _commit(job: ImportJob, by: User) -> Iterator[None]:
    tags, own = {tag.name.casefold(): tag for tag in Tag.objects.all()}, _tag_names(job)
    counts = dict(job.counts)
    for chunk in _chunks(job):
        if not chunk:
            jobs.advance(job)
            yield
            continue
        for attempt in range(1, TRIES + 1):
            try:
                with transaction.atomic():
                    decided = matching.decide(chunk, job, tags=own, locked=True)
                    writing.write(decided, job, by, tags)
                    counted = _counted(counts, decided)
                    jobs.advance(job, done=chunk[-1].number, counts=counted)
            except IntegrityError:  # somebody made the same contact or tag at this moment
                tags = {tag.name.casefold(): tag for tag in Tag.objects.all()}
                if attempt == TRIES:
                    raise
            else:
                counts = counted
                break
        yield
    jobs.done(job)


def _chunks(job: ImportJob) -> Iterator[list[Given]]:
    reader = Reader(path_of(job), job.mapping, job.options)
    return reader.chunks(jobs.at_once(), after=max(job.done, 1))


def _counted(counts: Mapping[str, int], decided: list[matching.Decision]) -> dict[str, int]:
    found = {str(outcome): counts.get(outcome, 0) for outcome in ImportRow.Outcome.values}
    for one in decided:
        found[str(one.outcome)] += 1
    return found


def _tag_names(job: ImportJob) -> list[str]:
    return list(Tag.objects.filter(pk__in=job.options.get("tags", [])).values_list("name", flat=True))


def _read_headers(job: ImportJob) -> None:
    """Headers, and what files with these were mapped to the last time; else a guess."""
    job.headers, _rows = tables.head_of(path_of(job), job.options, rows=0)
    job.headers = [clean_text(header, 100) for header in job.headers]
    remembered = ImportMapping.objects.filter(digest=fields.digest_of(job.headers)).first()
    job.mapping = fields.guess(job.headers)
    if remembered is None:
        return
    known = fields.labels()
    job.mapping = {key: name for key, name in remembered.mapping.items() if name in known}
    kept = {name: remembered.options.get(name) for name in ("existing", "dates", "country")}
    job.options = fields.checked_options(kept, job.options)


def _names_none(mapping: Any, job: ImportJob) -> bool:
    """Whether what was chosen for the columns was for the ones as they were read before."""
    return isinstance(mapping, Mapping) and any(not fields.is_column(str(key), job.headers) for key in mapping)


def _locked(job: ImportJob, *allowed: str) -> ImportJob:
    row = ImportJob.objects.get(pk=job.pk)
    if row.step not in allowed or row.state in jobs.OPEN or (row.step == Step.MAP and row.state != State.DRAFT):
        raise _not_now()
    return row


def _queued(row: ImportJob, job: ImportJob, step: str) -> ImportJob:
    row.step, row.state, row.done, row.problem, row.finished_at = step, State.QUEUED, 0, "", None
    if step != Step.UNDO:
        row.counts = {}
    LINE.ring()
    return _saved(row, job)


def _saved(row: ImportJob, job: ImportJob) -> ImportJob:
    """Write it unless somebody else moved it on meanwhile; raises NoLonger."""
    row.lease_token, row.lease_until = "", None
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name != "id"}
    stood = ImportJob.objects.filter(pk=row.pk, step=job.step, state=job.state)
    if not stood.update(**values):
        raise _not_now()
    return row


def _not_now() -> jobs.NoLonger:
    return jobs.NoLonger(_("This import is not at that step (any more). Look at it again."))


LINE = jobs.Line("imports", ImportJob, steps, alone=Q(step__in=(Step.COMMIT, Step.UNDO)))
