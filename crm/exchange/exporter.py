"""Contacts as a file, made in the background, behind a link that is its maker's alone and expires."""

import datetime as dt
import secrets
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

import openpyxl
from django.core.files.base import File
from django.db import transaction
from django.db.models import Prefetch
from django.http import Http404
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from crm.audit import log as audit
from crm.consent.models import Consent
from crm.contacts import masking, points
from crm.contacts.models import Contact, ContactPoint, CustomAttribute
from crm.exchange import cells, fields, jobs, selection
from crm.exchange.models import ExportJob
from crm.foundation import clock
from crm.foundation.streaming import Streamed
from crm.staff.models import User

PERMISSION = "crm.add_exportjob"
KEPT = dt.timedelta(days=7)
AT_ONCE = 1000
SHEET_ROWS = 1_048_575  # below the headers
FURTHER = ("id", "phones", "emails", "owner", "restricted_at", "last_inbound_at", "created_at")
OPEN_MAX = 10
PIECE = 256 * 1024
State = ExportJob.State

type Value = Callable[[Any, User], str]


def columns() -> list[str]:
    """Every column there is, named as the API and the import name it."""
    customs = [f"{fields.ATTRIBUTE}{one.key}" for one in CustomAttribute.objects.all()]
    return ["id", *fields.OWN, *customs, f"{fields.CONSENT}marketing", *FURTHER[1:]]


@transaction.atomic
def start(chosen: dict[str, Any], *, by: User, format: str = "csv", wanted: Sequence[str] = ()) -> ExportJob:
    """Have a file made of these contacts (as `selection` describes them) with these columns, or all. Raises NoLonger,
    NoSelection.
    """
    known = columns()
    if ExportJob.objects.filter(created_by=by, state__in=jobs.OPEN).count() >= OPEN_MAX:
        raise jobs.NoLonger(_("You are having many files made already. Wait for one of them."))
    selection.contacts(chosen, by)
    job = ExportJob.objects.create(
        format=ExportJob.Format(format),
        selection=chosen,
        columns=[name for name in known if name in wanted] or known,
        created_by=by,
        state=State.QUEUED,
        secret=secrets.token_urlsafe(32),
        expires_at=clock.now() + KEPT,
    )
    audit.record("exported", job, by=by, changes={"columns": [None, job.columns], "selection": [None, chosen]})
    LINE.ring()
    return job


def found(secret: str, user: User) -> ExportJob:
    """The finished file behind a link, for its maker, in time; raises Http404 for everybody else."""
    rows = ExportJob.objects.filter(created_by=user, state=State.DONE, expires_at__gt=clock.now()).exclude(file="")
    job = rows.filter(secret=secret).first()
    if job is None or not user.has_perm(PERMISSION):
        raise Http404
    return job


def download(job: ExportJob, user: User) -> Streamed:
    """The bytes, and that they were taken; raises Http404 if they are gone."""
    try:
        size = job.file.size
    except (OSError, ValueError) as error:
        raise Http404 from error
    jobs.hand_out(job, by=user, what=f"{job.total or 0} contacts, {job.format}")
    name = f"contacts-{job.created_at:%Y-%m-%d}-{job.pk}.{job.format}"
    response = Streamed(_pieces(job), content_type="application/octet-stream")
    response["Content-Length"] = str(size)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


def _pieces(job: ExportJob) -> Iterator[bytes]:
    with job.file.open("rb") as file:
        yield from file.chunks(PIECE)


def expire() -> int:
    """Delete files whose links are over; how many."""
    over = list(ExportJob.objects.filter(expires_at__lte=clock.now()).exclude(file="")[:20])
    for job in over:
        job.file.delete(save=False)
        ExportJob.objects.filter(pk=job.pk).update(file="")
    return len(over)


def drain() -> bool:
    """Make files; those whose time is over go."""
    return LINE.drain() or expire() > 0


def steps(job: ExportJob) -> Iterator[None]:
    """What the drain does. A file is made from its beginning whenever it is begun."""
    by = jobs.maker_of(job, PERMISSION)
    chosen = selection.contacts(job.selection, by)
    jobs.advance(job, done=0, total=chosen.count())
    if job.format == ExportJob.Format.XLSX and (job.total or 0) > SHEET_ROWS:
        raise jobs.NoLonger(_("These are more contacts than a sheet can hold. Choose CSV."))
    with tempfile.TemporaryFile() as file:
        out = Sheet(file) if job.format == ExportJob.Format.XLSX else CSV(file)
        out.row(job.columns)
        last = 0
        while rows := list(_shown(chosen.filter(pk__gt=last), job.columns)[:AT_ONCE]):
            for contact in rows:
                out.row([_value(name, contact, by) for name in job.columns])
            last = rows[-1].pk
            jobs.advance(job, done=job.done + len(rows))
            yield
        out.close()
        file.seek(0)
        _keep(job, file)


def _keep(job: ExportJob, file: IO[bytes]) -> None:
    job.file.save(f"{uuid.uuid4().hex}.{job.format}", File(file), save=False)
    try:
        jobs.done(job, file=job.file.name)
    except BaseException:
        job.file.delete(save=False)
        raise


class CSV:
    """CSV in UTF-8 with a mark, every cell quoted."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        file.write(b"\xef\xbb\xbf")

    def row(self, values: Sequence[str]) -> None:
        """One more."""
        quoted = ",".join(f'"{cells.safe(value).replace('"', '""')}"' for value in values)
        self.file.write(f"{quoted}\r\n".encode("utf-8", "replace"))

    def close(self) -> None:
        """Nothing is missing."""


class Sheet:
    """XLSX; every cell is a text."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.book = file, openpyxl.Workbook(write_only=True)
        self.sheet = self.book.create_sheet("contacts")

    def row(self, values: Sequence[str]) -> None:
        """One more."""
        self.sheet.append([cells.safe(value) for value in values])

    def close(self) -> None:
        """Write the book."""
        self.book.save(self.file)


def _shown(contacts: Any, names: Sequence[str]) -> Any:
    present = ContactPoint.objects.filter(until=None).order_by("kind", "-is_primary", "pk")
    rows = contacts.select_related("stage", "owner").defer("search_text")
    if {"email", "phones", "emails"} & set(names):
        rows = rows.prefetch_related(Prefetch("points", present, to_attr="current_points"))
    if "tags" in names:
        rows = rows.prefetch_related("tags")
    if f"{fields.CONSENT}marketing" in names:
        said = Consent.objects.filter(purpose="marketing", channel="whatsapp")
        rows = rows.prefetch_related(Prefetch("consents", said, to_attr="marketing"))
    return rows


def _value(name: str, contact: Contact, user: User) -> str:
    if name.startswith(fields.ATTRIBUTE):
        value = contact.attributes.get(name.removeprefix(fields.ATTRIBUTE))
        return {True: "yes", False: "no"}[value] if isinstance(value, bool) else "" if value is None else str(value)
    reader = _VALUES.get(name)
    return reader(contact, user) if reader else str(getattr(contact, name) or "")


def _points(kind: str, *, primary: bool = False) -> Value:
    def value(contact: Any, user: User) -> str:
        mine = [one for one in contact.current_points if one.kind == kind and (one.is_primary or not primary)]
        return ", ".join(masking.point(kind, one.value, user) for one in mine)

    return value


def _time(name: str) -> Value:
    return lambda contact, user: at.isoformat(timespec="seconds") if (at := getattr(contact, name)) else ""


_VALUES: dict[str, Value] = {
    "id": lambda contact, user: str(contact.pk),
    "name": lambda contact, user: masking.name(contact.name, user),
    "phone": lambda contact, user: masking.phone(contact.phone, user),
    "email": _points(points.EMAIL, primary=True),
    "phones": _points(points.PHONE),
    "emails": _points(points.EMAIL),
    "stage": lambda contact, user: contact.stage.name if contact.stage else "",
    "owner": lambda contact, user: contact.owner.email if contact.owner else "",
    "tags": lambda contact, user: ", ".join(sorted(tag.name for tag in contact.tags.all())),
    f"{fields.CONSENT}marketing": lambda contact, user: contact.marketing[0].state if contact.marketing else "",
    "restricted_at": _time("restricted_at"),
    "last_inbound_at": _time("last_inbound_at"),
    "created_at": _time("created_at"),
}

LINE = jobs.Line("exports", ExportJob, steps)
