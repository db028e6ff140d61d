"""What is remembered about a contact: notes, files, changes, and what happened outside."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.foundation import clock
from crm.staff.models import User


class ContactNote(models.Model):
    """What staff want to remember about a contact; the contact never sees it."""

    contact = models.ForeignKey("crm.Contact", on_delete=models.CASCADE, related_name="notes", db_index=False)
    text = models.TextField(_("text"))
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    edited_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("contact note")
        verbose_name_plural = _("contact notes")
        indexes: ClassVar = [models.Index(fields=["contact", "-created_at"], name="contactnote_panel")]

    def __str__(self) -> str:
        return f"note {self.pk} on {self.contact_id}"

    def is_by(self, user: User) -> bool:
        """Only who wrote a note may change it."""
        return self.author_id == user.pk

    def may_go(self, user: User) -> bool:
        """Who wrote a note, and managers, may delete it."""
        return self.is_by(user) or user.has_perm("crm.moderate")


class ContactChange(models.Model):
    """What a person changed about a contact: one row per field, with the value before and after."""

    contact = models.ForeignKey("crm.Contact", on_delete=models.CASCADE, related_name="changes", db_index=False)
    # name, kind, phone, company, language; "attributes.<key>"; tag and note (added: only `after`; gone: only `before`)
    field = models.CharField(max_length=70)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    # The contact's version that this change made.
    version = models.PositiveIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = _("contact change")
        verbose_name_plural = _("contact changes")
        indexes: ClassVar = [
            models.Index(fields=["contact", "-created_at"], name="contactchange_timeline"),  # and: changed since?
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.contact_id}"


class ContactFile(models.Model):
    """A file about a contact that staff or an integrator put there; never sent to anybody by itself."""

    contact = models.ForeignKey("crm.Contact", on_delete=models.CASCADE, related_name="files", db_index=False)
    file = models.FileField(upload_to="contacts/", max_length=200)
    name = models.CharField(_("name"), max_length=200)
    mime_type = models.CharField(_("kind of file"), max_length=100)
    size = models.PositiveIntegerField(_("bytes"))
    sha256 = models.CharField(max_length=64)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = _("contact file")
        verbose_name_plural = _("contact files")
        indexes: ClassVar = [models.Index(fields=["contact", "-added_at"], name="contactfile_panel")]

    def __str__(self) -> str:
        return f"file {self.pk} of {self.contact_id}"


class ContactEvent(models.Model):
    """Something that happened elsewhere (a call, an e-mail, a visit), told by an integrator; part of the timeline."""

    contact = models.ForeignKey("crm.Contact", on_delete=models.CASCADE, related_name="events", db_index=False)
    kind = models.SlugField(_("kind"), max_length=30)  # call, email, visit, or a word of the integrator's own
    title = models.CharField(_("title"), max_length=200)
    text = models.TextField(_("text"), blank=True, default="", db_default="")
    url = models.URLField(_("link"), max_length=500, blank=True, default="", db_default="")
    at = models.DateTimeField(_("when"))
    # The other system's own id: telling twice makes one event.
    external_id = models.CharField(_("external id"), max_length=100, null=True, blank=True)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = _("event of a contact")
        verbose_name_plural = _("events of contacts")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "external_id"], condition=Q(external_id__isnull=False), name="contactevent_once"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["contact", "-at"], name="contactevent_timeline")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.contact_id}"
