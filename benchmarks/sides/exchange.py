"""An import in the product: a file is made, tried, taken over (killed on the way, if asked), compared, taken back."""

import benchmarks.sides.django  # noqa: F401, I001 (first: the models need it)
import hashlib
import os
import resource
import signal
import time
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.db import connection

from benchmarks.processes import obey
from crm.exchange import exporter, importer, selection
from crm.exchange.models import ExportJob, ImportJob
from crm.staff.models import Role, User

# What an import leaves behind, without keys and times.
STATE = (
    "SELECT name, phone, company, language, attributes::text, version, search_text FROM crm_contact ORDER BY 2, 1",
    "SELECT c.phone, p.kind, p.value, p.is_primary FROM crm_contactpoint p JOIN crm_contact c ON c.id = p.contact_id"
    " ORDER BY 1, 2, 3",
    "SELECT c.phone, t.name FROM crm_contacttag l JOIN crm_contact c ON c.id = l.contact_id"
    " JOIN crm_tag t ON t.id = l.tag_id ORDER BY 1, 2",
    "SELECT c.phone, s.channel, s.purpose, s.state, s.since, e.source, e.evidence - 'import' FROM crm_consent s"
    " JOIN crm_contact c ON c.id = s.contact_id JOIN crm_consentevent e ON e.id = s.event_id ORDER BY 1, 2, 3",
    "SELECT c.phone, e.purpose, e.state, e.at, e.source, e.evidence - 'import' FROM crm_consentevent e"
    " JOIN crm_contact c ON c.id = e.contact_id ORDER BY 1, 2, 3, 4",
    "SELECT channel, purpose, reason, digest FROM crm_suppression ORDER BY 1, 2, 4",
    "SELECT number, outcome, is_committed FROM crm_importrow ORDER BY 1",
)


def upload(rows: int, company: str) -> dict[str, Any]:
    """A file of that many people with a consent each, of companies called so; one in a hundred is there twice, one in a
    hundred has no number. And who brings it.
    """
    user, _is_new = User.objects.get_or_create(
        email="manager@bench.test", defaults={"name": "Manager", "role": Role.MANAGER}
    )
    path = settings.DATA_DIR / "people.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("name;phone;email;company;language;tags;marketing\n")
        for number in range(rows):
            phone = "no number" if number % 100 == 1 else f"+346{number - (number % 100 == 3):08}"
            file.write(
                f"Person Número {number};{phone};p{number}@example.test;{company} {number % 500};es;a;"
                f"{'no' if number % 10 == 0 else 'yes'}\n"
            )
    with path.open("rb") as file:
        job = importer.upload(File(file, "people.csv"), by=user)
    told = {"consent_source": "fair", "consent_at": "2026-01-02"}
    importer.configure(job, mapping=job.mapping, options=told)
    return {"job": job.pk, "bytes": path.stat().st_size}


def check(job: int) -> dict[str, Any]:
    """The dry run."""
    importer.start_check(ImportJob.objects.get(pk=job))
    return _worked(job)


def commit(job: int, die_after: int = 0) -> dict[str, Any]:
    """Take it over; `die_after`: the process is killed as soon as that many rows are in."""
    found = ImportJob.objects.get(pk=job)
    if found.step == "commit":  # the lease of who died is over
        ImportJob.objects.filter(pk=job).update(lease_until=None)
    else:
        importer.start_commit(found, by=found.created_by)
    return _worked(job, die_after)


def undo(job: int) -> dict[str, Any]:
    """Take it back."""
    found = ImportJob.objects.get(pk=job)
    importer.start_undo(found, by=found.created_by)
    return _worked(job)


def export(format: str) -> dict[str, Any]:
    """Everybody, every column."""
    user = User.objects.get(email="manager@bench.test")
    job = exporter.start(selection.of_list({}), by=user, format=format)
    begun = time.perf_counter()
    while exporter.LINE.drain():
        pass
    job = ExportJob.objects.get(pk=job.pk)
    return {"seconds": time.perf_counter() - begun, "state": job.state, "problem": job.problem, "peak_mb": _peak()}


def state() -> str:
    """A hash of everything an import leaves, asked of the database and not of the product."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        for statement in STATE:
            cursor.execute(statement)
            for row in cursor:
                digest.update(repr(row).encode())
    return digest.hexdigest()


def left() -> int:
    """Contacts there are, with whatever hangs on one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM crm_contact) + (SELECT count(*) FROM crm_contactpoint)"
            " + (SELECT count(*) FROM crm_contacttag) + (SELECT count(*) FROM crm_consentevent)"
            " + (SELECT count(*) FROM crm_consent)"
        )
        return int(cursor.fetchone()[0])


def _worked(job: int, die_after: int = 0) -> dict[str, Any]:
    begun = time.perf_counter()
    line = importer.LINE
    while line._running is not None or line._begin():
        if not die_after:
            line.drain()
            continue
        for _step in line._running or ():
            if line._job is not None and line._job.done >= die_after:
                os.kill(os.getpid(), signal.SIGKILL)
    found = ImportJob.objects.get(pk=job)
    return {
        "seconds": time.perf_counter() - begun, "state": found.state, "problem": found.problem,
        "counts": found.counts, "peak_mb": _peak(),
    }  # fmt: skip


def _peak() -> int:
    """Megabytes this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


obey({"upload": upload, "check": check, "commit": commit, "undo": undo, "export": export, "state": state, "left": left})
