"""Raw webhooks as received (encrypted), and what became of each item in them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from conversations.messaging.models import Message
from crm.foundation import clock
from crm.foundation.secrets import unseal


class WebhookEvent(models.Model):
    """One POST: the exact bytes, sealed, and the accounts whose secret signed it."""

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting")
        PROCESSED = "processed", _("Processed")
        QUARANTINED = "quarantined", _("Quarantined")

    sealed_body = models.BinaryField()
    signature = models.CharField(max_length=100, blank=True)
    signer_ids = models.JSONField(default=list)
    state = models.CharField(max_length=12, choices=State, default=State.PENDING)
    reason = models.CharField(max_length=200, blank=True)
    attempts_count = models.PositiveSmallIntegerField(default=0)
    # Whose news it is, hashed (0: nobody's): a person's events are processed one after the other.
    lane = models.IntegerField(default=0)
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(default=clock.real)
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(state="pending"), name="webhookevent_pending"),  # pipeline.claim
            # pipeline.claim: whose news is being processed right now
            models.Index(
                fields=["lane"],
                condition=Q(state="pending", lease_until__isnull=False),
                name="webhookevent_leased",
            ),
            models.Index(fields=["id"], condition=Q(state="quarantined"), name="webhookevent_quarantine"),  # replay
            models.Index(fields=["received_at", "id"], name="webhookevent_received"),  # administration
            models.Index(fields=["processed_at"], condition=Q(state="processed"), name="webhookevent_retention"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def body(self) -> bytes:
        """The exact bytes Meta sent; raises InvalidToken if the encryption key is gone."""
        return unseal(bytes(self.sealed_body))


class EventItem(models.Model):
    """One item of a webhook and where it landed."""

    class Outcome(models.TextChoices):
        RECORDED = "recorded", _("New message")
        KNOWN = "known", _("Known already")
        APPLIED = "applied", _("Applied")
        PARKED = "parked", _("Waits for its message")
        STORED = "stored", _("Kept")
        QUARANTINED = "quarantined", _("Quarantined")

    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="items", db_index=False)
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=60)
    outcome = models.CharField(max_length=12, choices=Outcome)
    reason = models.CharField(max_length=300, blank=True)
    message = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, related_name="event_items")

    class Meta:
        verbose_name = _("item of a webhook")
        verbose_name_plural = _("items of the webhook")
        constraints: ClassVar = [models.UniqueConstraint(fields=["event", "position"], name="eventitem_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.outcome}"


class RefusedWebhooks(models.Model):
    """How many webhooks of a day (UTC) were refused for their signature; written at most every few seconds."""

    day = models.DateField(unique=True)
    count = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.count} refused on {self.day}"
