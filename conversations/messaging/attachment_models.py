"""Files: of inbound messages (fetched from the provider) and of agents' uploads (handed to it)."""

import uuid
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from conversations.messaging.conversation_models import Conversation
from conversations.messaging.message_models import Message
from conversations.messaging.schedule_models import ScheduledMessage
from crm.foundation import clock
from crm.staff.models import User


def upload_path(attachment: "Attachment", filename: str) -> str:
    """Where a file lies: by its unguessable id, never by a name from outside; each try to fetch it has its own name."""
    return f"{attachment.pk.hex[:2]}/{attachment.pk.hex}-{uuid.uuid4().hex}"


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    """Attachments by who asks."""

    def visible_to(self, user: User) -> Self:
        """Those of visible conversations; an upload not sent yet only for who uploaded it."""
        visible = Conversation.objects.visible_to(user).values("pk")
        return self.filter(
            Q(message__isnull=False, message__conversation__in=visible)
            | Q(message__isnull=True, uploaded_by=user, conversation__in=visible)
        )


class Attachment(models.Model):
    """A file and what the provider calls it."""

    class State(models.TextChoices):
        PENDING = "pending"
        STORED = "stored"
        FAILED = "failed"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, null=True, blank=True, related_name="attachments")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    file = models.FileField(upload_to=upload_path, blank=True)
    filename = models.CharField(max_length=255, blank=True)
    mime_type = models.CharField(max_length=100, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    # Of voice messages and audio: length, 64 loudness peaks (0–100), and a rendition every browser plays.
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    peaks = models.JSONField(default=list, db_default=[], blank=True)
    rendition = models.FileField(upload_to=upload_path, blank=True, default="", db_default="")
    # When its sound was looked at (`messaging.sound`), whatever came of it; until then how often that was begun, and
    # before when nobody begins again.
    sound_read_at = models.DateTimeField(null=True, blank=True)
    sound_tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    sound_lease_until = models.DateTimeField(null=True, blank=True)
    # The message to be sent later that will take it.
    scheduled = models.ForeignKey(
        ScheduledMessage, on_delete=models.SET_NULL, null=True, blank=True, related_name="attachments", db_index=False
    )
    # The provider's media id: of inbound media (7 days) or of our upload (30 days from `handed_over_at`).
    external_id = models.CharField(max_length=256, blank=True)
    handed_over_at = models.DateTimeField(null=True, blank=True)
    attempts_count = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        indexes: ClassVar = [
            # files of a message to be sent later
            models.Index(fields=["scheduled"], condition=Q(scheduled__isnull=False), name="attachment_scheduled"),
            # media drain
            models.Index(fields=["next_attempt_at"], condition=Q(state="pending"), name="attachment_pending"),
            # sound drain
            models.Index(
                fields=["created_at"],
                condition=Q(kind__in=["voice", "audio"], state="stored", sound_read_at=None),
                name="attachment_unheard",
            ),
            # the media viewer
            models.Index(
                fields=["conversation", "message"],
                condition=Q(kind__in=["image", "video"], state="stored"),
                name="attachment_pictures",
            ),
            # retention: files past their time
            models.Index(
                fields=["created_at"],
                condition=Q(state="stored", message__isnull=False),
                name="attachment_aging",
            ),
            # uploads that were never sent
            models.Index(fields=["created_at"], condition=Q(message=None), name="attachment_unsent"),
            # a user who goes
            models.Index(fields=["uploaded_by"], condition=Q(uploaded_by__isnull=False), name="attachment_uploader"),
        ]

    def __str__(self) -> str:
        return f"attachment {self.pk}"
