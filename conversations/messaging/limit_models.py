"""What all workers must count together: people of a portfolio, calls for files, and whether sending is fenced off."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from conversations.inboxes.models import Inbox
from crm.contacts.models import ChannelIdentity
from crm.foundation import clock


class PortfolioUse(models.Model):
    """A person a portfolio wrote to outside the window; counts against its limit for 24 hours."""

    scope = models.CharField(max_length=64)
    identity = models.ForeignKey(ChannelIdentity, on_delete=models.CASCADE, related_name="+")
    used_at = models.DateTimeField(default=clock.real)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["scope", "identity"], name="portfoliouse_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["scope", "used_at"], name="portfoliouse_count"),  # portfolio.admit
        ]

    def __str__(self) -> str:
        return f"{self.scope} wrote to {self.identity_id}"


class MediaAttempt(models.Model):
    """A call for a file that is on its way or has failed; success deletes it. Meta blocks numbers that fail often."""

    inbox = models.ForeignKey(Inbox, on_delete=models.CASCADE, related_name="+", db_index=False)
    started_at = models.DateTimeField(default=clock.real)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["inbox", "started_at"], name="mediaattempt_budget"),  # media drain
        ]

    def __str__(self) -> str:
        return f"call for a file of inbox {self.inbox_id}"


class SendFence(models.Model):
    """While one is up (not lifted), nothing leaves the house: raised after a restore, lifted by a manager."""

    class Reason(models.TextChoices):
        RESTORED = "restored", _("Restored from a backup")
        STALE = "stale", _("Old messages were waiting at the start")
        MANUAL = "manual", _("Stopped by a manager")

    reason = models.CharField(max_length=10, choices=Reason)
    raised_at = models.DateTimeField(default=clock.real)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = _("stop of sending")
        verbose_name_plural = _("stops of sending")

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
