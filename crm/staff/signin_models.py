"""Where people are signed in, links that let somebody in for the first time, and how often something was tried."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.foundation import clock


class StaffSession(models.Model):
    """Where somebody is signed in. The session itself is Django's; this says whose it is, and from where."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="staff_sessions")
    session_key = models.CharField(max_length=40, unique=True)
    ip = models.GenericIPAddressField(null=True)
    browser = models.CharField(max_length=200, blank=True)  # the User-Agent header
    created_at = models.DateTimeField(default=clock.real, editable=False)
    last_seen_at = models.DateTimeField(default=clock.real)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        # of the retention: what was last seen longer ago than a session lives
        indexes: ClassVar = [models.Index(fields=["last_seen_at"], name="staffsession_last_seen")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.created_at:%Y-%m-%d %H:%M}"


class Invitation(models.Model):
    """A link with which its user, and nobody else, chooses a password once. Only the SHA-256 of its secret is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="invitations")
    digest = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.real, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")

    def __str__(self) -> str:
        return f"{self.user_id} {self.created_at:%Y-%m-%d %H:%M}"


class Tries(models.Model):
    """How often something was tried since its time began, by one address, browser or for one account."""

    key = models.CharField(max_length=64, unique=True)  # a keyed hash: it names neither people nor addresses
    count = models.PositiveIntegerField(default=0)
    ends_at = models.DateTimeField()

    class Meta:
        # of the retention: what has ended
        indexes: ClassVar = [models.Index(fields=["ends_at"], name="tries_ends_at")]

    def __str__(self) -> str:
        return f"{self.count} until {self.ends_at:%Y-%m-%d %H:%M}"
