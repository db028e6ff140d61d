"""The audit log."""

from typing import Any, ClassVar, NoReturn, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.foundation import clock
from crm.foundation.search import words_of


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    """Entries are read; nothing changes or deletes them but retention and erasure (`keeping.opened`)."""

    def about(self, model: str, pk: object) -> Self:
        """The history of one thing, newest first."""
        return self.filter(model=model, object_id=str(pk)).order_by("-pk")

    def search(self, text: str) -> Self:
        """Every word of `text` occurs in who or what it was about, accents and case aside."""
        return self.filter(*(Q(search_text__contains=word) for word in words_of(text)))

    def update(self, **fields: Any) -> NoReturn:
        """Refused."""
        raise TypeError("The audit log is not changed.")

    def delete(self) -> NoReturn:
        """Refused."""
        raise TypeError("The audit log is not deleted.")


class AuditEntry(models.Model):
    """One act: who (user, and token if by API), what, to which thing, what it was before and after, from where."""

    class Source(models.TextChoices):
        ADMIN = "admin", _("Administration")
        DESK = "desk", _("Inbox")
        API = "api", _("API")
        COMMAND = "command", _("Command line")
        SYSTEM = "system", _("System")

    at = models.DateTimeField(_("when"), default=clock.real, editable=False)
    # The name stays when the user goes.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("who")
    )
    user_name = models.CharField(_("name"), max_length=150, blank=True)
    token_prefix = models.CharField(_("token"), max_length=12, blank=True)
    source = models.CharField(_("where"), max_length=10, choices=Source)
    ip = models.GenericIPAddressField(_("address"), null=True, blank=True)
    # created, changed, deleted, or a verb of its own: signed_in, denied, replayed, settled …
    action = models.CharField(_("what"), max_length=40)
    model = models.CharField(_("kind of thing"), max_length=60, blank=True)  # app_label.modelname
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField(_("thing"), max_length=200, blank=True)
    # {field: [before, after]}; secrets are only said to have changed.
    changes = models.JSONField(_("changes"), default=dict)
    search_text = models.TextField(blank=True, default="", db_default="", editable=False)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(source__in=["admin", "desk", "api", "command", "system"]), name="auditentry_source_is_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["model", "object_id", "-id"], name="auditentry_history"),
            models.Index(fields=["user", "-id"], name="auditentry_of_user"),
            models.Index(fields=["action", "-id"], name="auditentry_action"),
            models.Index(fields=["model", "-id"], name="auditentry_kind"),
            models.Index(fields=["source", "-id"], name="auditentry_source"),
            models.Index(fields=["at"], name="auditentry_at"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
