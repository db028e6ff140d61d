"""Requests of people about their data, holds, who looked, and what was erased."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.contacts.models import Contact
from crm.foundation import clock


class PrivacyRequest(models.Model):
    """A person asked for their data or its end: the register with its clock of one month (GDPR article 12(3))."""

    class Kind(models.TextChoices):
        ACCESS = "access", _("Copy of the data")
        ERASURE = "erasure", _("Erasure")
        RESTRICTION = "restriction", _("Restriction")
        OBJECTION = "objection", _("Objection to marketing")
        RECTIFICATION = "rectification", _("Correction")

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")

    kind = models.CharField(_("kind"), max_length=15, choices=Kind)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    contact = models.ForeignKey(Contact, on_delete=models.SET_NULL, null=True, related_name="privacy_requests")
    subject = models.CharField(_("person"), max_length=64, editable=False)  # keyed pseudonym: stays after erasure
    verified_by = models.CharField(_("identity checked by"), max_length=200)  # "wrote from the number", "passport" …
    reason = models.CharField(_("reason"), max_length=500, blank=True, default="")
    asked_at = models.DateTimeField(_("asked"), default=clock.now)
    due_at = models.DateTimeField(_("due"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    result = models.JSONField(_("result"), default=dict)  # certificate: what was found, deleted, kept and why
    file = models.FileField(upload_to="privacy/", max_length=200, blank=True)
    secret = models.CharField(max_length=64, null=True, blank=True, unique=True)  # of the download link
    expires_at = models.DateTimeField(null=True, blank=True)
    # Whom it is about, sealed, while the erasure runs: their rows say it no longer.
    sealed = models.BinaryField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    lease_token = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)

    class Meta:
        verbose_name = _("privacy request")
        verbose_name_plural = _("privacy requests")
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(state__in=["open", "running"]), name="privacyrequest_due"),
            models.Index(fields=["id"], condition=Q(state="running"), name="privacyrequest_running"),  # its drain
            models.Index(fields=["subject"], name="privacyrequest_subject"),  # those of a person who is gone
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class LegalHold(models.Model):
    """A reason why a person's data must stay for now: erasure and retention pass it by."""

    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="holds")
    reason = models.CharField(_("reason"), max_length=300)
    until = models.DateField(_("until"), null=True, blank=True)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    set_at = models.DateTimeField(_("since"), default=clock.now, editable=False)
    lifted_at = models.DateTimeField(_("lifted"), null=True, blank=True)

    class Meta:
        verbose_name = _("legal hold")
        verbose_name_plural = _("legal holds")

    def __str__(self) -> str:
        return f"hold on {self.contact_id}"


class ErasedSubject(models.Model):
    """Somebody who was erased, as keyed hashes of their addresses: applied again after a backup is restored."""

    digest = models.CharField(max_length=64, unique=True)
    request = models.ForeignKey(PrivacyRequest, on_delete=models.PROTECT, related_name="digests")
    erased_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = _("erased person")
        verbose_name_plural = _("erased people")

    def __str__(self) -> str:
        return f"erased {self.erased_at:%Y-%m-%d}"


class AccessLogEntry(models.Model):
    """Somebody of the staff looked at a person, took a copy or listed many (GDPR article 32)."""

    class What(models.TextChoices):
        PROFILE = "profile", _("Profile")
        CONVERSATION = "conversation", _("Conversation")
        EXPORT = "export", _("Export")
        COPY = "copy", _("Copy of the data")
        API = "api", _("API")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, null=True, related_name="access_log")
    what = models.CharField(_("what"), max_length=15, choices=What)
    detail = models.CharField(max_length=200, blank=True, default="")
    count = models.PositiveIntegerField(default=1)  # minutes of the same hour in which they looked
    at = models.DateTimeField(_("when"), default=clock.now)

    class Meta:
        verbose_name = _("access")
        verbose_name_plural = _("access log")
        indexes: ClassVar = [
            models.Index(fields=["contact", "-at"], name="accesslogentry_of_contact"),
            models.Index(fields=["user", "-at"], name="accesslogentry_of_user"),
            models.Index(fields=["at"], name="accesslogentry_at"),  # retention; "who saw what" of a period
        ]

    def __str__(self) -> str:
        return f"{self.what} of {self.contact_id}"


class Processor(models.Model):
    """A service outside that handles people's data for the business (GDPR article 28)."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    purpose = models.CharField(_("purpose"), max_length=200)
    country = models.CharField(_("country"), max_length=2)
    transfer_basis = models.CharField(_("basis of transfer"), max_length=200, blank=True, default="")
    contract_date = models.DateField(_("contract of"), null=True, blank=True)

    class Meta:
        verbose_name = _("processor")
        verbose_name_plural = _("processors")
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name
