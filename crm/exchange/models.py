"""Files of contacts that come in or go out, and changes to many contacts: jobs that run in the background."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.contacts.models import Contact
from crm.foundation import clock


class Job(models.Model):
    """Work on many contacts, done in steps by a drain: what was asked, how far it is, and whose turn it is."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(_("made"), default=clock.now, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    total = models.PositiveIntegerField(null=True, blank=True)  # rows, as far as known
    done = models.PositiveIntegerField(default=0)  # rows worked through: where the next step begins
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=32, blank=True, default="")
    problem = models.CharField(_("problem"), max_length=300, blank=True, default="")

    class Meta:
        abstract = True


class ImportJob(Job):
    """A file of contacts: uploaded, mapped, tried (dry run), committed, perhaps undone."""

    class Step(models.TextChoices):
        MAP = "map", _("Mapping")
        CHECK = "check", _("Dry run")
        COMMIT = "commit", _("Import")
        UNDO = "undo", _("Undo")

    step = models.CharField(_("step"), max_length=10, choices=Step, default=Step.MAP)
    file = models.FileField(upload_to="imports/", max_length=200)
    file_name = models.CharField(_("file"), max_length=200)
    headers = models.JSONField(default=list)
    mapping = models.JSONField(default=dict)  # {column number as text: field of `importer.FIELDS` or attributes.<key>}
    options = models.JSONField(default=dict)  # delimiter, encoding, sheet, country, tags, consent source and date …
    counts = models.JSONField(default=dict)  # {"new": n, "update": n, "same": n, "duplicate": n, "error": n}

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class ImportRow(models.Model):
    """What became of one row of a file; of a committed one also what was there before, to take it back."""

    class Outcome(models.TextChoices):
        NEW = "new", _("New")
        UPDATE = "update", _("Updated")
        SAME = "same", _("Unchanged")
        DUPLICATE = "duplicate", _("Duplicate in the file")
        ERROR = "error", _("Error")

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="rows", db_index=False)
    number = models.PositiveIntegerField()  # in the file, the first row of data is 2
    outcome = models.CharField(max_length=10, choices=Outcome)
    contact = models.ForeignKey(Contact, on_delete=models.SET_NULL, null=True, related_name="import_rows")
    reason = models.CharField(max_length=300, blank=True, default="")
    before = models.JSONField(null=True)
    is_committed = models.BooleanField(default=False)
    is_undone = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("imported row")
        verbose_name_plural = _("imported rows")
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "number"], name="importrow_once")]
        indexes: ClassVar = [models.Index(fields=["job", "outcome", "number"], name="importrow_report")]

    def __str__(self) -> str:
        return f"row {self.number} of import {self.job_id}"


class ImportMapping(models.Model):
    """How the columns of files with these headers were mapped the last time."""

    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the folded headers
    mapping = models.JSONField()
    options = models.JSONField(default=dict)
    used_at = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return f"mapping {self.digest[:8]}"


class ExportJob(Job):
    """Contacts as a file, behind a link that is its maker's alone and expires."""

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        XLSX = "xlsx", "XLSX"

    format = models.CharField(_("format"), max_length=10, choices=Format, default=Format.CSV)
    selection = models.JSONField(default=dict)  # {"query": {…the list's parameters…}} or {"ids": […]}
    columns = models.JSONField(default=list)
    file = models.FileField(upload_to="exports/", max_length=200, blank=True)
    secret = models.CharField(max_length=64, unique=True)  # of the link: 256 bits, URL-safe
    expires_at = models.DateTimeField(_("expires"))

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class BulkJob(Job):
    """One change to every contact of a selection."""

    class Action(models.TextChoices):
        ADD_TAG = "add_tag", _("Add a tag")
        REMOVE_TAG = "remove_tag", _("Remove a tag")
        SET_STAGE = "set_stage", _("Set the lifecycle stage")
        SET_OWNER = "set_owner", _("Set the owner")

    action = models.CharField(_("action"), max_length=20, choices=Action)
    selection = models.JSONField(default=dict)
    value = models.JSONField(default=dict)  # {"tag": pk, "reason": …} …
    changed = models.PositiveIntegerField(default=0)
    last_pk = models.BigIntegerField(default=0)  # worked through in the order of keys, up to here

    class Meta:
        verbose_name = _("bulk change")
        verbose_name_plural = _("bulk changes")

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
