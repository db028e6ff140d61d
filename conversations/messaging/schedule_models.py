"""Messages that an agent wrote now and that leave later."""

import uuid
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from conversations.messaging.conversation_models import Conversation
from conversations.messaging.message_models import Message
from crm.foundation import clock
from crm.staff.models import User


class ScheduledMessageQuerySet(models.QuerySet["ScheduledMessage"]):
    """Scheduled messages by who asks."""

    def visible_to(self, user: User) -> Self:
        """Those of conversations the user sees."""
        return self.filter(conversation__in=Conversation.objects.visible_to(user).values("pk"))


class ScheduledMessage(models.Model):
    """A text (and files) to be sent at `send_at`, when the window and its author's rights are looked at again."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        REFUSED = "refused", _("Not sent")
        CANCELLED = "cancelled", _("Cancelled")

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="scheduled", db_index=False)
    # The id its message will have: sent twice it is one.
    client_id = models.UUIDField(default=uuid.uuid4, unique=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    text = models.TextField(blank=True)
    reply_to = models.ForeignKey(
        Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    send_at = models.DateTimeField()
    # Not sent if the person has written again since it was planned or last changed.
    unless_answered = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=500, blank=True)  # of a refusal, as code of `messaging.errors`
    settled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    changed_at = models.DateTimeField(null=True, blank=True)

    objects = ScheduledMessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("scheduled message")
        verbose_name_plural = _("scheduled messages")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "sent", "refused", "cancelled"]),
                name="scheduledmessage_state_is_known",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["send_at"], condition=Q(state="waiting"), name="scheduledmessage_due"),  # its drain
            models.Index(fields=["conversation", "send_at"], name="scheduledmessage_thread"),  # the strip of a thread
            models.Index(fields=["author"], condition=Q(author__isnull=False), name="scheduledmessage_author"),
            models.Index(fields=["reply_to"], condition=Q(reply_to__isnull=False), name="scheduledmessage_reply_to"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
