"""Notices to staff."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from conversations.messaging.models import Conversation, Message
from crm.foundation import clock


class Notice(models.Model):
    """Somebody mentioned `user` in a note."""

    class Kind(models.TextChoices):
        MENTION = "mention"

    kind = models.CharField(max_length=20, choices=Kind, default=Kind.MENTION)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("mention")
        verbose_name_plural = _("mentions")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "message", "kind"], name="notice_once"),
            models.CheckConstraint(condition=Q(kind="mention"), name="notice_kind_is_known"),
        ]
        indexes: ClassVar = [
            # view Mentions and its count
            models.Index(fields=["user", "-created_at"], name="notice_of_user"),
            models.Index(fields=["user", "conversation"], condition=Q(read_at=None), name="notice_unread"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
