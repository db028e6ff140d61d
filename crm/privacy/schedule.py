"""How long this app's tables are kept."""

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_noop

from crm.contacts.models import Contact
from crm.exchange import jobs
from crm.exchange.models import ExportJob, ImportJob, ImportRow
from crm.foundation import clock
from crm.foundation.errors import Refusal
from crm.privacy import requests
from crm.privacy.copies_elsewhere import FINISHED, delete_copies
from crm.privacy.models import AccessLogEntry, PrivacyRequest
from crm.privacy.retention import Rule, register

IMPORT_FILES_KEPT = dt.timedelta(days=30)
REPORTS_KEPT = dt.timedelta(days=365)
ACCESSES_KEPT = dt.timedelta(days=365)


class ImportFiles(Rule):
    """The bytes go, the report stays."""

    def take(self, rows: QuerySet[Any]) -> None:
        """The report is made of rows, not of the file."""
        for job in rows:
            transaction.on_commit(lambda gone=job.file: gone.delete(save=False))  # type: ignore[misc]
        rows.update(file="")


class Copies(Rule):
    """The file and its link go, the register stays."""

    def take(self, rows: QuerySet[Any]) -> None:
        """After commit."""
        delete_copies(list(rows))


class Silent(Rule):
    """People not heard of for long are erased, each as if they had asked."""

    def take(self, rows: QuerySet[Any]) -> None:
        """The background does it; a hold set at this moment wins."""
        for contact in rows:
            row = requests.record(
                contact, PrivacyRequest.Kind.ERASURE, by=None, verified_by="retention", reason="not heard of for long"
            )
            try:
                requests.start(row, by=None)
            except Refusal:
                row.delete()


def _silent() -> QuerySet[Contact]:
    asked = PrivacyRequest.objects.filter(kind=PrivacyRequest.Kind.ERASURE, state__in=requests.OPEN)
    rows = Contact.objects.annotate(heard_at=Coalesce("last_inbound_at", "created_at"))
    return rows.exclude(pk__in=asked.exclude(contact=None).values("contact_id"))


def _resting_imports() -> QuerySet[ImportJob]:
    """Those that nobody works on, also ones that were only begun."""
    rows = ImportJob.objects.exclude(state__in=jobs.OPEN)
    return rows.annotate(rests_since=Coalesce("finished_at", "created_at"))


RULES = (
    ImportFiles(
        gettext_noop("import files"),
        lambda: _resting_imports().exclude(file=""),
        "rests_since",
        IMPORT_FILES_KEPT,
        clock.now,
    ),
    Rule(
        gettext_noop("reports of imports"),
        ImportRow.objects.all,
        "job__created_at",
        REPORTS_KEPT,
        clock.now,
        in_order=True,
        contact="contact",
    ),
    Rule(
        gettext_noop("records of imports"),
        lambda: _resting_imports().filter(file="", rows=None),
        "rests_since",
        REPORTS_KEPT,
        clock.now,
    ),
    Rule(
        gettext_noop("records of exports"),
        lambda: ExportJob.objects.filter(state__in=FINISHED, file=""),
        "created_at",
        REPORTS_KEPT,
        clock.now,
        in_order=True,
    ),
    Copies(
        gettext_noop("copies of data"),
        lambda: PrivacyRequest.objects.exclude(file=""),
        "expires_at",
        dt.timedelta(),
        clock.now,
        contact="contact",
    ),
    Rule(
        gettext_noop("access log"),
        AccessLogEntry.objects.all,
        "at",
        ACCESSES_KEPT,
        clock.now,
        in_order=True,
        contact="contact",
    ),
    Silent(gettext_noop("silent contacts"), _silent, "heard_at", None, clock.now, contact="pk"),
)


def add() -> None:
    """Tell the schedule."""
    register(*RULES)
